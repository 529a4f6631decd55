//! prefetchd: a dropped file of URLs becomes submitted batches with task IDs.
//!
//! ```text
//! URL file ──► spool ──► queue ──► schedule ──► submit ──► ledger
//!              parse,    SQLite,   pure: what   sign, call, what was
//!              check,    durable   may go now,  classify    spent and
//!              receipt             and if not,              answered
//!                                  why not
//! ```
//!
//! The modules of the pipeline, in its order: [`spool`], [`queue`], [`schedule`], [`submit`], [`ledger`]. They hand each
//! other the words of [`model`]. Around them: [`config`] and [`credentials`] go in, [`vod`] is the API's client,
//! [`store`] opens the database, [`status`] is what is told, [`daemon`] runs the stages, [`cli`] is what a user types, and
//! [`sandbox`] stands in for the service.

pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod exit;
pub mod ledger;
pub mod model;
pub mod notify;
pub mod queue;
pub mod sandbox;
pub mod schedule;
pub mod spool;
pub mod status;
pub mod store;
pub mod submit;
pub mod telemetry;
pub mod track;
pub mod vod;
