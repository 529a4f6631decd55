//! Trouble with one file, which does not stop the others.

use std::io;

use super::ingest::Error;
use crate::model::SpoolProblem;

/// An error of the file system, as a problem of the spool.
pub(super) fn trouble_of(error: &io::Error) -> SpoolProblem {
    let said = error.to_string();
    match error.kind() {
        io::ErrorKind::CrossesDevices => SpoolProblem::OtherMount { said },
        _ => SpoolProblem::Unusable { said },
    }
}

/// Keeps the first trouble with a file and goes on; trouble with the database ends the pass.
pub(super) fn aside(
    before: Result<(), SpoolProblem>,
    now: Result<(), Error>,
) -> Result<Result<(), SpoolProblem>, Error> {
    match now {
        Err(Error::Store(error)) => Err(error.into()),
        Err(Error::Io(error)) => Ok(before.and(Err(trouble_of(&error)))),
        Ok(()) => Ok(before),
    }
}
