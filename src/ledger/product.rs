//! Which product a database belongs to. Its domains, meters, tasks and doubts are those of one product's account, so
//! the product of a database that holds anything never changes.

use crate::model::{Lane, ProductName, Time};
use crate::store::{Conn, Result, Sql, WriteTx, query_scalar};

use super::account::{Fact, note_fact_tx};

const PRODUCT: Sql = Sql::both("select value from facts where lane = 1 and fact = 'product'");

const IS_USED: Sql = Sql::both("select exists (select 1 from submissions) or exists (select 1 from v_files)");

/// The product that the database belongs to; none if it holds nothing and may belong to any.
pub async fn product_of(conn: &mut Conn) -> Result<Option<ProductName>> {
    if !query_scalar::<bool>(IS_USED).fetch_one(&mut *conn).await? {
        return Ok(None);
    }
    let product: Option<String> = query_scalar(PRODUCT).fetch_optional(conn).await?;
    // Without a word it is from before there were others.
    Ok(Some(product.and_then(|word| word.parse().ok()).unwrap_or_default()))
}

/// Takes the database for a product. Returns another one that it belongs to.
pub async fn belong_tx(tx: &mut WriteTx<'_>, product: ProductName, now: Time) -> Result<Option<ProductName>> {
    let other = product_of(tx.conn()).await?.filter(|owner| *owner != product);
    if other.is_none() {
        note_fact_tx(tx, Lane::Prefetch, Fact::Product(product), now).await?;
    }
    Ok(other)
}
