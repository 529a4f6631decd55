//! Domains and their standing: what is refused or offline is not sent. Its URLs are parked, and go on by themselves when
//! the standing changes.

use sqlx::{Row, SqlitePool};

use crate::model::{HostId, Time, from_millis, to_millis};
use crate::store::{Result, WriteTx};

/// Rows that one step parks or unparks at most, so that its transaction stays short.
const PARK_ROWS_MAX: i64 = 10_000;

const HOSTS: &str = "select host_id, host, standing, answered from hosts";

const SET_STANDING: &str = "
    update hosts set standing = ?2, why = ?3, since = ?4, answered = ?5
    where host_id = ?1 and (standing <> ?2 or why is not ?3)";

const UNKNOWN: &str = "select exists (select 1 from hosts where standing = 'unknown' and pending > 0)";

const WELL: &str = "
    update hosts set standing = 'good', why = null, since = ?2
    where standing = 'unknown' and host_id in (select value from json_each(?1))";

const GOOD: &str = "select host_id from hosts where standing = 'good'";

/// Of the head of the queue, those whose host may not be sent.
const PARK: &str = "
    update urls set parked = 1
    where url_id in (
        select u.url_id
        from (select url_id, host_id from urls
              where state = 0 and wait_until is null and parked = 0 and suspect = 0
              order by priority, deadline is null, deadline, url_id
              limit ?1) as u
        join hosts as h on h.host_id = u.host_id
        where h.standing in ('refused', 'offline'))";

const UNPARK: &str = "
    update urls set parked = 0
    where url_id in (
        select u.url_id from hosts as h cross join urls as u on u.host_id = h.host_id and u.parked = 1
        where h.standing in ('unknown', 'good') limit ?1)";

const FORGET: &str = "
    update hosts set standing = 'unknown', why = null, since = ?2, answered = null
    where host = ?1 and standing in ('refused', 'offline')
    returning pending";

/// Whether a domain's URLs may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// As it stands in `v_hosts`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "good",
            Self::Refused => "refused",
            Self::Offline => "offline",
        }
    }

    fn from_word(word: &str) -> Self {
        [Self::Good, Self::Refused, Self::Offline].into_iter().find(|s| s.word() == word).unwrap_or(Self::Unknown)
    }

    /// Whether its URLs may be sent.
    pub fn may_go(self) -> bool {
        matches!(self, Self::Unknown | Self::Good)
    }
}

/// A domain that URLs named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its row.
    pub id: HostId,
    /// The domain.
    pub name: String,
    /// What is known of it.
    pub standing: HostStanding,
    /// When an answer to a batch said so; none if the list of domains did.
    pub answered: Option<Time>,
}

/// All domains that URLs named.
///
/// # Errors
///
/// What the database says.
pub async fn hosts(pool: &SqlitePool) -> Result<Vec<Host>> {
    let rows = sqlx::query(HOSTS).fetch_all(pool).await?;
    Ok(rows
        .iter()
        .map(|row| Host {
            id: HostId(row.get(0)),
            name: row.get(1),
            standing: HostStanding::from_word(row.get(2)),
            answered: row.get::<Option<i64>, _>(3).map(from_millis),
        })
        .collect())
}

/// Whether there are domains of which nothing is known and whose URLs wait.
///
/// # Errors
///
/// What the database says.
pub async fn has_unknown_hosts(pool: &SqlitePool) -> Result<bool> {
    Ok(sqlx::query_scalar(UNKNOWN).fetch_one(pool).await?)
}

/// Writes down what a domain's standing is, and why. `answered`: an answer to a batch said so. True if that is news.
///
/// # Errors
///
/// What the database says.
pub async fn set_standing_tx(
    tx: &mut WriteTx<'_>,
    host: HostId,
    standing: HostStanding,
    why: Option<&str>,
    answered: bool,
    now: Time,
) -> Result<bool> {
    let query = sqlx::query(SET_STANDING)
        .bind(host.0)
        .bind(standing.word())
        .bind(why)
        .bind(to_millis(now))
        .bind(answered.then(|| to_millis(now)));
    Ok(query.execute(tx.conn()).await?.rows_affected() > 0)
}

/// A batch with URLs of these domains was accepted.
///
/// # Errors
///
/// What the database says.
pub async fn hosts_are_well_tx(tx: &mut WriteTx<'_>, hosts: &[HostId], now: Time) -> Result<()> {
    let ids: Vec<i64> = hosts.iter().map(|host| host.0).collect();
    sqlx::query(WELL).bind(serde_json::json!(ids).to_string()).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// The domains of which nothing bad is known.
///
/// # Errors
///
/// What the database says.
pub(super) async fn good_hosts_tx(tx: &mut WriteTx<'_>) -> Result<std::collections::HashSet<HostId>> {
    let ids: Vec<i64> = sqlx::query_scalar(GOOD).fetch_all(tx.conn()).await?;
    Ok(ids.into_iter().map(HostId).collect())
}

/// Parks what stands at the head of the queue and may not be sent, and unparks what may again, ten thousand of each at
/// most. Gives how many rows changed.
///
/// # Errors
///
/// What the database says.
pub async fn park_tx(tx: &mut WriteTx<'_>) -> Result<u64> {
    let parked = sqlx::query(PARK).bind(PARK_ROWS_MAX).execute(tx.conn()).await?.rows_affected();
    let unparked = sqlx::query(UNPARK).bind(PARK_ROWS_MAX).execute(tx.conn()).await?.rows_affected();
    Ok(parked + unparked)
}

/// Gives a refused or offline domain another chance. None if it is neither; else how many of its URLs wait.
///
/// # Errors
///
/// What the database says.
pub async fn retry_host_tx(tx: &mut WriteTx<'_>, host: &str, now: Time) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(FORGET).bind(host).bind(to_millis(now)).fetch_optional(tx.conn()).await?)
}
