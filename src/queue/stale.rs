//! Whether a URL that completed lately was purged since: then it is not fresh.

use crate::model::{Lane, ObjectUrl};
use crate::store::{Bulk, Result, Sql, args};

const ANY: Sql = Sql::both(
    "
    select exists (select 1 from tally where lane > 1 and pending + leased + submitted + complete + unconfirmed > 0)",
);

/// Purges of a URL or directory that wait, are on their way, or ended after a time.
const PURGED: Sql = Sql::both(
    "
    with recursive same (url_id) as (
        select url_id from url_keys where url_key = ?1
        union all
        select o.older_id from same join urls as o on o.url_id = same.url_id where o.older_id is not null)
    select exists (
        select 1 from same join urls as u on u.url_id = same.url_id
        left join submissions as s on s.submission_id = u.submission_id
        where u.url = ?2 and u.lane = ?4
          and (u.state = 0 or (u.state = 1 and coalesce(s.ended_at, ?3 + 1) > ?3)
               or (u.state in (2, 7) and u.ended_at > ?3)))",
);

/// How a URL may begin.
const SCHEMES: [&str; 3] = ["https://", "http://", ""];

/// Answers that; it costs nothing while nobody purges.
#[derive(Debug)]
pub(super) struct Stale<'c> {
    conn: &'c Bulk,
    anything_is_purged: bool,
}

impl<'c> Stale<'c> {
    pub(super) fn new(conn: &'c Bulk) -> Result<Self> {
        Ok(Self { conn, anything_is_purged: conn.one(ANY, &[])?.get(0) })
    }

    /// Whether a URL that completed at this time was purged after it, or is about to be: itself, or a directory of its.
    pub(super) fn is_stale(&self, url: &str, completed_at: i64) -> Result<bool> {
        if !self.anything_is_purged {
            return Ok(false);
        }
        let is_spelled = |lane: Lane, text: &str| {
            let row = args![ObjectUrl::key_of(lane, text), text, completed_at, lane.number()];
            self.conn.one(PURGED, &row).map(|row| row.get::<bool, _>(0))
        };
        // A URL stands for its resource with either scheme, and without one (SIBLING-APIS.md, J).
        let is_purged = |lane: Lane, rest: &str| -> Result<bool> {
            for scheme in SCHEMES {
                if is_spelled(lane, &format!("{scheme}{rest}"))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        if is_purged(Lane::Purge, rest)? {
            return Ok(true);
        }
        let path = rest.split('?').next().unwrap_or_default();
        for (slash, _) in path.match_indices('/') {
            if is_purged(Lane::PurgeDirectory, &path[..=slash])? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
