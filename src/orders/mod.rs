//! Orders to `cancel`, `prioritize` and `retry`: what they are about, and how the daemon carries out those of members
//! of the group, who may not write the database.
//!
//! A member's order is a file in the spool's `orders/`, a JSON object ([`Written`]). Its owner, as the file system
//! knows him, may change URLs of the files that he dropped, and nothing else. [`Clerk`] carries it out and removes the
//! file. The table `orders` has what became of it. A crash in between loses nothing: the file is still there, the
//! order's row says that it was begun, and what was done already is found done.

mod folder;
mod perform;
mod quiet;
mod users;
mod worker;
mod written;

pub use folder::{Tray, drop_order};
pub use perform::{begin_tx, domain, look};
pub use users::named;
pub use worker::Clerk;
pub use written::Written;
