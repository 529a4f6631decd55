//! Operators' orders: send URLs again, cancel them, or give them another priority. Each transaction changes a bounded
//! number of URLs, so that nobody waits for the lock while a million of them change. Each order stands in `orders` with
//! how far it got.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::order_records::count_order_tx;
use super::seat::Seat;
use super::selection::Selection;
use super::tally::Moves;
use super::wish_orders::{self, Scope};
use super::{chain, row_state};
use crate::model::{Lane, ObjectUrl, OrderId, Priority, Reason, ReasonKind, Time, UrlId, UrlState, to_millis};
use crate::store::{Conn, Result, Row, Sql, WriteTx, query, query_scalar};
use crate::words::Stored;

/// Most URLs that one transaction changes: each may touch a page of its own in the index by key.
pub const ORDER_ROWS_MAX: usize = 2_000;

/// URLs that ended or are held, and of which no row is live: none pending, in a batch or submitted, and none completed
/// or accepted since.
const RETRYABLE: Sql = Sql::both(
    "
    select u.url_id, u.state, u.suspect, u.url, u.file_id, u.host_id, u.priority, u.lane, u.first_step
    from json_each(?1) as j join urls as u on u.url_id = cast(j.value ->> 0 as bigint)
    where u.state > 2
      and not exists (with recursive same (url_id) as (
                          select url_id from url_keys where url_key = cast(j.value ->> 1 as bigint)
                          union all
                          select o.older_id from same join urls as o on o.url_id = same.url_id
                          where o.older_id is not null)
                      select 1 from same
                      join urls as v on v.url_id = same.url_id
                      left join submissions as s on s.submission_id = v.submission_id
                      where v.url = u.url and v.lane = u.lane and v.state in (0, 1, 2, 7)
                        and (v.url_id > u.url_id or v.state = 0 or (v.state = 1 and s.ended_at is null)))",
);

const ENDED: Sql = Sql::both(
    "
    select url_id, url, lane from urls where url_id in (select cast(value as bigint) from json_each(?1)) and state > 2",
);

/// A prefetch waits for its purge if that waits or is under way. One that was held because nobody may ask whether its
/// purge is complete does not: the operator says that it is time.
const RETRY: Sql = Sql::both(
    "
    update urls set
        state = 0, attempts = 0, reason = null, reason_code = null, reason_with = null, ended_at = null, suspect = 0,
        wait_until = iif(not_before > ?2, not_before, null), deadline = iif(deadline > ?2, deadline, null),
        parked = case when (select standing in ('refused', 'offline')
                            from hosts as h where h.host_id = urls.host_id) then 1
                      when after_id in (select p.url_id from urls as p
                                        left join submissions as s on s.submission_id = p.submission_id
                                        where p.url_id = urls.after_id
                                          and (p.state in (0, 6) or (p.state = 1 and s.ended_at is null))
                                          and coalesce(urls.reason_code, '') <> 'purge_untold') then 2
                      else 0 end,
        after_id = (select p.url_id from urls as p left join submissions as s on s.submission_id = p.submission_id
                    where p.url_id = urls.after_id
                      and (p.state in (0, 6) or (p.state = 1 and s.ended_at is null))
                      and coalesce(urls.reason_code, '') <> 'purge_untold')
    where url_id in (select cast(value as bigint) from json_each(?1))",
);

/// Purges of these prefetches, which ended, or are held.
const PURGES_OF: Sql = Sql::both(
    "
    select after_id from urls
    where url_id in (select cast(value as bigint) from json_each(?1)) and after_id is not null and state in (4, 5, 6)
      and (?2 is null or exists (select 1 from urls as p join files as f on f.file_id = p.file_id
                                 where p.url_id = urls.after_id and f.owner_uid = ?2))",
);

const STEPS: Sql = Sql::both(
    "
    select url_id, first_step from urls where url_id in (select cast(value as bigint) from json_each(?1))
    order by first_step desc, url_id",
);

/// Files that had ended are open again.
const REOPEN: Sql = Sql::both(
    "
    update files set finished_at = null, receipt_final = 0
    where file_id in (select cast(value as bigint) from json_each(?1)) and finished_at is not null",
);

const WAITING: Sql = Sql::both(
    "
    select u.url_id, u.state, u.suspect, u.url, u.file_id, u.host_id, u.priority, u.lane, u.first_step
    from urls as u
    where u.url_id in (select cast(value as bigint) from json_each(?1)) and u.state in (0, 6)",
);

/// The wishes for those of these URLs that several lines ask for.
const WISHED: Sql = Sql::both(
    "
    select w.url_id, w.state, w.priority, f.name, coalesce(w.label, f.label), u.state, f.owner_uid, u.lane
    from json_each(?1) as j
    cross join wishes as w on w.url_id = cast(j.value as bigint)
    cross join urls as u on u.url_id = w.url_id
    join files as f on f.file_id = w.file_id
    where w.kind < 2",
);

const CANCEL: Sql = Sql::both(
    "
    update urls set
        state = 5, reason = ?3, reason_code = ?4, reason_with = null, ended_at = ?2, wait_until = null, parked = 0,
        suspect = 0
    where url_id in (select cast(value as bigint) from json_each(?1))",
);

const PRIORITIZE: Sql =
    Sql::both("update urls set priority = ?2 where url_id in (select cast(value as bigint) from json_each(?1))");

const PRIORITIZE_FILES: Sql = Sql::both(
    "
    update files set priority = ?3
    where (name = ?1 or ?1 is null) and (label = ?2 or ?2 is null) and (owner_uid = ?4 or ?4 is null)",
);

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Send again, with all attempts: URLs that ended unsent or badly, or are held.
    Retry,
    /// The same for URLs that were accepted and may be warm, which are then sent a second time.
    RetryUnconfirmed,
    /// Cancel.
    Cancel,
    /// Change the priority.
    Prioritize(Priority),
}

/// A URL that an order may change.
#[derive(Debug)]
struct OrderRow {
    id: UrlId,
    seat: Seat,
    state: UrlState,
    url: String,
}

/// What an order changes.
#[derive(Debug)]
struct Targets {
    /// Rows that one line asks for.
    rows: Vec<OrderRow>,
    /// Rows that several lines ask for, in a state to which the order applies.
    taken: Vec<OrderRow>,
    /// These, and the rows for which the order revives a wish.
    wished: Vec<i64>,
    /// Of those, the rows of purges.
    purges: BTreeSet<i64>,
}

impl Targets {
    /// The purges, and the prefetches.
    fn by_step(self) -> (Self, Self) {
        let is_purge = |row: &OrderRow| row.seat.lane != Lane::Prefetch;
        let (rows, other_rows) = self.rows.into_iter().partition(is_purge);
        let (taken, other_taken) = self.taken.into_iter().partition(is_purge);
        let (wished, other_wished) = self.wished.into_iter().partition(|url| self.purges.contains(url));
        let none = BTreeSet::new();
        (
            Self { rows, taken, wished, purges: self.purges.clone() },
            Self { rows: other_rows, taken: other_taken, wished: other_wished, purges: none },
        )
    }

    fn len(&self) -> u64 {
        (self.rows.len() + self.wished.len()) as u64
    }
}

impl Order {
    /// The command that gives it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Retry | Self::RetryUnconfirmed => "retry",
            Self::Cancel => "cancel",
            Self::Prioritize(_) => "prioritize",
        }
    }

    fn is_retry(self) -> bool {
        matches!(self, Self::Retry | Self::RetryUnconfirmed)
    }

    /// The states to which it applies.
    pub fn takes(self) -> &'static [UrlState] {
        match self {
            Self::Retry => &[UrlState::Failed, UrlState::Expired, UrlState::Cancelled, UrlState::Held],
            Self::RetryUnconfirmed => &[UrlState::Unconfirmed],
            Self::Cancel | Self::Prioritize(_) => &[UrlState::Pending, UrlState::Held],
        }
    }

    /// How many of these URLs it would change now; where several lines ask for a URL, it changes the wishes of the
    /// chosen files.
    pub async fn count(self, conn: &mut Conn, urls: &[UrlId], chosen: &Selection) -> Result<u64> {
        Ok(self.targets(conn, urls, &Scope::of(chosen)).await?.len())
    }

    /// Applies the order to those of these URLs that are still in a fitting state, adds them to its count, and returns
    /// how many.
    pub async fn perform_tx(
        self,
        tx: &mut WriteTx<'_>,
        order: OrderId,
        urls: &[UrlId],
        chosen: &Selection,
        now: Time,
    ) -> Result<u64> {
        let scope = Scope::of(chosen);
        let targets = self.targets(tx.conn(), urls, &scope).await?;
        // Purges first: they decide what becomes of the prefetches that wait for them.
        let (purges, prefetches) = targets.by_step();
        let mut changed = self.change_tx(tx, order, purges, &scope, now).await?;
        let prefetches = match changed {
            0 => prefetches,
            _ => self.targets(tx.conn(), urls, &scope).await?.by_step().1,
        };
        changed += self.change_tx(tx, order, prefetches, &scope, now).await?;
        Ok(changed)
    }

    async fn change_tx(
        self,
        tx: &mut WriteTx<'_>,
        order: OrderId,
        targets: Targets,
        scope: &Scope,
        now: Time,
    ) -> Result<u64> {
        if targets.len() == 0 {
            return Ok(0);
        }
        let mut moves = Moves::default();
        // Prefetches that go back with their purges.
        let mut along = 0;
        self.change_rows_tx(tx, &targets.rows, now, &mut moves).await?;
        let mut files: BTreeSet<i64> = targets.rows.iter().map(|row| row.seat.file.0).collect();
        let wished = &targets.wished;
        match self {
            Self::Retry | Self::RetryUnconfirmed => {
                self.change_rows_tx(tx, &targets.taken, now, &mut moves).await?;
                let ended: BTreeMap<i64, UrlState> = targets.taken.iter().map(|row| (row.id.0, row.state)).collect();
                files.extend(tx.bulk(|conn| wish_orders::retry(conn, wished, &ended, scope, now, &mut moves)).await?);
                let purges = targets.rows.iter().chain(&targets.taken).map(|row| row.id.0);
                along = tx.bulk(|conn| chain::purges_wait_again(conn, purges, now, &mut moves)).await?;
            }
            Self::Cancel => {
                tx.bulk(|conn| {
                    wish_orders::cancel(conn, wished, scope, now, &mut moves)?;
                    chain::purges_ended(conn, targets.rows.iter().map(|row| row.id.0), now, &mut moves)
                })
                .await?;
            }
            Self::Prioritize(to) => {
                tx.bulk(|conn| wish_orders::prioritize(conn, wished, scope, to, now, &mut moves)).await?;
            }
        }
        moves.apply(tx.conn()).await?;
        if self.is_retry() {
            query(REOPEN).bind(json(files.into_iter())).execute(tx.conn()).await?;
        }
        count_order_tx(tx, order, targets.len() + along).await?;
        Ok(targets.len() + along)
    }

    /// Changes rows as a whole.
    async fn change_rows_tx(self, tx: &mut WriteTx<'_>, rows: &[OrderRow], now: Time, moves: &mut Moves) -> Result<()> {
        for row in rows {
            match self {
                Self::Retry | Self::RetryUnconfirmed => {
                    moves.shift(row.seat, row.state, UrlState::Pending);
                }
                Self::Cancel => moves.shift(row.seat, row.state, UrlState::Cancelled),
                Self::Prioritize(to) => moves.reorder(row.seat, to, row.state),
            }
        }
        let ids = json(rows.iter().map(|row| row.id.0));
        let update = match self {
            Self::Retry | Self::RetryUnconfirmed => query(RETRY).bind(ids).bind(to_millis(now)),
            Self::Cancel => {
                let why = Stored::from(&Reason::from(ReasonKind::Cancelled));
                query(CANCEL).bind(ids).bind(to_millis(now)).bind(why.text).bind(why.code)
            }
            Self::Prioritize(priority) => query(PRIORITIZE).bind(ids).bind(priority.rank()),
        };
        update.execute(tx.conn()).await?;
        Ok(())
    }

    /// What it changes about these URLs: the rows that one line asks for as a whole, and the chosen wishes for the
    /// others.
    async fn targets(self, conn: &mut Conn, urls: &[UrlId], scope: &Scope) -> Result<Targets> {
        let found = query(WISHED).bind(json(urls.iter().map(|url| url.0))).fetch_all(&mut *conn).await?;
        let (mut shared, mut meant, mut revived) = (HashSet::new(), HashSet::new(), BTreeSet::new());
        let mut purges = BTreeSet::new();
        for row in &found {
            let (url, wish_state, url_state): (i64, i64, i64) = (row.get(0), row.get(1), row.get(5));
            let named =
                |wanted: &Option<String>, at: usize| wanted.is_none() || *wanted == row.get::<Option<String>, _>(at);
            shared.insert(url);
            if row.get::<i64, _>(7) != Lane::Prefetch.number() {
                purges.insert(url);
            }
            let is_owned = scope.owner.is_none_or(|uid| row.get::<Option<i64>, _>(6) == Some(uid.into()));
            if !named(&scope.file, 3) || !named(&scope.label, 4) || !is_owned {
                continue;
            }
            let is_other = !matches!(self, Self::Prioritize(to) if to.rank() == row.get::<i64, _>(2));
            if self.is_retry() || (wish_state == 0 && is_other) {
                meant.insert(url);
            }
            if self == Self::Retry && wish_state > 0 && url_state == 0 && !scope.is_all() {
                revived.insert(url);
            }
        }
        let (wished, mut rows): (Vec<OrderRow>, Vec<OrderRow>) =
            self.rows(conn, urls).await?.into_iter().partition(|row| shared.contains(&row.id.0));
        if let Self::Prioritize(to) = self {
            rows.retain(|row| row.seat.priority != to);
        }
        let taken: Vec<OrderRow> = wished.into_iter().filter(|row| meant.contains(&row.id.0)).collect();
        revived.extend(taken.iter().map(|row| row.id.0));
        Ok(Targets { rows, taken, wished: revived.into_iter().collect(), purges })
    }

    async fn rows(self, conn: &mut Conn, urls: &[UrlId]) -> Result<Vec<OrderRow>> {
        let mut ids = json(urls.iter().map(|url| url.0));
        if self.is_retry() {
            let ended = query(ENDED).bind(ids).fetch_all(&mut *conn).await?;
            let lane = |row: &Row| Lane::of_number(row.get(2));
            let keyed: Vec<(i64, i64)> =
                ended.iter().map(|row| (row.get(0), ObjectUrl::key_of(lane(row), row.get(1)))).collect();
            ids = serde_json::json!(keyed).to_string();
        }
        let statement = if self.is_retry() { RETRYABLE } else { WAITING };
        let rows = query(statement).bind(ids).fetch_all(conn).await?;
        let mut rows: Vec<OrderRow> = rows.iter().map(row).collect();
        // A purge that may have been performed is taken along: performed twice it does no harm.
        let along = |row: &OrderRow| self == Self::Retry && row.seat.first_step && row.state == UrlState::Unconfirmed;
        rows.retain(|row| self.takes().contains(&row.state) || along(row));
        match self {
            // Of a URL that ended several times only the latest row is sent again.
            Self::Retry | Self::RetryUnconfirmed => {
                rows.sort_by_key(|row| std::cmp::Reverse(row.id));
                let mut seen = HashSet::new();
                rows.retain(|row| seen.insert((row.seat.lane, row.url.clone())));
            }
            Self::Cancel | Self::Prioritize(_) => {}
        }
        Ok(rows)
    }
}

/// The rows that an order means, in the order in which they are to be changed: purges before the prefetches that wait
/// for them, since they decide what becomes of those. A retry of prefetches takes their purges along, unless it is of
/// prefetches alone.
///
/// # Errors
///
/// The database failed.
pub async fn in_order(conn: &mut Conn, order: Order, chosen: &Selection, mut ids: Vec<UrlId>) -> Result<Vec<UrlId>> {
    if order.is_retry() && chosen.lane != Some(Lane::Prefetch) {
        let listed = json(ids.iter().map(|id| id.0));
        let purges: Vec<i64> = query_scalar(PURGES_OF).bind(listed).bind(chosen.owner).fetch_all(&mut *conn).await?;
        ids.extend(purges.into_iter().map(UrlId));
    }
    let steps = query(STEPS).bind(json(ids.iter().map(|id| id.0))).fetch_all(conn).await?;
    Ok(steps.iter().map(|row| UrlId(row.get(0))).collect())
}

/// A file that was chosen as a whole shows the new priority of its URLs.
pub async fn prioritize_files_tx(tx: &mut WriteTx<'_>, selection: &Selection, priority: Priority) -> Result<()> {
    let whole = selection.url.is_none() && selection.host.is_none() && selection.state.is_none();
    if whole && (selection.file.is_some() || selection.label.is_some()) {
        let query = query(PRIORITIZE_FILES).bind(&selection.file).bind(&selection.label).bind(priority.rank());
        query.bind(selection.owner).execute(tx.conn()).await?;
    }
    Ok(())
}

fn row(row: &Row) -> OrderRow {
    OrderRow {
        id: UrlId(row.get(0)),
        seat: Seat::of(row),
        state: row_state::of(row.get(1), row.get(2)),
        url: row.get(3),
    }
}

fn json(ids: impl Iterator<Item = i64>) -> String {
    serde_json::json!(ids.collect::<Vec<i64>>()).to_string()
}
