//! Metrics and health over HTTP, for monitoring: `/metrics`, `/healthz`, `/readyz`, `/status`. Off unless `[http]
//! listen` is set. With `[http] pages`, pages for people too (`pages`; the HTML is made in [`crate::page`]).
//!
//! It stands beside the pipeline and changes nothing, except the note on the board that says why it cannot serve. Pages
//! are read through read-only connections, at most once a second for all who ask (`desk`), so that scraping cannot load
//! the database; `metrics` formats one of them. Clients are not trusted (`server`): the number of connections is
//! bounded (`guests`), as is the time for a request and for the whole connection, and the size of a request; no body is
//! read, and a page answers only to its own names (`access`).

mod access;
mod desk;
mod guests;
mod health;
mod metrics;
mod pages;
mod route;
mod served;
mod server;

pub use server::Server;
