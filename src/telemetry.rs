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

/// Text from outside on one line: control characters escaped, so that it can neither forge an event nor drive a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}
