//! The types that stages hand to each other. Text is parsed into them once, at the edge, so that inside the program no
//! bare string means a URL and no bare integer means a day.

mod account_fault;
mod backoff;
mod day;
mod ids;
mod input_fault;
mod invisible;
mod keys;
mod lane;
mod lang;
mod left_why;
mod line_fault;
mod object_url;
mod order_fault;
mod priority;
mod problem;
mod reading;
mod reason;
mod state;
mod task_id;
mod text_encoding;
mod time;
mod wait_why;

pub use account_fault::AccountFault;
pub use backoff::Backoff;
pub use day::{BudgetDay, DayStart, TimeOfDay};
pub use ids::{FileId, HostId, OrderId, SubmissionId, UrlId};
pub use input_fault::{InputFault, KeyFault, Warned, Warning};
pub use invisible::trim_unseen;
pub use keys::Keys;
pub use lane::Lane;
pub use lang::{Lang, LangHints};
pub use left_why::LeftWhy;
pub use line_fault::{Fault, LineFault};
pub use object_url::{Notes, ObjectUrl, UrlRules};
pub use order_fault::OrderFault;
pub use priority::Priority;
pub use problem::{ConfigProblem, SpoolProblem};
pub use reading::Reading;
pub use reason::{Reason, ReasonKind};
pub use state::UrlState;
pub use task_id::{TaskId, parse_task_ids};
pub use text_encoding::TextEncoding;
pub use time::{Time, from_millis, rfc3339, to_millis};
pub use wait_why::{PauseWhy, Stopped, WaitWhy};
