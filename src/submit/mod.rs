//! Stage 4, the submitter: takes the batches that the scheduler releases, and brings each to one of three outcomes.
//!
//! [`Submitter::step`] does one thing and says what; the loop around it only sleeps. A batch is opened in one short
//! transaction (the day charged, nonce and time stored, the URLs leased), sent, and closed in another. No transaction
//! is open during the call. If the answer never comes, or the daemon crashes in between, the submission stays open: it
//! is charged and its URLs are leased. `doubt` decides what to try until its end is known, and other URLs go on
//! meanwhile. Tasks that are found end a doubt only if they fit the batch (`fit`), because somebody else's tasks may
//! list its URLs.

mod ask;
mod chores;
mod desk;
mod domains;
mod doubt;
mod fit;
mod host_rate;
mod look;
mod outcome;
mod queue_size;
mod reaction;
mod resolve;
mod send;
mod tell;
mod worker;

pub use ask::still_paused;
pub use doubt::{AfterReplay, Doubt, NextStep, after_replay, look_again_at, next_step};
pub use fit::{Fit, Listed, Span, first_missing, fits};
pub use outcome::Outcome;
pub use reaction::{Circumstances, Lesson, Reaction, found, give_up, react};
pub use worker::{Step, Submitter};
