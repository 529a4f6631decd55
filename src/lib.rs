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
//! They exchange the types of [`model`]; [`words`] has the sentences for users. Around them, [`config`] and
//! [`credentials`] are read at the start, [`service`] is the API's client, [`store`] opens the database, [`status`]
//! reports, [`page`] makes HTML of reports, [`http`] serves them and the counts of [`meters`], [`daemon`] runs the
//! stages, [`cli`] has the commands, and [`sandbox`] stands in for the service. [`stage`] has the loop in which all
//! stages run, with their heartbeat and settings.

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
pub mod lead;
pub mod ledger;
pub mod meters;
pub mod model;
pub mod net;
pub mod notify;
pub mod orders;
pub mod page;
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
