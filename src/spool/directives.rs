//! Keys: directives at the head of a text file (`#: priority = urgent`), columns of a CSV file, members of a JSON
//! object.

use std::collections::BTreeSet;

use chrono::{FixedOffset, NaiveDate, NaiveDateTime};

use super::envelope::Options;
use crate::model::{Action, InputFault, KeyFault, Keys, Priority, TextEncoding, Time};

/// How a directive begins.
pub(super) const PREFIX: &str = "#:";

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// Keys of a line, and of a file.
pub(super) const KEYS: [&str; 7] = ["action", "priority", "label", "not_before", "deadline", "force", "purge_force"];

/// Chinese headings, each with the key that it means.
const CHINESE: [(&str, &str); 9] = [
    ("操作", "action"),
    ("网址", "url"),
    ("链接", "url"),
    ("优先级", "priority"),
    ("标签", "label"),
    ("截止时间", "deadline"),
    ("最早时间", "not_before"),
    ("强制", "force"),
    ("编码", "encoding"),
];

/// Accepted spellings of times without an offset.
const LOCAL_TIMES: [&str; 6] = [
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
];

/// What the directives at the head of a file ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// Applied to its lines.
    pub(super) keys: Keys,
    /// How its bytes are decoded.
    pub(super) encoding: Option<TextEncoding>,
    /// The keys of its directives, and of the options.
    said: BTreeSet<String>,
}

impl Head {
    /// Reads one directive: the text after [`PREFIX`].
    ///
    /// # Errors
    ///
    /// What is wrong with the directive.
    pub(super) fn apply(&mut self, directive: &str, offset: FixedOffset) -> Result<(), KeyFault> {
        let (key, value) = directive.split_once('=').ok_or_else(|| KeyFault::NoPair(directive.to_owned()))?;
        // As in a heading: in any case, and in Chinese.
        let (key, value) = (canonical(key), value.trim());
        let key = key.as_str();
        let before = (self.keys.clone(), self.encoding);
        if key == "encoding" {
            self.encoding = Some(value.parse().map_err(|_| KeyFault::value("encoding", value))?);
        } else {
            set(&mut self.keys, key, value, offset)?;
        }
        let is_first = self.said.insert(key.to_owned());
        let is_as_before = (&self.keys, &self.encoding) == (&before.0, &before.1);
        if is_first || is_as_before { Ok(()) } else { Err(KeyFault::Twice(key.to_owned())) }
    }

    /// Whether one of its directives or options has this key.
    pub(super) fn says(&self, key: &str) -> bool {
        self.said.contains(key)
    }

    /// Applies the options of `prefetchd add`, which override the file's directives.
    ///
    /// # Errors
    ///
    /// What is wrong with an option.
    pub(super) fn apply_options(&mut self, options: &Options, offset: FixedOffset) -> Result<(), InputFault> {
        let result = options.iter().try_for_each(|(key, value)| set(&mut self.keys, key, value, offset));
        self.said.extend(options.keys().cloned());
        result.map_err(|fault| InputFault::Directive { line: 0, fault })
    }
}

/// Checks options for `prefetchd add` by the rules of the spool.
///
/// # Errors
///
/// What is wrong with an option.
pub fn check_options(options: &Options, offset: FixedOffset) -> Result<(), InputFault> {
    // The other line breaks are control characters, which no label has. In a file they are harmless, and kept.
    let label = options.get("label").filter(|label| label.contains(['\u{2028}', '\u{2029}']));
    if let Some(label) = label {
        return Err(InputFault::Directive { line: 0, fault: KeyFault::value("label", label) });
    }
    Head::default().apply_options(options, offset)
}

/// A heading or key as this program spells it: in lower case, and in English if it was Chinese.
pub(super) fn canonical(name: &str) -> String {
    let name = crate::model::trim_unseen(name).to_lowercase();
    CHINESE.iter().find(|(chinese, _)| *chinese == name).map_or(name, |(_, key)| (*key).to_owned())
}

/// Sets one key.
///
/// # Errors
///
/// What is wrong with the value.
pub(super) fn set(keys: &mut Keys, key: &str, value: &str, offset: FixedOffset) -> Result<(), KeyFault> {
    match key {
        "action" => keys.action = action(value).ok_or_else(|| KeyFault::value("action", value))?,
        "purge_force" => keys.purge_force = truth(value).ok_or_else(|| KeyFault::value("purge_force", value))?,
        "priority" => keys.priority = priority(value).ok_or_else(|| KeyFault::value("priority", value))?,
        "label" => keys.label = Some(label(value)?),
        "not_before" => keys.not_before = Some(time("not_before", value, offset)?),
        "deadline" => keys.deadline = Some(time("deadline", value, offset)?),
        "force" => keys.force = truth(value).ok_or_else(|| KeyFault::value("force", value))?,
        _ => return Err(KeyFault::Unknown(key.chars().take(60).collect())),
    }
    Ok(())
}

fn action(value: &str) -> Option<Action> {
    match value {
        "预热" => Some(Action::Prefetch),
        "刷新" => Some(Action::Purge),
        "刷新目录" => Some(Action::PurgeDirectory),
        "刷新并预热" => Some(Action::PurgeThenPrefetch),
        _ => value.to_ascii_lowercase().replace(' ', "").parse().ok(),
    }
}

fn priority(value: &str) -> Option<Priority> {
    match value {
        "紧急" => Some(Priority::Urgent),
        "高" => Some(Priority::High),
        "普通" => Some(Priority::Normal),
        "低" => Some(Priority::Low),
        _ => value.to_ascii_lowercase().parse().ok(),
    }
}

/// A truth value as programs and Excel write it.
fn truth(value: &str) -> Option<bool> {
    match value {
        "是" => Some(true),
        "否" => Some(false),
        _ => value.to_ascii_lowercase().parse().ok(),
    }
}

fn label(value: &str) -> Result<String, KeyFault> {
    if value.is_empty() || value.chars().count() > LABEL_CHARS_MAX || value.chars().any(char::is_control) {
        return Err(KeyFault::value("label", value));
    }
    Ok(value.to_owned())
}

fn time(key: &'static str, value: &str, offset: FixedOffset) -> Result<Time, KeyFault> {
    if let Ok(time) = chrono::DateTime::parse_from_rfc3339(value) {
        return Ok(time.to_utc());
    }
    let local = LOCAL_TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(value, format).ok());
    let time = local.or_else(|| whole_day(key, value)).and_then(|time| time.and_local_timezone(offset).single());
    time.map(|time| time.to_utc()).ok_or_else(|| KeyFault::value(key, value))
}

/// A date alone, as Excel writes it: URLs may be sent from its first moment on, or until its last.
fn whole_day(key: &str, value: &str) -> Option<NaiveDateTime> {
    let date = ["%Y-%m-%d", "%Y/%m/%d"].iter().find_map(|format| NaiveDate::parse_from_str(value, format).ok())?;
    let day = if key == "deadline" { date.succ_opt()? } else { date };
    day.and_hms_opt(0, 0, 0)
}

/// Whether a comment looks like a mistyped directive: `# priority = urgent`, `#：priority = urgent`, with any marks
/// around the name of the key.
pub(super) fn looks_like_one(comment: &str) -> bool {
    let is_mark = |c: char| !c.is_alphanumeric();
    let text = comment.trim_start_matches(['#', ' ']);
    if text.starts_with(['：', ':']) {
        return true;
    }
    let text = text.trim_start_matches(is_mark);
    let ends = text.find(['=', '＝', ':', '：']).unwrap_or(text.len());
    let name = canonical(text[..ends].trim_end_matches(is_mark));
    let is_key = KEYS.contains(&name.as_str()) || matches!(name.as_str(), "encoding" | "expand");
    is_key && ends < text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DayStart;
    use crate::words::key_fault;

    fn offset() -> FixedOffset {
        DayStart::default().offset()
    }

    #[test]
    fn every_key_is_read() {
        let mut head = Head::default();
        for directive in [
            " priority = urgent",
            "label=Premiere 第一集",
            " not_before = 2026-11-23T20:00:00+08:00 ",
            " deadline = 2026-11-23T21:00:00Z",
            " force = true",
            " encoding = GBK",
            " action = Purge + Prefetch",
            " purge_force = true",
        ] {
            head.apply(directive, offset()).unwrap();
        }
        assert_eq!(head.keys.priority, Priority::Urgent);
        assert_eq!(head.keys.label.as_deref(), Some("Premiere 第一集"));
        assert_eq!(head.keys.not_before, Some("2026-11-23T12:00:00Z".parse().unwrap()));
        assert_eq!(head.keys.deadline, Some("2026-11-23T21:00:00Z".parse().unwrap()));
        assert!(head.keys.force && head.keys.purge_force);
        assert_eq!(head.keys.action, Action::PurgeThenPrefetch);
        assert_eq!(head.encoding, Some(TextEncoding::Gb18030));
    }

    #[test]
    fn a_label_of_the_command_line_has_no_line_break_of_any_kind() {
        let check = |label: String| check_options(&Options::from([("label".into(), label)]), offset());
        for between in ["\n", "\r", "\t", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}"] {
            assert!(check(format!("a{between}b")).is_err(), "{between:?}");
        }
        assert!(check("a b\u{3000}第一集".to_owned()).is_ok());
    }

    #[test]
    fn values_are_read_as_excel_and_chinese_editors_write_them() {
        let mut keys = Keys::default();
        for (key, value) in [("priority", "紧急"), ("force", "TRUE"), ("not_before", "2026-11-23 20:00")] {
            set(&mut keys, key, value, offset()).unwrap();
        }
        assert_eq!((keys.priority, keys.force), (Priority::Urgent, true));
        assert_eq!(keys.not_before, Some("2026-11-23T12:00:00Z".parse().unwrap()));
        for (key, value) in [("priority", "High"), ("force", "否"), ("not_before", "2026/11/23 20:00:30")] {
            set(&mut keys, key, value, offset()).unwrap();
        }
        assert_eq!((keys.priority, keys.force), (Priority::High, false));
        for (key, value) in [("not_before", "2026-11-30"), ("deadline", "2026/11/30")] {
            set(&mut keys, key, value, offset()).unwrap();
        }
        assert_eq!(keys.not_before, Some("2026-11-29T16:00:00Z".parse().unwrap()));
        assert_eq!(keys.deadline, Some("2026-11-30T16:00:00Z".parse().unwrap()), "to the end of the day");
        let mut head = Head::default();
        for directive in [" 优先级 = 紧急", " Label = 首映", " 强制 = 是", " 编码 = gb18030"] {
            head.apply(directive, offset()).unwrap();
        }
        assert_eq!((head.keys.priority, head.keys.force), (Priority::Urgent, true));
        assert!(head.says("priority") && head.apply(" priority = low", offset()).is_err(), "one key in two languages");
        assert_eq!(canonical(" 网址\u{feff}"), "url");
        assert_eq!(canonical("URL"), "url");
    }

    #[test]
    fn what_is_wrong_says_what_is_allowed() {
        for (directive, part) in [
            (" prio = high", "the directives are action, priority, label"),
            (" priority = highest", "urgent, high, normal or low"),
            (" deadline = tomorrow", "2026-11-23T20:00:00+08:00"),
            (" deadline = 2026-11", "2026-11-23T20:00:00+08:00"),
            (" force = yes", "true or false"),
            (" action = warm", "prefetch, purge, purge-directory or purge+prefetch"),
            (" action = regex", "by regular expression"),
            (" urgent", "key = value"),
            (" label =", "1 to 200"),
        ] {
            let fault = Head::default().apply(directive, offset()).unwrap_err();
            assert!(key_fault(&fault).en.contains(part), "{directive}: {}", key_fault(&fault).en);
        }
    }

    #[test]
    fn comments_that_look_like_directives_are_known() {
        for comment in
            ["# priority = urgent", "#：priority = urgent", "#priority: high", "# : label = x", "#优先级 = 高"]
                .into_iter()
                .chain([
                    "#; priority = urgent",
                    "#!priority=urgent",
                    "#\u{200b}: priority = urgent",
                    "#-- priority: high",
                ])
                .chain(["## **priority**: high", "#\t:priority = high", "#> - [label] = x", "#、优先级：高"])
        {
            assert!(looks_like_one(comment), "{comment}");
        }
        for comment in
            ["# film 1", "#", "#!", "# the priority of this", "# https://vod.example.com/a", "#!/bin/sh -e", "#; x = 1"]
        {
            assert!(!looks_like_one(comment), "{comment}");
        }
    }
}
