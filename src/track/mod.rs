//! Stage 6, the tracker: follows the tasks of accepted submissions to their end. Owns the tables `tracks` and `tasks`,
//! and of the warmth check `warmth_checks` and `warmth_cursor`.
//!
//! Accepted is not warm: a prefetch takes minutes and can fail at the origin, and the API forgets after three days. A
//! look costs few calls: how many of a batch's URLs are complete, how many failed, how many are listed. While these
//! numbers agree with the batch, nobody asks for single URLs but for those that failed. Where they do not (tasks that
//! the service split, merged or miscounted), the rows are read page by page and matched with the URLs that were sent.
//!
//! `look` makes the calls of a look. `plan` decides what a look says and when the next one comes, `matching` which row
//! is which URL: both pure. The calls have a pace of their own, never at the submitter's expense.
//!
//! Absence of an answer is no answer: what the service never tells within the three days for which it lists tasks ends
//! as `unconfirmed`, with the reason ([`Untold`]); only the service's own word makes a URL `failed`.
//!
//! Complete is only what the service says: a sample of the completed URLs is asked for through the CDN ([`Verifier`]),
//! slowly, and what the answers say of the cache is written down.
//!
//! A crash between two looks costs a look. What a look proves is written in one transaction.

mod address;
mod ask;
mod book;
mod checks;
mod look;
mod matching;
mod plan;
mod room;
mod untold;
mod verify;
mod warmth;
mod worker;

pub use book::{clamp_looks_tx, follow_tx, forget_tx, urls_of_task};
pub use matching::{Fate, Fates, Patience, bare, fates};
pub use plan::{Course, Progress, Seen, first_look, next_look, progress};
pub use room::Room;
pub use untold::Untold;
pub use verify::Verifier;
pub use warmth::{Headers, Verdict, Warmth, is_sampled};
pub use worker::{Step, Tracker};
