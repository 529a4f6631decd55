//! Tells people about events: runs `[notify] command` for each, with one JSON object on its standard input.
//!
//! Whoever causes an event writes its notice in the same transaction ([`add_tx`]), so that a crash neither loses nor
//! invents one. This stage owns the table `notices`. It runs the command for one notice at a time, with a time limit,
//! and nothing waits for it.

mod event;
mod outbox;
mod robots;
mod runner;

pub use event::Event;
pub use outbox::{add_tx, finish_files_tx, missed_tx, near_deadlines_tx};
pub use robots::{RobotState, Robots, Typed, robot_states, try_robot};
pub use runner::Notifier;
