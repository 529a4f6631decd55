//! What the daemon says of itself, and what anyone is told who asks. Owns the table `daemon`; reads only views.

mod board;
mod lists;
mod pulse;
mod report;

pub use board::{Board, Health};
pub use lists::List;
pub use pulse::{Pulse, Sign};
pub use report::{BudgetReport, FileReport, StatusReport, read_report};
