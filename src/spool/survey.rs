//! A look through a file that is not dropped: what the spool would make of it, line by line. Changes nothing.

use std::io::{self, Read};
use std::sync::Arc;

use super::content::{Content, Unreadable};
use super::decode::{Text, decode};
use super::format::{Format, Item};
use crate::model::{ObjectUrl, UrlRules};
use crate::queue::Keys;

/// A file that cannot be looked through.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The spool would reject it.
    #[error("the spool would reject it: {0}")]
    NotUrls(String),
}

impl From<Unreadable> for SurveyError {
    fn from(error: Unreadable) -> Self {
        match error {
            Unreadable::Io(error) => Self::Io(error),
            Unreadable::NotUrls(why) => Self::NotUrls(why),
        }
    }
}

/// A file being looked through.
pub struct Survey {
    content: Content<Text>,
    refused: u64,
}

impl Survey {
    /// Reads the head of a file of this name.
    ///
    /// # Errors
    ///
    /// What reading says, or why the spool would reject it.
    pub fn open(file: impl Read + Send + 'static, name: &str, rules: UrlRules) -> Result<Self, SurveyError> {
        let (text, _) = decode(file, Arc::default())?;
        Ok(Self { content: Content::open(text, Format::of(name), rules)?, refused: 0 })
    }

    /// What the file's directives ask for.
    pub fn keys(&self) -> &Keys {
        self.content.keys()
    }

    /// Lines that were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The next `limit` URLs, with their keys where those are not the file's; fewer only at the end.
    ///
    /// # Errors
    ///
    /// What reading says.
    pub fn next_urls(&mut self, limit: usize) -> io::Result<Vec<(ObjectUrl, Option<Keys>)>> {
        let mut urls = Vec::new();
        while urls.len() < limit {
            match self.content.next_item()? {
                None => break,
                Some((Item::Url { url, keys, .. }, _)) => urls.push((url, keys)),
                Some((Item::Refused { .. }, _)) => self.refused += 1,
                Some((Item::Nothing, _)) => {}
            }
        }
        Ok(urls)
    }
}
