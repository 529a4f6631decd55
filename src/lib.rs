//! prefetchd: a dropped file of URLs becomes submitted batches with task IDs.
//!
//! ```text
//! URL file ──► spool ──► queue ──► schedule ──► submit ──► ledger ──► track
//!              parse,    SQLite,   pure: what   sign, call, what was   tasks to
//!              check,    durable   may go now,  classify    spent and  their end
//!              receipt             and if not,              answered
//!                                  why not
//! ```
//!
//! The modules of the pipeline, in its order: [`spool`], [`queue`], [`schedule`], [`submit`], [`ledger`], [`track`].
//! They hand each other the words of [`model`]; [`words`] has the sentences. Around them: [`config`] and
//! [`credentials`] go in, [`service`] is the API's client, [`store`] opens the database, [`status`] is what is told,
//! [`http`] serves it with the counts of [`meters`], [`daemon`] runs the stages, [`cli`] is what a user types, and
//! [`sandbox`] stands in for the service. [`stage`] is the one loop that the stages run in, with their heartbeat and
//! settings.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "numbers of tests are small"
    )
)]

pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod daemon;
pub mod exit;
pub mod housekeeping;
pub mod http;
pub mod ledger;
pub mod meters;
pub mod model;
pub mod net;
pub mod notify;
pub mod queue;
pub mod sandbox;
pub mod schedule;
pub mod service;
pub mod signature;
pub mod spool;
pub mod stage;
pub mod status;
pub mod store;
pub mod submit;
pub mod telemetry;
pub mod track;
pub mod words;
