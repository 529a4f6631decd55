//! All mistakes of a configuration at once: what is wrong is blanked, and the rest is read again.

use super::Config;

/// Mistakes that are told.
const MISTAKES_MAX: usize = 20;

/// Names that are as near as this are meant, perhaps.
const DISTANCE_MAX: usize = 3;

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
        let mut mistake = error.to_string().trim_end().to_owned();
        if let Some(near) = nearest(error.message()) {
            mistake.push_str(&format!("; did you mean `{near}`?"));
        }
        mistakes.told.push(mistake);
        let is_text = error.message().contains("unknown field") || error.message().contains("invalid");
        // What is no TOML cannot be left out: whatever followed would be a guess.
        let is_left = mistakes.told.len() < MISTAKES_MAX && (is_text || !is_syntax(&text));
        let Some(span) = error.span().filter(|_| is_left) else { return (None, mistakes) };
        mistakes.sections.extend(section(&text, span.start));
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

/// The name that is nearest to an unknown one, of those that an error lists.
fn nearest(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let names = rest.split('`').skip(1).step_by(2);
    let near = names.map(|name| (strsim::damerau_levenshtein(unknown, name), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= DISTANCE_MAX && distance < unknown.len()).then_some(name)
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
            "`requests_per_dya`",
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
        assert_eq!(error.matches("TOML parse error").count(), 1, "{error}");
    }

    #[test]
    fn a_name_that_is_far_from_all_is_not_guessed() {
        assert_eq!(nearest("unknown field `zzzzzzzz`, expected one of `api`, `spool`"), None);
        assert_eq!(nearest("unknown field `requests_per_dy`, expected `requests_per_day`"), Some("requests_per_day"));
    }
}
