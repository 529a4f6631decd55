//! Stage 5, the ledger: the account book. Owns the tables `budget_days`, `submissions`, `account` and `facts`,
//! and the marker in the spool.
//!
//! A submission is opened in one short transaction (the day charged, nonce and time stored) and closed in another (the
//! answer, the tasks); in between the call is on its way. A crash in between leaves it open: it is charged, and
//! [`open_submissions`] finds it at the next start. A cost is given back only where the call cannot have reached the
//! operation.
//!
//! A submission whose answer never came stays open and charged, with its URLs leased, until its doubt is resolved
//! (`submit::doubt`).
//!
//! Invariant: `budget_days.requests_used` is the sum of `unbooked` and the costs of that day's submissions. It never
//! exceeds `requests_limit` as that was when the last of them was opened.

mod account;
mod book;
mod days;
mod flight;
mod learned;
mod mark;
mod marker;
mod pause;
mod product;
mod prune;
mod rates;

pub use account::{
    Fact, answered_tx, ask_at_once_tx, back_off_tx, clamp_waits_tx, forget_batch_limit_tx, forget_refusals_tx,
    go_on_tx, known_quota, note_accepted_tx, note_bad_rate_tx, note_fact_tx, paused_alone, probe_now_tx,
    proven_well_tx, resume_tx, say_drift_tx, say_urgent_tx, standing, stop_tx,
};
pub use book::{
    Closing, End, OpenSubmission, absent_tx, close_tx, doubt_tx, doubts, end_tx, last_accepted, last_opened,
    move_charge_tx, open_submissions, open_tx, send_again_tx, sent_since, set_aside, set_aside_tx,
};
pub use days::{
    Taught, charge_tx, confirm_tx, doubt_day_tx, enter_day_tx, exhaust_day_tx, forget_observation_tx, isolate_tx,
    observe_tx, raise_tx, refuse_for_quota_tx, spent, today,
};
pub use flight::{flight, in_flight, queue_had_room_tx, queue_is_judged_tx, queue_was_full_tx};
pub use learned::learned;
pub use mark::{Mark, heard, newest_marks, told};
pub use marker::{LastOpened, Marker, bear_witness, doubt_today_tx, reconcile};
pub use pause::{account_is_well_tx, pause_account_tx, pause_for_tx, pause_why, probe_at};
pub use product::{belong_tx, product_of};
pub use prune::{Outlived, forget_tx, outlived_tx};
pub use rates::{host_rates, note_host_rates_tx};
