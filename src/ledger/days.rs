//! Budget days: what each has cost, and what the service said about it.

use crate::model::{BudgetDay, DayStart, Lane, Time, from_millis, to_millis};
use crate::schedule::{Observation, Policy, Refused, Spent, Unit, drift, learn, refusals_cost};
use crate::service::SIGNATURE_VALID;
use crate::store::{Conn, Result, Sql, WriteTx, query, query_scalar};

/// The latest day in the table that has begun.
const LAST: Sql = Sql::both(
    "
    select day, starts_at, ends_at from budget_days
    where lane = ?2 and starts_at <= ?1 order by day desc limit 1",
);

const DAY: Sql = Sql::both(
    "
    select day, requests_used, urls_used, exhausted_why, refused_urls, unsure,
           quota, remain, observed_at, seen_requests, seen_urls, isolations, requests_limit, urls_limit
    from budget_days where lane = ?2 and day = ?1",
);

/// Days that were charged but have not begun, because a clock was wrong. What they cost was spent before the end of
/// today.
const AHEAD: Sql = Sql::both(
    "
    select coalesce(cast(sum(requests_used) as bigint), 0), coalesce(cast(sum(urls_used) as bigint), 0) from budget_days
    where lane = ?2 and day > ?1 and folded = 0",
);

const FOLD: Sql = Sql::both(
    "
    update budget_days set requests_used = requests_used + ?2, unbooked = unbooked + ?2, urls_used = urls_used + ?3
    where lane = ?4 and day = ?1",
);

const FOLDED: Sql = Sql::both("update budget_days set folded = 1 where lane = ?2 and day > ?1 and folded = 0");

const ENTER_DAY: Sql = Sql::both(
    "
    insert into budget_days (lane, day, starts_at, ends_at, requests_limit, urls_limit) values (?6, ?1, ?2, ?3, ?4, ?5)
    on conflict (lane, day) do update set
        requests_limit = excluded.requests_limit, urls_limit = excluded.urls_limit, ends_at = excluded.ends_at",
);

const CHARGE: Sql = Sql::both(
    "
    update budget_days set requests_used = requests_used + 1, urls_used = urls_used + ?2, folded = 0
    where lane = ?5 and day = ?1 and unsure = 0 and requests_used + ?3 < requests_limit
      and (urls_limit is null or urls_used + ?4 + ?2 <= urls_limit)
    returning iif(lane = 1, requests_used, urls_used)",
);

/// Calls that were charged to the day before and may have been performed on this one: those that were answered after
/// the reset, and those in doubt whose signature is valid past it. That the service had seen a call before the reset
/// proves that it arrived, and nothing about when it is performed.
const LATE: Sql = Sql::both(
    "
    select count(*), coalesce(cast(sum(urls) as bigint), 0)
    from submissions indexed by submissions_sent
    where lane = ?4 and opened_at >= ?2 - 86400000 and day < ?1 and cost > 0
      and (late = 1 or (state in (0, 4) and signed_at + ?3 > ?2))",
);

/// Calls of a day that reached the operation and were refused since then.
const REFUSED: Sql = Sql::both(
    "
    select count(*), coalesce(cast(sum(urls) as bigint), 0)
    from submissions indexed by submissions_sent
    where lane = ?3 and opened_at >= ?2 and day = ?1 and state in (2, 3) and cost > 0 and http_status is not null",
);

/// URLs of the day's calls that reached the operation and were refused, for another reason than the day's quota: the
/// service may have counted them, unless it is known that refusals are free or that it counts calls.
const MAYBE_COUNTED: Sql = Sql::both(
    "
    select coalesce(cast(sum(urls) as bigint), 0)
    from submissions indexed by submissions_sent
    where lane = ?3 and opened_at >= ?2 - 86400000 and day = ?1 and state in (2, 3) and cost > 0
      and http_status is not null and coalesce(code, '') not like 'QuotaExceeded%'
      and not exists (select 1 from facts where lane = ?3
                      and ((fact = 'refusals_cost' and value = 'false') or (fact = 'unit' and value = 'requests')))",
);

const ISOLATE: Sql =
    Sql::both("update budget_days set isolations = max(isolations + ?2, 0) where lane = ?3 and day = ?1");

const EXHAUST_DAY: Sql = Sql::both("update budget_days set exhausted_why = ?2 where lane = ?3 and day = ?1");

/// Also drops the observation, so that the service is asked anew.
const REFUSE_FOR_QUOTA: Sql = Sql::both(
    "
    update budget_days set refused_urls = ?2, quota = null, remain = null, observed_at = null
    where lane = ?3 and day = ?1",
);

const FORGET_OBSERVATION: Sql =
    Sql::both("update budget_days set quota = null, remain = null, observed_at = null where lane = ?2 and day = ?1");

const OBSERVE: Sql = Sql::both(
    "
    update budget_days set
        quota = ?2, remain = ?3, observed_at = ?4, seen_requests = requests_used, seen_urls = urls_used, drift = ?5,
        refused_urls = case when ?6 = 1 then null else refused_urls end,
        unsure = 0
    where lane = ?7 and day = ?1",
);

const RAISE: Sql = Sql::both(
    "
    update budget_days set requests_used = ?2, unbooked = unbooked + ?2 - requests_used
    where lane = ?3 and day = ?1 and requests_used < ?2",
);

const RAISE_URLS: Sql =
    Sql::both("update budget_days set urls_used = ?2 where lane = ?3 and day = ?1 and urls_used < ?2");

const CONFIRM: Sql = Sql::both(
    "
    update budget_days set
        unsure = 0, requests_used = max(requests_used, coalesce(?1, 0)),
        unbooked = unbooked + max(requests_used, coalesce(?1, 0)) - requests_used
    where lane = ?2 and unsure = 1 and day = (select max(day) from budget_days where lane = ?2)
    returning day, requests_used",
);

/// What the service said before belongs to what the database knew then: the service is asked anew.
const DOUBT_DAY: Sql = Sql::both(
    "
    update budget_days set unsure = ?2, quota = null, remain = null, observed_at = null where lane = ?3 and day = ?1",
);

/// The day that is charged at `now`, which is the lower bound of the time, and what it has cost. Charges on days that
/// have not begun count on it, so that a wrong clock that is set back opens no second budget.
pub async fn spent(conn: &mut Conn, lane: Lane, starts: DayStart, now: Time) -> Result<Spent> {
    let today = today(conn, lane, starts, now).await?;
    let row = query(DAY).bind(today.to_string()).bind(lane.number()).fetch_optional(&mut *conn).await?;
    let (late, ahead) = (late(conn, lane, &today).await?, ahead(conn, lane, &today).await?);
    let beside = Cost { requests: late.requests + ahead.requests, urls: late.urls + ahead.urls };
    let Some(row) = row else {
        return Ok(Spent { requests: beside.requests, urls: beside.urls, ..Spent::nothing(today) });
    };
    let refused = refused_since(conn, lane, &today, row.get(8)).await?;
    let maybe_counted = maybe_counted(conn, lane, &today).await?;
    let number = |at: usize| row.get::<Option<i64>, _>(at);
    let observed = match (number(6), number(7), number(8)) {
        (Some(quota), Some(remain), Some(at)) => Some(Observation {
            quota: quota.unsigned_abs(),
            remain: remain.unsigned_abs(),
            at: from_millis(at),
            requests: row.get::<u32, _>(9) + beside.requests,
            urls: row.get::<u32, _>(10) + beside.urls,
        }),
        _ => None,
    };
    Ok(Spent {
        day: today,
        requests: row.get::<u32, _>(1) + beside.requests,
        isolations: row.get(11),
        urls: row.get::<u32, _>(2) + beside.urls,
        exhausted: row.get(3),
        refused_urls: row.get(4),
        refused,
        maybe_counted,
        limits: Some((row.get(12), row.get(13))),
        unsure: row.get(5),
        observed,
    })
}

/// The day that is charged at `now`: by `day_starts`, once the day that was charged before has had its full time.
pub async fn today(conn: &mut Conn, lane: Lane, starts: DayStart, now: Time) -> Result<BudgetDay> {
    let row = query(LAST).bind(to_millis(now)).bind(lane.number()).fetch_optional(conn).await?;
    let last = row.and_then(|row| {
        let date = row.get::<String, _>(0).parse().ok()?;
        Some(BudgetDay { date, starts_at: from_millis(row.get(1)), ends_at: from_millis(row.get(2)) })
    });
    Ok(BudgetDay::after(last, now, starts))
}

/// What counts on a day besides what is charged to it.
#[derive(Debug, Clone, Copy)]
struct Cost {
    requests: u32,
    urls: u32,
}

/// What was refused since the service last said how much is left; nothing if it never did.
async fn refused_since(conn: &mut Conn, lane: Lane, day: &BudgetDay, observed_at: Option<i64>) -> Result<Refused> {
    let Some(since) = observed_at else { return Ok(Refused::default()) };
    let row = query(REFUSED).bind(day.to_string()).bind(since).bind(lane.number()).fetch_one(conn).await?;
    Ok(Refused { requests: row.get(0), urls: row.get(1) })
}

async fn maybe_counted(conn: &mut Conn, lane: Lane, day: &BudgetDay) -> Result<u32> {
    let query = query_scalar(MAYBE_COUNTED).bind(day.to_string()).bind(to_millis(day.starts_at)).bind(lane.number());
    query.fetch_one(conn).await
}

async fn late(conn: &mut Conn, lane: Lane, day: &BudgetDay) -> Result<Cost> {
    let valid_ms = SIGNATURE_VALID.num_milliseconds();
    let query = query(LATE).bind(day.to_string()).bind(to_millis(day.starts_at)).bind(valid_ms);
    let query = query.bind(lane.number());
    let row = query.fetch_one(conn).await?;
    Ok(Cost { requests: row.get(0), urls: row.get(1) })
}

async fn ahead(conn: &mut Conn, lane: Lane, day: &BudgetDay) -> Result<Cost> {
    let row = query(AHEAD).bind(day.to_string()).bind(lane.number()).fetch_one(conn).await?;
    Ok(Cost { requests: row.get(0), urls: row.get(1) })
}

/// Adds a day to the table, with the limits that are configured now.
pub async fn enter_day_tx(tx: &mut WriteTx<'_>, day: &BudgetDay, policy: &Policy) -> Result<()> {
    query(ENTER_DAY)
        .bind(day.to_string())
        .bind(to_millis(day.starts_at))
        .bind(to_millis(day.ends_at))
        .bind(policy.requests_per_day)
        .bind(policy.urls_per_day)
        .bind(policy.lane.number())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Charges one request and its URLs to `day`, and returns what the day has cost then: requests, or of purges URLs.
/// Returns none and charges nothing
/// if the day has no room for it: this is the last check of the budget, inside the transaction that opens the
/// submission.
pub async fn charge_tx(tx: &mut WriteTx<'_>, day: &BudgetDay, policy: &Policy, urls: u32) -> Result<Option<u32>> {
    enter_day_tx(tx, day, policy).await?;
    let lane = policy.lane;
    let (late, ahead) = (late(tx.conn(), lane, day).await?, ahead(tx.conn(), lane, day).await?);
    if ahead.requests > 0 {
        let fold = query(FOLD).bind(day.to_string()).bind(ahead.requests).bind(ahead.urls).bind(lane.number());
        fold.execute(tx.conn()).await?;
        query(FOLDED).bind(day.to_string()).bind(lane.number()).execute(tx.conn()).await?;
    }
    let beside = late.urls.saturating_add(maybe_counted(tx.conn(), lane, day).await?);
    let charge = query_scalar(CHARGE).bind(day.to_string()).bind(urls).bind(late.requests).bind(beside);
    let charge = charge.bind(lane.number());
    charge.fetch_optional(tx.conn()).await
}

/// Adds one request to those spent on isolation, or takes one back.
pub async fn isolate_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay, requests: i64) -> Result<()> {
    query(ISOLATE).bind(day.to_string()).bind(requests).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// The service says that nothing is left of this day.
pub async fn exhaust_day_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay, code: &str) -> Result<()> {
    query(EXHAUST_DAY).bind(day.to_string()).bind(code).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// A batch of this many URLs was refused for the day's quota: the service is asked anew, and smaller batches are tried.
pub async fn refuse_for_quota_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay, urls: u32) -> Result<()> {
    query(REFUSE_FOR_QUOTA).bind(day.to_string()).bind(urls).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// The service's word is out of date: it is asked again before the next batch.
pub async fn forget_observation_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay) -> Result<()> {
    query(FORGET_OBSERVATION).bind(day.to_string()).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// What a word of the service taught.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taught {
    /// The unit, if it was not known before.
    pub unit: Option<Unit>,
    /// What others have spent, once the unit is known.
    pub drift: Option<u64>,
    /// Whether a call that is refused counts.
    pub refusals_cost: Option<bool>,
}

/// Stores what the service says about the day and what that teaches: the unit, by the drop since its last word or
/// because a batch larger than the rest was refused; and what others have spent. A day whose cost is in doubt costs at
/// least what the service says is gone.
pub async fn observe_tx(
    tx: &mut WriteTx<'_>,
    lane: Lane,
    before: &Spent,
    known: Option<Unit>,
    (quota, remain): (u64, u64),
    now: Time,
) -> Result<Taught> {
    let name = before.day.to_string();
    let gone = quota.saturating_sub(remain);
    if before.unsure && (known != Some(Unit::Urls) || lane != Lane::Prefetch) {
        raise_tx(tx, lane, &before.day, u32::try_from(gone).unwrap_or(u32::MAX)).await?;
    }
    let after = Observation { quota, remain, at: now, requests: before.requests, urls: before.urls };
    let refused = before.refused_urls.filter(|refused| 0 < remain && remain < u64::from(*refused));
    let by_refusal = refused.map(|_| Unit::Urls);
    let by_drop = before.observed.as_ref().and_then(|observed| learn(observed, &after));
    let learned = by_refusal.or(if known.is_none() { by_drop } else { None }).filter(|unit| known != Some(*unit));
    let unit = learned.or(known);
    let drift = unit.map(|unit| drift(&after, unit));
    query(OBSERVE)
        .bind(&name)
        .bind(stored(quota))
        .bind(stored(remain))
        .bind(to_millis(now))
        .bind(drift.map(stored))
        .bind(by_refusal.is_some())
        .bind(lane.number())
        .execute(tx.conn())
        .await?;
    let cost = before.observed.as_ref().and_then(|observed| refusals_cost(observed, &after, before.refused));
    Ok(Taught { unit: learned, drift, refusals_cost: cost })
}

/// The day costs at least so much, even if this database does not know all of it: requests, or of purges URLs.
pub async fn raise_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay, cost: u32) -> Result<()> {
    let raise = if lane == Lane::Prefetch { RAISE } else { RAISE_URLS };
    query(raise).bind(day.to_string()).bind(cost).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

/// The operator's word on what the day in doubt has cost: at least this many requests, if a number is given. Returns
/// the day and its cost; none if no day is in doubt.
pub async fn confirm_tx(tx: &mut WriteTx<'_>, lane: Lane, requests: Option<u32>) -> Result<Option<(String, u32)>> {
    let confirmed = query(CONFIRM).bind(requests).bind(lane.number()).fetch_optional(tx.conn()).await?;
    Ok(confirmed.map(|row| (row.get(0), row.get(1))))
}

/// Whether what the day has cost is in doubt.
pub async fn doubt_day_tx(tx: &mut WriteTx<'_>, lane: Lane, day: &BudgetDay, unsure: bool) -> Result<()> {
    query(DOUBT_DAY).bind(day.to_string()).bind(unsure).bind(lane.number()).execute(tx.conn()).await?;
    Ok(())
}

fn stored(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
