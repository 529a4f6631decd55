//! Logs: one event a line, fields instead of prose, to standard error. Under systemd the journal keeps the time, so the
//! lines go without; `PREFETCHD_LOG` sets the level (`info` unless set).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Sets up logging for this process.
pub fn init() {
    let filter = EnvFilter::builder()
        .with_env_var("PREFETCHD_LOG")
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .from_env_lossy();
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // A second subscriber in one process, as in tests, is refused, and the first one stays.
    let _ = if std::env::var_os("JOURNAL_STREAM").is_some() {
        lines.without_time().with_target(false).try_init()
    } else {
        lines.with_target(false).try_init()
    };
}

/// Text from outside on one line: what [`is_unsafe`] is escaped, so that it can neither forge an event nor drive a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Whether a character could end a line, drive a terminal, or turn the direction of writing so that text reads as other
/// than it is.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}
