//! The one write transaction, and what became of the last one.

use tokio::sync::MutexGuard;

use super::{Conn, Result};

/// Why the last write failed; nothing once one was durable again. Whoever could not write tries until it can.
#[derive(Debug, Default)]
pub(super) struct LastFailure(std::sync::Mutex<Option<String>>);

impl LastFailure {
    pub(super) fn note<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
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

/// The write transaction. Dropped without [`WriteTx::commit`] it takes its connection with it, which rolls back.
#[derive(Debug)]
pub struct WriteTx<'a> {
    pub(super) slot: MutexGuard<'a, Option<Conn>>,
    pub(super) connection: Option<Conn>,
    pub(super) trouble: &'a LastFailure,
}

impl WriteTx<'_> {
    /// The connection, for statements inside this transaction.
    pub fn conn(&mut self) -> &mut Conn {
        self.connection
            .as_mut()
            .expect("only commit and roll_back take the connection, and they consume the transaction")
    }

    /// Makes the transaction durable.
    ///
    /// # Errors
    ///
    /// After an error its outcome is unknown: it may be durable all the same. Nothing may be concluded from it; the
    /// database has to be read again.
    pub async fn commit(mut self) -> Result<()> {
        let ended = self.end("commit").await;
        self.trouble.note(ended)?;
        self.trouble.set(None);
        Ok(())
    }

    /// Undoes the transaction and keeps the connection for the next one.
    ///
    /// # Errors
    ///
    /// What the disk says; the transaction is undone all the same.
    pub async fn roll_back(mut self) -> Result<()> {
        self.end("rollback").await
    }

    async fn end(&mut self, statement: &'static str) -> Result<()> {
        let mut connection = self.connection.take().expect("a transaction ends once");
        sqlx::query(statement).execute(&mut connection).await?;
        *self.slot = Some(connection);
        Ok(())
    }
}
