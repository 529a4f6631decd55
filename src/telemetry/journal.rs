//! The journal's own protocol: a datagram an event, `NAME=value` a line. So an event keeps its fields, and
//! `journalctl PREFETCHD_FILE=films.txt` finds them; its message has them too, as the text of the log has.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::net::UnixDatagram;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::one_line;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends events to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// The journal, if standard error is its stream, as systemd says in `$JOURNAL_STREAM`.
    pub(super) fn of_stderr() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let (device, inode) = stream.split_once(':')?;
        let stderr = rustix::fs::fstat(io::stderr()).ok()?;
        if (stderr.st_dev.to_string(), stderr.st_ino.to_string()) != (device.to_owned(), inode.to_owned()) {
            return None;
        }
        Some(Self { socket: UnixDatagram::unbound().ok()? })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let priority = priority(*event.metadata().level());
        // By name, not by a connection: a journal that restarts is found again. What it does not take goes by the
        // stream.
        if self.socket.send_to(fields.datagram(priority).as_bytes(), SOCKET).is_err() {
            let _ = io::Write::write_all(&mut io::stderr(), format!("<{priority}>{}\n", fields.line()).as_bytes());
        }
    }
}

/// The syslog priority.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// What an event says: its message, and each field by name, plain and as it stands in a line.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    named: Vec<(&'static str, String, String)>,
}

impl Fields {
    fn line(&self) -> String {
        let mut line = one_line(&self.message);
        for (name, _, shown) in &self.named {
            let _ = write!(line, " {name}={}", one_line(shown));
        }
        line
    }

    fn datagram(&self, priority: u8) -> String {
        let mut text = format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=prefetchd\nMESSAGE={}\n", self.line());
        for (name, plain, _) in &self.named {
            let _ = writeln!(text, "{}={}", journal_name(name), one_line(plain));
        }
        text
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.named.push((name, value.to_owned(), format!("{value:?}"))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.named.push((name, text.clone(), text)),
        }
    }
}

/// `submission.id` is `PREFETCHD_SUBMISSION`, `http_status` is `PREFETCHD_HTTP_STATUS`.
fn journal_name(field: &str) -> String {
    let field = field.strip_suffix(".id").unwrap_or(field);
    let upper = field.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    format!("PREFETCHD_{}", upper.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_its_fields_stand_beside_it() {
        let fields = Fields {
            message: "file queued".to_owned(),
            named: vec![
                ("file", "a\nPRIORITY=0".to_owned(), "\"a\\nPRIORITY=0\"".to_owned()),
                ("submission.id", "7".to_owned(), "7".to_owned()),
            ],
        };
        assert_eq!(
            fields.datagram(6),
            "PRIORITY=6\nSYSLOG_IDENTIFIER=prefetchd\nMESSAGE=file queued file=\"a\\nPRIORITY=0\" submission.id=7\n\
             PREFETCHD_FILE=a\\nPRIORITY=0\nPREFETCHD_SUBMISSION=7\n"
        );
    }
}
