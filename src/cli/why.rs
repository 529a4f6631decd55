//! `prefetchd why`

use std::path::Path;

use super::layout::fit;
use super::text::{json, lang, out, tell};
use super::{failure, load, runtime};
use crate::clock::Clock;
use crate::model::{DayStart, Fault, ObjectUrl, Target, UrlRules, UrlState};
use crate::queue::Selection;
use crate::status::{Invocation, Story};
use crate::store::Conn;
use crate::telemetry::one_line;
use crate::words::{self, Words, times};
use crate::{exit, store};

/// Any domain, whatever is configured now.
const RULES: UrlRules = UrlRules { url_bytes_max: usize::MAX, domains: Vec::new() };

/// Columns of a moment, and of the word of an event.
const TIME: usize = 19;
const EVENT: usize = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The URL may be spelled as in a file; what has no scheme is another URL than the same with http:// or https://.

Example:
  prefetchd why https://vod.example.com/harbour-lights/s01e01/1080p/index.m3u8")]
pub(super) struct WhyArgs {
    /// The URL
    url: String,
    /// Print JSON: the rows of the views, and what happened
    #[arg(long)]
    json: bool,
}

pub(super) fn main(config: Option<&Path>, args: &WhyArgs) -> anyhow::Result<i32> {
    let (config, path) = load(config)?;
    let url = parse(&args.url).map_err(|refusal| cannot(&args.url, &refusal))?;
    let (story, other) = runtime()?.block_on(async {
        let mut conn = store::open_reader_of(&config).await?;
        let selection = Selection { url: Some(url.clone()), ..Selection::default() };
        let rows = selection.ids(&mut conn, &UrlState::ALL).await?;
        let story = Story::read(&mut conn, url.as_str(), &rows).await?;
        let other = if rows.is_empty() { other_spelling(&mut conn, &url).await? } else { None };
        store::Result::Ok((story, other))
    })?;
    if args.json {
        out(&json(&story)?);
    } else if !story.queued.is_empty() {
        print(&story, &Invocation::here(&config, path.as_deref(), None), config.budget.day_starts);
    }
    match (story.queued.is_empty(), other) {
        (false, _) => Ok(0),
        (true, Some(other)) => {
            Err(failure(exit::NO_INPUT, words::commands::other_spelling(url.as_str(), other.as_str())))
        }
        (true, None) => {
            // A directory is queued only to be purged, and this one was not.
            if let Err(refusal) = ObjectUrl::parse(&args.url, &RULES) {
                return Err(cannot(&args.url, &refusal));
            }
            let done = config.spool.dir.join("done").display().to_string();
            Err(failure(exit::NO_INPUT, words::commands::unknown_url(url.as_str(), &done)))
        }
    }
}

/// The URL in its normal spelling, of a file or a directory, whatever domains are configured now.
pub(super) fn parse(text: &str) -> Result<ObjectUrl, Fault> {
    ObjectUrl::parse(text, &RULES).or_else(|fault| {
        ObjectUrl::read_as(text, &RULES, Target::Directory { roots: true })
            .map(|(directory, _)| directory)
            .map_err(|_| fault)
    })
}

pub(super) fn cannot(text: &str, fault: &Fault) -> anyhow::Error {
    failure(exit::DATA, words::commands::never_queued(text, &words::line_fault_with(fault)))
}

/// The same URL with another scheme or none, if that was queued.
async fn other_spelling(conn: &mut Conn, url: &ObjectUrl) -> store::Result<Option<ObjectUrl>> {
    let bare = url.as_str().trim_start_matches("https://").trim_start_matches("http://");
    for scheme in ["https://", "http://", ""] {
        let Ok(other) = parse(&format!("{scheme}{bare}")) else { continue };
        let selection = Selection { url: Some(other.clone()), ..Selection::default() };
        if other != *url && !selection.ids(conn, &UrlState::ALL).await?.is_empty() {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn print(story: &Story, by: &Invocation, day_starts: DayStart) {
    let zone = times::zone(Clock::system().now(), day_starts);
    tell(&words::file::name(&story.url, &zone));
    let local = |text: &str| one_line(&times::local(text, day_starts));
    for moment in &story.events {
        let (at, event) = match &moment.at {
            Some(at) => (local(at), words::story::event(moment.event)),
            None => (words::story::NOW.say(lang()).to_owned(), Words::default()),
        };
        let text = local(&by.pasteable(moment.text.say(lang())));
        out(&format!("  {}  {}  {text}", fit(&at, TIME), fit(event.say(lang()), EVENT)));
    }
}
