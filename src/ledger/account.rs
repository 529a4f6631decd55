//! What is known about the account in a lane: backoff, pause, the largest batch. It is stored, so that a restart
//! neither forgets a backoff nor asks again for what is known.

use chrono::TimeDelta;

use crate::model::{
    AccountFault, BudgetDay, Lane, PauseWhy, ProductName, Reason, Stopped, Time, from_millis, to_millis,
};
use crate::schedule::{BackingOff, BadRate, Pause, Standing, Unit};
use crate::store::{Conn, Result, Sql, WriteTx, query, query_scalar};
use crate::words::Stored;

const STANDING: Sql = Sql::both(
    "
    select backoff_until, backoff_failures, backoff_why, paused_why, probe_at, probes, good_urls, bad_urls, paused_told,
           stopped_why, stopped_by, stopped_at, backoff_code, backoff_with, paused_code, backoff_ms
    from account where lane = ?1",
);

const PAUSED_ALONE: Sql = Sql::both(
    "
    select lane from account
    where paused_why is not null and coalesce(paused_code, 'forbidden') in ('forbidden', 'purge_forbidden')",
);

const BACK_OFF: Sql = Sql::both(
    "
    update account set backoff_until = ?1, backoff_failures = backoff_failures + 1,
        backoff_why = ?2, backoff_code = ?3, backoff_with = ?4, backoff_ms = ?6
    where lane = ?5",
);

/// A fault of the account is one of all lanes, and counts once; that a permission is missing is one of its own (?6).
const PAUSE: Sql = Sql::both(
    "
    update account set
        paused_since = case when paused_why is null then ?2 else paused_since end,
        probes = probes + iif(lane = ?5, 1, 0), paused_why = ?1, paused_code = ?4, probe_at = ?3
    where lane = ?5 or (?6 = 0 and coalesce(paused_code, '') not in ('forbidden', 'purge_forbidden'))",
);

/// Told of all lanes that it pauses: 1, or 2 if it is the lane's own (?2).
const TELL_PAUSED: Sql = Sql::both(
    "
    update account set paused_told = 1 + ?2
    where paused_told = 0
      and (lane = ?1 or (?2 = 0 and coalesce(paused_code, '') not in ('forbidden', 'purge_forbidden')))",
);

/// That another lane works says nothing about a pause of the lane's own.
const TELL_RESUMED: Sql = Sql::both(
    "
    update account set paused_told = 0
    where paused_told > 0 and (lane = ?1 or (paused_told = 1 and paused_why is null))",
);

/// What one lane shows to be over is over in all of them, except that a permission is missing.
const RESUME: Sql = Sql::both(
    "
    update account set paused_why = null, paused_code = null, paused_since = null, probe_at = null
    where paused_why is not null and (lane = ?1 or paused_code not in ('forbidden', 'purge_forbidden'))",
);

const STOP: Sql = Sql::both(
    "
    update account
    set stopped_why = coalesce(?1, stopped_why, 'no reason given'), stopped_by = ?2, stopped_at = ?3",
);

const GO_ON: Sql = Sql::both(
    "
    update account set stopped_why = null, stopped_by = null, stopped_at = null
    where stopped_why is not null",
);

const LOOK_NOW: Sql = Sql::both("update submissions set next_at = null where state = 0 and next_at is not null");

const PROBE_NOW: Sql = Sql::both("update account set probe_at = 0 where paused_why is not null");

/// A wait that a wrong clock wrote ends at most as long after now (?1) as it lasted when it was written, and at most ?2
/// after it.
const CLAMP_ACCOUNT: Sql = Sql::both(
    "
    update account set
        backoff_until = min(backoff_until, ?1 + min(coalesce(backoff_ms, ?2), ?2)), probe_at = min(probe_at, ?1 + ?2)
    where backoff_until > ?1 + min(coalesce(backoff_ms, ?2), ?2) or probe_at > ?1 + ?2",
);

const CLAMP_DOUBTS: Sql = Sql::both(
    "
    update submissions set next_at = min(next_at, ?1), absent_at = case when absent_at <= ?2 then absent_at end
    where state = 0 and (next_at > ?1 or absent_at > ?2)",
);

const ASK_AT_ONCE: Sql = Sql::both("update account set probe_at = 0, probes = 0 where paused_why is not null");

const FORGET_BATCH_LIMIT: Sql = Sql::both("delete from facts where lane = ?1 and fact = 'batch_urls_max'");

const FORGET_REFUSALS: Sql = Sql::both(
    "
    delete from facts
    where fact in ('quota_readable', 'quota_told', 'tasks_readable', 'domains_readable') and value = 'false'",
);

const PROVEN_WELL: Sql = Sql::both(
    "
    update account set
        backoff_until = null, backoff_failures = 0, backoff_why = null, backoff_code = null, backoff_with = null,
        paused_why = null, paused_code = null, paused_since = null, probe_at = null, probes = 0
    where lane = ?1 and (backoff_failures > 0 or paused_why is not null or probes > 0)",
);

/// The number of failures stays, so that the next wait is longer.
const ANSWERED: Sql = Sql::both(
    "
    update account set backoff_until = null, backoff_why = null, backoff_code = null, backoff_with = null
    where lane = ?1",
);

/// What a key may ask for is the same in all lanes, and stored once, with the first.
const FACTS: Sql = Sql::both(
    "
    select fact, value, observed_at from facts
    where (lane = ?1 and fact not in ('quota_readable', 'tasks_readable', 'domains_readable'))
       or (lane = 1 and fact in ('quota_readable', 'tasks_readable', 'domains_readable'))",
);

const QUOTA: Sql = Sql::both("select value from facts where lane = ?1 and fact = 'quota'");

const NOTE_FACT: Sql = Sql::both(
    "
    insert into facts (lane, fact, value, observed_at) values (?4, ?1, ?2, ?3)
    on conflict (lane, fact) do update set value = excluded.value, observed_at = excluded.observed_at",
);

/// Only a larger number is stored.
const NOTE_ACCEPTED: Sql = Sql::both(
    "
    insert into facts (lane, fact, value, observed_at) values (?3, 'batch_urls_accepted', ?1, ?2)
    on conflict (lane, fact) do update set value = excluded.value, observed_at = excluded.observed_at
    where cast(facts.value as bigint) < cast(excluded.value as bigint)",
);

const SAY_DRIFT: Sql = Sql::both(
    "
    update account set drift_said_day = ?1
    where lane = ?2 and (drift_said_day is null or drift_said_day <> ?1)",
);

const SAY_URGENT: Sql = Sql::both(
    "
    update account set urgent_said_day = ?1
    where lane = ?2 and (urgent_said_day is null or urgent_said_day <> ?1)",
);

const BAD_RATE: Sql = Sql::both("select good_urls, bad_urls from account where lane = ?1");

const NOTE_BAD_RATE: Sql = Sql::both("update account set good_urls = ?1, bad_urls = ?2 where lane = ?3");

/// A refusal to answer a question is believed for this long, then the question is asked again: policies change.
const REFUSAL_HOLDS: TimeDelta = TimeDelta::hours(1);

/// A batch limit that the service taught is tested again after this long.
const LIMIT_HOLDS: TimeDelta = TimeDelta::days(7);

/// Shortens waits of the account and of calls in doubt to at most `longest` from now, and a backoff to its own length,
/// whatever clock wrote them.
pub async fn clamp_waits_tx(tx: &mut WriteTx<'_>, now: Time, longest: TimeDelta) -> Result<()> {
    let clamp = query(CLAMP_ACCOUNT).bind(to_millis(now)).bind(longest.num_milliseconds());
    clamp.execute(tx.conn()).await?;
    let clamp = query(CLAMP_DOUBTS).bind(to_millis(now + longest)).bind(to_millis(now));
    clamp.execute(tx.conn()).await?;
    Ok(())
}

/// A fact about an account that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// What the daily quota counts.
    Unit(Unit),
    /// The daily quota.
    Quota(u64),
    /// Whether refused calls count on it.
    RefusalsCost(bool),
    /// Whether this key may ask for the quota.
    QuotaReadable(bool),
    /// Whether the service's answers to that question tell what is left in the lane.
    QuotaTold(bool),
    /// Whether this key may ask for tasks.
    TasksReadable(bool),
    /// Whether this key may ask for the account's domains.
    DomainsReadable(bool),
    /// Set when the service refused larger batches.
    BatchUrlsMax(u32),
    /// The service looks for URLs in the query alone, which holds about so many.
    QueryUrlsMax(u32),
    /// The product whose account it is; the same in all lanes.
    Product(ProductName),
}

impl Fact {
    /// Whether it is the same in all lanes.
    fn is_of_the_key(self) -> bool {
        matches!(self, Self::QuotaReadable(_) | Self::TasksReadable(_) | Self::DomainsReadable(_))
    }

    fn row(self) -> (&'static str, String) {
        match self {
            Self::Unit(unit) => ("unit", unit.word().to_owned()),
            Self::Quota(quota) => ("quota", quota.to_string()),
            Self::RefusalsCost(cost) => ("refusals_cost", cost.to_string()),
            Self::QuotaReadable(readable) => ("quota_readable", readable.to_string()),
            Self::QuotaTold(told) => ("quota_told", told.to_string()),
            Self::TasksReadable(readable) => ("tasks_readable", readable.to_string()),
            Self::DomainsReadable(readable) => ("domains_readable", readable.to_string()),
            Self::BatchUrlsMax(urls) => ("batch_urls_max", urls.to_string()),
            Self::QueryUrlsMax(urls) => ("query_urls_max", urls.to_string()),
            Self::Product(product) => ("product", product.word().to_owned()),
        }
    }
}

/// Reads what is known.
pub async fn standing(conn: &mut Conn, lane: Lane, now: Time) -> Result<Standing> {
    let row = query(STANDING).bind(lane.number()).fetch_one(&mut *conn).await?;
    let time = |at: usize| row.get::<Option<i64>, _>(at).map(from_millis);
    let text = |at: usize| row.get::<Option<String>, _>(at);
    let mut standing = Standing {
        backing_off: time(0).map(|until| BackingOff {
            until,
            why: Reason::of_stored(row.get(12), row.get(13), &text(2).unwrap_or_default()),
        }),
        backoff_longest: row.get::<Option<i64>, _>("backoff_ms").map(TimeDelta::milliseconds),
        failures: row.get(1),
        pause: text(3).map(|why| Pause {
            why: PauseWhy::of_stored(row.get(14), &why),
            probe_at: time(4).unwrap_or(Time::MIN_UTC),
        }),
        probes: row.get(5),
        paused_told: row.get(8),
        stopped: text(9).map(|why| Stopped {
            why,
            by: text(10).unwrap_or_default(),
            since: time(11).unwrap_or(Time::MIN_UTC),
        }),
        bad_rate: BadRate { good: row.get(6), bad: row.get(7) },
        ..Standing::default()
    };
    // What they count is documented (SIBLING-APIS.md, D).
    if lane != Lane::Prefetch {
        standing.unit = Some(Unit::Urls);
    }
    for row in query(FACTS).bind(lane.number()).fetch_all(&mut *conn).await? {
        let (fact, value): (String, String) = (row.get(0), row.get(1));
        let holds = now - from_millis(row.get(2)) < REFUSAL_HOLDS;
        match fact.as_str() {
            "unit" => standing.unit = Some(if value == "urls" { Unit::Urls } else { Unit::Requests }),
            "batch_urls_max" if now - from_millis(row.get(2)) < LIMIT_HOLDS => {
                standing.batch_urls_max = value.parse().ok();
            }
            "query_urls_max" => standing.query_urls_max = value.parse().ok(),
            "refusals_cost" => standing.refusals_cost = Some(value == "true"),
            // Each must hold.
            "quota_readable" | "quota_told" => standing.quota_readable &= value == "true" || !holds,
            "domains_readable" => standing.domains_readable = value == "true" || !holds,
            "tasks_readable" => {
                standing.tasks_refused = value != "true";
                standing.tasks_readable = value == "true" || !holds;
            }
            _ => {}
        }
    }
    Ok(standing)
}

/// The lanes that are paused for a reason of their own: only a test in the lane ends that.
pub async fn paused_alone(conn: &mut Conn) -> Result<Vec<Lane>> {
    let lanes: Vec<i64> = query_scalar(PAUSED_ALONE).fetch_all(conn).await?;
    Ok(lanes.into_iter().map(Lane::of_number).collect())
}

/// The service's last word on the daily quota, on whatever day.
pub async fn known_quota(conn: &mut Conn, lane: Lane) -> Result<Option<u64>> {
    let quota: Option<String> = query_scalar(QUOTA).bind(lane.number()).fetch_optional(conn).await?;
    Ok(quota.and_then(|quota| quota.parse().ok()))
}

/// A call failed: nothing is sent before `until`.
pub async fn back_off_tx(tx: &mut WriteTx<'_>, lane: Lane, until: Time, why: &Reason, now: Time) -> Result<()> {
    let why = Stored::from(why);
    let longest = (until - now).max(TimeDelta::zero()).num_milliseconds();
    let query = query(BACK_OFF).bind(to_millis(until)).bind(why.text).bind(why.code).bind(why.with);
    let query = query.bind(lane.number()).bind(longest);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// A free call was answered after a wait: the network and the service work, and the wait is over.
pub async fn answered_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<()> {
    query(ANSWERED).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// The account as a whole is refused: nothing is sent until a free call, made at `probe_at`, succeeds. True if nobody
/// has been told yet; the caller tells it.
pub(super) async fn pause_tx(
    tx: &mut WriteTx<'_>,
    lane: Lane,
    why: &PauseWhy,
    now: Time,
    probe_at: Time,
) -> Result<bool> {
    let is_of_the_lane =
        matches!(why, PauseWhy::Account(AccountFault::Forbidden | AccountFault::PurgeForbidden) | PauseWhy::Text(_));
    let why = Stored::from(why);
    let pause = query(PAUSE).bind(why.text).bind(to_millis(now)).bind(to_millis(probe_at)).bind(why.code);
    let pause = pause.bind(lane.number()).bind(is_of_the_lane);
    pause.execute(tx.conn()).await?;
    let tell = query(TELL_PAUSED).bind(lane.number()).bind(is_of_the_lane);
    Ok(tell.execute(tx.conn()).await? > 0)
}

/// The account works. True if somebody was told of a pause; the caller tells its end.
pub(super) async fn well_again_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<bool> {
    Ok(query(TELL_RESUMED).bind(lane.number()).execute(tx.conn()).await? > 0)
}

/// An operator pauses all lanes until [`go_on_tx`]; the pause survives restarts.
pub async fn stop_tx(tx: &mut WriteTx<'_>, why: Option<&str>, by: &str, now: Time) -> Result<()> {
    query(STOP).bind(why).bind(by).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// The operator ends the pause. False if there was none.
pub async fn go_on_tx(tx: &mut WriteTx<'_>) -> Result<bool> {
    Ok(query(GO_ON).execute(tx.conn()).await? > 0)
}

/// A free call succeeded, so the pause is over. The number of probes is kept until a batch is accepted, so that an
/// account that answers free calls and refuses the others is not probed every minute.
pub async fn resume_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<()> {
    query(RESUME).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// Probes a paused account at once: whoever restarts the daemon may have set another key. Looks into calls in doubt at
/// once too, whatever clock wrote down when to: that also tells the time.
pub async fn probe_now_tx(tx: &mut WriteTx<'_>) -> Result<()> {
    for statement in [PROBE_NOW, LOOK_NOW] {
        query(statement).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Probes a paused account at once, when somebody who has mended it says so by a reload or `prefetchd resume`. The
/// probes after that start with short waits again. True if it is paused.
pub async fn ask_at_once_tx(tx: &mut WriteTx<'_>) -> Result<bool> {
    Ok(query(ASK_AT_ONCE).execute(tx.conn()).await? > 0)
}

/// What the service taught about the size of a batch was not about its size.
pub async fn forget_batch_limit_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<()> {
    query(FORGET_BATCH_LIMIT).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// Another key is in use: asks again what the last key might not ask.
pub async fn forget_refusals_tx(tx: &mut WriteTx<'_>) -> Result<()> {
    query(FORGET_REFUSALS).execute(tx.conn()).await?;
    Ok(())
}

/// A batch was accepted: backoff and pause are over.
pub async fn proven_well_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<()> {
    query(RESUME).bind(lane.number()).execute(tx.conn()).await?;
    query(PROVEN_WELL).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// Stores a fact.
pub async fn note_fact_tx(tx: &mut WriteTx<'_>, lane: Lane, fact: Fact, now: Time) -> Result<()> {
    let lane = if fact.is_of_the_key() { Lane::Prefetch } else { lane };
    let (fact, value) = fact.row();
    let query = query(NOTE_FACT).bind(fact).bind(value).bind(to_millis(now)).bind(lane.number());
    query.execute(tx.conn()).await?;
    Ok(())
}

/// A batch of this many URLs was accepted; the largest number is kept.
pub async fn note_accepted_tx(tx: &mut WriteTx<'_>, lane: Lane, urls: usize, now: Time) -> Result<()> {
    let urls = i64::try_from(urls).unwrap_or(i64::MAX);
    let query = query(NOTE_ACCEPTED).bind(urls.to_string()).bind(to_millis(now)).bind(lane.number());
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Adds accepted URLs, and URLs that turned out bad only at the service.
pub async fn note_bad_rate_tx(tx: &mut WriteTx<'_>, lane: Lane, good: u32, bad: u32) -> Result<()> {
    let row = query(BAD_RATE).bind(lane.number()).fetch_one(tx.conn()).await?;
    let rate = BadRate { good: row.get(0), bad: row.get(1) }.seen(good, bad);
    let query = query(NOTE_BAD_RATE).bind(rate.good).bind(rate.bad).bind(lane.number());
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Whether nobody was told yet that this day's budget ran out with urgent URLs waiting; the caller tells it.
pub async fn say_urgent_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay) -> Result<bool> {
    let said = query(SAY_URGENT).bind(day.to_string()).bind(lane.number()).execute(tx.conn()).await?;
    Ok(said > 0)
}

/// Whether drift was not logged yet on this day; the caller logs it.
pub async fn say_drift_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay) -> Result<bool> {
    let said = query(SAY_DRIFT).bind(day.to_string()).bind(lane.number()).execute(tx.conn()).await?;
    Ok(said > 0)
}
