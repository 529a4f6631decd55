//! The records of orders: who asked for what, how far it got, and, of a member's order, which file it came as and
//! whether it was refused.

use crate::model::{OrderFault, OrderId, Time, to_millis};
use crate::store::{Conn, Readers, Result, Sql, WriteTx, query, query_scalar};
use crate::words::{Stored, Words, order_fault};

const RECORD: Sql = Sql::both(
    "
    insert into orders (host, at, who, command, what, dropped_as, dropped_mark) values (?7, ?1, ?2, ?3, ?4, ?5, ?6)
    returning order_id",
);

const COUNT: Sql = Sql::both("update orders set rows = rows + ?2 where order_id = ?1");

const FINISH: Sql = Sql::both("update orders set done_at = ?2 where order_id = ?1");

const REFUSE: Sql = Sql::both(
    "
    insert into orders (host, at, who, command, what, dropped_as, dropped_mark, done_at, refused, refused_code,
                        refused_with)
    values (?8, ?1, ?2, 'refused', '', ?3, ?4, ?1, ?5, ?6, ?7)",
);

const DROPPED: Sql = Sql::both(
    "
    select order_id, done_at is not null from orders indexed by orders_dropped
    where host = ?3 and dropped_as = ?1 and dropped_mark = ?2",
);

const PROGRESS: Sql = Sql::both(
    "
    select rows, done_at is not null, refused_code, refused, refused_with from orders indexed by orders_dropped
    where host = ?2 and dropped_as = ?1 order by order_id desc limit 1",
);

/// The files of a name: whether this user dropped one, and who dropped the last one.
const OWNERS: Sql = Sql::both(
    "
    select max(owner_uid is not distinct from ?2),
           (select owner_uid from files where name = ?1 order by file_id desc limit 1)
    from files where name = ?1",
);

/// An order's file in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedAs {
    /// Its name.
    pub name: String,
    /// What tells it from a later one of the same name.
    pub mark: String,
}

/// Who asks for something.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The user.
    pub who: &'a str,
    /// On which host, or in whose spool; empty where the database is a file.
    pub host: &'a str,
}

/// How far a dropped order has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// So many URLs are changed.
    Begun {
        /// URLs.
        urls: u64,
    },
    /// All of it is done.
    Done {
        /// URLs that were changed.
        urls: u64,
    },
    /// Nothing was changed.
    Refused {
        /// The code of the reason.
        code: String,
        /// The reason.
        why: Words,
    },
}

/// Whose the files of a name are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// At least one is of who asks.
    Asker,
    /// All are others'; the uid of who dropped the last one, if that is known.
    Other(Option<u32>),
    /// There are none.
    Nothing,
}

/// The owner of files that were dropped when the daemon could not see the host's users.
const NOBODY: u32 = 65_534;

/// Records an order before anything is done, and returns its row.
pub async fn record_order_tx(
    tx: &mut WriteTx<'_>,
    asker: Asker<'_>,
    command: &str,
    what: &str,
    dropped: Option<&DroppedAs>,
    now: Time,
) -> Result<OrderId> {
    let query = query_scalar(RECORD).bind(to_millis(now)).bind(asker.who).bind(command).bind(what);
    let query = query.bind(dropped.map(|dropped| &dropped.name)).bind(dropped.map(|dropped| &dropped.mark));
    let query = query.bind(asker.host);
    Ok(OrderId(query.fetch_one(tx.conn()).await?))
}

/// Records an order that is done in the same transaction.
pub async fn record_done_order_tx(
    tx: &mut WriteTx<'_>,
    asker: Asker<'_>,
    command: &str,
    what: &str,
    now: Time,
) -> Result<()> {
    let order = record_order_tx(tx, asker, command, what, None, now).await?;
    finish_order_tx(tx, order, now).await
}

/// All of an order is done.
pub async fn finish_order_tx(tx: &mut WriteTx<'_>, order: OrderId, now: Time) -> Result<()> {
    query(FINISH).bind(order.0).bind(to_millis(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Records that a dropped order is refused, and why.
pub async fn refuse_order_tx(
    tx: &mut WriteTx<'_>,
    asker: Asker<'_>,
    dropped: &DroppedAs,
    fault: &OrderFault,
    now: Time,
) -> Result<()> {
    let why = Stored::from(fault);
    let query = query(REFUSE).bind(to_millis(now)).bind(asker.who).bind(&dropped.name).bind(&dropped.mark);
    query.bind(why.text).bind(why.code).bind(why.with).bind(asker.host).execute(tx.conn()).await?;
    Ok(())
}

/// The row of an order that was dropped into this host's spool and begun, and whether all of it is done or it was
/// refused.
pub async fn dropped_order(pool: &Readers, host: &str, dropped: &DroppedAs) -> Result<Option<(OrderId, bool)>> {
    let row = query(DROPPED).bind(&dropped.name).bind(&dropped.mark).bind(host).fetch_optional(pool).await?;
    Ok(row.map(|row| (OrderId(row.get(0)), row.get(1))))
}

/// How far the order of this name in this host's spool has got; none if it was not begun.
pub async fn order_progress(conn: &mut Conn, host: &str, name: &str) -> Result<Option<Progress>> {
    let row = query(PROGRESS).bind(name).bind(host).fetch_optional(conn).await?;
    Ok(row.map(|row| {
        let urls = row.get::<i64, _>(0).unsigned_abs();
        match (row.get::<Option<String>, _>(2), row.get(1)) {
            (Some(code), _) => {
                let why = match OrderFault::of_stored(&code, row.get(4)) {
                    Some(fault) => order_fault(&fault),
                    None => Words::same(row.get::<String, _>(3)),
                };
                Progress::Refused { code, why }
            }
            (None, true) => Progress::Done { urls },
            (None, false) => Progress::Begun { urls },
        }
    }))
}

/// Whose the files of this name are.
pub async fn owners(pool: &Readers, file: &str, asker: u32) -> Result<Owners> {
    let row = query(OWNERS).bind(file).bind(asker).fetch_one(pool).await?;
    let last: Option<i64> = row.get(1);
    let last = last.and_then(|uid| u32::try_from(uid).ok()).filter(|uid| *uid != NOBODY);
    Ok(match row.get::<Option<bool>, _>(0) {
        None => Owners::Nothing,
        Some(true) => Owners::Asker,
        Some(false) => Owners::Other(last),
    })
}

/// Adds changed URLs to an order's count.
pub async fn count_order_tx(tx: &mut WriteTx<'_>, order: OrderId, urls: u64) -> Result<()> {
    let urls = i64::try_from(urls).unwrap_or(i64::MAX);
    query(COUNT).bind(order.0).bind(urls).execute(tx.conn()).await?;
    Ok(())
}
