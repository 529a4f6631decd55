//! What all stages share: the loop ([`run`]), the heartbeat ([`Heartbeat`]), their names, the bells by which they wake
//! each other ([`Wakes`]), and the settings that a reload changes.
//!
//! A [`Stage`] is a step function. Between two steps the loop around it takes over a reload and waits as long as the
//! step asked for, unless something wakes the stage. It backs off while the database cannot be used, and ends when the
//! daemon stops. The stage's [`Pulse`] says that it moves; a stage announces to it whatever may take long. A crash
//! loses nothing, because none of this is stored.

mod heartbeat;
mod name;
mod run;
mod settings;
mod sign;
mod wakes;

pub use heartbeat::{Heartbeat, Late, Pulse};
pub use name::Name;
pub use run::{Retry, Stage, Then, Tools, look_again, run};
pub use settings::{Live, Settings};
pub use sign::{LostSince, Sign, Trouble};
pub use wakes::Wakes;
