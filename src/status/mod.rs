//! What the daemon says of itself, and what anyone is told who asks. Owns the table `daemon`; reads only views.

mod board;
mod lists;
mod report;
mod story;

pub use board::{Board, Health};
pub use lists::{FileFilter, List, Rows, SubmissionFilter, UrlFilter};
pub use report::{BudgetReport, FileReport, StatusReport, read_report};
pub use story::{Chapter, Moment, Story};
