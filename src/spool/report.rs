//! Reads the report of a file's refused lines back, for the export that proves what became of each line.

use std::io::{self, BufRead, BufReader, Read as _};

use super::folders::{Folders, REFUSED, open_regular};

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its number in the file, from 1.
    pub line: i64,
    /// Why the line was refused, in words.
    pub reason: String,
    /// The line's text; invisible characters are escaped.
    pub text: String,
}

/// The refused lines of the file stored under this name, up to this byte of the report, which is how far it is
/// committed; none if there is no report.
///
/// # Errors
///
/// The report cannot be read; an error may also stand in place of a line.
pub fn refused_lines(
    folders: &Folders,
    stored_name: &str,
    committed_bytes: u64,
) -> io::Result<Option<impl Iterator<Item = io::Result<RefusedLine>> + use<>>> {
    let name = format!("{stored_name}{REFUSED}");
    let places = [folders.done.join(&name), folders.rejected.join(&name), folders.growing_report(stored_name)];
    for place in places {
        match open_regular(&place) {
            Ok(report) => return Ok(Some(lines(BufReader::new(report.take(committed_bytes))))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", place.display()))),
        }
    }
    Ok(None)
}

fn lines(report: impl BufRead) -> impl Iterator<Item = io::Result<RefusedLine>> {
    report.lines().filter_map(|line| match line {
        Ok(line) => parse(&line).map(Ok),
        Err(error) => Some(Err(error)),
    })
}

/// Parses a line of a report; none for its header. Reports of earlier versions have no column for the code.
fn parse(report: &str) -> Option<RefusedLine> {
    let mut columns = report.split('\t');
    let (line, reason, text) = (columns.next()?.parse().ok()?, columns.next()?, columns.next()?);
    Some(RefusedLine { line, reason: reason.to_owned(), text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, LineFault};
    use crate::spool::content::{REPORT_HEADER, report_line};

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let fault = Fault::from(LineFault::TwoUrls);
        let report = format!("{REPORT_HEADER}{}9\told words\ttext\n", report_line(7, &fault, b"a\tb\x1b\\"));
        let read: Vec<RefusedLine> = lines(report.as_bytes()).collect::<io::Result<_>>().unwrap();
        assert_eq!((read[0].line, &*read[0].text), (7, "a\\tb\\u{1b}\\\\"));
        assert!(read[0].reason.contains(" / "), "{read:?}");
        assert_eq!((read.len(), read[1].line, &*read[1].text), (2, 9, "text"));
    }
}
