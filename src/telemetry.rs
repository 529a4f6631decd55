//! Logs: one event a line, fields instead of prose. Where standard error is the journal's, they go there with their
//! fields (`journal`); else to standard error, as text or, by `[log] format`, as JSON. `[log] level` says how much,
//! and a reload changes it; `PREFETCHD_LOG` overrides it (`debug`, or `tracing`'s filters such as
//! `prefetchd::spool=trace`).

mod journal;

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Level, Log, LogFormat};

/// The variable that overrides `[log] level`.
const VARIABLE: &str = "PREFETCHD_LOG";

/// Changes how much is logged.
#[derive(Debug, Clone)]
pub struct Volume(reload::Handle<EnvFilter, Registry>);

impl Volume {
    /// Logs from `level` on, unless the environment says otherwise.
    pub fn set(&self, level: Level) {
        // It fails only when the subscriber is gone, and then nothing is logged anyway.
        let _ = self.0.reload(filter(level));
    }
}

/// Sets up logging for this process.
pub fn init(config: &Log) -> Volume {
    let (filter, handle) = reload::Layer::new(filter(config.level));
    // A second subscriber in one process, as in tests, is refused, and the first one stays.
    let _ = tracing_subscriber::registry().with(filter).with(output(config.format)).try_init();
    Volume(handle)
}

/// The way of events out of the process.
fn output<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    if format == LogFormat::Json {
        return lines.json().flatten_event(true).boxed();
    }
    if let Some(journal) = journal::Journal::of_stderr() {
        return journal.boxed();
    }
    let terminal = std::io::stderr().is_terminal();
    lines.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())).boxed()
}

fn filter(level: Level) -> EnvFilter {
    match std::env::var(VARIABLE) {
        Ok(directives) if !directives.is_empty() => EnvFilter::builder()
            .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
            .parse_lossy(directives),
        _ => EnvFilter::new(format!("warn,prefetchd={}", level.word())),
    }
}

/// Text from outside on one line: what [`is_unsafe`] is escaped, so that it can neither forge an event nor drive a
/// terminal.
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
