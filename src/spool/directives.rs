//! Directives at the head of a text file: `#: priority = urgent`.

use crate::model::Time;
use crate::queue::Keys;

/// What a directive begins with.
pub(super) const PREFIX: &str = "#:";

/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 200;

/// Reads one directive (the text after [`PREFIX`]) into the file's keys.
///
/// # Errors
///
/// A message that names the key and what is allowed.
pub(super) fn apply(keys: &mut Keys, directive: &str) -> Result<(), String> {
    let (key, value) = directive
        .split_once('=')
        .ok_or_else(|| format!("`#:{directive}` is no directive; it is written `#: key = value`"))?;
    set(keys, key.trim(), value.trim())
}

/// Checks directives, one a line, as the spool would read them.
///
/// # Errors
///
/// A message that names the key and what is allowed.
pub fn check_directives(text: &str) -> Result<(), String> {
    let mut keys = Keys::default();
    text.lines().filter_map(|line| line.strip_prefix(PREFIX)).try_for_each(|directive| apply(&mut keys, directive))
}

/// Sets one key.
///
/// # Errors
///
/// A message that names the key and what is allowed.
pub(super) fn set(keys: &mut Keys, key: &str, value: &str) -> Result<(), String> {
    match key {
        "priority" => keys.priority = value.parse()?,
        "label" => keys.label = Some(label(value)?),
        "not_before" => keys.not_before = Some(time(key, value)?),
        "deadline" => keys.deadline = Some(time(key, value)?),
        "force" => {
            keys.force = value.parse().map_err(|_| format!("force is true or false, not `{value}`"))?;
        }
        _ => {
            return Err(format!(
                "there is no directive `{key}`; there are priority, label, not_before, deadline and force"
            ));
        }
    }
    Ok(())
}

fn label(value: &str) -> Result<String, String> {
    if value.is_empty() || value.chars().count() > LABEL_CHARS_MAX || value.chars().any(char::is_control) {
        return Err(format!("a label has 1 to {LABEL_CHARS_MAX} characters, none of them a control character"));
    }
    Ok(value.to_owned())
}

fn time(key: &str, value: &str) -> Result<Time, String> {
    chrono::DateTime::parse_from_rfc3339(value)
        .map(|time| time.to_utc())
        .map_err(|_| format!("{key} is a time like 2026-11-23T20:00:00+08:00, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;

    #[test]
    fn every_key_is_read() {
        let mut keys = Keys::default();
        for directive in [
            " priority = urgent",
            "label=Premiere 第一集",
            " not_before = 2026-11-23T20:00:00+08:00 ",
            " deadline = 2026-11-23T21:00:00Z",
            " force = true",
        ] {
            apply(&mut keys, directive).unwrap();
        }
        assert_eq!(keys.priority, Priority::Urgent);
        assert_eq!(keys.label.as_deref(), Some("Premiere 第一集"));
        assert_eq!(keys.not_before, Some("2026-11-23T12:00:00Z".parse().unwrap()));
        assert_eq!(keys.deadline, Some("2026-11-23T21:00:00Z".parse().unwrap()));
        assert!(keys.force);
    }

    #[test]
    fn what_is_wrong_says_what_is_allowed() {
        for (directive, part) in [
            (" prio = high", "there are priority, label"),
            (" priority = highest", "urgent, high, normal or low"),
            (" deadline = tomorrow", "2026-11-23T20:00:00+08:00"),
            (" force = yes", "true or false"),
            (" urgent", "key = value"),
            (" label =", "1 to 200"),
        ] {
            let error = apply(&mut Keys::default(), directive).unwrap_err();
            assert!(error.contains(part), "{directive}: {error}");
        }
    }
}
