//! The outcome of a batch, derived from the result of its call.

use std::fmt;

use strum::VariantNames as _;

use crate::model::{ReasonKind, TaskId, UrlState};
use crate::service::{Accepted, Class, Deferral, Fault, Refusal};
use crate::words;

const ACCEPTED: &str = "accepted";
const REFUSED: &str = "refused";

/// The outcome of a call: one of three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service accepted the batch.
    Accepted {
        /// Its tasks, at least one.
        tasks: Vec<TaskId>,
    },
    /// The batch may be sent again later.
    Deferred(Deferral),
    /// The service will not accept the batch as it is.
    Refused(Refusal),
}

impl Outcome {
    /// The outcome for what the service said.
    pub fn of(said: Result<&Accepted, &Fault>) -> Self {
        match said {
            Ok(accepted) => Self::Accepted { tasks: accepted.tasks.clone() },
            Err(fault) => match fault.class {
                Class::Deferred(deferral) => Self::Deferred(deferral),
                Class::Refused(refusal) => Self::Refused(refusal),
            },
        }
    }

    /// Every word that [`Outcome::word`] can return.
    pub fn words() -> Vec<&'static str> {
        [ACCEPTED, REFUSED].into_iter().chain(Deferral::VARIANTS.iter().copied()).collect()
    }

    /// Its word in `v_submissions`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => ACCEPTED,
            Self::Deferred(deferral) => deferral.into(),
            Self::Refused(_) => REFUSED,
        }
    }

    /// Whether it counts as an attempt of the batch's URLs: they may have caused the failure, or may have been
    /// accepted. Failures of the service or the account do not count.
    pub fn counts_as_attempt(&self) -> bool {
        match self {
            Self::Accepted { .. } | Self::Refused(_) => true,
            Self::Deferred(deferral) => matches!(
                deferral,
                Deferral::InDoubt
                    | Deferral::NonceUsed
                    | Deferral::Unavailable
                    | Deferral::DomainNotConfigured
                    | Deferral::Unknown
            ),
        }
    }

    /// Why the batch was not accepted; none if it was.
    pub fn reason(&self) -> Option<ReasonKind> {
        match self {
            Self::Accepted { .. } => None,
            Self::Deferred(deferral) => Some((*deferral).into()),
            Self::Refused(refusal) => Some((*refusal).into()),
        }
    }

    /// Whether nobody knows what became of it.
    pub fn is_in_doubt(&self) -> bool {
        matches!(self, Self::Deferred(Deferral::InDoubt | Deferral::NonceUsed))
    }

    /// The state of URLs that have no attempt left after a deferral.
    pub fn when_exhausted(&self) -> UrlState {
        match self {
            // The service never blamed the URL, so the operator decides.
            Self::Deferred(
                Deferral::Unknown
                | Deferral::Unavailable
                | Deferral::InDoubt
                | Deferral::NonceUsed
                | Deferral::BatchTooLarge
                | Deferral::MinuteFull
                | Deferral::UrlsMisplaced,
            ) => UrlState::Held,
            _ => UrlState::Failed,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str("accepted"),
            Some(kind) => f.write_str(&words::reason_kind(kind).en),
        }
    }
}

#[cfg(test)]
mod tests;
