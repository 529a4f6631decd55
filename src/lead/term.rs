//! The time for which a host leads.

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::store::Fence;

/// A host leads from now on. Whoever receives this runs the leader's stages until [`Term::over`], and drops it once
/// they have ended: only then may another term begin.
#[derive(Debug)]
pub struct Term {
    fence: Option<Fence>,
    over: CancellationToken,
    _held: Option<oneshot::Sender<()>>,
}

impl Term {
    /// The term of this lease; and what resolves when its stages have ended.
    pub(super) fn of(fence: Fence) -> (Self, oneshot::Receiver<()>) {
        let (held, ended) = oneshot::channel();
        (Self { over: fence.over().clone(), fence: Some(fence), _held: Some(held) }, ended)
    }

    /// The lease; none where the database is a file.
    pub fn fence(&self) -> Option<&Fence> {
        self.fence.as_ref()
    }

    /// Cancelled when the stages should end.
    pub fn over(&self) -> &CancellationToken {
        &self.over
    }
}

/// The one term of a host whose database is a file. It is over when the daemon stops.
pub fn for_ever(over: CancellationToken) -> mpsc::Receiver<Term> {
    let (sender, terms) = mpsc::channel(1);
    sender.try_send(Term { fence: None, over, _held: None }).expect("there is room for one");
    terms
}
