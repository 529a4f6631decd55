//! What is ready to be sent, as a decision needs to know it. The queue reads it.

use crate::model::Time;

/// The head of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// URLs ready now, counted up to the limit that was asked for.
    pub urls: u32,
    /// Urgent ones among them.
    pub urgent: u32,
    /// Of them, those whose host may not be sent: they are parked first.
    pub blocked: u32,
    /// Suspects that may be tested.
    pub suspects: u32,
    /// Urgent ones among them.
    pub urgent_suspects: u32,
    /// Suspects that are held, because the day's requests for isolation were spent.
    pub held_suspects: u32,
    /// Pending URLs of hosts that may not be sent.
    pub parked: u64,
    /// Whether there are parked URLs of hosts that may be sent again.
    pub unparkable: bool,
    /// When the one that has waited longest was dropped.
    pub oldest_at: Option<Time>,
    /// The earliest deadline among them.
    pub deadline: Option<Time>,
    /// When the next one that is not ready will be.
    pub next_at: Option<Time>,
    /// When the next pending one expires.
    pub expires_at: Option<Time>,
}
