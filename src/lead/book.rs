//! The statements about the lease, and what a host says of itself. They run on a connection of their own, and none of
//! them takes the writers' lock, so that a renewal does not wait for a long write.

use sha2::{Digest as _, Sha256};

use super::machine::{Lengths, Seen, Taken};
use crate::config::Config;
use crate::store::{Conn, Result, Sql, WriteTx, query};

/// How long ago a host was last seen that counts as alive, in milliseconds.
const LIVES_MS: i64 = 60_000;

const LOOK: Sql = Sql::both(
    "
    select l.fence, l.holder, case when l.until_at <= clock_ms() then 1 else 0 end as is_free, l.epoch,
           epoch() as epoch_now, l.policy, c.n,
           (select count(*) from daemon as d
            where d.host <> ?1 and d.health in ('running', 'stopping') and d.seen_at > clock_ms() - ?2
              and d.policy = l.policy) as same_policy
    from leader as l join changes as c on c.one = l.one",
);

/// Locks the row against the leader's transactions, which hold it while they last: each commits before the lease is
/// another host's, or is refused. The first lease of all needs no witnesses.
const TAKE: Sql = Sql::both(
    "
    update leader set fence = leader.fence + 1, holder = ?1, until_at = clock_ms() + ?2, policy = ?3,
        epoch = coalesce(leader.epoch, epoch())
    from (select one from leader where one = 1 and until_at <= clock_ms() for update) as free
    where leader.one = free.one
    returning leader.fence, leader.epoch, epoch() as epoch_now",
);

/// Another history of the server may have given the number to another host.
const RENEW: Sql = Sql::both(
    "
    update leader set until_at = clock_ms() + ?3, policy = ?4
    where one = 1 and fence = ?1 and holder = ?2 and until_at > clock_ms() and epoch() = ?5
    returning fence",
);

const RELEASE: Sql = Sql::both(
    "
    update leader set until_at = clock_ms() where one = 1 and fence = ?1 and holder = ?2 and until_at > clock_ms()",
);

/// Whoever has taken the lease meanwhile adopts the history, and nobody adopts one for which nobody waited.
const ADOPT: Sql = Sql::both(
    "
    update leader set epoch = epoch()
    where one = 1 and fence = ?1 and until_at > clock_ms() and epoch() = ?2
    returning clock_ms()",
);

/// Looks at the lease, for this host.
pub(super) async fn look(conn: &mut Conn, host: &str) -> Result<Seen> {
    let row = query(LOOK).bind(host).bind(LIVES_MS).fetch_one(conn).await?;
    Ok(Seen {
        fence: row.get("fence"),
        holder: row.get("holder"),
        is_free: row.get::<i64, _>("is_free") != 0,
        epoch: row.get("epoch"),
        epoch_now: row.get("epoch_now"),
        policy: row.get("policy"),
        policy_lives: row.get::<i64, _>("same_policy") > 0,
        changes: row.get("n"),
    })
}

/// Takes the lease if it is free; none if it is not.
pub(super) async fn take(conn: &mut Conn, host: &str, lengths: &Lengths, policy: &str) -> Result<Option<Taken>> {
    let take = query(TAKE).bind(host).bind(lease_ms(lengths)).bind(policy);
    let row = take.fetch_optional(conn).await?;
    Ok(row.map(|row| Taken { fence: row.get("fence"), epoch: row.get("epoch"), epoch_now: row.get("epoch_now") }))
}

/// Renews the lease of this host in this history. False if it is over.
pub(super) async fn renew(
    conn: &mut Conn,
    (host, fence, epoch): (&str, i64, &str),
    lengths: &Lengths,
    policy: &str,
) -> Result<bool> {
    let renew = query(RENEW).bind(fence).bind(host).bind(lease_ms(lengths)).bind(policy).bind(epoch);
    Ok(renew.fetch_optional(conn).await?.is_some())
}

/// Gives the lease back, so that another host takes it at its next look.
pub(super) async fn release(conn: &mut Conn, host: &str, fence: i64) -> Result<()> {
    query(RELEASE).bind(fence).bind(host).execute(conn).await?;
    Ok(())
}

/// From now on the ledger is complete in this history. Returns the server's time, in milliseconds; none, and changes
/// nothing, if the lease is over or the server's history is another one.
pub(super) async fn adopt_tx(tx: &mut WriteTx<'_>, fence: i64, epoch: &str) -> Result<Option<i64>> {
    let row = query(ADOPT).bind(fence).bind(epoch).fetch_optional(tx.conn()).await?;
    Ok(row.map(|row| row.get(0)))
}

fn lease_ms(lengths: &Lengths) -> i64 {
    i64::try_from(lengths.lease.as_millis()).unwrap_or(i64::MAX)
}

/// A digest of what two leaders must not do differently, which would send by turns as one and the other does.
pub fn policy_of(config: &Config) -> String {
    let parts = serde_json::to_vec(&(&config.budget, &config.schedule, &config.retry));
    let digest = Sha256::digest(parts.expect("a configuration is text and numbers"));
    digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_that_of_the_three_sections_alone() {
        let config = Config::default();
        let of = policy_of(&config);
        assert_eq!(of.len(), 16);
        let mut other = config.clone();
        other.spool.dir = "/elsewhere".into();
        assert_eq!(policy_of(&other), of);
        other.budget.reserve = crate::config::Number::new(7).unwrap();
        assert_ne!(policy_of(&other), of);
    }
}
