//! What the daemon says about itself, and what it tells anyone who asks. Owns the tables `daemon` and `left_alone`.
//! Reads views; where those would be too slow (an export of all rows, a refused batch of one URL), the tables below
//! them.

mod away;
mod board;
mod books;
mod concerns;
mod daemons;
mod evidence;
mod file;
mod forecast;
mod goal;
mod invocation;
mod less;
mod lists;
mod lost;
mod namesake;
mod needs;
mod overview;
mod reasons;
mod report;
mod story;

pub use board::{Board, Health, sign_of_life, told_clock};
pub use books::{BookedCall, BookedUrl, Books, Happened};
pub use concerns::{Concerns, Doubts, concerns, doubts};
pub use daemons::{DaemonReport, Hosts};
pub use evidence::{Export, LineEvidence, RefusingFile, Wanted};
pub use file::{Blocked, FileHere, FilePage, FileStory, Found, LineSaid, Said, find};
pub use forecast::{ForecastReport, Forecasts, LaneForecast, Prospect, Risk, names, prospect, warm_time};
pub use goal::{Goal, Hold, Progress, Rejected, Verdict};
pub use invocation::Invocation;
pub use lists::{FileFilter, List, Rows, SubmissionFilter, UrlFilter, view_columns};
pub use namesake::Namesake;
pub use needs::Need;
pub use overview::{BatchReport, FilesAfter, HostReport, LaneDay, Overview, Spending};
pub use reasons::tell_in_chinese;
pub use report::{
    BudgetReport, FileReport, KeyReport, LaneReport, LearnedReport, LeftReport, OldestReport, PaceReport, RobotReport,
    StatusReport, WalReport, read_report,
};
pub use story::{Chapter, Story, StoryEvent};
