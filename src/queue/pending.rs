//! The pending URLs in groups, for a forecast. Reads counters as far as they tell, and rows where those are few;
//! nothing here walks a queue of millions.
//!
//! The queue falls into eight classes, by priority and by whether there is a deadline. A class with at most
//! [`Bounds::rows`] URLs is read row by row and is exact. For a larger class the files' counters tell how many URLs
//! each file has in it, and each URL is assumed to have its file's keys: exact, except for URLs with keys of their own
//! (lines of `.jsonl` and `.csv` files, and merged lines). [`Pending::guessed`] counts the URLs whose place is not
//! known.

use std::collections::{BTreeMap, HashMap};

use crate::model::{FileId, Lane, Priority, Time, from_millis, to_millis};
use crate::schedule::{FileWish, Group};
use crate::store::{Conn, Result, Row, Sql, query, query_scalar};

const TALLY: Sql = Sql::both("select priority, pending from tally where lane = ?1 order by priority");

/// The size of a class, counted up to a limit in the index alone.
const CLASS_SIZE: Sql = Sql::both(
    "
    select count(*)
    from (select 1 from urls indexed by urls_ready
          where lane = ?4 and state = 0 and wait_until is null and parked = 0 and suspect = 0
            and priority = ?1 and (deadline is null) = (?2 = 1)
          limit ?3) as class",
);

const CLASS: Sql = Sql::both(
    "
    select u.file_id, u.priority, u.deadline, cast(null as bigint), h.standing in ('refused', 'offline') as blocked,
           count(*), min(u.url_id), f.dropped_at,
           (select json_group_array(json_array(w.file_id, w.priority, w.deadline))
            from wishes as w where w.url_id = u.url_id and w.state = 0 and w.kind < 2) as wanted
    from urls as u indexed by urls_ready
    join hosts as h on h.host_id = u.host_id
    join files as f on f.file_id = u.file_id
    where u.lane = ?3 and u.state = 0 and u.wait_until is null and u.parked = 0 and u.suspect = 0
      and u.priority = ?1 and (u.deadline is null) = (?2 = 1)
    group by u.file_id, u.priority, u.deadline, f.dropped_at, blocked, wanted",
);

const WAITING: Sql = Sql::both(
    "
    select u.file_id, u.priority, u.deadline, u.wait_until, h.standing in ('refused', 'offline') as blocked,
           count(*), min(u.url_id), f.dropped_at,
           (select json_group_array(json_array(w.file_id, w.priority, w.deadline))
            from wishes as w where w.url_id = u.url_id and w.state = 0 and w.kind < 2) as wanted
    from (select file_id, priority, deadline, wait_until, host_id, url_id
          from urls indexed by urls_waiting
          where wait_until is not null and state = 0 and parked = 0 and suspect = 0 and lane = ?2
          order by wait_until limit ?1) as u
    join hosts as h on h.host_id = u.host_id
    join files as f on f.file_id = u.file_id
    group by u.file_id, u.priority, u.deadline, u.wait_until, f.dropped_at, blocked, wanted",
);

const PARKED: Sql = Sql::both(
    "
    select u.file_id, u.priority, u.deadline, u.wait_until, h.standing in ('refused', 'offline') as blocked,
           count(*), min(u.url_id), f.dropped_at,
           (select json_group_array(json_array(w.file_id, w.priority, w.deadline))
            from wishes as w where w.url_id = u.url_id and w.state = 0 and w.kind < 2) as wanted
    from (select file_id, priority, deadline, wait_until, host_id, url_id
          from urls indexed by urls_parked
          where parked = 1 and state = 0 and suspect = 0 and lane = ?2
          limit ?1) as u
    join hosts as h on h.host_id = u.host_id
    join files as f on f.file_id = u.file_id
    group by u.file_id, u.priority, u.deadline, u.wait_until, f.dropped_at, blocked, wanted",
);

/// Prefetches that wait for their purge, and when that was accepted, which is now while its call is under way; none if
/// it is still to be sent.
const AWAITING: Sql = Sql::both(
    "
    select u.file_id, u.priority, u.deadline, u.wait_until, h.standing in ('refused', 'offline') as blocked,
           count(*), min(u.url_id), f.dropped_at,
           (select json_group_array(json_array(w.file_id, w.priority, w.deadline))
            from wishes as w where w.url_id = u.url_id and w.state = 0 and w.kind < 2) as wanted,
           p.file_id as purge_file, iif(p.state = 1, coalesce(s.closed_at, ?3), null) as purged_at
    from (select file_id, priority, deadline, wait_until, host_id, url_id, after_id
          from urls indexed by urls_after
          where after_id is not null and state in (0, 6) and state = 0 and parked = 2 and suspect = 0 and lane = ?2
          limit ?1) as u
    join hosts as h on h.host_id = u.host_id
    join files as f on f.file_id = u.file_id
    join urls as p on p.url_id = u.after_id
    left join submissions as s on s.submission_id = p.submission_id
    group by u.file_id, u.priority, u.deadline, u.wait_until, f.dropped_at, blocked, wanted, purge_file, purged_at
    order by min(u.url_id)",
);

const SUSPECTS: Sql = Sql::both(
    "
    select u.file_id, u.priority, u.deadline, u.wait_until, h.standing in ('refused', 'offline') as blocked,
           count(*), min(u.url_id), f.dropped_at,
           (select json_group_array(json_array(w.file_id, w.priority, w.deadline))
            from wishes as w where w.url_id = u.url_id and w.state = 0 and w.kind < 2) as wanted
    from urls as u indexed by urls_suspect
    join hosts as h on h.host_id = u.host_id
    join files as f on f.file_id = u.file_id
    where u.suspect > 0 and u.suspect = 1 and u.state = 0 and u.lane = ?1
    group by u.file_id, u.priority, u.deadline, u.wait_until, f.dropped_at, blocked, wanted",
);

const BLOCKED: Sql = Sql::both(
    "
    select coalesce(cast(sum(pending) as bigint), 0) from hosts indexed by hosts_blocked
    where standing in ('refused', 'offline')",
);

/// Files, and how many pending rows of the lane each has if its lines ask for what it asks for as a whole.
const FILES: Sql = Sql::both(
    "
    select file_id, priority, deadline, not_before, dropped_at,
           case ?2 when 1 then iif(action in (1, 4), pending, 0)
                   when 2 then iif(action = 2, pending, 0) + purge_pending
                   else iif(action = 3, pending, 0) end
    from files indexed by files_pending
    where pending > 0
    order by file_id limit ?1",
);

const READING: Sql =
    Sql::both("select count(*) from files indexed by files_unfinished where phase in (0, 1, 3) and phase = 0");

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most URLs of a class that are read row by row.
    pub rows: u32,
    /// Most files that are told apart.
    pub files: u32,
}

/// What is pending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending {
    /// URLs that will go, in groups.
    pub groups: Vec<Group>,
    /// URLs that go after their purge, in order of arrival; in no group.
    pub awaiting: Vec<Awaiting>,
    /// URLs of blocked domains: nobody knows when they will go.
    pub blocked: u64,
    /// URLs whose place is not known: those in large classes whose keys are not their file's, and those of blocked
    /// domains beyond the rows that were read.
    pub guessed: u64,
    /// Files that are still being read; their lines that are not queued yet are missing here.
    pub reading: u64,
}

/// URLs that are prefetched once their purge is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// The URLs.
    pub group: Group,
    /// The file whose rows their purges are.
    pub purge_file: FileId,
    /// When their purge was accepted; none if it was not sent yet.
    pub purged_at: Option<Time>,
}

/// Reads what is pending in a lane.
pub async fn pending(conn: &mut Conn, lane: Lane, bounds: Bounds, now: Time) -> Result<Pending> {
    let mut count = Count { now, ..Count::default() };
    for row in query(TALLY).bind(lane.number()).fetch_all(&mut *conn).await? {
        count.left.insert(Priority::from_rank(row.get(0)), number(&row, 1));
    }
    for priority in Priority::ALL {
        for without_deadline in [false, true] {
            let size = query_scalar::<i64>(CLASS_SIZE).bind(priority.rank()).bind(without_deadline);
            let size = size.bind(i64::from(bounds.rows) + 1).bind(lane.number()).fetch_one(&mut *conn).await?;
            if size > i64::from(bounds.rows) {
                count.large.push((priority, without_deadline));
            } else if size > 0 {
                let class = query(CLASS).bind(priority.rank()).bind(without_deadline).bind(lane.number());
                count.read(&class.fetch_all(&mut *conn).await?);
            }
        }
    }
    count.read(&query(WAITING).bind(bounds.rows).bind(lane.number()).fetch_all(&mut *conn).await?);
    count.read(&query(PARKED).bind(bounds.rows).bind(lane.number()).fetch_all(&mut *conn).await?);
    count.read_awaiting(
        &query(AWAITING).bind(bounds.rows).bind(lane.number()).bind(to_millis(now)).fetch_all(&mut *conn).await?,
    );
    count.read(&query(SUSPECTS).bind(lane.number()).fetch_all(&mut *conn).await?);
    // Of purges all parked rows were read, since there are few.
    let blocked: i64 = match lane {
        Lane::Prefetch => query_scalar(BLOCKED).fetch_one(&mut *conn).await?,
        Lane::Purge | Lane::PurgeDirectory => 0,
    };
    if count.left.values().any(|left| *left > 0) {
        count.share_out(
            &query(FILES).bind(bounds.files).bind(lane.number()).fetch_all(&mut *conn).await?,
            blocked.unsigned_abs(),
        );
    }
    let reading: i64 = query_scalar(READING).fetch_one(conn).await?;
    Ok(Pending { reading: reading.unsigned_abs(), ..count.pending })
}

/// The counting in progress.
#[derive(Debug, Default)]
struct Count {
    now: Time,
    pending: Pending,
    /// Pending URLs of each priority that are in no group yet.
    left: BTreeMap<Priority, u64>,
    /// Classes that were not read row by row: the priority, and whether they have no deadline.
    large: Vec<(Priority, bool)>,
    /// URLs of each file that are in groups or blocked.
    counted: HashMap<FileId, u64>,
}

impl Count {
    /// Adds those that wait for their purge.
    fn read_awaiting(&mut self, rows: &[Row]) {
        for row in rows {
            let known = self.pending.groups.len();
            self.read(std::slice::from_ref(row));
            let purge_file = FileId(row.get("purge_file"));
            let purged_at = row.get::<Option<i64>, _>("purged_at").map(from_millis);
            let groups = self.pending.groups.drain(known..);
            self.pending.awaiting.extend(groups.map(|group| Awaiting { group, purge_file, purged_at }));
        }
    }

    /// Adds rows that the database has grouped.
    fn read(&mut self, rows: &[Row]) {
        for row in rows {
            let (file, priority, urls) = (FileId(row.get(0)), Priority::from_rank(row.get(1)), number(row, 5));
            let wishes = wishes(row.get(8));
            // A file whose own wish has ended does not count them.
            if wishes.is_empty() || wishes.iter().any(|wish| wish.file == file) {
                *self.counted.entry(file).or_default() += urls;
            }
            let left = self.left.entry(priority).or_default();
            *left = left.saturating_sub(urls);
            if row.get::<bool, _>(4) {
                self.pending.blocked += urls;
                continue;
            }
            self.pending.groups.push(Group {
                file: Some(file),
                priority,
                deadline: time(row, 2),
                ready_at: time(row, 3),
                order: row.get(6),
                dropped_at: from_millis(row.get(7)),
                urls,
                wishes,
            });
        }
    }

    /// Shares the remaining URLs out among the files by their counters: first where a file's own keys put them, then
    /// where there is room. URLs that no file accounts for go to none.
    fn share_out(&mut self, files: &[Row], blocked: u64) {
        // Here the order of arrival is known only by file, so it must be by file for all groups.
        for group in &mut self.pending.groups {
            group.order = group.file.map_or(i64::MAX, |file| file.0);
        }
        let mut blocked = blocked.saturating_sub(self.pending.blocked);
        let mut homeless = Vec::new();
        for row in files {
            let (file, priority) = (FileId(row.get(0)), Priority::from_rank(row.get(1)));
            let counted = self.counted.get(&file).copied().unwrap_or(0);
            let mut urls = number(row, 5).saturating_sub(counted);
            // Which of them belong to blocked domains is not known here; that many do, of whatever file.
            let unsent = self.take(priority, urls.min(blocked));
            (urls, blocked) = (urls - unsent, blocked - unsent);
            self.pending.blocked += unsent;
            self.pending.guessed += unsent;
            let group = Group {
                file: Some(file),
                priority,
                deadline: time(row, 2),
                ready_at: time(row, 3).filter(|at| *at > self.now),
                order: file.0,
                dropped_at: from_millis(row.get(4)),
                urls,
                wishes: Vec::new(),
            };
            let at_home = group.ready_at.is_some() || self.large.contains(&(priority, group.deadline.is_none()));
            let placed = if at_home { self.place(&group) } else { 0 };
            if urls > placed {
                homeless.push(Group { urls: urls - placed, ready_at: None, ..group });
            }
        }
        let rooms = self.large.clone();
        for group in homeless {
            let mut urls = group.urls;
            for (priority, without_deadline) in &rooms {
                let deadline = group.deadline.filter(|_| !without_deadline);
                let placed = self.place(&Group { priority: *priority, deadline, urls, ..group.clone() });
                self.pending.guessed += placed;
                urls -= placed;
            }
        }
        for (priority, urls) in std::mem::take(&mut self.left) {
            let group = Group {
                file: None,
                priority,
                deadline: None,
                ready_at: None,
                order: i64::MAX,
                dropped_at: self.now,
                urls,
                wishes: Vec::new(),
            };
            self.pending.groups.extend((urls > 0).then_some(group));
        }
    }

    /// Places as many URLs of a group as its priority has left; returns how many.
    fn place(&mut self, group: &Group) -> u64 {
        let urls = self.take(group.priority, group.urls);
        self.pending.groups.extend((urls > 0).then(|| Group { urls, ..group.clone() }));
        urls
    }

    fn take(&mut self, priority: Priority, urls: u64) -> u64 {
        let left = self.left.entry(priority).or_default();
        let taken = urls.min(*left);
        *left -= taken;
        taken
    }
}

/// Parses the database's list of wishes: the strongest of each file.
fn wishes(json: &str) -> Vec<FileWish> {
    let rows: Vec<(i64, i64, Option<i64>)> = serde_json::from_str(json).unwrap_or_default();
    let wish = |(file, priority, deadline): (i64, i64, Option<i64>)| FileWish {
        file: FileId(file),
        priority: Priority::from_rank(priority),
        deadline: deadline.map(from_millis),
    };
    let mut wishes: Vec<FileWish> = rows.into_iter().map(wish).collect();
    wishes.sort_by_key(|wish| (wish.file, wish.rank()));
    wishes.dedup_by_key(|wish| wish.file);
    wishes
}

fn number(row: &Row, at: usize) -> u64 {
    u64::try_from(row.get::<i64, _>(at)).unwrap_or(0)
}

fn time(row: &Row, at: usize) -> Option<Time> {
    row.get::<Option<i64>, _>(at).map(from_millis)
}
