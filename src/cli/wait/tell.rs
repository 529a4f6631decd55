//! What `prefetchd wait` prints: progress on standard error, and the verdict in sentences.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::super::layout::cut;
use super::super::text::{err, number};
use super::Ending;
use crate::model::UrlState;
use crate::status::{Goal, Progress};
use crate::telemetry::one_line;
use crate::words::{Words, commands, progress};

/// Shortest time between lines of progress in a pipe.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// The state of a URL that has reached the goal.
fn state_of(goal: Goal) -> UrlState {
    match goal {
        Goal::Sent => UrlState::Submitted,
        Goal::Warm => UrlState::Complete,
    }
}

/// What URLs are that have reached the goal.
fn reached_state(progress: &Progress, goal: Goal) -> Words {
    progress::state_of(state_of(goal), progress.effect)
}

/// The numbers of URLs that have reached the goal, and of all.
fn share(progress: &Progress, goal: Goal) -> (String, String) {
    (number(progress.reached(goal)), number(progress.all()))
}

/// One line of progress.
pub(super) fn so_far(what: &str, progress: Option<&Progress>, goal: Goal, is_linked: bool) -> Words {
    let counts = match progress {
        Some(counts) => counts,
        None if is_linked => return progress::left_in_incoming(what, &commands::SECOND_LINK),
        None => return progress::not_taken(what),
    };
    let (reached, all) = share(counts, goal);
    let mut words = progress::so_far(what, &reached, &all, &reached_state(counts, goal));
    if counts.reading > 0 {
        words = words.and(&progress::reading());
    }
    others(counts, goal).into_iter().fold(words, |words, other| words.and(&other))
}

/// The states of URLs that have not reached the goal.
fn others(progress: &Progress, goal: Goal) -> Vec<Words> {
    let has_reached = |state: &UrlState| match goal {
        Goal::Warm => *state == UrlState::Complete,
        Goal::Sent => matches!(state, UrlState::Complete | UrlState::Submitted | UrlState::Unconfirmed),
    };
    let states = UrlState::ALL.into_iter().filter(|state| !has_reached(state));
    let some = states.map(|state| (state, progress.count(state))).filter(|(_, n)| *n > 0);
    some.map(|(state, n)| progress::counted(state, progress.effect, &number(n))).collect()
}

/// The verdict, one sentence per line.
pub(super) fn report(
    what: &str,
    progress: Option<&Progress>,
    (goal, ending): (Goal, Ending),
    is_linked: bool,
) -> Vec<Words> {
    let mut lines = Vec::new();
    if let Some(counts) = progress {
        if counts.refused > 0 {
            lines.push(progress::lines_refused(what, &number(counts.refused)));
        }
        lines.extend(counts.rejected.iter().map(|rejected| progress::rejected(&rejected.file, &rejected.why)));
    }
    let (reached, all) = progress.map(|counts| share(counts, goal)).unwrap_or_default();
    let state = progress.map(|counts| reached_state(counts, goal)).unwrap_or_default();
    match (ending, progress) {
        (Ending::Reached, _) => lines.push(progress::all_reached(what, &all, &state)),
        (Ending::Stuck, Some(counts)) if counts.all() > 0 => {
            let words = progress::stuck(what, &reached, &all, &state);
            lines.push(others(counts, goal).into_iter().fold(words, |words, other| words.and(&other)));
            lines.extend(counts.holds.iter().map(|hold| progress::held(&number(hold.urls), &hold.why)));
            let submitted = counts.count(UrlState::Submitted);
            if goal == Goal::Warm && submitted > 0 {
                lines.push(progress::untold(&number(submitted)));
            }
        }
        (Ending::Stuck, None) => lines.push(so_far(what, None, goal, is_linked)),
        (Ending::Stuck, _) => {}
        (Ending::TimeIsUp, _) => lines.push(progress::time_is_up().then(&so_far(what, progress, goal, is_linked))),
        (Ending::NoDaemon, _) => {
            lines.push(so_far(what, progress, goal, is_linked));
            lines.push(progress::no_daemon());
        }
    }
    lines
}

/// Prints progress to standard error: one line that is overwritten on a terminal, lines elsewhere.
pub(super) struct Teller {
    is_terminal: bool,
    said: String,
    at: Option<Instant>,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), said: String::new(), at: None }
    }

    pub(super) fn tell(&mut self, text: &str) {
        let is_soon = self.at.is_some_and(|at| at.elapsed() < SAY_EVERY);
        if self.said == text || (is_soon && !self.is_terminal) {
            return;
        }
        (self.said, self.at) = (text.to_owned(), Some(Instant::now()));
        if self.is_terminal {
            let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col));
            let _ = write!(io::stderr(), "\r{}\x1b[K", cut(text, columns.max(20) - 1));
            let _ = io::stderr().flush();
        } else {
            err(&one_line(text));
        }
    }

    /// Removes the line before the verdict.
    pub(super) fn finish(self) {
        if self.is_terminal && self.at.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
