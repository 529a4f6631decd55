//! SQLite's own handle of the writing connection, for work on many rows.
//!
//! sqlx hands every statement to a thread and waits for its answer, which costs more than SQLite's insert of a row
//! (PERFORMANCE.md, "Measured here"). [`WriteTx::bulk`] runs a closure on the handle itself, inside the transaction
//! that sqlx began.

use rusqlite::Connection;
use sqlx::sqlite::LockedSqliteHandle;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Error, Result, WriteTx};

/// Prepared statements that are kept during one piece of work: all those of an ingest.
const STATEMENTS: usize = 64;

/// SQLite's own handle. Modules that hold SQL run their statements on it; others only pass it on.
#[derive(Debug)]
pub struct Bulk(Connection);

impl std::ops::Deref for Bulk {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl WriteTx<'_> {
    /// Runs `work` inside this transaction. It blocks its thread, so it must be bounded: a chunk of a file, a handful
    /// of files.
    ///
    /// # Errors
    ///
    /// The database failed; the transaction must be dropped.
    pub async fn bulk<T, E>(&mut self, work: impl FnOnce(&Bulk) -> std::result::Result<T, E>) -> Result<T>
    where
        Error: From<E>,
    {
        let mut handle = self.conn().sqlite().lock_handle().await?;
        let run = || on_handle(&mut handle, work);
        // Meanwhile other threads take over this thread's tasks, if there are other threads.
        match Handle::current().runtime_flavor() {
            RuntimeFlavor::MultiThread => tokio::task::block_in_place(run),
            _ => run(),
        }
    }
}

#[expect(unsafe_code, reason = "rusqlite cannot know whose handle it is given")]
fn on_handle<T, E>(
    handle: &mut LockedSqliteHandle<'_>,
    work: impl FnOnce(&Bulk) -> std::result::Result<T, E>,
) -> Result<T>
where
    Error: From<E>,
{
    // SAFETY: both crates link the same libsqlite3-sys. While `handle` is locked, sqlx's thread does not touch the
    // connection, and it stays open: `connection` ends before the lock does, and does not close a handle that it does
    // not own.
    let connection = unsafe { Connection::from_handle(handle.as_raw_handle().as_ptr())? };
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(work(&Bulk(connection))?)
}
