//! Metrics and health over HTTP, for whoever watches: `/metrics`, `/healthz`, `/readyz`, `/status`. Off unless `[http]
//! listen` says where.
//!
//! Beside the pipeline: nothing here changes anything but the note on the board that says why nobody can be served.
//! What is answered is read through connections that only read, at most once a second for all who ask (`desk`), so
//! that scraping cannot load the database; `metrics` puts it on a page. Clients are not trusted (`server`): so many
//! connections at a time (`guests`), so long for a request and for all of it, so many bytes of it, no body is read,
//! and a page answers to its own names alone (`access`).

mod access;
mod desk;
mod guests;
mod health;
mod metrics;
mod server;

pub use server::Server;
