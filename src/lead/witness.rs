//! A host as a witness of what was charged. It keeps the last charge of each lane that it hears or sees in the markers
//! of its own spool. If the server goes on in a history that lacks the last commits, as after a failover, the host
//! raises the days to what its markers know, before anything is charged in that history.

use std::collections::BTreeMap;
use std::io;

use strum::VariantArray as _;
use tracing::warn;

use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{self, Mark, Marker};
use crate::model::Lane;
use crate::service::policy;
use crate::store::{self, Store};

/// What a host knows as a witness.
#[derive(Debug)]
pub(super) struct Witness {
    markers: Vec<(Lane, Marker)>,
    /// The server's history at the last look, and the one in which the ledger was known to be complete. The database
    /// knows its markers there.
    followed: Option<(String, Option<String>)>,
    /// Why a marker cannot be written.
    fault: Option<String>,
    /// Charges that the database did not know and that were dealt with.
    judged: BTreeMap<Lane, Mark>,
}

impl Witness {
    pub(super) fn new(config: &Config) -> Self {
        let marker = |lane: &Lane| (*lane, Marker::in_spool(&config.spool.dir, *lane));
        Self {
            markers: Lane::VARIANTS.iter().map(marker).collect(),
            followed: None,
            fault: None,
            judged: BTreeMap::new(),
        }
    }

    /// Why this host cannot keep what it hears, and could not send either.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Tries whether all markers can be written: a host that cannot must not lead, since it could not send.
    pub(super) fn try_out(&mut self) {
        let tried = self.markers.iter_mut().try_for_each(|(_, marker)| marker.try_out());
        self.note(tried);
    }

    /// Whether the database knows its markers in this history.
    pub(super) fn has_followed(&self, epoch: &str) -> bool {
        self.followed.as_ref().is_some_and(|(followed, _)| followed == epoch)
    }

    /// Keeps a charge.
    pub(super) fn hear(&mut self, lane: Lane, mark: Mark) {
        let Some((_, marker)) = self.markers.iter_mut().find(|(of, _)| *of == lane) else { return };
        let heard = marker.hear(mark);
        self.note(heard);
    }

    fn note(&mut self, written: io::Result<()>) {
        let fault = written.err().map(|error| error.to_string());
        if let (Some(error), None) = (&fault, &self.fault) {
            warn!(error, "the spool's marker cannot be written: this host does not lead, and keeps no witness");
        }
        self.fault = fault;
    }

    /// What the markers know.
    pub(super) fn known(&self) -> Vec<(Lane, Mark)> {
        // An unreadable marker bears no witness.
        let read = |(lane, marker): &(Lane, Marker)| Some((*lane, marker.read().ok()??));
        self.markers.iter().filter_map(read).collect()
    }

    /// Compares what the markers knew with the newest charges in the database, which was asked after them. If they knew
    /// of a later one, it is an older copy: the day is raised and doubted, in whatever history of the server.
    pub(super) async fn compare(
        &mut self,
        known: Vec<(Lane, Mark)>,
        newest: &[(Lane, Mark)],
        (store, config, clock): (&Store, &Config, &Clock),
    ) -> store::Result<()> {
        for (lane, mark) in known {
            let is_known = newest.iter().any(|(of, last)| *of == lane && last.submission >= mark.submission);
            if is_known || self.judged.get(&lane) == Some(&mark) {
                continue;
            }
            if ledger::reconcile(store, &policy(config, lane), Some(mark), clock.now()).await? {
                let (action, requests) = (lane.word(), mark.requests);
                warn!(action, requests, "the server has lost charges, which this host's marker knows");
            }
            self.judged.insert(lane, mark);
        }
        Ok(())
    }

    /// The server's present history is this one, and the ledger's `complete_in` that one. If it has changed, the days
    /// are raised to what the markers know. Whoever leads waits for that, and then doubts the days.
    pub(super) async fn follow(
        &mut self,
        (epoch, complete_in): (&str, Option<&str>),
        (store, config, clock): (&Store, &Config, &Clock),
    ) -> store::Result<()> {
        let now = (epoch.to_owned(), complete_in.map(str::to_owned));
        // Kept until the days are raised, which may have to be tried again.
        let followed = self.followed.clone();
        let before = followed.as_ref().map(|(before, _)| before.as_str()).filter(|before| *before != epoch);
        let is_new = followed.as_ref() != Some(&now);
        let lacking = complete_in.filter(|complete| is_new && *complete != epoch);
        if let Some(before) = before.or(lacking) {
            warn!(epoch, before, "the server's history has changed, as by a failover: commits may be lost");
            for (lane, marker) in &self.markers {
                // An unreadable marker bears no witness; the day is doubted all the same.
                let Ok(mark) = marker.read() else { continue };
                if ledger::bear_witness(store, &policy(config, *lane), mark, clock.now()).await? {
                    let requests = mark.map(|mark| mark.requests);
                    warn!(
                        action = lane.word(),
                        requests, "the server has lost charges, which this host's marker knows"
                    );
                }
            }
        }
        self.followed = Some(now);
        Ok(())
    }
}
