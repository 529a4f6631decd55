//! When the daemon is well and when it is ready: pure, in the words that are answered.

use std::time::Duration;

use crate::meters::Stage;
use crate::schedule::Pause;
use crate::telemetry::one_line;
use crate::words;

/// A stage may be busy for so long with one thing: a chunk of lines on a slow disk, writes that wait for a lock. The
/// submitter has a call's deadline on top.
const BUSY_MAX: Duration = Duration::from_secs(120);

/// How long each stage may stand still.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    call: Duration,
}

impl Bounds {
    /// With `[api] timeout`.
    pub(super) fn new(call: Duration) -> Self {
        Self { call }
    }

    fn of(&self, stage: Stage) -> Duration {
        match stage {
            Stage::Spool => BUSY_MAX,
            Stage::Submitter => BUSY_MAX + self.call,
        }
    }
}

/// The stages that have not moved for longer than they may.
pub(super) fn standing_still(idle: &[(Stage, Duration)], bounds: &Bounds) -> Vec<String> {
    idle.iter()
        .filter(|(stage, idle)| *idle > bounds.of(*stage))
        .map(|(stage, idle)| format!("the {} has not moved for {} s; restart the daemon", stage.word(), idle.as_secs()))
        .collect()
}

/// Why what is dropped now would not be sent as it should; nothing if it would.
pub(super) fn not_ready(unread: Option<&String>, unwritten: Option<&String>, pause: Option<&Pause>) -> Vec<String> {
    let unread = unread.map(|why| format!("the database cannot be read: {}", one_line(why)));
    let unwritten = unwritten.map(|why| format!("the database cannot be written: {}", one_line(why)));
    let paused = pause.map(|pause| format!("paused: {}", one_line(&words::pause(&pause.why).en)));
    [unread, unwritten, paused].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PauseWhy, Time};

    #[test]
    fn a_stage_that_stands_still_longer_than_a_call_may_take_is_named() {
        let bounds = Bounds::new(Duration::from_secs(600));
        let idle = |seconds| Stage::ALL.map(|stage| (stage, Duration::from_secs(seconds)));
        assert_eq!(standing_still(&idle(120), &bounds), Vec::<String>::new());
        let still = standing_still(&idle(300), &bounds);
        assert_eq!(still, ["the spool has not moved for 300 s; restart the daemon"]);
        assert_eq!(standing_still(&idle(721), &bounds).len(), 2);
    }

    #[test]
    fn each_reason_is_one_line_whatever_stands_in_it() {
        let pause = Pause { why: PauseWhy::Text("bad\u{1b}[2J\nkey".to_owned()), probe_at: Time::MIN_UTC };
        let trouble = "locked".to_owned();
        let ails = not_ready(None, Some(&trouble), Some(&pause));
        assert_eq!(ails, ["the database cannot be written: locked", "paused: bad\\u{1b}[2J\\nkey"]);
        assert_eq!(not_ready(None, None, None), Vec::<String>::new());
    }
}
