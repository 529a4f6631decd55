//! What an order is about, and its record.

use crate::model::{OrderId, Time, UrlId, UrlState};
use crate::queue::{self, Asker, DroppedAs, Order, Selection};
use crate::store::{Conn, Result, WriteTx};

/// The domain that gets another chance: of an operator's retry that names only a domain.
pub fn domain(order: Order, which: &Selection) -> Option<&str> {
    let alone = Selection { host: which.host.clone(), ..Selection::default() } == *which;
    which.host.as_deref().filter(|_| alone && order == Order::Retry)
}

/// The URLs that are meant, and how many more are in a batch now. Takes no lock: whoever changes them checks their
/// state again.
///
/// # Errors
///
/// The database failed.
pub async fn look(conn: &mut Conn, order: Order, which: &Selection) -> Result<(Vec<UrlId>, u64)> {
    let ids = which.ids(conn, order.takes()).await?;
    let ids = queue::in_order(conn, order, which, ids).await?;
    let leased = which.ids(conn, &[UrlState::Leased]).await?.len() as u64;
    Ok((ids, leased))
}

/// Records the order before any URL is changed, and does what it does to files and domains as such. Returns its row,
/// and how many URLs of a domain that gets another chance wait.
///
/// # Errors
///
/// The database failed.
pub async fn begin_tx(
    tx: &mut WriteTx<'_>,
    order: Order,
    which: &Selection,
    asker: Asker<'_>,
    dropped: Option<&DroppedAs>,
    now: Time,
) -> Result<(OrderId, Option<i64>)> {
    let what = match order {
        Order::Prioritize(priority) => format!("{which}, to {priority}"),
        _ => which.to_string(),
    };
    let row = queue::record_order_tx(tx, asker, order.command(), &what, dropped, now).await?;
    let domain_urls = match domain(order, which) {
        Some(host) => queue::retry_host_tx(tx, host, now).await?,
        None => None,
    };
    if let Order::Prioritize(priority) = order {
        queue::prioritize_files_tx(tx, which, priority).await?;
    }
    Ok((row, domain_urls))
}
