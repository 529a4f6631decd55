//! Stage 2, the queue. Owns the tables `files`, `file_refusals`, `hosts`, `urls`, `tally`,
//! `cases`, `case_members` and `orders`.
//!
//! In the order of a URL's life: [`enqueue_tx`] by the spool, [`pick_tx`] and [`lease_tx`] by the submitter when it
//! opens a submission, [`settle_submitted_tx`] or [`release_tx`] when it closes it. Functions that end in `_tx` work
//! inside the caller's transaction, because they must be durable together with what the caller writes.
//!
//! Invariant: a URL is in exactly one state, and the counters of its file, its host and `tally` say the same, because
//! they change in the same transaction. A crash leaves either both or neither.

mod claim;
mod enqueue;
mod files;
mod hosts;
mod orders;
mod prune;
mod ready;
mod selection;
mod settle;
mod suspects;
mod tally;

pub use claim::{Batch, BatchUrl, lease_tx, leased_tx, pick_test_tx, pick_tx};
pub use enqueue::{Enqueued, Keys, NewUrl, enqueue_tx};
pub use files::{
    FileAccount, OpenFile, Phase, Progress, account, finish_tx, mark_read_tx, progress_tx, receipt_written_tx,
    register_tx, reject_tx, set_keys_tx, unfinished, without_final_receipt,
};
pub use hosts::{
    Host, HostStanding, blocked_host, has_unknown_hosts, hosts, hosts_are_well_tx, park_tx, retry_host_tx,
    set_standing_tx,
};
pub use orders::{ORDER_ROWS_MAX, Order, count_order_tx, prioritize_files_tx, record_order_tx};
pub use prune::prune_tx;
pub use ready::{Ready, Tidied, ready, tidy_tx};
pub use selection::Selection;
pub use settle::{Release, ReleaseTo, release_tx, settle_submitted_tx};
pub use suspects::{
    Evidence, Finding, batch_was_bad_tx, batch_was_good_tx, cases, explain_by_host_tx, hold_suspects_tx,
    resume_suspects_tx,
};
