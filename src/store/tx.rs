//! The one write transaction, and the result of the last one.

use tokio::sync::MutexGuard;

use super::{Conn, Result, query};

/// Why the last write failed; none since a write was durable again. A writer that failed tries until it succeeds.
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

/// The write transaction. If it is dropped without [`WriteTx::commit`], its connection is dropped too, which rolls
/// back.
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
        let ended = self.end("commit").await;
        self.trouble.note(ended)?;
        self.trouble.set(None);
        Ok(())
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
