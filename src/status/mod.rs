//! What the daemon says of itself, and what anyone is told who asks. Owns the table `daemon`; reads only views.

mod board;
mod evidence;
mod lists;
mod report;

pub use board::{Board, Health};
pub use evidence::{Evidence, Export, Wanted};
pub use lists::List;
pub use report::{BudgetReport, FileReport, StatusReport, read_report};
