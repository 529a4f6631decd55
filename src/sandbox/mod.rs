//! A local stand-in for the API, for trying prefetchd, for tests, and for the demo. It follows the service's rules as
//! VOD-API.md describes them: signature, timestamp, nonce, daily quota in either unit, rate, domains, tasks on an
//! accelerated clock. A scenario scripts faults and lies (docs/testing.md). `GET /_sandbox/account` shows what it
//! received.
//!
//! It shares no signing code with the client: both are checked against the same vectors, which an official SDK made.

mod account;
mod faults;
mod gateway;
mod operations;
mod scenario;
mod server;
mod signature;
mod tasks;

pub use account::{AccountView, CallView, DayView};
pub use scenario::{
    Account, Action, Answers, Change, ClockRules, DateLie, Domain, Fault, Foreign, Letters, Limits, OddTask,
    QuotaRules, QuotaUnit, Scenario, TaskRules,
};
pub use server::{Sandbox, serve};

/// The access key ID that the sandbox accepts unless a scenario sets another.
pub const ACCESS_KEY_ID: &str = "sandbox";

/// Its secret. It protects nothing: the sandbox runs on this machine and touches no real account.
pub const ACCESS_KEY_SECRET: &str = "sandbox-secret";
