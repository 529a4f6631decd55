//! What is ready to be sent, for a decision. The queue reads it.

use crate::model::Time;

/// The head of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// URLs ready now, counted up to the given limit.
    pub urls: u32,
    /// Urgent ones among them.
    pub urgent: u32,
    /// Of the urgent ones, those whose host is blocked: they are parked first.
    pub blocked: u32,
    /// Suspects that may be tested.
    pub suspects: u32,
    /// Urgent ones among them.
    pub urgent_suspects: u32,
    /// Suspects that are held because the day's requests for isolation were spent.
    pub held_suspects: u32,
    /// Pending URLs of blocked hosts.
    pub parked: u64,
    /// Whether there are parked URLs of hosts that are no longer blocked.
    pub unparkable: bool,
    /// Prefetches that wait for their purge, counted up to the given limit.
    pub awaits_purge: u32,
    /// URLs that are ready, but of domains whose minute is full, counted up to the given limit.
    pub minute_full: u32,
    /// When the first of these domains may go on.
    pub minute_at: Option<Time>,
    /// The least that one of them takes in a minute.
    pub minute_limit: u32,
    /// When the one that has waited longest was dropped.
    pub oldest_at: Option<Time>,
    /// The earliest deadline among them.
    pub deadline: Option<Time>,
    /// When the next URL becomes ready.
    pub next_at: Option<Time>,
    /// When the next pending URL expires.
    pub expires_at: Option<Time>,
}
