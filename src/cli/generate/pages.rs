//! The parts of manual pages that the definitions of commands do not have, and the page of the configuration.

use std::fmt::Write as _;

/// The shipped configuration, of which the page is made.
const SHIPPED: &str = include_str!("../../../config/prefetchd.toml");

/// Files, environment and exit codes: the same for all commands.
pub(super) const SECTIONS: &str = r"
.SH FILES
.TP
.I /etc/prefetchd/prefetchd.toml
The configuration; see
.BR prefetchd.toml (5).
.TP
.I /etc/prefetchd/NAME.toml
That of the instance prefetchd@NAME.
.TP
.I /var/spool/prefetchd
The spool: incoming/ takes files of URLs, done/ and rejected/ have them with their receipts.
.TP
.I /var/lib/prefetchd/prefetchd.db
The database.
.SH ENVIRONMENT
.TP
.B PREFETCHD_CONFIG
The configuration, unless \-\-config names it.
.TP
.B PREFETCHD_LANG
The language of texts, en or zh, unless \-\-lang names it; then [ui] language, LC_ALL, LC_MESSAGES and LANG.
.TP
.B PREFETCHD_LOG
What is logged; overrides [log] level.
.TP
.B NO_COLOR
No colours, unless \-\-color asks for them.
.TP
.B ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET
The access key; docs/credentials.md has all sources.
.SH EXIT STATUS
.TP
.B 0
All is well.
.TP
.B 1
Something needs attention, or can no longer succeed by itself.
.TP
.B 64
The command line is wrong.
.TP
.B 65
The input is wrong, or there is nothing to do.
.TP
.B 66
There is no such file, URL or label.
.TP
.B 69
No daemon runs, or there is no database.
.TP
.B 70
A bug.
.TP
.B 74
Reading or writing failed.
.TP
.B 75
Not now: the time is up, or somebody else has the lock.
.TP
.B 77
Somebody else may do it.
.TP
.B 78
The configuration is wrong.
";

/// `prefetchd.toml(5)`: each key with its default and what the shipped configuration says of it.
pub(super) fn configuration() -> String {
    let mut page = String::from(
        ".TH prefetchd.toml 5\n.SH NAME\nprefetchd.toml \\- the configuration of prefetchd\n.SH SYNOPSIS\n\
         /etc/prefetchd/prefetchd.toml\n.SH DESCRIPTION\n",
    );
    let mut lines = SHIPPED.lines().peekable();
    while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
        writeln!(page, "{}", escaped(line.trim_start_matches(['#', ' ']))).expect("text can be written");
    }
    page.push_str(".SH KEYS\n");
    for line in lines {
        let (text, is_set) = match line.strip_prefix("# ") {
            Some(text) => (text, false),
            None => (line, true),
        };
        let (key, said) = text.split_once(" #").map_or((text, ""), |(key, said)| (key, said));
        let written = match (key.trim(), said.trim()) {
            ("", "") => Ok(()),
            ("", said) => writeln!(page, "{}", escaped(said)),
            (key, _) if key.starts_with('[') => writeln!(page, ".SS {}", escaped(key)),
            (key, said) if key.contains(" = ") => {
                let unset = if is_set { "" } else { " Not set by default." };
                writeln!(page, ".TP\n.B \"{}\"\n{}{unset}", escaped(key).replace('"', "\"\""), escaped(said))
            }
            (_, _) => writeln!(page, "{}", escaped(text.trim_start_matches(['#', ' ']))),
        };
        written.expect("text can be written");
    }
    page.push_str(".SH SEE ALSO\n.BR prefetchd (1)\n");
    page
}

/// As roff takes it.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn the_page_of_the_configuration_has_every_key_once_with_what_is_said_of_it() {
        let page = configuration();
        for part in
            [".SS [spool]", ".B \"dir = \"\"/var/spool/prefetchd\"\"\"", "holds incoming/", "Not set by default."]
        {
            assert!(page.contains(part), "{part} is not in\n{page}");
        }
        for line in SHIPPED.lines() {
            let key = line.trim_start_matches("# ").split(" = ").next().unwrap_or_default();
            let is_key =
                !key.is_empty() && line.contains(" = ") && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(!is_key || page.contains(&format!(".B \"{key} = ")), "{key} has no entry");
        }
    }

    #[test]
    fn every_exit_code_is_told() {
        for code in [
            0,
            exit::ATTENTION,
            exit::USAGE,
            exit::DATA,
            exit::NO_INPUT,
            exit::UNAVAILABLE,
            exit::SOFTWARE,
            exit::IO,
            exit::TEMPORARY,
            exit::NO_PERMISSION,
            exit::CONFIG,
        ] {
            assert!(SECTIONS.contains(&format!(".B {code}\n")), "{code}");
        }
    }
}
