//! What TOML and serde say of a mistake, in our own words: which key, in which line, and what is allowed there.
//!
//! Their texts quote the value or its whole line, which may be a secret in the wrong place, and a configuration's
//! mistakes are read by more people than the configuration: in the journal, in `status` and on the page. So only names
//! of keys pass, what is allowed, and texts that [`OURS`] marks.

use toml::de::Error;

use crate::config::values::OURS;

/// Names that are as near as this are meant, perhaps.
const DISTANCE_MAX: usize = 3;

/// A mistake; `section` is where it stands, `is_toml` whether the text as a whole can be read.
pub(super) fn mistake(text: &str, error: &Error, section: Option<&str>, is_toml: bool) -> String {
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text[..at].matches('\n').count() + 1;
    if !is_toml {
        // TOML's own texts about its grammar quote nothing of the file.
        return format!("line {line}: this is not TOML: {}", error.message());
    }
    let message = error.message();
    if let Some((name, allowed)) = unknown(message) {
        let near = nearest(name, allowed).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let (whose, kind) = match section {
            Some(section) if section != name => (format!("[{section}] {name}"), "key"),
            _ => (format!("[{name}]"), "section"),
        };
        return format!("{whose} (line {line}): there is no such {kind}; allowed here: {allowed}{near}");
    }
    let section = section.map(|section| format!("[{section}] ")).unwrap_or_default();
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{section}(line {line}): {field} is missing");
    }
    let key = key_at(text, at).map(|key| format!("{key} ")).unwrap_or_default();
    format!("{section}{key}(line {line}): {}", allowed(message))
}

/// An unknown key, and the list of those that are known.
fn unknown(message: &str) -> Option<(&str, &str)> {
    let (name, rest) = message.strip_prefix("unknown field `")?.split_once("`, expected ")?;
    Some((name, rest.strip_prefix("one of ").unwrap_or(rest)))
}

/// What is allowed where something else stands.
fn allowed(message: &str) -> String {
    if let Some(ours) = message.strip_prefix(OURS) {
        return ours.to_owned();
    }
    if message == "invalid socket address syntax" {
        return "allowed is an address with a port, such as \"127.0.0.1:9464\"".to_owned();
    }
    // The value stands before the last of these, the names of what is allowed behind it.
    let Some((_, expected)) = message.rsplit_once(", expected ") else {
        return "what stands here is not allowed".to_owned();
    };
    let expected = match expected {
        "a sequence" => "a list, such as [\"a\", \"b\"]",
        "a string" | "path string" => "a text in quotes",
        "a boolean" => "true or false, without quotes",
        "a map" => "a table, such as { \"Name\" = [\"value\"] }",
        "i64" | "u16" | "u32" | "u64" => "a whole number, without quotes",
        part if part.starts_with("struct ") => "a section in brackets, with its keys below",
        other => other.strip_prefix("one of ").unwrap_or(other),
    };
    format!("allowed here: {expected}")
}

/// The key whose value begins at this place, or around it.
fn key_at(text: &str, at: usize) -> Option<String> {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let before = text[start..].split_once('=').map(|(key, _)| key.trim())?;
    let is_key = !before.is_empty() && before.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_key.then(|| before.to_owned())
}

/// The name that is nearest to an unknown one, of those that are listed.
fn nearest<'a>(unknown: &str, listed: &'a str) -> Option<&'a str> {
    let names = listed.split('`').skip(1).step_by(2);
    let near = names.map(|name| (strsim::damerau_levenshtein(unknown, name), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= DISTANCE_MAX && distance < unknown.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// What must not be seen.
    const SECRET: &str = "TOPSECRETKEY";

    #[test]
    fn no_value_is_shown_whatever_is_wrong_with_it() {
        let shipped = include_str!("../../../config/prefetchd.toml");
        let mut section = "";
        let mut refused = 0;
        for line in shipped.lines() {
            if line.starts_with('[') {
                section = line;
            }
            let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
            for value in [
                format!("\"{SECRET}\""),
                format!("\"http://me:{SECRET}@h/{SECRET}?t={SECRET}\""),
                format!("\"a, expected {SECRET}, expected \""),
                format!("[\"{SECRET}\"]"),
                format!("{{ {key} = \"{SECRET}\" }}"),
                format!("[[\"{SECRET}\"]]"),
                format!("\"{SECRET}"),
                SECRET.to_owned(),
                format!("\"{SECRET}\" {SECRET}"),
                format!("\"\"\"\n{SECRET} = {SECRET}"),
                "987654321987654321".to_owned(),
            ] {
                for key in [key, "access_key_secret"] {
                    let Err(error) = Config::from_toml(&format!("{section}\n{key} = {value}\n")) else { continue };
                    refused += 1;
                    assert!(error.contains("line 2") || error.contains("line 1") || value.contains('\n'), "{error}");
                    assert!(!error.contains(SECRET) && !error.contains("98765"), "{section} {key} = {value}\n{error}");
                }
            }
        }
        assert!(refused > 500, "{refused}");
        let robot = format!("[[notify.robot]]\nkind = \"json\"\nurl = \"https://h/?access_token={SECRET}\"\n");
        let error = Config::from_toml(&robot).unwrap_err();
        assert!(error.contains("[notify] url (line 3)") && error.contains("`url_file`"), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }

    #[test]
    fn what_is_allowed_is_told_in_words() {
        for (text, told) in [
            ("[spool]\ndomains = \"x\"", "[spool] domains (line 2): allowed here: a list, such as [\"a\", \"b\"]"),
            ("[http]\npages = \"yes\"", "[http] pages (line 2): allowed here: true or false, without quotes"),
            ("[log]\nlevel = \"loud\"", "[log] level (line 2): allowed here: `error`, `warn`"),
            ("[http]\nlisten = \"9464\"", "such as \"127.0.0.1:9464\""),
            ("[schedule]\nlinger = \"soon\"", "[schedule] linger (line 2): a span from \"0s\" to \"24h\""),
            ("[budget]\nreserve = \"5\"", "[budget] reserve (line 2): a whole number from 0"),
            ("[bugdet]", "[bugdet] (line 1): there is no such section"),
            ("[api]\nareas = 5", "[api] areas (line 2): there is no such key; allowed here: `product`"),
        ] {
            let error = Config::from_toml(text).unwrap_err();
            assert!(error.contains(told), "{text}\n{error}");
        }
    }

    #[test]
    fn a_name_that_is_far_from_all_is_not_guessed() {
        assert_eq!(nearest("zzzzzzzz", "`api`, `spool`"), None);
        assert_eq!(nearest("requests_per_dy", "`requests_per_day`"), Some("requests_per_day"));
    }
}
