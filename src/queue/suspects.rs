//! The open cases of isolation and their effect on URLs: suspects are kept out of ordinary batches, and the convicted
//! ones end.

use std::collections::HashSet;

use chrono::TimeDelta;
use strum::VariantArray as _;

use super::claim::Batch;
use super::hosts::{HostStanding, good_hosts_tx, set_standing_tx};
use super::seat::Seat;
use super::tally::Moves;
use super::{chain, wishes};
use crate::model::{HostId, Lane, Reason, SubmissionId, Time, UrlId, UrlState, to_millis};
use crate::schedule::{Blame, Case, Cases, Found, Suspect};
use crate::store::{Conn, Readers, Result, Row, Sql, WriteTx, query, query_scalar};
use crate::words::Stored;

const CASES: Sql = Sql::both(
    "
    select c.submission_id, c.blame, c.why, c.unsure, c.why_code, c.why_with
    from cases as c join submissions as s on s.submission_id = c.submission_id
    where s.lane = ?1 order by c.submission_id",
);

/// State 0 is pending (perhaps held for the next day), state 1 is in a submission. A row in another state, or parked,
/// has left the queue.
const MEMBERS: Sql = Sql::both(
    "
    select m.url_id, m.host_id, m.core, u.state <> 0 or u.suspect = 2 or u.wait_until is not null as away
    from case_members as m join urls as u on u.url_id = m.url_id
    where m.submission_id = ?1 and u.state in (0, 1) and u.parked = 0
    order by m.url_id",
);

const DROP_CASE: Sql = Sql::both("delete from cases where submission_id = ?1");

const DROP_MEMBERS: Sql = Sql::both("delete from case_members where submission_id = ?1");

const ADD_CASE: Sql = Sql::both(
    "
    insert into cases (submission_id, blame, unsure, why, why_code, why_with) values (?1, ?2, ?3, ?4, ?5, ?6)",
);

const ADD_MEMBERS: Sql = Sql::both(
    "
    insert into case_members (submission_id, url_id, host_id, core)
    select ?1, cast(value ->> 0 as bigint), cast(value ->> 1 as bigint), cast(value ->> 2 as bigint)
    from json_each(?2)",
);

/// A held suspect stays held as long as it is suspected.
const FLAG: Sql = Sql::both(
    "
    update urls set suspect = ?2
    where iif(suspect > 0, 1, 0) <> ?2 and url_id in (select cast(value as bigint) from json_each(?1))",
);

const HELD_AMONG: Sql = Sql::both(
    "
    select url_id, file_id, host_id, priority, lane, first_step from urls
    where url_id in (select cast(value as bigint) from json_each(?1)) and suspect = 2 and state = 0",
);

const END: Sql = Sql::both(
    "
    update urls set state = ?2, ended_at = ?3, reason = ?4, reason_code = ?5, reason_with = ?6, suspect = 0,
    wait_until = null
    where url_id = ?1 and state = 0",
);

const ANY: Sql = Sql::both("select exists (select 1 from cases)");

const HOLD: Sql = Sql::both(
    "
    update urls set suspect = 2, reason = ?1, reason_code = ?2, reason_with = ?3
    where suspect > 0 and suspect = 1 and state = 0 and lane = ?4
    returning url_id, file_id, host_id, priority, lane, first_step",
);

const RESUME: Sql = Sql::both(
    "
    update urls set suspect = 1, reason = null, reason_code = null, reason_with = null
    where suspect > 0 and suspect = 2 and state = 0 and lane = ?1
    returning url_id, file_id, host_id, priority, lane, first_step",
);

/// What an answer proves about a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What the batch was refused for.
    pub blame: Blame,
    /// The reason, for the operator.
    pub why: Reason,
    /// The service never clearly refused it, so a URL that is found is held for the operator instead of failed.
    pub unsure: bool,
    /// The new standing of a domain, if one is found ...
    pub standing: HostStanding,
    /// ... and how long that is believed.
    pub holds: TimeDelta,
}

/// What an answer revealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// This URL is bad.
    Url(String),
    /// The domain of this URL is bad.
    HostOf(String),
}

/// The open cases of a lane.
pub async fn cases(pool: &Readers, lane: Lane) -> Result<Cases> {
    let mut conn = pool.acquire().await?;
    cases_in(&mut conn, lane).await
}

async fn cases_in(conn: &mut Conn, lane: Lane) -> Result<Cases> {
    let mut cases = Cases::default();
    for row in query(CASES).bind(lane.number()).fetch_all(&mut *conn).await? {
        let id = SubmissionId(row.get(0));
        let mut case = Case {
            id,
            blame: if row.get::<String, _>(1) == "host" { Blame::Host } else { Blame::Url },
            why: Reason::of_stored(row.get(4), row.get(5), row.get(2)),
            unsure: row.get(3),
            members: Vec::new(),
        };
        for row in query(MEMBERS).bind(id.0).fetch_all(&mut *conn).await? {
            let (url, host) = (UrlId(row.get(0)), HostId(row.get(1)));
            case.members.push(Suspect { url, host, core: row.get(2), away: row.get(3) });
        }
        cases.open.push(case);
    }
    Ok(cases)
}

/// A batch was accepted: clears its URLs.
pub async fn batch_was_good_tx(tx: &mut WriteTx<'_>, batch: &Batch) -> Result<()> {
    if !query_scalar::<bool>(ANY).fetch_one(tx.conn()).await? {
        return Ok(());
    }
    let Some(first) = batch.urls.first() else { return Ok(()) };
    let before = cases_in(tx.conn(), first.seat.lane).await?;
    let mut after = before.clone();
    let members: Vec<(UrlId, HostId)> = batch.urls.iter().map(|url| (url.id, url.seat.host)).collect();
    after.accepted(&members);
    save(tx, &before, &after, &members.into_iter().map(|(url, _)| url).collect()).await
}

/// A batch was refused for something in it. Its URLs are pending again.
pub async fn batch_was_bad_tx(
    tx: &mut WriteTx<'_>,
    batch: &Batch,
    submission: SubmissionId,
    evidence: &Evidence,
    now: Time,
) -> Result<Option<Finding>> {
    let Some(first) = batch.urls.first() else { return Ok(None) };
    let before = cases_in(tx.conn(), first.seat.lane).await?;
    let mut after = before.clone();
    let good = good_hosts_tx(tx).await?;
    let member = |url: &super::BatchUrl| Suspect { url: url.id, host: url.seat.host, core: false, away: false };
    let case = Case {
        id: submission,
        blame: evidence.blame,
        why: evidence.why.clone(),
        unsure: evidence.unsure,
        members: batch.urls.iter().map(member).collect(),
    };
    let found = after.refused(case, &good);
    save(tx, &before, &after, &HashSet::new()).await?;
    match found {
        Some(found) => convict(tx, batch, &found, evidence, now).await,
        None => Ok(None),
    }
}

/// A domain turned out to be refused or offline: closes cases that this explains.
pub async fn explain_by_host_tx(tx: &mut WriteTx<'_>, host: HostId) -> Result<()> {
    if !query_scalar::<bool>(ANY).fetch_one(tx.conn()).await? {
        return Ok(());
    }
    for lane in Lane::VARIANTS {
        let before = cases_in(tx.conn(), *lane).await?;
        let mut after = before.clone();
        after.explained_by(host);
        save(tx, &before, &after, &HashSet::new()).await?;
    }
    Ok(())
}

/// The day's requests for isolation are spent: holds the suspects, visibly, until the next day. True if there were any.
pub async fn hold_suspects_tx(tx: &mut WriteTx<'_>, lane: Lane, why: &Reason) -> Result<bool> {
    let why = Stored::from(why);
    let hold = query(HOLD).bind(why.text).bind(why.code).bind(why.with).bind(lane.number());
    let rows = hold.fetch_all(tx.conn()).await?;
    shift_all(tx, &rows, UrlState::Pending, UrlState::Held).await
}

/// There are requests for isolation again: releases suspects that waited for them. True if there were any.
pub async fn resume_suspects_tx(tx: &mut WriteTx<'_>, lane: Lane) -> Result<bool> {
    let rows = query(RESUME).bind(lane.number()).fetch_all(tx.conn()).await?;
    shift_all(tx, &rows, UrlState::Held, UrlState::Pending).await
}

async fn shift_all(tx: &mut WriteTx<'_>, rows: &[Row], from: UrlState, to: UrlState) -> Result<bool> {
    let mut moves = Moves::default();
    for row in rows {
        moves.shift(Seat::of(row), from, to);
    }
    tx.bulk(|conn| wishes::follow(conn, rows.iter().map(|row| row.get("url_id")), from, to, &mut moves)).await?;
    moves.apply(tx.conn()).await?;
    Ok(!rows.is_empty())
}

/// Stores the cases that changed and the present suspects. `accepted` are URLs that left the queue by this answer.
async fn save(tx: &mut WriteTx<'_>, before: &Cases, after: &Cases, accepted: &HashSet<UrlId>) -> Result<()> {
    for case in before.open.iter().filter(|case| !after.open.contains(case)) {
        query(DROP_MEMBERS).bind(case.id.0).execute(tx.conn()).await?;
        query(DROP_CASE).bind(case.id.0).execute(tx.conn()).await?;
    }
    for case in after.open.iter().filter(|case| !before.open.contains(case)) {
        let blame = if case.blame == Blame::Host { "host" } else { "url" };
        let why = Stored::from(&case.why);
        let add = query(ADD_CASE).bind(case.id.0).bind(blame).bind(case.unsure);
        let add = add.bind(why.text).bind(why.code).bind(why.with);
        add.execute(tx.conn()).await?;
        let members: Vec<(i64, i64, i64)> =
            case.members.iter().map(|member| (member.url.0, member.host.0, i64::from(member.core))).collect();
        let members = serde_json::json!(members).to_string();
        query(ADD_MEMBERS).bind(case.id.0).bind(members).execute(tx.conn()).await?;
    }
    let (were, are) = (before.suspected(), after.suspected());
    query(FLAG).bind(ids(are.difference(&were).copied())).bind(1).execute(tx.conn()).await?;
    let freed = ids(were.difference(&are).chain(accepted.intersection(&were)).copied());
    let held = query(HELD_AMONG).bind(&freed).fetch_all(tx.conn()).await?;
    shift_all(tx, &held, UrlState::Held, UrlState::Pending).await?;
    query(FLAG).bind(freed).bind(0).execute(tx.conn()).await?;
    Ok(())
}

fn ids(urls: impl Iterator<Item = UrlId>) -> String {
    serde_json::json!(urls.map(|url| url.0).collect::<Vec<i64>>()).to_string()
}

async fn convict(
    tx: &mut WriteTx<'_>,
    batch: &Batch,
    found: &Found,
    evidence: &Evidence,
    now: Time,
) -> Result<Option<Finding>> {
    match found {
        Found::Url { url, why, unsure } => {
            let Some(member) = batch.urls.iter().find(|member| member.id == *url) else { return Ok(None) };
            let (state, code) = if *unsure { (UrlState::Held, 6) } else { (UrlState::Failed, 3) };
            let ended = (!unsure).then(|| to_millis(now));
            let why = Stored::from(why);
            let end = query(END).bind(url.0).bind(code).bind(ended);
            end.bind(why.text).bind(why.code).bind(why.with).execute(tx.conn()).await?;
            let mut moves = Moves::default();
            moves.shift(member.seat, UrlState::Pending, state);
            tx.bulk(|conn| {
                wishes::follow(conn, [url.0], UrlState::Pending, state, &mut moves)?;
                chain::purges_ended(conn, [url.0], now, &mut moves)
            })
            .await?;
            moves.apply(tx.conn()).await?;
            Ok(Some(Finding::Url(member.url.clone())))
        }
        Found::Host { host, why } => {
            set_standing_tx(tx, *host, evidence.standing, Some(why), Some(now + evidence.holds), now).await?;
            let member = batch.urls.iter().find(|member| member.seat.host == *host);
            Ok(member.map(|member| Finding::HostOf(member.url.clone())))
        }
    }
}
