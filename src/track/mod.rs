//! Stage 6, the tracker: follows the tasks of accepted submissions to their end. Owns the tables `tracks` and `tasks`.
//!
//! Accepted is not warm: a prefetch takes minutes and can fail at the origin, and the API forgets after three days. A look costs
//! few calls: how many of a batch's URLs are complete, how many failed, how many are listed. While these numbers agree with the
//! batch, nobody asks for single URLs but for those that failed. Where they do not (tasks that the service split, merged or
//! miscounted), the rows are read page by page and matched with the URLs that were sent.
//!
//! [`plan`] decides what a look says and when the next one comes, [`matching`] which row is which URL: both pure. The calls go
//! through a [`Desk`] of their own pace, never at the submitter's expense; the lookup of a lost answer goes through it too.
//!
//! A crash between two looks costs a look. What a look proves is written in one transaction.

mod book;
mod desk;
mod matching;
mod plan;
mod worker;

pub use book::{follow_tx, forget_tx, knows_task};
pub use desk::Desk;
pub use matching::{Fate, fates};
pub use plan::{Course, Seen, Verdict, first_look, next_look, verdict};
pub use worker::Tracker;
