//! Decides when the daemon is healthy and when it is ready; pure, in the words of the answer.

use crate::schedule::Standing;
use crate::stage::Late;
use crate::telemetry::one_line;
use crate::words;

/// One line for each stage that hangs.
pub(super) fn standing_still(late: &[Late]) -> Vec<String> {
    let line =
        |late: &Late| format!("the {} has not moved for {} s; restart the daemon", late.name, late.idle.as_secs());
    late.iter().map(line).collect()
}

/// Why URLs dropped now would not be sent as they should; empty if they would.
pub(super) fn not_ready(
    unread: Option<&String>,
    unwritten: Option<&String>,
    standing: Option<&Standing>,
) -> Vec<String> {
    let unread = unread.map(|why| format!("the database cannot be read: {}", one_line(why)));
    let unwritten = unwritten.map(|why| format!("the database cannot be written: {}", one_line(why)));
    let paused = standing.and_then(|standing| standing.pause.as_ref());
    let paused = paused.map(|pause| format!("paused: {}", one_line(&words::pause(&pause.why).en)));
    let stopped = standing.and_then(|standing| standing.stopped.as_ref());
    let stopped = stopped.map(|stopped| format!("paused by {}: {}", one_line(&stopped.by), one_line(&stopped.why)));
    [unread, unwritten, stopped, paused].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{PauseWhy, Stopped, Time};
    use crate::schedule::Pause;
    use crate::stage::Name;

    #[test]
    fn a_stage_that_hangs_is_named() {
        let late = |name, seconds| Late { name, idle: Duration::from_secs(seconds) };
        let still = standing_still(&[late(Name::Spool, 300), late(Name::Tracker, 130)]);
        assert_eq!(still[0], "the spool has not moved for 300 s; restart the daemon");
        assert_eq!(still[1], "the tracker has not moved for 130 s; restart the daemon");
        assert_eq!(standing_still(&[]), Vec::<String>::new());
    }

    #[test]
    fn each_reason_is_one_line_whatever_stands_in_it() {
        let pause = Pause { why: PauseWhy::Text("bad\u{1b}[2J\nkey".to_owned()), probe_at: Time::MIN_UTC };
        let trouble = "locked".to_owned();
        let standing = Standing { pause: Some(pause), ..Standing::default() };
        let ails = not_ready(None, Some(&trouble), Some(&standing));
        assert_eq!(ails, ["the database cannot be written: locked", "paused: bad\\u{1b}[2J\\nkey"]);
        assert_eq!(not_ready(None, None, None), Vec::<String>::new());
        let by = "alice (uid 1000)".to_owned();
        let stopped = Stopped { why: "origin\ndown".to_owned(), by, since: Time::MIN_UTC };
        let standing = Standing { stopped: Some(stopped), ..Standing::default() };
        assert_eq!(not_ready(None, None, Some(&standing)), ["paused by alice (uid 1000): origin\\ndown"]);
    }
}
