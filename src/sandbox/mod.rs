//! A local stand-in for the API, for trying prefetchd, for tests, and for the demo. It follows the rules of three
//! products as VOD-API.md and SIBLING-APIS.md describe them, each with an account of its own: signature, timestamp,
//! nonce, daily quota in either unit, rate, domains, purges, tasks on an accelerated clock. A scenario scripts faults
//! and lies (docs/testing.md). `GET /_sandbox/account` shows what it received, `/_sandbox/tasks` what
//! became of it.
//!
//! It shares no table of products and no signing code with the client. How both sign is checked against the same
//! vectors, which an official SDK made.

mod account;
mod faults;
mod gateway;
mod operations;
mod product;
mod scenario;
mod server;
mod signature;
mod tasks;

pub use account::{AccountView, CallView, Counts, DayView, MeterView, TaskView};
pub use scenario::{
    Account, Action, Answers, Change, ClockRules, DateLie, Domain, Fault, Foreign, Letters, Limits, OddTask,
    PurgeRules, QuotaRules, QuotaUnit, Scenario, TaskRules,
};
pub use server::{Sandbox, serve};

/// The access key ID that the sandbox accepts unless a scenario sets another.
pub const ACCESS_KEY_ID: &str = "sandbox";

/// Its secret. It protects nothing: the sandbox runs on this machine and touches no real account.
pub const ACCESS_KEY_SECRET: &str = "sandbox-secret";
