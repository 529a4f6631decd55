//! The whole, by behaviour: through the built binary, against the sandbox.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "numbers of tests are small"
)]
#![expect(unreachable_pub, reason = "modules of a test binary share with each other only")]

mod answers;
mod both_engines;
mod bounded;
mod budget;
mod cases;
mod chaos;
mod cli;
mod clock;
mod crash;
mod database;
mod demo;
mod doubt;
mod end_to_end;
mod errors;
mod export;
mod flight;
mod forecast;
mod formats;
mod handover;
mod hang;

mod hosts;
mod housekeeping;
mod http;
mod isolation;
mod journeys;
mod key_files;
mod keys;
mod lane_faults;
mod lanes;
mod lanes_told;
mod language;
mod leading;
mod leaks;
mod lies;
mod lists;
mod members;
mod memory;
mod messages;
mod model;
mod monitoring;
mod names;
mod notify;
mod one_file;
mod orders;
mod output;
mod page;
mod pooled;
mod products;
mod purge;
mod purge_chain;
mod purge_held;
mod purge_limits;
mod quota;
mod readme;
mod receipts;
mod robots;
mod schema;
mod schema_postgres;
mod schemas;
mod server_trouble;
mod service;
mod several_hosts;
mod signature;
mod sources;
mod spool;
mod status;
mod structure;
mod stuck;
mod support;
mod sweep;
mod takeover;
mod tls;
mod track;
mod unproved;
mod upgrade;
mod wait;
mod warmth;
mod wishes;
mod wishes_model;
