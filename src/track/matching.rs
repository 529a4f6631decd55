//! Matches rows of the service's list with the URLs of a batch. Pure.
//!
//! The service may return a URL in another spelling: with or without a scheme, with other letters in its
//! percent-encoding, encoded or not. Two spellings are the same URL here if they are equal without the scheme, the
//! host's case and all percent-encoding.

use std::collections::HashMap;

use percent_encoding::percent_decode_str;

use super::untold::Untold;
use crate::model::UrlId;
use crate::queue::SentUrl;
use crate::service::{TaskRow, TaskStatus};

/// Longest text of the service that is kept, in characters.
const WORDS_CHARS_MAX: usize = 200;

/// What became of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is warm.
    Complete,
    /// It failed, with the service's words.
    Failed(String),
    /// Nobody will know.
    Untold(Untold),
}

/// How long a row may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// An unknown state may be temporary.
    Wait,
    /// After this many looks an unknown state is an end.
    WordsEnd,
    /// This is the last look: `Complete` below 100 % is an end too.
    Last,
}

/// What the rows say of the URLs of a batch.
#[derive(Debug, Default)]
pub struct Fates {
    /// URLs that have ended, in order.
    pub ended: Vec<(UrlId, Fate)>,
    /// Those that no row names.
    pub unlisted: Vec<UrlId>,
}

/// What the rows say about the URLs. Of several rows for a URL the latest counts. A row of a URL that is not in the
/// batch is somebody else's and says nothing, even if one row and one URL are left over.
pub fn fates(urls: &[SentUrl], rows: &[TaskRow], patience: Patience) -> Fates {
    let mut by_spelling: HashMap<String, Vec<&SentUrl>> = HashMap::with_capacity(urls.len());
    for url in urls {
        by_spelling.entry(bare(&url.url)).or_default().push(url);
    }
    let mut latest: HashMap<UrlId, &TaskRow> = HashMap::new();
    for row in rows {
        let spelling = bare(&row.object_path);
        let Some(same) = by_spelling.get(&spelling) else { continue };
        // If several spellings match, takes the exact one, if there is one.
        let exact = same.iter().filter(|url| same.len() > 1 && url.url == row.object_path);
        let meant: Vec<&&SentUrl> = exact.collect();
        for url in if meant.is_empty() { same.iter().collect() } else { meant } {
            latest
                .entry(url.id)
                .and_modify(|old| *old = if row.creation_time > old.creation_time { row } else { *old })
                .or_insert(row);
        }
    }
    let unlisted = urls.iter().map(|url| url.id).filter(|id| !latest.contains_key(id)).collect();
    let mut all: Vec<(UrlId, Fate)> =
        latest.into_iter().filter_map(|(id, row)| Some((id, fate(row, patience)?))).collect();
    all.sort_by_key(|(id, _)| *id);
    Fates { ended: all, unlisted }
}

/// How a row has ended; none if it has not.
fn fate(row: &TaskRow, patience: Patience) -> Option<Fate> {
    let said = |text: Option<&str>| {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        text.map(|text| text.chars().take(WORDS_CHARS_MAX).collect::<String>())
    };
    match row.status() {
        Some(TaskStatus::Complete) if !row.is_partly() => Some(Fate::Complete),
        Some(TaskStatus::Complete) => {
            let process = said(row.process.as_deref()).unwrap_or_default();
            (patience == Patience::Last).then_some(Fate::Untold(Untold::Partly(process)))
        }
        Some(TaskStatus::Failed) => {
            let said = said(row.description.as_deref());
            Some(Fate::Failed(said.unwrap_or_else(|| "no description given".to_owned())))
        }
        Some(TaskStatus::Pending | TaskStatus::Refreshing) => None,
        Some(word @ (TaskStatus::Timeout | TaskStatus::Canceled)) => {
            Some(Fate::Untold(Untold::Word(word.word().to_owned())))
        }
        None => {
            let word = said(row.status.as_deref()).unwrap_or_else(|| "nothing of its state".to_owned());
            (patience != Patience::Wait).then_some(Fate::Untold(Untold::Word(word)))
        }
    }
}

/// A URL without the parts in which spellings differ.
pub fn bare(url: &str) -> String {
    let rest = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    let (host, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(&host);
    // What is no UTF-8 stays encoded, so that two such paths are not taken for one.
    let path = percent_decode_str(path).decode_utf8().unwrap_or(std::borrow::Cow::Borrowed(path));
    format!("{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    fn url(id: i64, url: &str) -> SentUrl {
        SentUrl { id: UrlId(id), url: url.to_owned(), origin_failures: 0 }
    }

    fn row(url: &str, status: &str, minute: i64) -> TaskRow {
        TaskRow {
            task_id: "1".to_owned(),
            object_path: url.to_owned(),
            creation_time: Some(from_millis(minute * 60_000)),
            status: Some(status.to_owned()),
            process: None,
            description: (status == "Failed").then(|| "Origin Timeout".to_owned()),
        }
    }

    fn ended(urls: &[SentUrl], rows: &[TaskRow]) -> Vec<(UrlId, Fate)> {
        fates(urls, rows, Patience::Wait).ended
    }

    #[test]
    fn what_is_neither_complete_nor_failed_ends_as_the_services_word_says() {
        let urls = [url(1, "a/1"), url(2, "a/2"), url(3, "a/3"), url(4, "a/4"), url(5, "a/5")];
        let mut rows = vec![
            row("a/1", "Timeout", 1),
            row("a/2", "canceled", 1),
            row("a/3", "Mislaid", 1),
            row("a/4", "Complete", 1),
            row("a/5", "Refreshing", 1),
        ];
        rows[3].process = Some("60%".to_owned());
        let word = |id, word: &str| (UrlId(id), Fate::Untold(Untold::Word(word.to_owned())));
        let at_once = vec![word(1, "Timeout"), word(2, "Canceled")];
        assert_eq!(fates(&urls, &rows, Patience::Wait).ended, at_once);
        let later = [at_once, vec![word(3, "Mislaid")]].concat();
        assert_eq!(fates(&urls, &rows, Patience::WordsEnd).ended, later);
        let partly = (UrlId(4), Fate::Untold(Untold::Partly("60%".to_owned())));
        assert_eq!(fates(&urls, &rows, Patience::Last).ended, [later, vec![partly]].concat());
        assert_eq!(fates(&urls, &rows[1..], Patience::Last).unlisted, [UrlId(1)]);
        rows[3].process = Some("100".to_owned());
        assert!(fates(&urls, &rows, Patience::Wait).ended.contains(&(UrlId(4), Fate::Complete)));
    }

    #[test]
    fn another_spelling_is_the_same_url() {
        let urls = [
            url(1, "https://a.example.com/%E7%AC%AC/1.ts?x=a%2Bb"),
            url(2, "b.example.com/2.ts"),
            url(3, "b.example.com/3.ts"),
        ];
        let rows = [
            row("http://A.example.com:80/第/1.ts?x=a%2bb", "Complete", 1),
            row("https://b.example.com/2.ts", "Failed", 1),
            row("b.example.com/3.ts", "Refreshing", 1),
        ];
        let failed = Fate::Failed("Origin Timeout".to_owned());
        assert_eq!(ended(&urls, &rows), [(UrlId(1), Fate::Complete), (UrlId(2), failed)]);
    }

    #[test]
    fn of_several_rows_the_latest_counts() {
        let urls = [url(1, "a.example.com/1"), url(2, "a.example.com/2")];
        let rows = [
            row("a.example.com/1", "Failed", 1),
            row("a.example.com/1", "Complete", 2),
            row("a.example.com/2", "Complete", 1),
            row("a.example.com/2", "Pending", 3),
        ];
        assert_eq!(ended(&urls, &rows), [(UrlId(1), Fate::Complete)]);
    }

    #[test]
    fn a_strangers_row_decides_no_url_even_if_one_of_each_is_left_over() {
        let urls = [url(1, "a.example.com/1"), url(2, "a.example.com/2")];
        for status in ["Complete", "Failed"] {
            let rows = [row("a.example.com/1", "Complete", 1), row("a.example.com/x", status, 1)];
            let fates = fates(&urls, &rows, Patience::Last);
            assert_eq!((fates.ended, fates.unlisted), (vec![(UrlId(1), Fate::Complete)], vec![UrlId(2)]), "{status}");
        }
    }

    #[test]
    fn urls_that_differ_only_in_their_encoding_are_told_apart_by_their_exact_spelling() {
        let urls = [url(1, "a.example.com/x%2Fy"), url(2, "a.example.com/x/y")];
        let rows = [row("a.example.com/x%2Fy", "Failed", 1), row("a.example.com/x/y", "Complete", 1)];
        assert_eq!(
            ended(&urls, &rows),
            [(UrlId(1), Fate::Failed("Origin Timeout".to_owned())), (UrlId(2), Fate::Complete)]
        );
    }
}
