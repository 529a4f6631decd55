//! What a step does beside sending: checks stored waits, holds suspects, and says what matters once.

use chrono::TimeDelta;
use tracing::warn;

use super::worker::{Step, Submitter};
use crate::ledger;
use crate::model::{BudgetDay, Reading, ReasonKind, WaitWhy, rfc3339};
use crate::notify::{self, Event};
use crate::queue;
use crate::schedule::{Ready, Snapshot, Spent, longest_wait};
use crate::store;
use crate::telemetry::one_line;
use crate::track;
use crate::words;

/// A change of the time by more than this counts as a leap.
const LEAP: TimeDelta = TimeDelta::seconds(30);

impl Submitter {
    /// Checks stored waits against the time once it is proved and after it leapt: none may be longer than its bound,
    /// whatever clock wrote it. True if it did so now.
    pub(super) async fn hold_waits(&mut self, clock: &Reading) -> store::Result<bool> {
        let ahead = clock.now - self.clock.wall();
        if self.waits_held.is_some_and(|held| (held - ahead).abs() <= LEAP) {
            return Ok(false);
        }
        let (now, longest) = (clock.now, longest_wait(&self.desk.policy.backoff));
        let urls_longest = longest.max(TimeDelta::days(1));
        let overlong = queue::has_overlong_waits(self.store.read(), now, urls_longest).await?;
        let mut tx = self.store.write().await?;
        ledger::clamp_waits_tx(&mut tx, now, longest).await?;
        track::clamp_looks_tx(&mut tx, now).await?;
        if overlong {
            queue::clamp_waits_tx(&mut tx, now, urls_longest).await?;
        }
        tx.commit().await?;
        self.waits_held = Some(ahead);
        Ok(true)
    }

    /// Writes limits that were configured since the day was entered: whoever asks the database sees what is kept to.
    pub(super) async fn enter_new_limits(&self, spent: &Spent) -> store::Result<()> {
        let policy = &self.desk.policy;
        let now = (policy.requests_per_day, policy.urls_per_day);
        if spent.limits.is_some_and(|limits| limits != now) {
            let mut tx = self.store.write().await?;
            ledger::enter_day_tx(&mut tx, &spent.day, policy).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Logs when a changed `day_starts` takes effect.
    pub(super) fn tell_long_day(&mut self, day: &BudgetDay) {
        if day.is_long() && self.desk.long_day.replace(*day) != Some(*day) {
            let from = rfc3339(day.ends_at);
            warn!(
                day = %day, from,
                "day_starts was changed; it takes effect when the day being charged ends, so no day has two budgets"
            );
        }
    }

    /// Tells once a day that the budget ran out with urgent URLs waiting.
    pub(super) async fn tell_spent(&self, snapshot: &Snapshot, why: &WaitWhy) -> store::Result<()> {
        let day = &snapshot.spent.day;
        let mut tx = self.store.write().await?;
        if !ledger::say_urgent_tx(&mut tx, self.desk.policy.lane, day).await? {
            return tx.roll_back().await;
        }
        let words = words::wait_of(self.desk.policy.lane, why);
        let action = self.desk.policy.lane.word();
        let event = Event::BudgetSpent {
            action,
            day: day.to_string(),
            urgent: snapshot.ready.urgent,
            why: words.en.clone().into_owned(),
            why_code: why.stored().0,
            why_zh: words.zh.into_owned(),
        };
        notify::add_tx(&mut tx, &event, self.now()).await?;
        let (urgent, why) = (snapshot.ready.urgent, one_line(&words.en));
        warn!(action, urgent, why, "the budget ran out with urgent URLs waiting");
        tx.commit().await
    }

    /// Holds suspects, visibly, once the day's requests for isolation are spent, and releases them when there are some
    /// again.
    pub(super) async fn hold_or_resume_suspects(&self, ready: &Ready, spent: &Spent) -> store::Result<Option<Step>> {
        let may_isolate = spent.isolations < self.desk.policy.isolate_requests_max;
        let changes = if may_isolate { ready.held_suspects > 0 } else { ready.suspects > 0 };
        if !changes {
            return Ok(None);
        }
        let mut tx = self.store.write().await?;
        if may_isolate {
            queue::resume_suspects_tx(&mut tx, self.desk.policy.lane).await?;
        } else {
            let is_off = self.desk.policy.isolate_requests_max == 0;
            let why = if is_off { ReasonKind::IsolationOff } else { ReasonKind::IsolationSpent };
            queue::hold_suspects_tx(&mut tx, self.desk.policy.lane, &why.into()).await?;
            warn!(urls = ready.suspects, "today's requests for isolation are spent: suspects are held until tomorrow");
        }
        tx.commit().await?;
        Ok(Some(Step::Tidied))
    }
}
