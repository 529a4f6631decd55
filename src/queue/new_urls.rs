//! The checked lines of a chunk in compact form; the spool hands them over and the queue adds them.

use std::sync::Arc;

use crate::model::{Action, Keys, Lane, ObjectUrl};

/// Checked lines of one file, in the file's order. Their URLs share one string, so that a hundred thousand of them cost
/// only their bytes and the memory can be reused.
#[derive(Debug, Default)]
pub struct NewUrls {
    text: String,
    pub(super) rows: Vec<NewRow>,
}

#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) key: i64,
    pub(super) line: u64,
    at: u32,
    bytes: u32,
    host_at: u8,
    host_bytes: u8,
    /// The line's own keys, where they differ from its file's.
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) lane: Lane,
    /// It is the purge of the URL that comes next.
    pub(super) first_step: bool,
    /// The URL that comes before it is its purge.
    pub(super) after_purge: bool,
}

impl NewUrls {
    /// Adds the URL of a line that asks for `action`, with its `keys` where they differ from its file's.
    ///
    /// # Panics
    ///
    /// When the text exceeds 4 GiB; chunks are bounded far below that.
    pub fn push(&mut self, line: u64, url: &ObjectUrl, action: Action, keys: Option<Arc<Keys>>) {
        let narrow = |n: usize| u32::try_from(n).expect("a chunk's text is bounded");
        let host = url.host_range();
        let [host_at, host_bytes] =
            [host.start, host.len()].map(|n| u8::try_from(n).expect("a domain has 253 bytes at most"));
        let (at, bytes) = (narrow(self.text.len()), narrow(url.as_str().len()));
        let row = |lane: Lane, first_step, after_purge, keys| {
            let key = url.key(lane);
            NewRow { key, line, at, bytes, host_at, host_bytes, keys, lane, first_step, after_purge }
        };
        if action.purges_first() {
            self.rows.push(row(Lane::Purge, true, false, keys.clone()));
        }
        self.rows.push(row(action.lane(), false, action.purges_first(), keys));
        self.text.push_str(url.as_str());
    }

    /// How many rows they are: a line that is purged and then prefetched is two.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of text.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Removes all lines but keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
    }

    pub(super) fn url(&self, row: &NewRow) -> &str {
        &self.text[row.at as usize..(row.at + row.bytes) as usize]
    }

    pub(super) fn host(&self, row: &NewRow) -> &str {
        &self.url(row)[usize::from(row.host_at)..usize::from(row.host_at) + usize::from(row.host_bytes)]
    }

    /// Positions in the order of keys; lines with the same URL are neighbours, in the file's order.
    pub(super) fn in_key_order(&self) -> Vec<u32> {
        let mut order: Vec<(i64, u32)> = (0..).zip(&self.rows).map(|(at, row)| (row.key, at)).collect();
        order.sort_unstable();
        for same in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            same.sort_by_key(|(_, at)| (self.url(&self.rows[*at as usize]), self.rows[*at as usize].lane, *at));
        }
        order.into_iter().map(|(_, at)| at).collect()
    }
}
