//! Stage 1, the spool: dropped files become rows of the queue.
//!
//! A file is claimed by a rename from `incoming/` into `work/` and read line by line in chunks; each chunk is committed
//! together with the mark of how far the file has been read. Then the file moves to `done/` with its receipt; a file
//! that holds no URLs at all goes to `rejected/`. Every move is followed by an fsync of the folders. After a crash a
//! file is in `incoming/` (untouched), in `work/` (reading goes on at its mark), or in `done/` with everything
//! committed.
//!
//! inotify only says when to look; the periodic scan finds every file.

mod chunk;
mod claim;
mod content;
mod decode;
mod directives;
mod encoding;
mod envelope;
mod folders;
mod format;
mod grown;
mod head;
mod id;
mod identity;
mod incoming;
mod ingest;
mod kind;
mod lines;
mod members;
mod name;
mod order;
mod parts;
mod readiness;
mod reading;
mod receipt;
mod records;
mod report;
mod rules;
mod scan;
mod survey;
mod trouble;
mod unreadable;
mod warnings;
mod watch;
mod zstd_window;

pub use directives::check_options;
pub use envelope::{Options, options_line};
pub use folders::{APART, Folders, RECEIPT, REFUSED, open_regular, sync_folder};
pub use format::format_words;
pub use id::spool_id;
pub use name::{ADD_PREFIX, has_second_link, is_left_alone, is_own, stored_name};
pub use receipt::Receipt;
pub use report::{RefusedLine, refused_lines};
pub use rules::ReadRules;
pub use scan::Spool;
pub use survey::{Survey, SurveyError};
