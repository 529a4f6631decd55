//! What all stages share: the one loop ([`run`]), the one heartbeat ([`Heartbeat`]), their names, the bells by which
//! they wake each other ([`Wakes`]), and the settings that a reload changes.
//!
//! A [`Stage`] is a step function. The loop around it takes a reload over between two steps, waits as long as the step
//! says unless something wakes the stage, spaces the tries while the database cannot be used, and ends when the daemon
//! stops. The stage's [`Pulse`] says that it moves; whatever may keep it busy for longer is announced to the pulse
//! first. A crash between two steps loses nothing of this: none of it is kept.

mod heartbeat;
mod name;
mod run;
mod settings;
mod sign;
mod wakes;

pub use heartbeat::{Heartbeat, Late, Pulse};
pub use name::Name;
pub use run::{Retry, Stage, Then, Tools, run};
pub use settings::{Live, Settings};
pub use sign::{LostSince, Sign};
pub use wakes::Wakes;
