//! Domains and their standing. URLs of a refused or offline domain are parked, and go on by themselves when its
//! standing changes.

use chrono::TimeDelta;
use strum::{EnumString, IntoStaticStr, VariantArray as _};

use super::seat::Seat;
use super::tally::Moves;
use super::wishes;
use crate::model::{HostId, Lane, Reason, Time, UrlState, from_millis, to_millis};
use crate::store::{Conn, Readers, Result, Row, Sql, WriteTx, query, query_scalar};
use crate::words::Stored;

/// Most rows that one step parks or unparks, so that its transaction stays short.
const PARK_ROWS_MAX: i64 = 10_000;

/// A domain's last acceptance is noted at most this often.
const WELL_NOTED: TimeDelta = TimeDelta::hours(1);

const HOSTS: Sql = Sql::both(
    "
    select host_id, host, standing, holds_until, accepted_at from hosts where host_id > ?1 order by host_id limit ?2",
);

const SET_STANDING: Sql = Sql::both(
    "
    update hosts set standing = ?2, why = ?3, why_code = ?6, why_with = ?7, since = ?4, holds_until = ?5,
    unpark = iif(?2 in ('unknown', 'good'), 1, 0)
    where host_id = ?1 and (standing <> ?2 or why is distinct from ?3)",
);

const UNKNOWN: Sql = Sql::both("select exists (select 1 from hosts where standing = 'unknown' and pending > 0)");

const WELL: Sql = Sql::both(
    "
    update hosts set
        since = case standing when 'good' then since else ?2 end, standing = 'good', why = null, why_code = null,
        why_with = null,
        accepted_at = ?2
    where host_id in (select cast(value as bigint) from json_each(?1)) and (standing <> 'good' or accepted_at is null
    or accepted_at < ?3)",
);

const GOOD: Sql = Sql::both("select host_id from hosts where standing = 'good'");

/// Rows at the head of the queue whose host is blocked.
const PARK: Sql = Sql::both(
    "
    update urls set parked = 1
    where url_id in (
        select u.url_id
        from (select url_id, host_id from urls
              where lane = ?2 and state = 0 and wait_until is null and parked = 0 and suspect = 0
              order by priority, deadline is null, deadline, url_id
              limit ?1) as u
        join hosts as h on h.host_id = u.host_id
        where h.standing in ('refused', 'offline'))",
);

/// What waits for its purge goes on waiting for that.
const UNPARK: Sql = Sql::both(
    "
    update urls set parked = iif(after_id is null, 0, 2)
    where url_id in (
        select u.url_id from hosts as h cross join urls as u on u.host_id = h.host_id and u.parked = 1
        where h.unpark = 1 limit ?1)",
);

const UNPARKED: Sql = Sql::both("update hosts set unpark = 0 where unpark = 1");

/// Suspects whose host is blocked: that explains the refusal well enough.
const BLOCKED_SUSPECTS: Sql = Sql::both(
    "
    select u.url_id, u.suspect, u.file_id, u.host_id, u.priority, u.lane, u.first_step
    from urls as u indexed by urls_suspect join hosts as h on h.host_id = u.host_id
    where u.suspect > 0 and u.state = 0 and h.standing in ('refused', 'offline')",
);

const PARK_SUSPECTS: Sql = Sql::both(
    "
    update urls set parked = 1, suspect = 0, reason = null, reason_code = null, reason_with = null
    where url_id in (select cast(value as bigint) from json_each(?1))",
);

const BLOCKED: Sql = Sql::both("select pending from hosts where host = ?1 and standing in ('refused', 'offline')");

const FORGET: Sql = Sql::both(
    "
    update hosts set standing = 'good', why = null, why_code = null, why_with = null, since = ?2, holds_until = null,
    accepted_at = ?2, unpark = 1
    where host = ?1 and standing in ('refused', 'offline')
    returning pending",
);

/// Whether a domain's URLs may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HostStanding {
    /// Nothing is known of it.
    Unknown,
    /// The account has it, and it is online.
    Good,
    /// The account does not have it, or may not use it.
    Refused,
    /// It is not online now.
    Offline,
}

impl HostStanding {
    /// Its word in `v_hosts`.
    pub fn word(self) -> &'static str {
        self.into()
    }

    fn from_word(word: &str) -> Self {
        word.parse().unwrap_or(Self::Unknown)
    }

    /// Whether its URLs may be sent.
    pub fn may_go(self) -> bool {
        matches!(self, Self::Unknown | Self::Good)
    }
}

/// A domain of some URLs in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its row.
    pub id: HostId,
    /// The domain.
    pub name: String,
    /// What is known of it.
    pub standing: HostStanding,
    /// Set if an answer to a batch gave this standing: it is believed until then. None if the list of domains gave it.
    pub holds_until: Option<Time>,
    /// About when a batch with this domain was last accepted.
    pub accepted_at: Option<Time>,
}

/// Domains of the queue's URLs in the order of their rows, so many at most, from behind the one given. One file may
/// bring hundreds of thousands.
pub async fn hosts(pool: &Readers, behind: Option<HostId>, most: u32) -> Result<Vec<Host>> {
    let behind = behind.map_or(i64::MIN, |host| host.0);
    let rows = query(HOSTS).bind(behind).bind(most).fetch_all(pool).await?;
    Ok(rows
        .iter()
        .map(|row| Host {
            id: HostId(row.get(0)),
            name: row.get(1),
            standing: HostStanding::from_word(row.get(2)),
            holds_until: row.get::<Option<i64>, _>(3).map(from_millis),
            accepted_at: row.get::<Option<i64>, _>(4).map(from_millis),
        })
        .collect())
}

/// Whether URLs wait on domains about which nothing is known.
pub async fn has_unknown_hosts(pool: &Readers) -> Result<bool> {
    query_scalar(UNKNOWN).fetch_one(pool).await
}

/// Stores a domain's standing and the reason; true if it changed. `holds_until` is set if an answer to a batch said so:
/// it is believed until then.
pub async fn set_standing_tx(
    tx: &mut WriteTx<'_>,
    host: HostId,
    standing: HostStanding,
    why: Option<&Reason>,
    holds_until: Option<Time>,
    now: Time,
) -> Result<bool> {
    let why = why.map(Stored::from);
    let query = query(SET_STANDING)
        .bind(host.0)
        .bind(standing.word())
        .bind(why.as_ref().map(|why| &why.text))
        .bind(to_millis(now))
        .bind(holds_until.map(to_millis))
        .bind(why.as_ref().map(|why| &why.code))
        .bind(why.as_ref().and_then(|why| why.with.as_ref()));
    Ok(query.execute(tx.conn()).await? > 0)
}

/// Notes that a batch with URLs of these domains was accepted.
pub async fn hosts_are_well_tx(tx: &mut WriteTx<'_>, hosts: &[HostId], now: Time) -> Result<()> {
    let ids: Vec<i64> = hosts.iter().map(|host| host.0).collect();
    let ids = serde_json::json!(ids).to_string();
    let noted_before = to_millis(now - WELL_NOTED);
    query(WELL).bind(ids).bind(to_millis(now)).bind(noted_before).execute(tx.conn()).await?;
    Ok(())
}

/// The domains about which nothing bad is known.
pub(super) async fn good_hosts_tx(tx: &mut WriteTx<'_>) -> Result<std::collections::HashSet<HostId>> {
    let ids: Vec<i64> = query_scalar(GOOD).fetch_all(tx.conn()).await?;
    Ok(ids.into_iter().map(HostId).collect())
}

/// Parks URLs at the head of the queue whose host is blocked, and unparks those whose host no longer is: ten thousand
/// of each at most. Returns how many rows changed.
pub async fn park_tx(tx: &mut WriteTx<'_>) -> Result<u64> {
    let mut parked = 0;
    for lane in Lane::VARIANTS {
        let park = query(PARK).bind(PARK_ROWS_MAX).bind(lane.number());
        parked += park.execute(tx.conn()).await?;
    }
    let unparked = query(UNPARK).bind(PARK_ROWS_MAX).execute(tx.conn()).await?;
    if unparked < PARK_ROWS_MAX.unsigned_abs() {
        query(UNPARKED).execute(tx.conn()).await?;
    }
    Ok(parked + unparked + park_suspects(tx).await?)
}

/// Clears suspects whose host is blocked.
async fn park_suspects(tx: &mut WriteTx<'_>) -> Result<u64> {
    let rows = query(BLOCKED_SUSPECTS).fetch_all(tx.conn()).await?;
    let mut moves = Moves::default();
    let is_held = |row: &&Row| row.get::<i64, _>("suspect") == 2;
    for row in rows.iter().filter(is_held) {
        moves.shift(Seat::of(row), UrlState::Held, UrlState::Pending);
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    query(PARK_SUSPECTS).bind(serde_json::json!(ids).to_string()).execute(tx.conn()).await?;
    let held = rows.iter().filter(is_held).map(|row| row.get(0));
    tx.bulk(|conn| wishes::follow(conn, held, UrlState::Held, UrlState::Pending, &mut moves)).await?;
    moves.apply(tx.conn()).await?;
    Ok(rows.len() as u64)
}

/// How many URLs of a refused or offline domain wait; none if the domain is neither.
pub async fn blocked_host(conn: &mut Conn, host: &str) -> Result<Option<i64>> {
    query_scalar(BLOCKED).bind(host).fetch_optional(conn).await
}

/// Gives a refused or offline domain another chance: a batch decides, whatever the list of domains says. Returns how
/// many of its URLs wait; none if the domain is neither.
pub async fn retry_host_tx(tx: &mut WriteTx<'_>, host: &str, now: Time) -> Result<Option<i64>> {
    query_scalar(FORGET).bind(host).bind(to_millis(now)).fetch_optional(tx.conn()).await
}
