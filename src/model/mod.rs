//! The words that the stages hand to each other: parsed once at the edge, so that inside no bare string
//! means a URL and no bare integer means a day.

mod day;
mod ids;
mod object_url;
mod priority;
mod state;
mod task_id;
mod time;

pub use day::{BudgetDay, DayStart, TimeOfDay};
pub use ids::{FileId, HostId, OrderId, SubmissionId, UrlId};
pub use object_url::{ObjectUrl, Refusal, UrlRules};
pub use priority::Priority;
pub use state::UrlState;
pub use task_id::{TaskId, parse_task_ids};
pub use time::{Time, from_millis, rfc3339, to_millis};
