//! The dropped files: how far each has been read, what became of its lines, and where it is on its way through the
//! folders.

use super::enqueue::Enqueued;
use crate::model::{FileId, Keys, LineFault, Priority, TextEncoding, Time, Warned, Warning, from_millis, to_millis};
use crate::store::{Bulk, Readers, Result, Row, Sql, WriteTx, args, query};

const REGISTER: Sql = Sql::both(
    "
    insert into files (host, name, stored_name, phase, dropped_at, owner_uid) values (?5, ?1, ?2, 0, ?3, ?4)
    returning file_id",
);

const UNFINISHED: Sql = Sql::both(
    "
    select file_id, name, stored_name, phase, read_bytes, refused_bytes, lines, rejected_why, priority, deadline,
           dropped_at, read_at is not null, encoding, iif(changed_at is null, null, bytes), sha256
    from files where phase in (0, 1, 3) and host = ?1",
);

const SET_KEYS: Sql = Sql::both(
    "
    update files set priority = ?2, label = ?3, not_before = ?4, deadline = ?5, force = ?6,
        action = ?7, purge_force = ?8
    where file_id = ?1",
);

const PROGRESS: Sql = Sql::both(
    "
    update files set
        read_bytes = ?2, refused_bytes = ?3, lines = lines + ?4, queued = queued + ?5, merged = merged + ?6,
        refused = refused + ?7, fresh = fresh + ?9, encoding = ?10, starts = 0, receipt_final = 0,
        finished_at = iif(?5 > 0, null, finished_at)
    where file_id = ?1 and read_bytes = ?8 and phase = 0",
);

const REFUSALS: Sql = Sql::both(
    "
    insert into file_refusals (file_id, reason, lines, code) values (?1, ?2, ?3, ?2)
    on conflict (file_id, reason) do update set lines = file_refusals.lines + excluded.lines",
);

/// The warnings about a file's head are given anew each time it is read from its start.
const NO_WARNINGS: Sql = Sql::both("delete from file_warnings where file_id = ?1 and code <> 'replaced'");

/// The file is read from its start again.
const FORGET_MARK: Sql = Sql::both(
    "
    update files set read_bytes = 0, bytes = null, sha256 = null, encoding = null where file_id = ?1 and phase = 0",
);

/// Most warnings kept with the text that was found, however often a file is read on; further ones are only counted.
const WARNINGS_MAX: u32 = 64;

const WARNINGS: Sql = Sql::both(
    "
    insert into file_warnings (file_id, code, found, line, lines)
    select ?1, ?2, iif(?3 = '' or exists (select 1 from file_warnings where file_id = ?1 and code = ?2 and found = ?3)
                         or (select count(*) from file_warnings where file_id = ?1) < ?6, ?3, ''), ?4, ?5
    where true
    on conflict (file_id, code, found) do update
    set lines = file_warnings.lines + excluded.lines, line = min(file_warnings.line, excluded.line)",
);

const HAS_URLS: Sql = Sql::both("select queued + merged + fresh > 0, refused from files where file_id = ?1");

const MARK_READ: Sql =
    Sql::both("update files set phase = 1, bytes = ?2, sha256 = ?3, read_at = ?4, changed_at = ?5 where file_id = ?1");

const REJECT: Sql = Sql::both(
    "
    update files set phase = 3, bytes = coalesce(?2, bytes), rejected_why = ?3, rejected_code = ?4, rejected_zh = ?5
    where file_id = ?1",
);

const FINISH: Sql = Sql::both(
    "
    update files set phase = phase + 1
    where file_id in (select cast(value as bigint) from json_each(?1)) and phase in (1, 3)",
);

/// What is left to do with a file in `work/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its lines are being read.
    Reading,
    /// All lines are committed; it goes to `done/`.
    Read,
    /// It cannot be read as a URL file; it goes to `rejected/`.
    Refused,
}

/// A file in `work/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// Its row.
    pub id: FileId,
    /// Its name when it was dropped.
    pub name: String,
    /// Its name in `work/` and later.
    pub stored_name: String,
    /// What is left to do.
    pub phase: Phase,
    /// Bytes of the file whose lines are committed.
    pub read_bytes: u64,
    /// Bytes of its report of refused lines that are committed.
    pub refused_bytes: u64,
    /// Lines that were taken as URLs, good or bad.
    pub lines: u64,
    /// Why it was refused.
    pub rejected_why: Option<String>,
    /// Its priority, once its head was read.
    pub priority: Priority,
    /// Its deadline, once its head was read.
    pub deadline: Option<Time>,
    /// When it was claimed.
    pub dropped_at: Time,
    /// It was read to its end before, and has changed since.
    pub is_read_on: bool,
    /// Its encoding, as far as it was found.
    pub encoding: Option<TextEncoding>,
    /// What was read of it before, if it was read to its end.
    pub before: Option<ReadBefore>,
}

/// The part of a file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadBefore {
    /// Its length in bytes, from the start of the file.
    pub bytes: u64,
    /// Its hash, in hex.
    pub sha256: String,
}

/// Why a whole file is refused: a code, and text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection<'w> {
    /// The code of the reason.
    pub code: &'static str,
    /// English.
    pub en: &'w str,
    /// Chinese.
    pub zh: &'w str,
}

/// The state of a file when its end was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Bytes whose lines are committed.
    pub bytes: u64,
    /// The hash of what was read, in hex.
    pub sha256: String,
    /// Its time of change.
    pub changed: Time,
}

/// What became of a chunk of a file's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkRead {
    /// The chunk starts at this byte.
    pub from_bytes: u64,
    /// Reading resumes at this byte.
    pub read_bytes: u64,
    /// The report of refused lines is valid up to this byte.
    pub refused_bytes: u64,
    /// Lines of the chunk taken as URLs, good or bad.
    pub lines: u64,
    /// What became of the good ones.
    pub enqueued: Enqueued,
    /// How many lines were refused, by reason.
    pub refused: Vec<(LineFault, u64)>,
    /// Warnings about them; with the first chunk also about the file.
    pub warnings: Vec<Warned>,
    /// The encoding found so far.
    pub encoding: Option<TextEncoding>,
}

/// A file that was moved into `work/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its name when it was dropped.
    pub name: String,
    /// Its name in `work/` and later.
    pub stored_name: String,
    /// Its owner; none if that cannot be seen.
    pub owner_uid: Option<u32>,
}

/// Adds rows for files that were moved into `work/` on this host.
pub fn register(conn: &Bulk, host: &str, files: &[NewFile], now: Time) -> Result<Vec<OpenFile>> {
    let open = |NewFile { name, stored_name, owner_uid }: &NewFile| {
        let row = args![name, stored_name, to_millis(now), *owner_uid, host];
        let id = conn.one(REGISTER, &row)?.get(0);
        Ok(OpenFile {
            id: FileId(id),
            name: name.clone(),
            stored_name: stored_name.clone(),
            phase: Phase::Reading,
            read_bytes: 0,
            refused_bytes: 0,
            lines: 0,
            rejected_why: None,
            priority: Priority::default(),
            deadline: None,
            dropped_at: now,
            is_read_on: false,
            encoding: None,
            before: None,
        })
    };
    files.iter().map(open).collect()
}

/// The files that a crash or a stop left in this host's `work/`, oldest first.
pub async fn unfinished(pool: &Readers, host: &str) -> Result<Vec<OpenFile>> {
    let rows = query(UNFINISHED).bind(host).fetch_all(pool).await?;
    let mut files: Vec<OpenFile> = rows.iter().map(open_file).collect();
    files.sort_by_key(|file| file.id);
    Ok(files)
}

pub(super) fn open_file(row: &Row) -> OpenFile {
    OpenFile {
        id: FileId(row.get(0)),
        name: row.get(1),
        stored_name: row.get(2),
        phase: match row.get::<i64, _>(3) {
            0 => Phase::Reading,
            1 => Phase::Read,
            _ => Phase::Refused,
        },
        read_bytes: count(row, 4),
        refused_bytes: count(row, 5),
        lines: count(row, 6),
        rejected_why: row.get(7),
        priority: Priority::from_rank(row.get(8)),
        deadline: row.get::<Option<i64>, _>(9).map(from_millis),
        dropped_at: from_millis(row.get(10)),
        is_read_on: row.get(11),
        encoding: row.get::<Option<&str>, _>(12).and_then(|word| word.parse().ok()),
        before: row
            .get::<Option<i64>, _>(13)
            .zip(row.get::<Option<String>, _>(14))
            .map(|(bytes, sha256)| ReadBefore { bytes: bytes.unsigned_abs(), sha256 }),
    }
}

/// Stores what the file's directives ask for.
pub fn set_keys(conn: &Bulk, file: FileId, keys: &Keys) -> Result<()> {
    let (not_before, deadline) = (keys.not_before.map(to_millis), keys.deadline.map(to_millis));
    let row = args![
        file.0,
        keys.priority.rank(),
        &keys.label,
        not_before,
        deadline,
        keys.force,
        keys.action.number(),
        keys.purge_force
    ];
    conn.run(SET_KEYS, &row).map(|_| ())
}

/// Moves a file's mark, in the transaction that queued the lines before it. Returns false and changes nothing if the
/// mark is not where the chunk starts.
pub fn progress(conn: &Bulk, file: FileId, progress: &ChunkRead) -> Result<bool> {
    let refused: u64 = progress.refused.iter().map(|(_, lines)| lines).sum();
    let ChunkRead { from_bytes, read_bytes, refused_bytes, lines, enqueued, .. } = progress;
    let counts =
        [*read_bytes, *refused_bytes, *lines, enqueued.queued, enqueued.merged, refused, *from_bytes, enqueued.fresh];
    let [read, refused_to, lines, queued, merged, refused, from, fresh] = counts.map(stored);
    let encoding = progress.encoding.map(TextEncoding::word);
    let row = args![file.0, read, refused_to, lines, queued, merged, refused, from, fresh, encoding];
    if conn.run(PROGRESS, &row)? == 0 {
        return Ok(false);
    }
    for (reason, lines) in &progress.refused {
        conn.run(REFUSALS, &args![file.0, reason.code(), stored(*lines)])?;
    }
    if *from_bytes == 0 {
        conn.run(NO_WARNINGS, &args![file.0])?;
    }
    for Warned { warning, line, lines, found } in &progress.warnings {
        let row = args![file.0, warning.code(), found, stored(*line), stored(*lines), WARNINGS_MAX];
        conn.run(WARNINGS, &row)?;
    }
    Ok(true)
}

/// Sets the mark back to the start: the part of the file that was read has changed.
pub fn forget_mark(conn: &Bulk, file: FileId) -> Result<()> {
    conn.run(FORGET_MARK, &args![file.0])?;
    let row = args![file.0, Warning::Replaced.code(), "", 0, 1, WARNINGS_MAX];
    conn.run(WARNINGS, &row).map(|_| ())
}

/// Notes that every line is committed; what is left is to move the file.
pub fn mark_read(conn: &Bulk, file: FileId, content: &Content, now: Time) -> Result<()> {
    let row = args![file.0, stored(content.bytes), &content.sha256, to_millis(now), to_millis(content.changed)];
    conn.run(MARK_READ, &row).map(|_| ())
}

/// Notes that the file is refused as a whole; what is left is to move it. Where `bytes` is none its size stays
/// unchanged.
pub fn reject(conn: &Bulk, file: FileId, bytes: Option<u64>, why: Rejection<'_>) -> Result<()> {
    let Rejection { code, en, zh } = why;
    conn.run(REJECT, &args![file.0, bytes.map(stored), en, code, zh]).map(|_| ())
}

/// How many of a file's lines were refused, if none of its lines is a URL; none if one is.
pub fn refused_if_all(conn: &Bulk, file: FileId) -> Result<Option<u64>> {
    let row = conn.one(HAS_URLS, &args![file.0])?;
    Ok((!row.get::<bool, _>(0)).then_some(row.get::<i64, _>(1).unsigned_abs()))
}

/// Notes that the files have been moved out of `work/`.
pub async fn finish_tx(tx: &mut WriteTx<'_>, files: &[FileId]) -> Result<()> {
    query(FINISH).bind(ids(files)).execute(tx.conn()).await?;
    Ok(())
}

pub(super) fn ids(files: &[FileId]) -> String {
    serde_json::json!(files.iter().map(|file| file.0).collect::<Vec<i64>>()).to_string()
}

pub(super) fn count(row: &Row, at: usize) -> u64 {
    row.get::<i64, _>(at).unsigned_abs()
}

fn stored(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
