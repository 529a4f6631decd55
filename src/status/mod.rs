//! What the daemon says of itself, and what anyone is told who asks. Owns the table `daemon`; reads only views.

mod board;
mod concerns;
mod lists;
mod report;

pub use board::{Board, Health};
pub use concerns::{Concerns, concerns};
pub use lists::List;
pub use report::{BudgetReport, FileReport, StatusReport, read_report};
