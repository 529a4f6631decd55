//! All mistakes of a configuration at once: what is wrong is blanked, and the rest is read again.

mod told;

use super::Config;

/// Mistakes that are told.
const MISTAKES_MAX: usize = 20;

/// What is wrong with a configuration.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    /// Each mistake, with its line.
    pub told: Vec<String>,
    /// The sections in which something was blanked, so that nothing more can be said of them.
    pub sections: Vec<String>,
}

/// Reads a configuration, and tells what is wrong with it, mistake by mistake. With mistakes the configuration is that
/// of the rest; none if nothing could be read.
pub(super) fn read(text: &str) -> (Option<Config>, Mistakes) {
    let mut text = text.to_owned();
    let mut mistakes = Mistakes::default();
    loop {
        let error = match toml::from_str::<Config>(&text) {
            Ok(config) => return (Some(config), mistakes),
            Err(error) => error,
        };
        let is_toml = !is_syntax(&text);
        let at = error.span().map_or(0, |span| span.start);
        let section = section(&text, at);
        // A key that is missing where a line was blanked stood in that line.
        let is_ours = error.message().starts_with("missing field")
            && section.as_ref().is_some_and(|section| mistakes.sections.contains(section));
        if !is_ours {
            mistakes.told.push(told::mistake(&text, &error, section.as_deref(), is_toml));
        }
        // What is no TOML cannot be left out: whatever followed would be a guess.
        let is_left = mistakes.told.len() < MISTAKES_MAX && is_toml;
        let Some(span) = error.span().filter(|_| is_left) else { return (None, mistakes) };
        mistakes.sections.extend(section);
        if !blank(&mut text, span.start, span.end) {
            return (None, mistakes);
        }
    }
}

/// The section that this place belongs to.
fn section(text: &str, at: usize) -> Option<String> {
    let end = text[at.min(text.len())..].find('\n').map_or(text.len(), |end| at + end);
    let head = text[..end].lines().rev().find_map(|line| line.trim().strip_prefix('['))?;
    Some(head.trim_start_matches('[').split([']', '.']).next().unwrap_or_default().trim().to_owned())
}

/// Whether the text as a whole is no TOML.
fn is_syntax(text: &str) -> bool {
    text.parse::<toml::Table>().is_err()
}

/// Blanks the lines of a mistake; of the head of a section, the section. False if there was nothing to blank.
fn blank(text: &mut String, start: usize, end: usize) -> bool {
    let end = end.max(start).min(text.len());
    let first = text[..start.min(end)].rfind('\n').map_or(0, |at| at + 1);
    let mut last = text[end..].find('\n').map_or(text.len(), |at| end + at);
    if text[first..].trim_start().starts_with('[') {
        last = text[last..].find("\n[").map_or(text.len(), |at| last + at);
    }
    let was: String = text[first..last].to_owned();
    let blanks: String = was.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    text.replace_range(first..last, &blanks);
    !was.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_each_with_its_line_and_the_name_that_is_near() {
        let text = "[budget]\nrequests_per_dya = 5\nreserve = 3\n[spol]\ndir = \"/x\"\n[schedule]\nlinger = \"soon\"\n";
        let error = read(text).1.told.join("\n");
        for part in [
            "line 2",
            "[budget] requests_per_dya",
            "did you mean `requests_per_day`?",
            "line 4",
            "did you mean `spool`?",
            "line 7",
            "linger",
        ] {
            assert!(error.contains(part), "{part} is not in\n{error}");
        }
        assert!(!error.contains("`dir`, expected"), "{error}");
        let (config, mistakes) = read("");
        assert!(config == Some(Config::default()) && mistakes.told.is_empty());
    }

    #[test]
    fn conditions_between_keys_are_told_with_the_other_mistakes_and_not_of_a_section_that_was_blanked() {
        let text = "[budget]\nrequests_per_day = 5\nreserve = 9\n[spool]\ndir = \"x\"\n[retry]\nbackoff_min = \"1h\"\n\
            backoff_max = \"soon\"\n";
        let error = Config::from_toml(text).unwrap_err();
        for part in
            ["[budget] reserve (line 3): must be at most", "[spool] dir (line 5): must be an absolute", "line 8"]
        {
            assert!(error.contains(part), "{part} is not in\n{error}");
        }
        assert!(!error.contains("must be at least backoff_min"), "{error}");
    }

    #[test]
    fn what_is_no_toml_is_told_once() {
        let error = read("[budget\nrequests_per_day = 5\n").1.told.join("\n");
        assert_eq!(error.matches("is not TOML").count(), 1, "{error}");
    }

    #[test]
    fn a_robot_of_an_unknown_kind_is_not_told_that_it_has_none() {
        let error = read("[[notify.robot]]\nkind = \"slack\"\nurl_file = \"/x\"\n").1.told.join("\n");
        assert!(error.contains("[notify] kind (line 2): allowed") && !error.contains("missing"), "{error}");
        let error = read("[[notify.robot]]\nurl_file = \"/x\"\n").1.told.join("\n");
        assert!(error.contains("[notify] (line 1): `kind` is missing"), "{error}");
    }
}
