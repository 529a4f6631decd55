//! Whether a URL that completed lately was purged since: then it is not fresh.

use std::collections::{BTreeSet, HashMap};

use super::journeys::ints;
use crate::model::{Lane, ObjectUrl};
use crate::store::{Bulk, Column, Result, Sql};

const ANY: Sql = Sql::both(
    "
    select exists (select 1 from tally where lane > 1 and pending + leased + submitted + complete + unconfirmed > 0)",
);

/// Purges of a URL or directory, by its key, its lane and its text: when each ended, at the end of time if it waits or
/// is on its way.
const PURGED: Sql = Sql::two(
    "
    with recursive same (url_id) as (
        select url_id from url_keys where url_key = ?1
        union all
        select o.older_id from same join urls as o on o.url_id = same.url_id where o.older_id is not null)
    select u.lane, u.url,
           case u.state when 0 then 9223372036854775807
                        when 1 then coalesce(s.ended_at, 9223372036854775807) else coalesce(u.ended_at, 0) end
    from same join urls as u on u.url_id = same.url_id
    left join submissions as s on s.submission_id = u.submission_id
    where u.url = ?3 and u.lane = ?2 and u.state in (0, 1, 2, 7)",
    "
    select v.lane, v.url, p.at
    from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[])), (select cast(?3 as text[])))
         as v (url_key, lane, url)
    join lateral (select k.url_id from url_keys as k where k.url_key = v.url_key offset 0) as latest on true
    join lateral (
        with recursive same (url_id) as (
            select latest.url_id
            union all
            select o.older_id from same join urls as o on o.url_id = same.url_id where o.older_id is not null)
        select case u.state when 0 then 9223372036854775807
                            when 1 then coalesce(s.ended_at, 9223372036854775807) else coalesce(u.ended_at, 0) end
        from same join urls as u on u.url_id = same.url_id
        left join submissions as s on s.submission_id = u.submission_id
        where u.url = v.url and u.lane = v.lane and u.state in (0, 1, 2, 7)) as p (at) on true",
);

/// How a URL may begin.
const SCHEMES: [&str; 3] = ["https://", "http://", ""];

/// Answers that; it costs nothing while nobody purges.
#[derive(Debug)]
pub(super) struct Stale<'c> {
    conn: &'c Bulk,
    anything_is_purged: bool,
    /// When the last purge of a URL or directory ended, of those that [`Stale::learn`] found.
    purged: HashMap<(i64, String), i64>,
}

impl<'c> Stale<'c> {
    pub(super) fn new(conn: &'c Bulk) -> Result<Self> {
        Ok(Self { conn, anything_is_purged: conn.one(ANY, &[])?.get(0), purged: HashMap::new() })
    }

    /// Looks for purges of these URLs and of their directories.
    pub(super) fn learn<'u>(&mut self, urls: impl IntoIterator<Item = &'u str>) -> Result<()> {
        if !self.anything_is_purged {
            return Ok(());
        }
        let spelled: BTreeSet<(Lane, String)> = urls.into_iter().flat_map(spellings).collect();
        let spelled: Vec<(Lane, String)> = spelled.into_iter().collect();
        for some in spelled.chunks(self.conn.together()) {
            let keys = ints(some.iter().map(|(lane, text)| ObjectUrl::key_of(*lane, text)));
            let lanes = ints(some.iter().map(|(lane, _)| lane.number()));
            let texts: Vec<Option<&str>> = some.iter().map(|(_, text)| Some(text.as_str())).collect();
            let columns = [Column::Ints(&keys), Column::Ints(&lanes), Column::Texts(&texts)];
            for row in self.conn.rows_each(PURGED, &[], &columns)? {
                let last = self.purged.entry((row.get(0), row.get(1))).or_default();
                *last = (*last).max(row.get(2));
            }
        }
        Ok(())
    }

    /// Whether a URL that completed at this time was purged after it, or is about to be: itself, or a directory of its.
    /// [`Stale::learn`] has looked for it.
    pub(super) fn is_stale(&self, url: &str, completed_at: i64) -> bool {
        !self.purged.is_empty()
            && spellings(url)
                .any(|(lane, text)| self.purged.get(&(lane.number(), text)).is_some_and(|at| *at > completed_at))
    }
}

/// How purges of a URL and of its directories may be written: a URL stands for its resource with either scheme, and
/// without one (SIBLING-APIS.md, J).
fn spellings(url: &str) -> impl Iterator<Item = (Lane, String)> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split('?').next().unwrap_or_default();
    let directories = path.match_indices('/').map(move |(slash, _)| (Lane::PurgeDirectory, &path[..=slash]));
    std::iter::once((Lane::Purge, rest))
        .chain(directories)
        .flat_map(|(lane, rest)| SCHEMES.map(|scheme| (lane, format!("{scheme}{rest}"))))
}
