//! Stage 6, the tracker: follows the tasks of accepted submissions to their end. Owns the tables `tracks`, `tasks`,
//! `warmth_checks` and `warmth_cursor`.
//!
//! An accepted URL is not warm yet: a prefetch takes minutes and can fail at the origin, and the API forgets tasks
//! after three days. A look costs few calls: it asks how many of a batch's URLs are complete, how many failed and how
//! many are listed. While these numbers fit the batch, only failed URLs are asked for one by one. Where they do not fit
//! (the service split, merged or miscounted tasks), the rows are read page by page and matched with the URLs that were
//! sent.
//!
//! Where the product can be asked for tasks by ID, the rows of ten tasks come in one call, and prove the ends by
//! themselves (`by_id`); what they leave open is looked for in the list.
//!
//! `look` makes the calls of a look. `plan` decides what a look says and when the next one comes, `matching` which row
//! is which URL; both are pure. The calls have a pace of their own and never slow the submitter down.
//!
//! Absence of an answer is no answer: a URL whose end the service never tells, within the three days for which it lists
//! tasks, ends as `unconfirmed`, with the reason ([`Untold`]). Only the service's own word makes a URL `failed`.
//!
//! "Complete" is only what the service says, so [`Verifier`] asks for a sample of the completed URLs through the CDN,
//! slowly, and stores what the answers say about the cache.
//!
//! A crash between two looks costs one look. Everything that a look proves is written in one transaction.

mod address;
mod ask;
mod book;
mod by_id;
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
