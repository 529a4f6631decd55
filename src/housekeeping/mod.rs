//! Housekeeping: a stage with its own pace that puts in order what changes with time and by others' answers.
//!
//! It owns no table and calls the owners' functions. It wakes URLs whose time has come and expires those whose deadline
//! has passed (`queue`); parks URLs of blocked domains and brings them back (`queue`); finishes files and tells near
//! deadlines (`notify`); and forgets what was kept long enough (`queue`, `ledger`, `track`). Where several hosts share
//! a database, the leader does that. Each host's [`Sweeper`] removes the inputs of its own spool.
//!
//! Nothing depends on it being in time: a claim takes no URL whose deadline has passed, and none of a blocked domain.
//! Each step is one short transaction; a crash between two steps repeats nothing.

mod retention;
mod sweeper;
mod worker;

pub use sweeper::Sweeper;
pub use worker::{Housekeeping, Step};
