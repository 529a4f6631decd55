//! The evidence for each line, from the file to the end of the task, for [`Export`], read a little at a time: first the
//! lines that became rows of the queue, then those that were merged or fresh.
//!
//! An export of ten million rows takes minutes, and its reader may take hours. An open transaction of that length would
//! make the WAL grow, so each read is a transaction of its own. It covers a narrow range of row numbers, however rare
//! the wanted rows are, and ends before anything is handed on. Each read is consistent in itself; the export covers the
//! rows that exist when it begins.

use futures_util::TryStreamExt as _;
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Time, to_millis};
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};

/// Row numbers that one read covers ...
const ROWS_A_READ: i64 = 10_000;

/// ... and the bytes after which it ends early.
const BYTES_A_READ: usize = 4 * 1024 * 1024;

/// Merged lines that one read covers.
const LINES_A_READ: i64 = 2_000;

/// The ranges of rows with the URLs of files that have this name and were dropped since then.
const RANGES: Sql = Sql::both(
    "
    select url_from, url_to from files
    where url_from > 0 and (name = ?1 or ?1 is null) and dropped_at >= ?2
    order by url_from",
);

const NAMED: Sql = Sql::both("select exists (select 1 from files where name = ?1)");

const LAST: Sql = Sql::both("select max(url_id) from urls");

/// Skips pruned rows.
const NEXT: Sql = Sql::both("select min(url_id) from urls where url_id >= ?1");

/// For a line whose wish ended on its own while others kept its URL, this tells that end and no submission.
const ROWS: Sql = Sql::both(
    "
    select u.url_id, u.file, u.line, u.url, case w.state when 4 then 'expired' when 5 then 'cancelled' else u.state end,
           iif(w.state is null, u.reason, null), u.priority, u.label, u.queued_at,
           iif(w.state is null, u.submission_id, null), s.nonce, s.request_id, iif(w.state is null, u.task_ids, null),
           iif(w.state is null, u.submitted_at, null),
           iif(w.state is null, u.ended_at, strftime('%Y-%m-%dT%H:%M:%fZ', w.ended_at / 1000.0, 'unixepoch')),
           iif(w.state is null, (select c.warmth from warmth_checks as c where c.url_id = u.url_id), null), 'queued',
           u.action, (select host from files where files.file_id = u.file_id)
    from v_urls as u
    left join wishes as w on w.url_id = u.url_id and w.kind = 0 and w.state > 0
    left join submissions as s on s.submission_id = u.submission_id and w.state is null
    where u.url_id in (select r.url_id from urls as r where r.url_id between ?1 and ?2)
      and (u.file = ?3 or ?3 is null) and (u.label = ?4 or ?4 is null) and u.queued_at >= ?5
    order by u.url_id",
);

/// Files with merged or fresh lines, the last one first.
const MERGING: Sql = Sql::both(
    "
    select file_id from files
    where merged + fresh > 0 and (name = ?1 or ?1 is null) and dropped_at >= ?2
    order by file_id desc",
);

/// Where the next page of such lines ends.
const PAGE_END: Sql = Sql::both(
    "
    select url_id, line
    from (select url_id, line from wishes indexed by wishes_file
          where file_id = ?1 and (url_id, line) > (?2, ?3)
          order by url_id, line limit ?4) as page
    order by url_id desc, line desc limit 1",
);

const MERGED: Sql = Sql::both(
    "
    select u.url_id, f.name, w.line, u.url, case w.state when 4 then 'expired' when 5 then 'cancelled' else u.state end,
           iif(w.state = 0, u.reason, null),
           case w.priority when 0 then 'urgent' when 1 then 'high' when 2 then 'normal' else 'low' end,
           coalesce(w.label, f.label), strftime('%Y-%m-%dT%H:%M:%fZ', f.dropped_at / 1000.0, 'unixepoch'),
           iif(w.state = 0, u.submission_id, null), s.nonce, s.request_id, iif(w.state = 0, u.task_ids, null),
           iif(w.state = 0, u.submitted_at, null),
           iif(w.state = 0, u.ended_at, strftime('%Y-%m-%dT%H:%M:%fZ', w.ended_at / 1000.0, 'unixepoch')),
           iif(w.state = 0, (select c.warmth from warmth_checks as c where c.url_id = u.url_id), null),
           iif(w.kind = 1, 'merged', 'fresh'), u.action, f.host
    from v_urls as u
    cross join wishes as w on w.url_id = u.url_id and w.file_id = ?1
    join files as f on f.file_id = w.file_id
    left join submissions as s on s.submission_id = u.submission_id and w.state = 0
    where u.url_id in (select k.url_id from wishes as k indexed by wishes_file
                       where k.file_id = ?1 and (k.url_id, k.line) > (?2, ?3) and (k.url_id, k.line) <= (?4, ?5))
      and w.kind > 0 and (w.url_id, w.line) > (?2, ?3) and (w.url_id, w.line) <= (?4, ?5)
      and (coalesce(w.label, f.label) = ?6 or ?6 is null)
    order by u.url_id, w.line",
);

/// Files with refused lines. Of several that a host stored under one name one after the other, only the last.
const REFUSING: Sql = Sql::both(
    "
    select f.name, f.stored_name, v.priority, v.label, v.dropped_at, f.refused, f.refused_bytes, f.host
    from files as f join v_files as v on v.file_id = f.file_id
    where f.refused > 0 and (f.name = ?1 or ?1 is null) and (f.label = ?2 or ?2 is null) and f.dropped_at >= ?3
      and not exists (select 1 from files as later
                      where later.host = f.host and later.stored_name = f.stored_name and later.file_id > f.file_id)
    order by f.file_id",
);

/// Which lines to export: those that meet all conditions.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of files of this name.
    pub file: Option<String>,
    /// With this label, their own or their file's.
    pub label: Option<String>,
    /// Of files that were dropped since.
    pub since: Option<Time>,
}

/// What is known about one line and its URL. The fields are the columns of `v_urls` and `v_submissions` of the same
/// names.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "migrations/README.md documents the columns")]
pub struct LineEvidence<'r> {
    pub file: &'r str,
    pub line: i64,
    pub url: &'r str,
    pub state: &'r str,
    pub reason: Option<&'r str>,
    pub priority: &'r str,
    pub label: Option<&'r str>,
    pub queued_at: &'r str,
    pub submission_id: Option<i64>,
    pub nonce: Option<&'r str>,
    pub request_id: Option<&'r str>,
    pub task_ids: Option<&'r str>,
    pub submitted_at: Option<&'r str>,
    pub ended_at: Option<&'r str>,
    pub warmth: Option<&'r str>,
    pub came: &'r str,
    pub action: Option<&'r str>,
    /// In whose spool the file lies; none where the database is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<&'r str>,
}

/// A file with refused lines, which stand only in its report.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns of `v_files`")]
pub struct RefusingFile {
    pub name: String,
    /// Its name in the spool.
    pub stored_name: String,
    pub priority: String,
    pub label: Option<String>,
    pub queued_at: String,
    pub refused: i64,
    /// Its report is valid up to this byte.
    pub report_bytes: u64,
    /// In whose spool it lies.
    pub host: String,
}

impl<'r> LineEvidence<'r> {
    fn of(row: &'r Row) -> Self {
        Self {
            file: row.get(1),
            line: row.get(2),
            url: row.get(3),
            state: row.get(4),
            reason: row.get(5),
            priority: row.get(6),
            label: row.get(7),
            queued_at: row.get(8),
            submission_id: row.get(9),
            nonce: row.get(10),
            request_id: row.get(11),
            task_ids: row.get(12),
            submitted_at: row.get(13),
            ended_at: row.get(14),
            warmth: row.get(15),
            came: row.get(16),
            action: row.get(17),
            host: Some(row.get(18)).filter(|host: &&str| !host.is_empty()),
        }
    }
}

/// An export in progress.
#[derive(Debug)]
pub struct Export {
    conn: Conn,
    wanted: Wanted,
    /// Ranges of row numbers still to be read; the next one is last.
    ranges: Vec<(i64, i64)>,
    /// Files whose merged lines are still to be read, with the line after which to go on; the next one is last.
    merging: Vec<(i64, (i64, i64))>,
}

impl Export {
    /// Begins an export; none if there is no file of that name.
    pub async fn begin(mut conn: Conn, wanted: Wanted) -> Result<Option<Self>> {
        if let Some(name) = &wanted.file
            && !query_scalar::<bool>(NAMED).bind(name).fetch_one(&mut conn).await?
        {
            return Ok(None);
        }
        let last: i64 = query_scalar::<Option<i64>>(LAST).fetch_one(&mut conn).await?.unwrap_or(0);
        let mut ranges = if wanted.file.is_some() || wanted.since.is_some() {
            let query = query(RANGES).bind(&wanted.file).bind(wanted.since.map_or(i64::MIN, to_millis));
            united(query.fetch_all(&mut conn).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
        } else {
            vec![(i64::MIN, i64::MAX)]
        };
        ranges.iter_mut().for_each(|range| range.1 = range.1.min(last));
        ranges.reverse();
        let since = wanted.since.map_or(i64::MIN, to_millis);
        let merging = query_scalar(MERGING).bind(&wanted.file).bind(since).fetch_all(&mut conn).await?;
        let merging = merging.into_iter().map(|file| (file, (0, 0))).collect();
        Ok(Some(Self { conn, wanted, ranges, merging }))
    }

    /// The files whose refused lines belong to the export; the caller reads their reports.
    pub async fn refusing(&mut self) -> Result<Vec<RefusingFile>> {
        let query = query(REFUSING).bind(&self.wanted.file).bind(&self.wanted.label);
        let rows = query.bind(self.wanted.since.map_or(i64::MIN, to_millis)).fetch_all(&mut self.conn).await?;
        let file = |row: &Row| RefusingFile {
            name: row.get(0),
            stored_name: row.get(1),
            priority: row.get(2),
            label: row.get(3),
            queued_at: row.get(4),
            refused: row.get(5),
            report_bytes: row.get::<i64, _>(6).unsigned_abs(),
            host: row.get(7),
        };
        Ok(rows.iter().map(file).collect())
    }

    /// Reads the next rows and passes each to `encode`, which appends it to `buffer`. The transaction has ended when
    /// this returns. False when there is nothing more.
    ///
    /// # Errors
    ///
    /// The database failed; what was appended must be thrown away.
    pub async fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        mut encode: impl FnMut(&LineEvidence<'_>, &mut Vec<u8>),
    ) -> Result<bool> {
        let Some((from, to)) = self.ranges.pop() else { return self.read_merged(buffer, encode).await };
        let next: Option<i64> = query_scalar(NEXT).bind(from).fetch_one(&mut self.conn).await?;
        let Some(first) = next.filter(|next| *next <= to) else { return Ok(true) };
        let mut read_to = to.min(first.saturating_add(ROWS_A_READ - 1));
        let since = self.wanted.since.map(|since| since.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        let query = query(ROWS).bind(first).bind(read_to).bind(&self.wanted.file).bind(&self.wanted.label);
        let mut rows = query.bind(since.unwrap_or_default()).fetch(&mut self.conn);
        while let Some(row) = rows.try_next().await? {
            encode(&LineEvidence::of(&row), buffer);
            if buffer.len() >= BYTES_A_READ {
                read_to = row.get(0);
                break;
            }
        }
        drop(rows);
        if read_to < to {
            self.ranges.push((read_to + 1, to));
        }
        Ok(true)
    }

    /// The next lines that were merged or fresh.
    async fn read_merged(
        &mut self,
        buffer: &mut Vec<u8>,
        mut encode: impl FnMut(&LineEvidence<'_>, &mut Vec<u8>),
    ) -> Result<bool> {
        let Some((file, after)) = self.merging.pop() else { return Ok(false) };
        let page = query(PAGE_END).bind(file).bind(after.0).bind(after.1).bind(LINES_A_READ);
        let Some(to) = page.fetch_optional(&mut self.conn).await? else { return Ok(true) };
        let to: (i64, i64) = (to.get(0), to.get(1));
        let query = query(MERGED).bind(file).bind(after.0).bind(after.1).bind(to.0).bind(to.1);
        let mut rows = query.bind(&self.wanted.label).fetch(&mut self.conn);
        while let Some(row) = rows.try_next().await? {
            encode(&LineEvidence::of(&row), buffer);
        }
        drop(rows);
        self.merging.push((file, to));
        Ok(true)
    }
}

/// The ranges in the order of their starts; those that overlap or touch are merged.
fn united(ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut united: Vec<(i64, i64)> = Vec::new();
    for (from, to) in ranges {
        match united.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => united.push((from, to)),
        }
    }
    united
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_overlap_or_touch_are_one() {
        let ranges = vec![(1, 5), (2, 3), (6, 9), (11, 12), (11, 20)];
        assert_eq!(united(ranges), [(1, 9), (11, 20)]);
        assert_eq!(united(vec![]), []);
    }

    proptest! {
        #[test]
        fn united_ranges_are_apart_and_hold_the_same_numbers(
            mut ranges in prop::collection::vec((0_i64..60, 0_i64..9), 0..12),
        ) {
            ranges.iter_mut().for_each(|range| range.1 += range.0);
            ranges.sort_unstable();
            let united = united(ranges.clone());
            let holds = |ranges: &[(i64, i64)], n| ranges.iter().any(|(from, to)| (*from..=*to).contains(&n));
            for n in 0..80 {
                prop_assert_eq!(holds(&ranges, n), holds(&united, n));
            }
            prop_assert!(united.windows(2).all(|two| two[0].1 + 1 < two[1].0));
        }
    }
}
