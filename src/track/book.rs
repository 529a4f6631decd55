//! The tables of the tracker.

use super::plan::{Seen, WAIT_MAX};
use crate::model::{Lane, SubmissionId, TaskId, Time, from_millis, parse_task_ids, to_millis};
use crate::store::{Readers, Result, Row, Sql, WriteTx, query, query_scalar};

const FOLLOW: Sql = Sql::both(
    "
    insert into tracks (submission_id, accepted_at, urls, look_at) values (?1, ?2, ?3, ?2) on conflict do nothing",
);

const ADD_TASK: Sql = Sql::both("insert into tasks (task_id, submission_id) values (?1, ?2) on conflict do nothing");

const URLS_OF_TASK: Sql = Sql::both(
    "
    select u.url from tasks as t join urls as u on u.submission_id = t.submission_id
    where t.task_id = ?1 and t.submission_id <> ?2",
);

/// In a lane in which tasks may be asked for now (?1).
const NEXT: Sql = Sql::both(
    "
    select t.submission_id, t.accepted_at, t.urls, t.look_at, t.looks, t.seen_at, t.complete, t.failed, t.listed,
           (select lane from submissions as s where s.submission_id = t.submission_id) as lane
    from tracks as t
    where t.look_at is not null
      and (select lane from submissions as s where s.submission_id = t.submission_id)
          in (select cast(value as bigint) from json_each(?1))
    order by t.look_at limit 1",
);

/// A look that a wrong clock scheduled comes at this time at the latest.
const CLAMP: Sql = Sql::both("update tracks set look_at = ?1 where look_at > ?1");

/// Accepted so long ago that nothing more can be learned, whatever the next look waits for.
const OVERDUE: Sql = Sql::both(
    "
    select t.submission_id, t.accepted_at, t.urls, t.look_at, t.looks, t.seen_at, t.complete, t.failed, t.listed,
           (select lane from submissions as s where s.submission_id = t.submission_id) as lane
    from tracks as t indexed by tracks_accepted where t.look_at is not null and t.accepted_at <= ?1
    order by t.accepted_at limit 1",
);

/// For a batch that waits for the room that these take: only prefetches take any.
const UNDER_WAY: Sql = Sql::both(
    "
    select t.submission_id, t.accepted_at, t.urls, t.look_at, t.looks, t.seen_at, t.complete, t.failed, t.listed, s.lane
    from tracks as t indexed by tracks_accepted join submissions as s on s.submission_id = t.submission_id
    where t.look_at is not null and t.accepted_at > ?1 and s.lane = 1
    order by coalesce(t.seen_at, t.accepted_at) limit 50",
);

const TASKS: Sql = Sql::both("select task_id from tasks where submission_id = ?1 order by task_id");

const LOOK_AT: Sql = Sql::both("update tracks set look_at = ?2 where submission_id = ?1 and look_at is not null");

const LOOKED: Sql = Sql::both(
    "
    update tracks set look_at = ?2, looks = looks + 1, calls = calls + ?3, seen_at = ?4, complete = ?5, failed = ?6,
    listed = ?7,
        urls = ?8
    where submission_id = ?1",
);

const SAW_TASK: Sql = Sql::both(
    "
    update tasks set
        status = case when ?3 + ?4 >= ?5 and ?5 > 0 then case when ?4 > 0 then 'Failed' else 'Complete' end
                      when ?3 + ?4 > 0 then 'Refreshing' else status end,
        complete = ?3, failed = ?4, listed = coalesce(?5, listed), checked_at = ?6
    where submission_id = ?1 and task_id = ?2",
);

const END_TASKS: Sql = Sql::both(
    "
    update tasks set
        status = case when failed > 0 then 'Failed'
                      when ?3 = 1 and complete >= coalesce(listed, complete) then 'Complete'
        else status end,
        ended_at = coalesce(ended_at, ?2)
    where submission_id = ?1",
);

const FORGET_TASKS: Sql = Sql::both("delete from tasks where submission_id = ?1");

const FORGET: Sql = Sql::both("delete from tracks where submission_id = ?1");

/// A submission that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    pub(super) submission: SubmissionId,
    pub(super) lane: Lane,
    pub(super) accepted_at: Time,
    /// URLs whose end is not known.
    pub(super) urls: u32,
    pub(super) look_at: Time,
    pub(super) looks: u32,
    pub(super) seen: Option<Seen>,
}

/// What was seen about one task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TaskSeen {
    pub(super) complete: u32,
    pub(super) failed: u32,
    pub(super) listed: Option<u32>,
}

/// Starts to follow the tasks of a submission that was just accepted.
pub async fn follow_tx(
    tx: &mut WriteTx<'_>,
    submission: SubmissionId,
    tasks: &[TaskId],
    urls: usize,
    now: Time,
) -> Result<()> {
    let urls = i64::try_from(urls).unwrap_or(i64::MAX);
    query(FOLLOW).bind(submission.0).bind(to_millis(now)).bind(urls).execute(tx.conn()).await?;
    for task in tasks {
        query(ADD_TASK).bind(task.as_str()).bind(submission.0).execute(tx.conn()).await?;
    }
    Ok(())
}

/// Schedules every look at most six hours from now, whatever clock wrote its time.
pub async fn clamp_looks_tx(tx: &mut WriteTx<'_>, now: Time) -> Result<()> {
    query(CLAMP).bind(to_millis(now + WAIT_MAX)).execute(tx.conn()).await?;
    Ok(())
}

/// URLs of submissions other than `except` that were given this task.
pub async fn urls_of_task(pool: &Readers, task: &TaskId, except: SubmissionId) -> Result<Vec<String>> {
    query_scalar(URLS_OF_TASK).bind(task.as_str()).bind(except.0).fetch_all(pool).await
}

/// The submission of these lanes to look at next.
pub(super) async fn next(pool: &Readers, lanes: impl Iterator<Item = Lane>) -> Result<Option<Track>> {
    let lanes: Vec<i64> = lanes.map(Lane::number).collect();
    let next = query(NEXT).bind(serde_json::json!(lanes).to_string());
    Ok(next.fetch_optional(pool).await?.as_ref().map(track))
}

/// Of the submissions that are still followed, the one accepted first, if that was not after `before`.
pub(super) async fn overdue(pool: &Readers, before: Time) -> Result<Option<Track>> {
    Ok(query(OVERDUE).bind(to_millis(before)).fetch_optional(pool).await?.as_ref().map(track))
}

/// Batches accepted since then that have not ended, those first whose last look is oldest.
pub(super) async fn under_way(pool: &Readers, since: Time) -> Result<Vec<Track>> {
    let rows = query(UNDER_WAY).bind(to_millis(since)).fetch_all(pool).await?;
    Ok(rows.iter().map(track).collect())
}

fn track(row: &Row) -> Track {
    let seen = row.get::<Option<i64>, _>(5).map(|at| Seen {
        at: from_millis(at),
        complete: row.get(6),
        failed: row.get(7),
        listed: row.get(8),
        running: None,
    });
    Track {
        submission: SubmissionId(row.get(0)),
        lane: Lane::of_number(row.get("lane")),
        accepted_at: from_millis(row.get(1)),
        urls: row.get(2),
        look_at: from_millis(row.get(3)),
        looks: row.get(4),
        seen,
    }
}

/// The tasks of a submission.
pub(super) async fn tasks(pool: &Readers, submission: SubmissionId) -> Result<Vec<TaskId>> {
    let ids: Vec<String> = query_scalar(TASKS).bind(submission.0).fetch_all(pool).await?;
    Ok(ids.iter().flat_map(|id| parse_task_ids(id)).collect())
}

/// Schedules the next look at a submission.
pub(super) async fn look_at_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, at: Time) -> Result<()> {
    query(LOOK_AT).bind(submission.0).bind(to_millis(at)).execute(tx.conn()).await?;
    Ok(())
}

/// Stores what a look saw and cost. `urls` is how many have no known end. The next look is due at `look_at`; none if
/// there is none.
pub(super) async fn looked_tx(
    tx: &mut WriteTx<'_>,
    submission: SubmissionId,
    (seen, calls, urls): (&Seen, u32, u32),
    look_at: Option<Time>,
) -> Result<()> {
    query(LOOKED)
        .bind(submission.0)
        .bind(look_at.map(to_millis))
        .bind(calls)
        .bind(to_millis(seen.at))
        .bind(seen.complete)
        .bind(seen.failed)
        .bind(seen.listed)
        .bind(urls)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stores what a look saw about one task.
pub(super) async fn saw_task_tx(
    tx: &mut WriteTx<'_>,
    submission: SubmissionId,
    task: &TaskId,
    seen: TaskSeen,
    now: Time,
) -> Result<()> {
    query(SAW_TASK)
        .bind(submission.0)
        .bind(task.as_str())
        .bind(seen.complete)
        .bind(seen.failed)
        .bind(seen.listed)
        .bind(to_millis(now))
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stops asking for a submission's tasks: they have ended `well`, or the service no longer lists them. In the latter
/// case the last state that was seen stays.
pub(super) async fn end_tasks_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, well: bool, now: Time) -> Result<()> {
    query(END_TASKS).bind(submission.0).bind(to_millis(now)).bind(well).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets everything about a submission.
pub async fn forget_tx(tx: &mut WriteTx<'_>, submission: SubmissionId) -> Result<()> {
    for statement in [FORGET_TASKS, FORGET] {
        query(statement).bind(submission.0).execute(tx.conn()).await?;
    }
    Ok(())
}
