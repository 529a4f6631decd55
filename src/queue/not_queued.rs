//! Counts which URLs are in the queue already, for a caller who only asks.

use crate::model::{Lane, ObjectUrl, Time, to_millis};
use crate::store::{Conn, Result, Sql, query};

/// The rule of `enqueue`: pending, leased and submitted URLs are merged; recently completed ones are fresh. Where tasks
/// cannot be read, an accepted URL is live or fresh by the time of its acceptance.
const KNOWN: Sql = Sql::both(
    "
    with recursive same (at, url, url_id) as (
        select j.key, j.value ->> 1, k.url_id
        from json_each(?1) as j join url_keys as k on k.url_key = cast(j.value ->> 0 as bigint)
        union all
        select same.at, same.url, u.older_id from same join urls as u on u.url_id = same.url_id
        where u.older_id is not null
    ), found as (
        select max(u.state = 0 or (not ?4 and u.state = 1 and s.ended_at is null
                                   and coalesce(iif(blind, s.closed_at, null) > ?2, true))) as live,
               max(not ?4 and coalesce(case u.state when 1 then s.ended_at when 2 then u.ended_at
                                         when 7 then iif(blind, s.closed_at, null) end > ?2, false)) as fresh
        from same
        join urls as u on u.url_id = same.url_id and u.url = same.url and u.lane = ?3
        left join submissions as s on s.submission_id = u.submission_id
        join (select exists (select 1 from facts
                             where lane = 1 and fact = 'tasks_readable' and value = 'false') as blind) as sight on true
        group by same.at
    )
    select count(*) filter (where live = 1), count(*) filter (where fresh = 1 and live = 0) from found",
);

/// How many of some URLs would not be queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotQueued {
    /// Pending, leased or submitted: they would be merged.
    pub live: u64,
    /// Completed lately.
    pub fresh: u64,
}

/// Counts the known ones among some thousand distinct URLs of a lane. What is wanted anew, such as a purge, joins only
/// what still waits.
pub async fn known(
    conn: &mut Conn,
    (lane, is_anew): (Lane, bool),
    urls: &[&ObjectUrl],
    fresh_since: Time,
) -> Result<NotQueued> {
    let urls: Vec<(i64, &str)> = urls.iter().map(|url| (url.key(lane), url.as_str())).collect();
    let urls = serde_json::json!(urls).to_string();
    let known = query(KNOWN).bind(urls).bind(to_millis(fresh_since)).bind(lane.number()).bind(is_anew);
    let row = known.fetch_one(conn).await?;
    let count = |at: usize| u64::try_from(row.get::<i64, _>(at)).unwrap_or(0);
    Ok(NotQueued { live: count(0), fresh: count(1) })
}
