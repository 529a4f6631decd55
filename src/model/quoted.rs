//! Text as an argument of a shell, so that commands can be pasted.

/// As a shell takes it: as it is where it reads nothing else into it, otherwise in single quotes.
pub fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    if name.chars().all(is_plain) && !name.starts_with('-') && !name.is_empty() {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("第一集.txt"), "第一集.txt");
        assert_eq!(quoted("/etc/prefetchd/key"), "/etc/prefetchd/key");
        assert_eq!(quoted("a b.txt"), "'a b.txt'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted("-x"), "'-x'");
        assert_eq!(quoted(""), "''");
    }
}
