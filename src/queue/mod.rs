//! Stage 2, the queue. Owns the tables `files`, `file_refusals`, `file_warnings`, `file_warm`, `hosts`, `urls`,
//! `url_keys`, `tally`, `cases`, `case_members`, `orders` and `wishes`.
//!
//! The functions in the order of a URL's life: the spool calls [`enqueue`]; the submitter calls [`pick_tx`] and
//! [`lease_tx`] when it opens a submission, and [`settle_submitted_tx`] or [`release_tx`] when it closes it. Functions
//! that end in `_tx` work inside the caller's transaction, because they must be durable together with what the caller
//! writes. So do those that take SQLite's own handle, through [`crate::store::WriteTx::bulk`].
//!
//! A row belongs to a lane. A line of `purge+prefetch` is two rows: its prefetch waits until its purge is complete
//! (`chain`).
//!
//! Invariant: a URL is in exactly one state, and the counters of its file, its host and `tally` say the same, because
//! they change in the same transaction. A crash leaves either both or neither.

mod accounts;
mod census;
mod chain;
mod chunk_hosts;
mod claim;
mod endings;
mod enqueue;
mod existing;
mod files;
mod finished;
mod hosts;
mod journeys;
mod kept;
mod new_urls;
mod not_queued;
mod of_file;
mod order_records;
mod orders;
mod pending;
mod prune;
mod ready;
mod row_state;
mod rows;
mod seat;
mod selection;
mod settle;
mod stale;
mod strongest;
mod suspects;
mod tally;
mod watched;
mod wish_orders;
mod wishes;

pub use accounts::{
    FileAccount, MovingFile, accounts, accounts_of, effect_of, moving, receipts_written_tx, without_final_receipt,
};
pub use census::{Census, LaneLoad, census, failed, loads, loads_of, suspected};
pub use chain::Walk;
pub use claim::{Batch, BatchUrl, Room, lease_tx, leased_tx, pick_test_tx, pick_tx};
pub use endings::{Ending, SentUrl, complete_batch_tx, end_urls_tx, sent};
pub use enqueue::{Enqueued, enqueue};
pub use files::{
    ChunkRead, Content, NewFile, OpenFile, Phase, ReadBefore, Rejection, finish_tx, forget_mark, mark_read, progress,
    refused_if_all, register, reject, set_keys, unfinished,
};
pub use finished::{FinishedFile, NearDeadline, file_name_tx, finish_files_tx, has_finished_files, near_deadlines_tx};
pub use hosts::{
    Host, HostStanding, blocked_host, has_unknown_hosts, hosts, hosts_are_well_tx, park_tx, retry_host_tx,
    set_standing_tx,
};
pub use kept::{KeptFile, kept, kept_as, reopen_tx};
pub use new_urls::NewUrls;
pub use not_queued::{NotQueued, known};
pub use of_file::{Because, UnwellHost, reasons_of_file, unwell_hosts, warm_seconds};
pub use order_records::{
    Asker, DroppedAs, Owners, Progress, count_order_tx, dropped_order, finish_order_tx, order_progress, owners,
    record_done_order_tx, record_order_tx, refuse_order_tx,
};
pub use orders::{ORDER_ROWS_MAX, Order, in_order, prioritize_files_tx};
pub use pending::{Awaiting, Bounds, Pending, pending};
pub use prune::prune_tx;
pub use ready::{
    Tidied, awaits_purges, clamp_waits_tx, has_overlong_waits, ready, ready_in, settle_waiting_tx, tidy_tx,
};
pub use seat::Seat;
pub use selection::Selection;
pub use settle::{Release, ReleaseTo, purges_untold_tx, release_tx, settle_submitted_tx};
pub use suspects::{
    Evidence, Finding, batch_was_bad_tx, batch_was_good_tx, cases, explain_by_host_tx, hold_suspects_tx,
    resume_suspects_tx,
};
pub use watched::{begin_reading, deaths, last_url, not_died_tx, warn_of_foreign_hosts};
