//! The one write transaction, and the result of the last one.

use std::sync::atomic::Ordering;

use tokio::sync::MutexGuard;

use super::{Conn, Database, Error, Home, Result, query};

/// Why the last write failed; none since a write was durable again. A writer that failed tries until it succeeds.
#[derive(Debug, Default)]
pub(super) struct LastFailure(std::sync::Mutex<Option<String>>);

impl LastFailure {
    pub(super) fn note<T>(&self, result: Result<T>) -> Result<T> {
        // That another host leads is no fault of the database.
        if let Err(error) = &result
            && !matches!(error, Error::NotLeading)
        {
            self.set(Some(error.to_string()));
        }
        result
    }

    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.lock().expect("no holder of the note panics") = trouble;
    }

    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().expect("no holder of the note panics").clone()
    }
}

/// The write transaction. If it is dropped without [`WriteTx::commit`], its connection is dropped too, which rolls
/// back.
#[derive(Debug)]
pub struct WriteTx<'a> {
    pub(super) slot: MutexGuard<'a, Option<Conn>>,
    pub(super) connection: Option<Conn>,
    pub(super) db: &'a Database,
}

impl WriteTx<'_> {
    /// The connection, for statements inside this transaction.
    pub fn conn(&mut self) -> &mut Conn {
        self.connection
            .as_mut()
            .expect("only commit and roll_back take the connection, and they consume the transaction")
    }

    /// Lends the connection to [`super::Bulk`].
    pub(super) fn take(&mut self) -> Conn {
        self.connection.take().expect("it is lent only while nobody else uses the transaction")
    }

    pub(super) fn give_back(&mut self, connection: Conn) {
        self.connection = Some(connection);
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    ///
    /// After an error the result is unknown: the transaction may be durable all the same. Conclude nothing from it;
    /// read the database again.
    pub async fn commit(mut self) -> Result<()> {
        let ended = match &self.db.home {
            Home::Lite(_) => self.end("commit").await,
            Home::Postgres(_) => self.commit_on_server().await,
        };
        self.db.trouble.note(ended)?;
        self.db.trouble.set(None);
        Ok(())
    }

    /// On a server the commit is counted and told, so that other hosts need not look for what changed.
    async fn commit_on_server(&mut self) -> Result<()> {
        let Home::Postgres(server) = &self.db.home else { return Ok(()) };
        let mut connection = self.connection.take().expect("a transaction ends once");
        // Before the commit: whoever compares the numbers meanwhile takes a commit of this process for another's,
        // never the reverse for longer than until its next look.
        self.db.commits.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = server.commit(&mut connection).await {
            self.db.commits.fetch_sub(1, Ordering::SeqCst);
            return Err(error);
        }
        *self.slot = Some(connection);
        Ok(())
    }

    /// Tells the hosts this once it is committed, and has the server commit as durably as it can: a standby that the
    /// server waits for has it too. Does nothing where the database is a file.
    pub async fn tell_hosts(&mut self, said: &str) -> Result<()> {
        match &self.db.home {
            Home::Lite(_) => Ok(()),
            Home::Postgres(server) => server.tell_hosts(self.conn(), said).await,
        }
    }

    /// Undoes the transaction and keeps the connection for the next one.
    ///
    /// # Errors
    ///
    /// The database failed; the transaction is undone all the same.
    pub async fn roll_back(mut self) -> Result<()> {
        self.end("rollback").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<()> {
        let mut connection = self.connection.take().expect("a transaction ends once");
        query(statement).execute(&mut connection).await?;
        *self.slot = Some(connection);
        Ok(())
    }
}
