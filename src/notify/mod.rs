//! Tells somebody: `[notify] command` gets one JSON object on its standard input for each thing that happens.
//!
//! Whoever makes something happen writes the notice in the same transaction ([`add_tx`]), so that a crash neither
//! loses it nor invents it. This stage owns the table `notices`; it runs the command, one at a time and within a
//! bounded time, on its own: nothing waits for it.

mod event;
mod outbox;
mod runner;

pub use event::Event;
pub use outbox::{add_tx, finish_files_tx, missed_tx, near_deadlines_tx};
pub use runner::Notifier;
