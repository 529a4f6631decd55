//! Housekeeping: what time and others' answers change, put in order by a stage with its own pace.
//!
//! Owns no table. It calls the verbs of those who do: URLs whose time has come are woken and those whose deadline has
//! passed expire (`queue`), URLs of domains that may not be sent are parked and come back (`queue`), files with which
//! nothing is left to do are finished and near deadlines told (`notify`), and what was kept long enough is forgotten
//! (`queue`, `ledger`, `track`, the folders of `spool`).
//!
//! Nothing depends on its being in time: a claim takes no URL whose deadline has passed, and none of a domain that may
//! not be sent. Each step is one short transaction; a crash between two repeats nothing.

mod retention;
mod worker;

pub use worker::{Housekeeping, Step};
