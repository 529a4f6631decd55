//! Looks through a file that is not dropped: what the spool would make of it, line by line. Changes nothing.

use std::io::{self, Read};
use std::sync::Arc;

use super::content::Content;
use super::decode::{Decoded, Source, Text, decode};
use super::format::{Format, Item};
use super::rules::ReadRules;
use super::unreadable::Unreadable;
use crate::model::{Fault, InputFault, Keys, ObjectUrl, Warned};
use crate::words;

/// Why a file cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The spool would reject it.
    #[error("the spool would reject it: {}", words::input_fault(.0).en)]
    NotUrls(InputFault),
}

impl From<Unreadable> for SurveyError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(error) => Self::Io(error),
            Unreadable::NotUrls(why) => Self::NotUrls(why),
        }
    }
}

/// A file that is being looked through.
pub struct Survey {
    content: Content<Text>,
    source: Source,
    refused: u64,
    /// The first line refused for each reason, and how many there are.
    reasons: Vec<(u64, Fault, u64)>,
    /// URLs that were read but not returned, because reading failed after them.
    before_failure: usize,
}

impl Survey {
    /// Reads the head of a file of this name.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or the spool would reject it.
    pub fn open(
        file: impl Read + Send + 'static,
        name: &str,
        rules: impl Into<ReadRules>,
    ) -> Result<Self, SurveyError> {
        let Decoded { text, options, source } = decode(file, Arc::default())?;
        let content = Content::open(text, Format::of(name), rules.into(), &options, None);
        let content = content.map_err(|error| match error {
            Unreadable::Io(error) => source.fault(error, 0),
            other @ Unreadable::NotUrls(_) => other,
        })?;
        Ok(Self { content, source, refused: 0, reasons: Vec::new(), before_failure: 0 })
    }

    /// What the file's directives ask for.
    pub fn keys(&self) -> &Keys {
        self.content.keys()
    }

    /// How many lines were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The first line that was refused for each reason, with its number, and how many lines were.
    pub fn reasons(&self) -> &[(u64, Fault, u64)] {
        &self.reasons
    }

    /// How many URLs [`Self::next_urls`] had read when it failed.
    pub fn urls_before_failure(&self) -> usize {
        self.before_failure
    }

    /// Takes the warnings collected since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warned> {
        self.content.take_warnings()
    }

    /// Why a file in which no line is a URL would be rejected.
    pub fn no_urls(&self) -> InputFault {
        match self.refused {
            0 => InputFault::Empty,
            lines => {
                InputFault::NoUrls { lines, first: self.reasons.first().map(|(line, fault, _)| (*line, fault.clone())) }
            }
        }
    }

    /// The next `limit` URLs, with their keys where these differ from the file's. Returns fewer only at the end.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or its packed data is damaged; the lines before the damage still count.
    pub fn next_urls(&mut self, limit: usize) -> Result<Vec<(ObjectUrl, Option<Keys>)>, SurveyError> {
        let mut urls = Vec::new();
        while urls.len() < limit {
            let item = self.content.next_item().map_err(|error| {
                self.before_failure = urls.len();
                self.source.fault(error, self.content.lines_read())
            });
            match item? {
                None => break,
                Some((Item::Url { url, keys, .. }, _)) => urls.push((url, keys)),
                Some((Item::Refused { line, fault, .. }, _)) => {
                    self.refused += 1;
                    match self.reasons.iter_mut().find(|(_, known, _)| known.kind == fault.kind) {
                        Some((_, _, lines)) => *lines += 1,
                        None => self.reasons.push((line, fault, 1)),
                    }
                }
                Some((Item::Nothing, _)) => {}
            }
        }
        Ok(urls)
    }
}
