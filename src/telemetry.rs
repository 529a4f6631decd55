//! The log: one event per line, with fields instead of prose. If standard error is the journal's, events go there with
//! their fields (`journal`); otherwise to standard error, as text or, by `[log] format`, as JSON. `[log] level` sets
//! how much is logged, and a reload changes it; `PREFETCHD_LOG` overrides it (`debug`, or filters of `tracing` such as
//! `prefetchd::spool=trace`).
//! `prefetchd::spool=trace`).

mod journal;

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::config::{Level, Log, LogFormat};

/// The variable that overrides `[log] level`.
const VARIABLE: &str = "PREFETCHD_LOG";

/// Changes the level of the log.
#[derive(Debug, Clone)]
pub struct Volume(reload::Handle<EnvFilter, Registry>);

impl Volume {
    /// Logs from `level` up, unless the environment says otherwise.
    pub fn set(&self, level: Level) {
        // Fails only if the subscriber is gone; then nothing is logged anyway.
        let _ = self.0.reload(filter(level));
    }
}

/// Sets up logging for this process.
pub fn init(config: &Log) -> Volume {
    let (filter, handle) = reload::Layer::new(filter(config.level));
    // A second subscriber in one process, as in tests, is refused; the first one stays.
    let _ = tracing_subscriber::registry().with(filter).with(output(config.format)).try_init();
    Volume(handle)
}

/// Where events are written.
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
        // Whoever uses the database tells what ails it, once; the driver would tell each try.
        _ => EnvFilter::new(format!("warn,sqlx=error,sqlx_core=error,sqlx_postgres=error,prefetchd={}", level.word())),
    }
}

/// Text from outside on one line: characters that are [`is_unsafe`] are escaped, so that the text can neither forge an
/// event nor drive a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Whether a character could end a line, drive a terminal, or change the direction of writing so that text looks
/// different from what it is.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}
