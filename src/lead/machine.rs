//! What to do about the lease; pure.
//!
//! Two clocks count, and neither is anybody's wall clock: the server's says whether a lease is over, and this host's
//! boot-time clock says how long it may act on one. The latter also runs while the process is stopped or the machine
//! suspended. Since a host acts for less long than its lease holds, counted from before it asked, it has stopped acting
//! before another host can take the lease, as long as both clocks run equally fast.

use std::time::Duration;

/// What the server says as long as it only follows another one: nothing can be written.
const IN_RECOVERY: &str = "recovery";

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// A lease, by the server's clock.
    pub lease: Duration,
    /// How long its holder acts after it asked for it or for its renewal, by its boot-time clock.
    pub acts: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// How often a host looks.
    pub look: Duration,
    /// How long a new leader waits for the witnesses when the server's history has changed.
    pub witnesses: Duration,
}

impl Default for Lengths {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { lease: seconds(15), acts: seconds(10), renew: seconds(5), look: seconds(1), witnesses: seconds(5) }
    }
}

/// What a look showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of the present or last lease.
    pub fence: i64,
    /// Who has or had it.
    pub holder: Option<String>,
    /// Whether nobody has it any more.
    pub is_free: bool,
    /// The history in which the ledger is known to be complete; none before the first lease.
    pub epoch: Option<String>,
    /// The server's present history.
    pub epoch_now: String,
    /// The policy of the holder.
    pub policy: Option<String>,
    /// Whether another host that lives has that policy.
    pub policy_lives: bool,
    /// How often somebody has committed something.
    pub changes: i64,
}

impl Seen {
    /// Whether the server takes writes.
    pub fn is_writable(&self) -> bool {
        self.epoch_now != IN_RECOVERY
    }
}

/// A lease that was just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub fence: i64,
    /// As of [`Seen::epoch`].
    pub epoch: Option<String>,
    /// As of [`Seen::epoch_now`].
    pub epoch_now: String,
}

/// A lease that this host holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lease {
    fence: i64,
    /// When it asked for it or for the last renewal, by its boot-time clock.
    asked_at: Duration,
}

/// What this host is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// Another host leads, or nobody.
    Following,
    /// It holds the lease. The server's history is another one since then, and the witnesses of what was charged in the
    /// one before are waited for.
    Waiting { lease: Lease, epoch: String, since: Duration },
    /// It leads: its stages run.
    Leading { lease: Lease, epoch: String },
    /// It leads no more. Its stages finish what they have begun.
    Leaving { fence: i64 },
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Nothing until the next look.
    Nothing,
    /// Take the lease.
    Take,
    /// Renew it.
    Renew {
        /// The lease.
        fence: i64,
        /// The history in which it holds.
        epoch: String,
    },
    /// Doubt what the day has cost, and go on in this history.
    Adopt {
        /// The lease.
        fence: i64,
        /// The history.
        epoch: String,
    },
    /// End the term.
    End,
    /// Give the lease back, because the stages have ended.
    Release {
        /// The lease.
        fence: i64,
    },
}

/// What concerns this host alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// Whether it may take the lease.
    pub may_take: bool,
    /// Whether it may keep it.
    pub may_keep: bool,
    /// Whether somebody has ended the term: a stage whose write was refused.
    pub is_over: bool,
    /// Whether the stages of the term have ended.
    pub has_ended: bool,
}

/// The state of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    lengths: Lengths,
    role: Role,
}

impl Machine {
    /// A host that has just started.
    pub fn new(lengths: Lengths) -> Self {
        Self { lengths, role: Role::Following }
    }

    /// The lease under which it leads, in which history of the server, and until when it acts.
    pub fn leads(&self) -> Option<(i64, &str, Duration)> {
        match &self.role {
            Role::Leading { lease, epoch } => Some((lease.fence, epoch, lease.asked_at + self.lengths.acts)),
            Role::Following | Role::Waiting { .. } | Role::Leaving { .. } => None,
        }
    }

    /// Whether it has the lease, as far as it knows.
    pub fn holds(&self) -> bool {
        self.acts_until().is_some()
    }

    /// Whether it has nothing to do with the lease.
    pub fn is_idle(&self) -> bool {
        self.role == Role::Following
    }

    /// Until when it acts, by its boot-time clock, if it holds the lease.
    pub fn acts_until(&self) -> Option<Duration> {
        match &self.role {
            Role::Waiting { lease, .. } | Role::Leading { lease, .. } => Some(lease.asked_at + self.lengths.acts),
            Role::Following | Role::Leaving { .. } => None,
        }
    }

    /// Decides at `now`, by the boot-time clock, what to do after a look, or after one that failed.
    pub fn decide(&self, seen: Option<&Seen>, own: Own, now: Duration) -> Act {
        let may_take = |seen: &Seen| own.may_take && seen.is_free && seen.is_writable();
        match &self.role {
            Role::Following if seen.is_some_and(may_take) => Act::Take,
            Role::Following => Act::Nothing,
            Role::Leaving { fence } if own.has_ended => Act::Release { fence: *fence },
            Role::Leaving { .. } => Act::Nothing,
            Role::Leading { lease, epoch } => {
                let has_moved = seen.is_some_and(|seen| seen.epoch_now != *epoch);
                if has_moved { Act::End } else { self.hold((*lease, epoch), seen, own, now) }
            }
            Role::Waiting { lease, epoch, since } => match self.hold((*lease, epoch), seen, own, now) {
                Act::Nothing if now >= *since + self.lengths.witnesses => {
                    Act::Adopt { fence: lease.fence, epoch: epoch.clone() }
                }
                act => act,
            },
        }
    }

    fn hold(&self, (lease, epoch): (Lease, &str), seen: Option<&Seen>, own: Own, now: Duration) -> Act {
        let is_anothers = seen.is_some_and(|seen| seen.fence != lease.fence);
        if own.is_over || !own.may_keep || is_anothers || now >= lease.asked_at + self.lengths.acts {
            Act::End
        } else if now >= lease.asked_at + self.lengths.renew {
            Act::Renew { fence: lease.fence, epoch: epoch.to_owned() }
        } else {
            Act::Nothing
        }
    }

    /// A look was made: a history that has changed again needs its own time for the witnesses.
    pub fn looked(&mut self, seen: &Seen, now: Duration) {
        if let Role::Waiting { epoch, since, .. } = &mut self.role
            && *epoch != seen.epoch_now
        {
            (*epoch, *since) = (seen.epoch_now.clone(), now);
        }
    }

    /// The lease was taken, having been asked for at `asked_at`.
    pub fn took(&mut self, taken: Taken, asked_at: Duration, now: Duration) {
        let lease = Lease { fence: taken.fence, asked_at };
        self.role = if taken.epoch.as_ref() == Some(&taken.epoch_now) {
            Role::Leading { lease, epoch: taken.epoch_now }
        } else {
            Role::Waiting { lease, epoch: taken.epoch_now, since: now }
        };
    }

    /// The lease was renewed, having been asked for at `asked_at`; or it is another host's.
    pub fn renewed(&mut self, is_renewed: bool, renewed_at: Duration) {
        match &mut self.role {
            Role::Waiting { lease, .. } | Role::Leading { lease, .. } if is_renewed => {
                lease.asked_at = lease.asked_at.max(renewed_at);
            }
            Role::Waiting { .. } | Role::Leading { .. } => self.ended(),
            Role::Following | Role::Leaving { .. } => {}
        }
    }

    /// The day is doubted and this history the ledger's.
    pub fn adopted(&mut self) {
        if let Role::Waiting { lease, epoch, .. } = &self.role {
            self.role = Role::Leading { lease: *lease, epoch: epoch.clone() };
        }
    }

    /// The term is over.
    pub fn ended(&mut self) {
        if let Role::Waiting { lease, .. } | Role::Leading { lease, .. } = &self.role {
            self.role = Role::Leaving { fence: lease.fence };
        }
    }

    /// The lease was given back, or that was tried: it ends by itself.
    pub fn released(&mut self) {
        self.role = Role::Following;
    }
}

#[cfg(test)]
mod tests;
