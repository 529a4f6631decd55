//! `prefetchd status --watch`: draws the page again and again on the terminal's second screen, and leaves the first one
//! unchanged.

use std::io::IsTerminal as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime::Runtime;

use super::super::layout::Look;
use super::super::text::{out, write};
use super::{Page, code, render};
use crate::clock::Clock;
use crate::status::StatusReport;
use crate::store;

/// How often it is drawn.
const DRAW_EVERY: Duration = Duration::from_secs(2);

/// Enters the second screen and hides the cursor; and the reverse.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Draws until a signal ends it; the exit code is that of the last page.
pub(super) fn main(runtime: &Runtime, page: &Page<'_>) -> anyhow::Result<i32> {
    let (sender, asked_to_end) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for signals")?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            // Nobody listens any more if it is already ending.
            let _ = sender.send(());
        }
    })?;
    let screen = Screen::enter();
    let mut last: store::Result<StatusReport>;
    loop {
        // Nothing stays open between two pages: a reader that does makes the WAL grow.
        last = runtime.block_on(page.read());
        let ahead_ms = last.as_ref().ok().and_then(|report| report.service_ahead_ms);
        let look = Look::of_stdout(Clock::told(ahead_ms).now(), page.config.budget.day_starts);
        let lines = match &last {
            Ok(report) => render::page(report, &look),
            Err(error) => vec![format!("prefetchd: {error}; it is tried again")],
        };
        if !screen.draw(&lines) || asked_to_end.recv_timeout(DRAW_EVERY) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    drop(screen);
    let report = last?;
    if std::io::stdout().is_terminal() {
        // What was seen last stays to be read.
        let look = Look::of_stdout(Clock::told(report.service_ahead_ms).now(), page.config.budget.day_starts);
        render::page(&report, &look).iter().for_each(|line| out(line));
    }
    Ok(code(&report))
}

/// The terminal's second screen; nothing of the kind in a pipe.
struct Screen {
    is_terminal: bool,
}

impl Screen {
    fn enter() -> Self {
        let screen = Self { is_terminal: std::io::stdout().is_terminal() };
        write(if screen.is_terminal { ENTER } else { "" });
        screen
    }

    /// Draws a page, cut to the screen; in a pipe, pages follow each other. False if nobody reads any more.
    fn draw(&self, lines: &[String]) -> bool {
        if !self.is_terminal {
            return write(&format!("{}\n\n", lines.join("\n")));
        }
        let rows = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(24, |size| usize::from(size.ws_row)).max(2);
        let lines: String = lines.iter().take(rows - 1).map(|line| format!("{line}\x1b[K\r\n")).collect();
        // Overwrites the last page, so that nothing flickers, then clears the rest.
        write(&format!("\x1b[H{lines}\x1b[J"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_terminal {
            write(LEAVE);
        }
    }
}
