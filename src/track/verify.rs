//! The stage that asks the CDN for a sample of the completed URLs, slowly and one at a time.
//!
//! It samples an ended submission only when nothing else is due, so that at most one submission's URLs wait, plus those
//! that are tried a second time. Cursor and checks are committed together, and a try is committed before its call: a
//! crash or a stop repeats one call at most, and a URL that was asked for twice without an answer is `unknown`.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, info};

use super::ask::{Asked, Asker, TIMEOUT};
use super::checks::{self, Check, Cursor};
use super::warmth::{Verdict, is_sampled};
use crate::clock::Clock;
use crate::model::{SubmissionId, Time};
use crate::stage::{Pulse, Stage, Then, Tools};
use crate::store::{self, Store};

/// How often a URL is asked for when the network fails ...
const TRIES_MAX: u32 = 2;

/// ... and how long after the first failure.
const TRY_AGAIN: TimeDelta = TimeDelta::seconds(15);

/// URLs that ended longer ago are not asked for: if a cache has dropped one since, that says nothing about the
/// prefetch.
const AGE_MAX: TimeDelta = TimeDelta::hours(24);

/// A submission that just ended waits this long: another one that ended in the same millisecond may not be in the
/// database yet.
const SETTLED: TimeDelta = TimeDelta::seconds(2);

/// How often to look for ended submissions.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The stage.
#[derive(Debug)]
pub struct Verifier {
    store: Arc<Store>,
    clock: Clock,
    asker: Asker,
    share: f64,
    pause: Duration,
    /// Whether the log says that submissions are left out.
    said_behind: bool,
    pulse: Pulse,
}

impl Stage for Verifier {
    /// A call that was cut off counts as a try.
    const IS_DROPPED: bool = true;

    fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    async fn advance(&mut self) -> store::Result<Then> {
        self.step().await.map(Then::from)
    }
}

impl Verifier {
    /// The stage; none unless `[track] verify` asks for it.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be set up.
    pub fn new(tools: Tools) -> Result<Option<Self>, reqwest::Error> {
        let Tools { store, clock, settings, pulse, .. } = tools;
        let config = &settings.config;
        let share = config.track.verify.get();
        if share <= 0.0 {
            pulse.end();
            return Ok(None);
        }
        let pause = Duration::from_secs(1) / config.track.verify_per_second.get();
        Ok(Some(Self { store, clock, asker: Asker::new(config)?, share, pause, said_behind: false, pulse }))
    }

    /// Asks for what is due, or else samples the submission that ended next. Returns how long to wait before the next
    /// step.
    async fn step(&mut self) -> store::Result<Duration> {
        let now = self.clock.now();
        match checks::next_due(self.store.read()).await?.filter(|check| is_due(check.due_at, now)) {
            Some(check) => self.check(&check, now).await,
            None if self.sample(now).await? => Ok(Duration::ZERO),
            None => Ok(LOOK_AGAIN),
        }
    }

    async fn check(&self, check: &Check, now: Time) -> store::Result<Duration> {
        if let Some(why) = not_asked(check) {
            self.settle(check, &Verdict::unknown(None, why)).await?;
            return Ok(Duration::ZERO);
        }
        let mut tx = self.store.write().await?;
        checks::try_tx(&mut tx, check.id, now).await?;
        tx.commit().await?;
        match self.pulse.during(TIMEOUT, self.asker.ask(&check.url)).await {
            Asked::Settled(verdict) => self.settle(check, &verdict).await?,
            Asked::Failed(why) if check.tries + 1 >= TRIES_MAX => {
                self.settle(check, &Verdict::unknown(None, &why)).await?;
            }
            Asked::Failed(why) => {
                debug!(url = %check.url, why, "the warmth check failed and is tried again");
                let mut tx = self.store.write().await?;
                checks::again_tx(&mut tx, check.id, self.clock.now() + TRY_AGAIN).await?;
                tx.commit().await?;
            }
        }
        Ok(self.pause)
    }

    async fn settle(&self, check: &Check, verdict: &Verdict) -> store::Result<()> {
        debug!(url = %check.url, warmth = %verdict.warmth, evidence = verdict.evidence, "asked for warmth");
        let mut tx = self.store.write().await?;
        checks::settle_tx(&mut tx, check.id, verdict).await?;
        tx.commit().await
    }

    /// Samples the submission that ended next; false if there is none.
    async fn sample(&mut self, now: Time) -> store::Result<bool> {
        let cursor = checks::cursor(self.store.read()).await?;
        let from = start(cursor, now);
        let Some(ended) = checks::next_ended(self.store.read(), from, now - SETTLED).await? else {
            self.said_behind = false;
            return Ok(false);
        };
        let left_out = checks::next_ended(self.store.read(), cursor, now).await?.filter(|next| next.at < from.ended_at);
        if left_out.is_some() && !self.said_behind {
            self.said_behind = true;
            info!("what completed more than a day ago is not verified ([track] verify, verify_per_second)");
        }
        let mut tx = self.store.write().await?;
        checks::sample_tx(&mut tx, ended, |id| is_sampled(id, cursor.seed, self.share), now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Why a check that is due is not made.
fn not_asked(check: &Check) -> Option<&'static str> {
    if !check.host_is_good {
        Some("not asked: its domain is not known to be good, see v_hosts")
    } else if check.tries >= TRIES_MAX {
        Some("asked for twice, and the daemon ended before an answer came")
    } else {
        None
    }
}

/// Whether a check is due. A time too far ahead was written before the clock was set back, so it counts as due.
fn is_due(due_at: Time, now: Time) -> bool {
    due_at <= now || due_at > now + TRY_AGAIN
}

/// Where sampling goes on: at the cursor, unless that is too old, or in the future because the clock was set back.
fn start(cursor: Cursor, now: Time) -> Cursor {
    let oldest = now - AGE_MAX;
    match cursor.ended_at {
        at if at < oldest => Cursor { ended_at: oldest, submission: SubmissionId(0), ..cursor },
        at if at > now => Cursor { ended_at: now, submission: SubmissionId(0), ..cursor },
        _ => cursor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{UrlId, from_millis};

    fn now() -> Time {
        from_millis(1_795_500_000_000)
    }

    #[test]
    fn sampling_goes_on_at_the_cursor_unless_it_is_too_old_or_in_the_future() {
        let at = |ended_at| Cursor { ended_at, submission: SubmissionId(7), seed: 5 };
        let hour = TimeDelta::hours(1);
        assert_eq!(start(at(now() - hour), now()), at(now() - hour));
        for (cursor, expected) in
            [(from_millis(0), now() - AGE_MAX), (now() - AGE_MAX - hour, now() - AGE_MAX), (now() + hour, now())]
        {
            let from = start(at(cursor), now());
            assert_eq!((from.ended_at, from.submission, from.seed), (expected, SubmissionId(0), 5));
        }
    }

    #[test]
    fn a_check_is_due_at_its_time_and_after_the_clock_was_set_back() {
        let second = TimeDelta::seconds(1);
        assert!(is_due(now(), now()) && is_due(now() - second, now()));
        assert!(!is_due(now() + second, now()) && !is_due(now() + TRY_AGAIN, now()));
        assert!(is_due(now() + TRY_AGAIN + second, now()));
    }

    #[test]
    fn only_good_domains_are_asked_and_nothing_a_third_time() {
        let check =
            |host_is_good, tries| Check { id: UrlId(1), url: String::new(), due_at: now(), tries, host_is_good };
        assert!(not_asked(&check(true, 0)).is_none() && not_asked(&check(true, 1)).is_none());
        assert!(not_asked(&check(false, 0)).is_some() && not_asked(&check(true, 2)).is_some());
    }
}
