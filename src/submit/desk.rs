//! What the submitter keeps of each lane, and whose turn it is.

use std::path::Path;

use strum::VariantArray as _;

use crate::config::Config;
use crate::ledger::{LastOpened, Marker};
use crate::model::{BudgetDay, Lane, SubmissionId};
use crate::queue::LaneLoad;
use crate::schedule::{HostRooms, Policy};
use crate::service::policy;

/// A lane at the submitter.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) policy: Policy,
    pub(super) marker: Marker,
    /// The submission that was opened last, as far as this process knows.
    pub(super) last_opened: LastOpened,
    /// The day that was reported as longer than usual.
    pub(super) long_day: Option<BudgetDay>,
    /// How many URLs may go of domains whose minutes have a limit, as of this step.
    pub(super) rooms: HostRooms,
    /// Questions about the quota in a row that brought nothing.
    pub(super) quota_failures: u32,
}

impl Desk {
    fn new(config: &Config, lane: Lane) -> Self {
        Self {
            policy: policy(config, lane),
            marker: Marker::in_spool(&config.spool.dir, lane),
            last_opened: LastOpened::default(),
            long_day: None,
            rooms: HostRooms::new(),
            quota_failures: 0,
        }
    }

    /// The desk of prefetching, and those of the other lanes.
    pub(super) fn all(config: &Config) -> (Self, Vec<Self>) {
        let others = Lane::VARIANTS.iter().filter(|lane| **lane != Lane::Prefetch);
        (Self::new(config, Lane::Prefetch), others.map(|lane| Self::new(config, *lane)).collect())
    }
}

/// The last submission that any lane's marker knows; one that cannot be read is noticed when it is written.
pub(super) fn last_marked(spool: &Path) -> SubmissionId {
    let marks = Lane::VARIANTS.iter().filter_map(|lane| Marker::in_spool(spool, *lane).read().ok().flatten());
    marks.map(|mark| mark.submission).max().unwrap_or(SubmissionId(0))
}

/// The lanes in the order in which they are asked whether they can send: those whose urgent URLs may go first, and the
/// one that sent last behind the others. Prefetching is always asked, the others while they have something to do: also
/// while suspects are held until the next day, or a pause of their own is to be tested.
pub(super) fn turns(loads: &[LaneLoad], paused_alone: &[Lane], sent_last: Option<Lane>) -> Vec<Lane> {
    let has_work = |load: &LaneLoad| load.pending + load.leased > 0 || load.held_suspects;
    let has_a_turn =
        |load: &&LaneLoad| load.lane == Lane::Prefetch || has_work(load) || paused_alone.contains(&load.lane);
    let mut turns: Vec<&LaneLoad> = loads.iter().filter(has_a_turn).collect();
    turns.sort_by_key(|load| (!load.urgent, sent_last == Some(load.lane), load.lane));
    turns.into_iter().map(|load| load.lane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_goes_first_and_otherwise_lanes_take_turns() {
        let load = |lane, pending, urgent| LaneLoad { lane, pending, urgent, leased: 0, held_suspects: false };
        let idle = load(Lane::PurgeDirectory, 0, false);
        let both = [load(Lane::Prefetch, 9, false), load(Lane::Purge, 2, false), idle];
        assert_eq!(turns(&both, &[], None), [Lane::Prefetch, Lane::Purge]);
        assert_eq!(turns(&both, &[], Some(Lane::Prefetch)), [Lane::Purge, Lane::Prefetch]);
        let urgent = [load(Lane::Prefetch, 9_000_000, false), load(Lane::Purge, 1, true), idle];
        assert_eq!(turns(&urgent, &[], Some(Lane::Purge)), [Lane::Purge, Lane::Prefetch]);
        assert_eq!(
            turns(&[load(Lane::Prefetch, 0, false), load(Lane::Purge, 0, false), idle], &[], None),
            [Lane::Prefetch]
        );
        let in_doubt = [load(Lane::Prefetch, 0, false), LaneLoad { leased: 7, ..load(Lane::Purge, 0, false) }];
        assert_eq!(turns(&in_doubt, &[], None), [Lane::Prefetch, Lane::Purge]);
        let held = [load(Lane::Prefetch, 0, false), LaneLoad { held_suspects: true, ..load(Lane::Purge, 0, false) }];
        assert_eq!(turns(&held, &[], None), [Lane::Prefetch, Lane::Purge]);
        let all = [load(Lane::Prefetch, 0, false), load(Lane::Purge, 0, false), idle];
        assert_eq!(turns(&all, &[Lane::PurgeDirectory], None), [Lane::Prefetch, Lane::PurgeDirectory]);
    }
}
