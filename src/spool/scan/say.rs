//! What the spool puts on the board: what keeps files from being taken, and what has been left alone for long.

use std::time::{Instant, SystemTime};

use tracing::{info, warn};

use super::{Left, NOT_CLAIMED_FOR, Spool};
use crate::model::SpoolProblem;
use crate::spool::incoming::SCAN_EVERY;
use crate::spool::ingest::Error;
use crate::{store, words};

impl Spool {
    /// The problem that keeps some file from being taken.
    pub(super) fn what_ails(&self) -> Option<SpoolProblem> {
        let lately = self.not_claimed.as_ref().filter(|(at, _)| at.elapsed() < NOT_CLAIMED_FOR);
        self.trouble.clone().or_else(|| lately.map(|(_, why)| why.clone()))
    }

    /// Reports what has been left alone for an hour, when that has changed.
    pub(super) async fn say_left(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.left_at > now {
            return Ok(());
        }
        self.left_at = now + SCAN_EVERY;
        let left = self.incoming.left(SystemTime::now());
        let left: Left = left.into_iter().map(|(name, why, since)| (name, why, since.into())).collect();
        if self.left.as_ref() != Some(&left) {
            self.board.left_alone(&left).await?;
            self.left = Some(left);
        }
        Ok(())
    }

    /// Reports a problem, or that there is none any more, once: in the log and on the board.
    pub(super) async fn say(&mut self, problem: Option<SpoolProblem>) -> store::Result<()> {
        if self.problem != problem {
            match &problem {
                Some(problem) => {
                    let problem = words::spool_problem(problem).en;
                    warn!(%problem, "not every file can be taken for now; it is tried again");
                }
                None => info!("the spool can be used again"),
            }
            self.problem.clone_from(&problem);
            self.on_board = false;
        }
        // The database may be the problem: the board is told as soon as it can be.
        if !self.on_board {
            self.board.spool_problem(self.pulse.name(), problem).await?;
            self.on_board = true;
        }
        Ok(())
    }
}
