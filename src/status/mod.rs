//! What the daemon says of itself, and what anyone is told who asks. Owns the table `daemon`; reads only views.

mod board;
mod forecast;
mod lists;
mod needs;
mod pulse;
mod report;

pub use board::{Board, Health};
pub use forecast::{ForecastReport, Prospect, Risk, names, prospect};
pub use lists::List;
pub use needs::Need;
pub use pulse::{Pulse, Sign};
pub use report::{BudgetReport, FileReport, OldestReport, PaceReport, StatusReport, WalReport, read_report};
