//! A host's name belongs to one spool: two daemons under one name would take each other's files for their own.

use crate::store::{Result, Sql, Store, query_scalar};

/// Takes the name for this spool, unless the daemon of another spool has given a sign of life within a minute and has
/// not stopped.
const TAKE: Sql = Sql::two(
    "
    insert into daemon (host, spool_id, seen_at) values (?1, ?2, unixepoch('now') * 1000)
    on conflict (host) do update set spool_id = excluded.spool_id, seen_at = excluded.seen_at
    where daemon.spool_id is null or daemon.spool_id = excluded.spool_id or daemon.health = 'stopped'
       or coalesce(daemon.seen_at, 0) < excluded.seen_at - 60000
    returning 1",
    "
    insert into daemon (host, spool_id, seen_at, health) values (?1, ?2, clock_ms(), 'running')
    on conflict (host) do update set spool_id = excluded.spool_id, seen_at = excluded.seen_at, health = excluded.health
    where daemon.spool_id is null or daemon.spool_id = excluded.spool_id or daemon.health = 'stopped'
       or coalesce(daemon.seen_at, 0) < excluded.seen_at - 60000
    returning 1",
);

/// Seconds since the daemon of this name was seen.
const SEEN: Sql = Sql::two(
    "select (unixepoch('now') * 1000 - seen_at) / 1000 from daemon where host = ?1",
    "select (clock_ms() - seen_at) / 1000 from daemon where host = ?1",
);

/// Another daemon lives under this host's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "another daemon uses this database under the name of this host, {host}, with a spool of its own (seen {seconds} s \
     ago): give each host a name of its own by [database] host, or stop the other daemon; a minute after its last sign \
     of life the name is free"
)]
pub struct Namesake {
    /// The name.
    pub host: String,
    /// How long ago it was seen.
    pub seconds: i64,
}

impl Namesake {
    /// Takes the name of this store's host for the spool with this id. A restart over the same spool takes it at once.
    pub async fn refuse(store: &Store, spool_id: &str) -> Result<std::result::Result<(), Self>> {
        let host = store.host();
        let mut tx = store.write().await?;
        let taken: Option<i64> = query_scalar(TAKE).bind(host).bind(spool_id).fetch_optional(tx.conn()).await?;
        if taken.is_some() {
            tx.commit().await?;
            return Ok(Ok(()));
        }
        let seconds = query_scalar(SEEN).bind(host).fetch_one(tx.conn()).await?;
        tx.roll_back().await?;
        Ok(Err(Self { host: host.to_owned(), seconds }))
    }
}
