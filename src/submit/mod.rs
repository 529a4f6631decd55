//! Stage 4, the submitter: takes what the scheduler lets go, and brings each batch to one of three outcomes.
//!
//! [`Submitter::step`] does one thing and says what; the loop around it only sleeps. A batch is opened in one short
//! transaction (the day charged, nonce and time written down, the URLs leased), sent, and closed in another. No
//! transaction is open across the call. A call whose answer never came, or a crash between the two, leaves an open
//! submission: it stays charged, its URLs stay leased, and `doubt` says what is tried until its end is known; other
//! URLs go on meanwhile. Tasks that are found end a doubt only if they fit the batch (`fit`): somebody else's may list
//! its URLs.

mod ask;
mod domains;
mod doubt;
mod fit;
mod look;
mod outcome;
mod queue_size;
mod reaction;
mod resolve;
mod send;
mod worker;

pub use ask::still_paused;
pub use doubt::{AfterReplay, Doubt, NextStep, after_replay, look_again_at, next_step};
pub use fit::{Fit, Listed, Span, first_missing, fits};
pub use outcome::Outcome;
pub use reaction::{Circumstances, Lesson, Reaction, found, give_up, react};
pub use worker::{Step, Submitter};
