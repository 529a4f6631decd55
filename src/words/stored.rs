//! Reasons as they are stored: the code and its parameters, by which programs decide, and beside them the English text,
//! which views show.
//!
//! All three are made only here, from one value, and written by one statement, so that they agree. SQL could make the
//! text from a table of sentences, but each view would have to join it and fill in the parameters for each row.

use super::{config_problem, lead_problem, left_alone, order_fault, pause, reason, spool_problem, wait_of};
use crate::model::{ConfigProblem, Lane, LeadProblem, LeftWhy, OrderFault, PauseWhy, Reason, SpoolProblem, WaitWhy};

/// The stored form of a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The code, which never changes its meaning.
    pub code: String,
    /// The parameters as a JSON object; none if there are none.
    pub with: Option<String>,
    /// The text in English.
    pub text: String,
}

impl From<&Reason> for Stored {
    fn from(why: &Reason) -> Self {
        Self { code: why.kind.code().to_owned(), with: why.with(), text: reason(why).en.into_owned() }
    }
}

impl Stored {
    /// Why the submitter waits in a lane.
    pub fn of_wait(lane: Lane, why: &WaitWhy) -> Self {
        let (code, with) = why.stored();
        Self { code, with, text: wait_of(lane, why).en.into_owned() }
    }
}

impl From<&PauseWhy> for Stored {
    fn from(why: &PauseWhy) -> Self {
        Self { code: why.code().to_owned(), with: None, text: pause(why).en.into_owned() }
    }
}

impl From<LeftWhy> for Stored {
    fn from(why: LeftWhy) -> Self {
        Self { code: why.code().to_owned(), with: None, text: left_alone(why).en.into_owned() }
    }
}

impl From<&OrderFault> for Stored {
    fn from(fault: &OrderFault) -> Self {
        let (code, with) = fault.stored();
        Self { code, with, text: order_fault(fault).en.into_owned() }
    }
}

impl From<&SpoolProblem> for Stored {
    fn from(problem: &SpoolProblem) -> Self {
        let (code, with) = problem.stored();
        Self { code, with, text: spool_problem(problem).en.into_owned() }
    }
}

impl From<&LeadProblem> for Stored {
    fn from(problem: &LeadProblem) -> Self {
        let (code, with) = problem.stored();
        Self { code, with, text: lead_problem(problem).en.into_owned() }
    }
}

impl From<&ConfigProblem> for Stored {
    fn from(problem: &ConfigProblem) -> Self {
        let (code, with) = problem.stored();
        Self { code, with, text: config_problem(problem).en.into_owned() }
    }
}
