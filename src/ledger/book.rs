//! Submissions and what they cost.

use super::mark::{Mark, told};
use crate::model::{BudgetDay, DayStart, Lane, SubmissionId, TaskId, Time, from_millis, parse_task_ids, to_millis};
use crate::store::{Conn, Readers, Result, Row, Sql, WriteTx, query, query_scalar};

const GIVE_BACK: Sql = Sql::both(
    "
    update budget_days set requests_used = requests_used - ?2, urls_used = urls_used - ?3
    where (lane, day) = (select lane, day from submissions where submission_id = ?1)",
);

const CHARGE_OTHER_DAY: Sql = Sql::both(
    "
    update budget_days set requests_used = requests_used + s.cost, urls_used = urls_used + s.urls
    from (select lane as own, cost, urls, day as charged from submissions where submission_id = ?1) as s
    where lane = s.own and day = ?2 and s.charged < ?2",
);

const UNCHARGE_DAY: Sql = Sql::both(
    "
    update budget_days set requests_used = requests_used - s.cost, urls_used = urls_used - s.urls
    from (select lane as own, cost, urls, day as charged from submissions where submission_id = ?1) as s
    where lane = s.own and day = s.charged and s.charged < ?2",
);

const NAME_DAY: Sql = Sql::both("update submissions set day = ?2, late = 0 where submission_id = ?1 and day < ?2");

const OPEN: Sql = Sql::both(
    "
    insert into submissions
        (submission_id, lane, day, nonce, urls, suspects, cost, opened_at, signed_at, sent_at, request_sha256,
         earliest_at, fence)
    values (max((select coalesce(max(submission_id), 0) from submissions), ?10) + 1,
            ?8, ?1, ?2, ?3, ?6, 1, ?4, ?5, ?5, ?7, ?9, ?11)
    returning submission_id",
);

/// Only by whoever knows the call: a history of the server that lost it may have given its number to another one. An
/// answer that is not an acceptance counts only as long as no further copy was sent, which may have another answer.
const CLOSE: Sql = Sql::both(
    "
    update submissions set
        state = ?2, outcome = ?3, closed_at = ?4, http_status = ?5, code = ?6, message = ?7, request_id = ?8, cost = ?9,
        double_urls = ?10, late = ?11, next_at = null
    where submission_id = ?1 and state = 0 and nonce = ?12 and (?2 = 1 or sends = ?13)",
);

const END: Sql =
    Sql::both("update submissions set ended_at = ?2 where submission_id = ?1 and state = 1 and ended_at is null");

const OPEN_SUBMISSIONS: Sql = Sql::both(
    "
    select submission_id, nonce, urls, signed_at, sent_at, sends, arrived, absent_at, next_at, day, suspects,
           (select starts_at from budget_days as b where b.lane = submissions.lane and b.day = submissions.day)
               as day_starts_at, request_sha256, earliest_at
    from submissions where state = 0 and lane = ?1 order by submission_id",
);

const DOUBT: Sql = Sql::both(
    "
    update submissions set doubt_since = coalesce(doubt_since, ?2), arrived = max(arrived, ?3), next_at = ?4
    where submission_id = ?1 and state = 0",
);

const SEND_AGAIN: Sql = Sql::both(
    "
    update submissions set sends = sends + 1, sent_at = ?2, next_at = null where submission_id = ?1 and state = 0",
);

/// Returns whether that is news.
const SET_ASIDE: Sql = Sql::both(
    "
    update submissions set set_aside = ?2 where submission_id = ?1 and set_aside is distinct from ?2",
);

const ASIDE: Sql = Sql::both("select set_aside from submissions where submission_id = ?1");

const ABSENT: Sql =
    Sql::both("update submissions set absent_at = ?2, next_at = ?3 where submission_id = ?1 and state = 0");

/// Looks at the latest thousand: backoff spaces failures, so that a thousand of them in a row take days.
const LAST_ACCEPTED: Sql = Sql::both(
    "
    select max(closed_at)
    from (select state, closed_at from submissions where lane = ?1 order by submission_id desc limit 1000) as latest
    where state = 1",
);

const LAST_OPENED: Sql =
    Sql::both("select submission_id, opened_at from submissions where lane = ?1 order by submission_id desc limit 1");

/// By lane: submissions in doubt, and URLs that may have been submitted twice.
const DOUBTS: Sql = Sql::both(
    "
    select a.lane,
           (select count(*) from submissions as s
            where s.state = 0 and s.doubt_since is not null and s.lane = a.lane),
           (select coalesce(cast(sum(s.double_urls) as bigint), 0) from submissions as s
            where s.double_urls > 0 and s.lane = a.lane)
    from account as a order by a.lane",
);

const SENT_SINCE: Sql = Sql::both(
    "
    select coalesce(cast(sum(cost) as bigint), 0), coalesce(cast(sum(urls) filter (where state = 1) as bigint), 0)
    from submissions indexed by submissions_sent where lane = ?2 and opened_at >= ?1",
);

/// A submission whose end is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSubmission {
    /// Its row.
    pub id: SubmissionId,
    /// The budget day that was charged.
    pub day: BudgetDay,
    /// The nonce by which the gateway knows it.
    pub nonce: String,
    /// SHA-256 of the signed call, in hex, which a copy must match. None in a submission of the first version.
    pub request_sha256: Option<String>,
    /// URLs in it.
    pub urls: u32,
    /// How many of them are suspects.
    pub suspects: u32,
    /// The timestamp in the call.
    pub signed_at: Time,
    /// The service's earliest possible time when it was signed; none in what an earlier version wrote.
    pub earliest_at: Option<Time>,
    /// When the last copy was sent.
    pub sent_at: Time,
    /// Copies sent.
    pub sends: u32,
    /// Whether the service has seen the nonce.
    pub arrived: bool,
    /// When the service last answered that it lists no such task.
    pub absent_at: Option<Time>,
    /// When the next step towards its end is due; none if due now or being sent.
    pub next_at: Option<Time>,
}

/// How a submission ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The service accepted it.
    Accepted,
    /// It may be sent again later.
    Deferred,
    /// The service will not accept it as it is.
    Refused,
    /// Nobody knows; its URLs were sent on without it.
    InDoubt,
}

impl End {
    fn code(self) -> i64 {
        match self {
            Self::Accepted => 1,
            Self::Deferred => 2,
            Self::Refused => 3,
            Self::InDoubt => 4,
        }
    }
}

/// What is stored when a submission is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// How it ended.
    pub end: End,
    /// The word for how it ended, e.g. `accepted`, `throttled`.
    pub outcome: String,
    /// Whether its request is charged. False only where the call cannot have reached the operation.
    pub charged: bool,
    /// HTTP status of the answer.
    pub http_status: Option<u16>,
    /// The answer's code.
    pub code: Option<String>,
    /// The answer's message, or what went wrong on the way.
    pub message: Option<String>,
    /// The service's request ID of the call.
    pub request_id: Option<String>,
    /// The tasks of an accepted batch.
    pub tasks: Vec<TaskId>,
    /// Whether its URLs are charged, because they were or may have been accepted.
    pub urls_charged: bool,
    /// URLs that are sent again although this submission may have been accepted.
    pub double_urls: u32,
    /// Whether it may have been performed after the reset of the day that was charged: then it counts on the next day
    /// too.
    pub late: bool,
    /// When it was performed, if the service's tasks tell that.
    pub performed_at: Option<Time>,
}

/// Stores a submission of this many URLs, some of them suspects, that is about to be sent with the timestamp
/// `signed_at`, when it is not earlier than `earliest_at` at the service. [`super::charge_tx`] has charged its day. Its
/// number is higher than any that this database knows and than `above`, so that a restored copy gives no number twice.
/// The hosts of a server are told of it with `charged`, what the day has cost, so that each can bear witness.
pub async fn open_tx(
    tx: &mut WriteTx<'_>,
    (lane, above): (Lane, SubmissionId),
    day: &BudgetDay,
    (nonce, request_sha256): (&str, &str),
    (urls, suspects): (u32, u32),
    (now, signed_at, earliest_at): (Time, Time, Time),
    (fence, charged): (Option<i64>, u32),
) -> Result<SubmissionId> {
    let query = query_scalar(OPEN)
        .bind(day.to_string())
        .bind(nonce)
        .bind(urls)
        .bind(to_millis(now))
        .bind(to_millis(signed_at))
        .bind(suspects)
        .bind(request_sha256)
        .bind(lane.number())
        .bind(to_millis(earliest_at))
        .bind(above.0)
        .bind(fence);
    let submission = SubmissionId(query.fetch_one(tx.conn()).await?);
    tx.tell_hosts(&told(lane, Mark { date: day.date, requests: charged, submission })).await?;
    Ok(submission)
}

/// Closes a submission with the answer to the last of its copies, of which there were `sends`; gives back to its day
/// what is not charged. Returns false and changes nothing if it is closed already: then an earlier commit that reported
/// an error was durable all the same, or another host that leads by now has closed it. The same if that host has sent a
/// further copy, unless this answer accepts the call.
pub async fn close_tx(
    tx: &mut WriteTx<'_>,
    (submission, nonce, sends): (SubmissionId, &str, u32),
    urls: usize,
    closing: &Closing,
    now: Time,
) -> Result<bool> {
    let closed = query(CLOSE)
        .bind(submission.0)
        .bind(closing.end.code())
        .bind(&closing.outcome)
        .bind(to_millis(now))
        .bind(closing.http_status)
        .bind(&closing.code)
        .bind(&closing.message)
        .bind(&closing.request_id)
        .bind(i64::from(closing.charged))
        .bind(closing.double_urls)
        .bind(closing.late)
        .bind(nonce)
        .bind(sends)
        .execute(tx.conn())
        .await?;
    if closed == 0 {
        return Ok(false);
    }
    let urls_back = if closing.urls_charged { 0 } else { i64::try_from(urls).unwrap_or(i64::MAX) };
    query(GIVE_BACK).bind(submission.0).bind(i64::from(!closing.charged)).bind(urls_back).execute(tx.conn()).await?;
    Ok(true)
}

/// A submission was performed on `day`, after the reset of the day that was charged: moves the charge there. The caller
/// has entered the day.
pub async fn move_charge_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, day: &BudgetDay) -> Result<()> {
    for statement in [CHARGE_OTHER_DAY, UNCHARGE_DAY, NAME_DAY] {
        query(statement).bind(submission.0).bind(day.to_string()).execute(tx.conn()).await?;
    }
    Ok(())
}

/// All tasks of an accepted submission have ended. Returns false and changes nothing if that was noted already.
pub async fn end_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, now: Time) -> Result<bool> {
    Ok(query(END).bind(submission.0).bind(to_millis(now)).execute(tx.conn()).await? > 0)
}

/// The submissions whose end is not known, oldest first.
pub async fn open_submissions(pool: &Readers, lane: Lane, starts: DayStart) -> Result<Vec<OpenSubmission>> {
    let rows = query(OPEN_SUBMISSIONS).bind(lane.number()).fetch_all(pool).await?;
    Ok(rows
        .iter()
        .map(|row| OpenSubmission {
            id: SubmissionId(row.get(0)),
            day: day(row, starts),
            nonce: row.get(1),
            request_sha256: row.get("request_sha256"),
            urls: row.get(2),
            suspects: row.get(10),
            signed_at: from_millis(row.get(3)),
            earliest_at: row.get::<Option<i64>, _>("earliest_at").map(from_millis),
            sent_at: from_millis(row.get(4)),
            sends: row.get(5),
            arrived: row.get(6),
            absent_at: row.get::<Option<i64>, _>(7).map(from_millis),
            next_at: row.get::<Option<i64>, _>(8).map(from_millis),
        })
        .collect())
}

/// The day to which a submission was charged; it may have begun by another `day_starts`.
fn day(row: &Row, starts: DayStart) -> BudgetDay {
    let named = BudgetDay::on(row.get::<String, _>(9).parse().unwrap_or_default(), starts);
    match row.get::<Option<i64>, _>("day_starts_at").map(from_millis) {
        Some(starts_at) => BudgetDay { starts_at, ..named }.under(starts),
        None => named,
    }
}

/// No answer came: the submission stays open and charged, its URLs stay leased, and the next step is due at `next_at`.
/// `arrived` says whether the service has seen the nonce.
pub async fn doubt_tx(
    tx: &mut WriteTx<'_>,
    submission: SubmissionId,
    arrived: bool,
    now: Time,
    next_at: Time,
) -> Result<()> {
    let query = query(DOUBT).bind(submission.0).bind(to_millis(now)).bind(arrived).bind(to_millis(next_at));
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Another copy of the call is about to be sent. It costs nothing more, because the service performs a nonce once.
/// False if the submission was closed meanwhile, by the answer that another host had: then no copy may be sent.
pub async fn send_again_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, now: Time) -> Result<bool> {
    Ok(query(SEND_AGAIN).bind(submission.0).bind(to_millis(now)).execute(tx.conn()).await? > 0)
}

/// The service lists no such task; it is asked again at `next_at`.
pub async fn absent_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, now: Time, next_at: Time) -> Result<()> {
    query(ABSENT).bind(submission.0).bind(to_millis(now)).bind(to_millis(next_at)).execute(tx.conn()).await?;
    Ok(())
}

/// Sets aside tasks that list URLs of a submission in doubt but do not fit it. True if that is news.
pub async fn set_aside_tx(tx: &mut WriteTx<'_>, submission: SubmissionId, tasks: &[TaskId]) -> Result<bool> {
    let tasks = tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(",");
    let tasks = Some(tasks).filter(|tasks| !tasks.is_empty());
    Ok(query(SET_ASIDE).bind(submission.0).bind(tasks).execute(tx.conn()).await? > 0)
}

/// Tasks that were set aside for a submission.
pub async fn set_aside(pool: &Readers, submission: SubmissionId) -> Result<Vec<TaskId>> {
    let tasks: Option<Option<String>> = query_scalar(ASIDE).bind(submission.0).fetch_optional(pool).await?;
    Ok(tasks.flatten().map(|tasks| parse_task_ids(&tasks)).unwrap_or_default())
}

/// The submission that was opened last, and when; none if there is none.
pub async fn last_opened(conn: &mut Conn, lane: Lane) -> Result<Option<(SubmissionId, Time)>> {
    let row = query(LAST_OPENED).bind(lane.number()).fetch_optional(conn).await?;
    Ok(row.map(|row| (SubmissionId(row.get(0)), from_millis(row.get(1)))))
}

/// When a batch was last accepted, if one of the latest thousand submissions was.
pub async fn last_accepted(pool: &Readers, lane: Lane) -> Result<Option<Time>> {
    let at: Option<i64> = query_scalar(LAST_ACCEPTED).bind(lane.number()).fetch_one(pool).await?;
    Ok(at.map(from_millis))
}

/// By lane: submissions whose end is not known yet, and URLs that were sent again although they may have been accepted.
pub async fn doubts(conn: &mut Conn) -> Result<Vec<(Lane, u64, u64)>> {
    let rows = query(DOUBTS).fetch_all(conn).await?;
    let number = |row: &Row, at: usize| row.get::<i64, _>(at).unsigned_abs();
    Ok(rows.iter().map(|row| (Lane::of_number(row.get(0)), number(row, 1), number(row, 2))).collect())
}

/// Requests charged since then, and URLs accepted since then.
pub async fn sent_since(conn: &mut Conn, lane: Lane, since: Time) -> Result<(u64, u64)> {
    let row = query(SENT_SINCE).bind(to_millis(since)).bind(lane.number()).fetch_one(conn).await?;
    let number = |at: usize| u64::try_from(row.get::<i64, _>(at)).unwrap_or(0);
    Ok((number(0), number(1)))
}
