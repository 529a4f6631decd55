//! How many URLs of a domain the service takes in a minute (`schedule::HostRate`). Stored as a fact of the lane for
//! each domain that was refused for its minute, as JSON; forgotten a day after it last changed.

use crate::model::{HostId, Lane, Time, to_millis};
use crate::schedule::{HostRate, HostRates};
use crate::store::{Conn, Result, Sql, WriteTx, query};

const RATES: Sql = Sql::both(
    "
    select fact, value from facts
    where lane = ?1 and fact >= 'minute:' and fact < 'minute;' and observed_at > ?2",
);

const NOTE: Sql = Sql::both(
    "
    insert into facts (lane, fact, value, observed_at) values (?1, ?2, ?3, ?4)
    on conflict (lane, fact) do update set value = excluded.value, observed_at = excluded.observed_at",
);

const FORGET_OLD: Sql = Sql::both(
    "
    delete from facts
    where lane = ?1 and fact >= 'minute:' and fact < 'minute;' and observed_at <= ?2",
);

/// Before the number of the domain.
pub(super) const PREFIX: &str = "minute:";

/// What is known about the domains of a lane.
pub async fn host_rates(conn: &mut Conn, lane: Lane, now: Time) -> Result<HostRates> {
    let query = query(RATES).bind(lane.number()).bind(to_millis(now - HostRates::HOLDS));
    let rows = query.fetch_all(conn).await?;
    let rates = rows.iter().filter_map(|row| {
        let (fact, value): (String, String) = (row.get(0), row.get(1));
        let host = fact.strip_prefix(PREFIX)?.parse().ok()?;
        // A value of a newer version that this one does not understand is learned anew.
        Some((HostId(host), serde_json::from_str::<HostRate>(&value).ok()?))
    });
    Ok(HostRates(rates.collect()))
}

/// Stores what changed.
pub async fn note_host_rates_tx(tx: &mut WriteTx<'_>, lane: Lane, changed: &HostRates, now: Time) -> Result<()> {
    for (host, rate) in &changed.0 {
        let value = serde_json::to_string(rate).expect("numbers are JSON");
        let note = query(NOTE).bind(lane.number()).bind(format!("{PREFIX}{}", host.0)).bind(value);
        note.bind(to_millis(rate.since())).execute(tx.conn()).await?;
    }
    let forget = query(FORGET_OLD).bind(lane.number()).bind(to_millis(now - HostRates::HOLDS));
    forget.execute(tx.conn()).await?;
    Ok(())
}
