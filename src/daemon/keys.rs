//! Shows what is known about the key, on the notice board and in the metrics. When another key comes into use, resets
//! what was learned with the last one.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::credentials::{Generation, KeyState, Provider};
use crate::ledger;
use crate::meters::{self, Key};
use crate::model::rfc3339;
use crate::stage::Wakes;
use crate::status::Board;
use crate::store::{self, Store};

/// If the database could not be written, it is tried again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(5);

/// Follows the key.
#[derive(Debug)]
pub(super) struct KeyKeeper {
    pub(super) keys: Provider,
    pub(super) store: Arc<Store>,
    pub(super) board: Board,
    pub(super) wakes: Wakes,
}

impl KeyKeeper {
    /// Stores changes until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let keys = self.keys.clone();
        tokio::select! {
            () = keys.keep_renewed() => {}
            () = self.follow(shutdown) => {}
        }
    }

    async fn follow(self, shutdown: CancellationToken) {
        let mut settled = self.keys.state().generation;
        loop {
            let state = self.keys.state();
            meters::key(&Key {
                generation: state.generation.0,
                is_refused: state.refused.is_some(),
                is_in_trouble: state.trouble.is_some(),
                ends_at: state.ends_at,
            });
            let is_told = self.tell(&state, settled).await;
            if let Err(error) = &is_told {
                warn!(%error, "the state of the access key could not be stored; it is tried again");
            } else {
                settled = state.generation;
            }
            tokio::select! {
                () = self.keys.changed_from(&state) => {}
                () = tokio::time::sleep(SAY_AGAIN), if is_told.is_err() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Another key may do what the last one might not, so refusals are forgotten, and a paused account is probed at
    /// once.
    async fn tell(&self, state: &KeyState, settled: Generation) -> store::Result<()> {
        if state.generation != settled {
            let mut tx = self.store.write().await?;
            ledger::forget_refusals_tx(&mut tx).await?;
            ledger::ask_at_once_tx(&mut tx).await?;
            tx.commit().await?;
            self.wakes.may_go();
        }
        let until = state.ends_at.map(|at| format!(" (valid until {})", rfc3339(at))).unwrap_or_default();
        let source = format!("{}{until}", state.source);
        let problem = state.problem();
        self.board.key(&source, state.generation.0, state.problem_code().zip(problem.as_deref())).await
    }
}
