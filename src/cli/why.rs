//! `prefetchd why`

use std::path::Path;

use super::text::{json, out};
use super::{failure, load, runtime};
use crate::model::{Fault, ObjectUrl, UrlRules, UrlState};
use crate::queue::Selection;
use crate::status::Story;
use crate::store::Conn;
use crate::telemetry::one_line;
use crate::{exit, store, words};

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
    let (config, _) = load(config)?;
    let url = parse(&args.url).map_err(|refusal| cannot(&args.url, &refusal))?;
    let (story, other) = runtime()?.block_on(async {
        let mut conn = store::open_reader(config.database.url.path()).await?;
        let selection = Selection { url: Some(url.clone()), ..Selection::default() };
        let rows = selection.ids(&mut conn, &UrlState::ALL).await?;
        let story = Story::read(&mut conn, url.as_str(), &rows).await?;
        let other = if rows.is_empty() { other_spelling(&mut conn, &url).await? } else { None };
        store::Result::Ok((story, other))
    })?;
    if args.json {
        out(&json(&story)?);
    } else if !story.queued.is_empty() {
        print(&story);
    }
    match (story.queued.is_empty(), other) {
        (false, _) => Ok(0),
        (true, Some(other)) => Err(failure(exit::DATA, format!("{url} is not in the database, but {other} is"))),
        (true, None) => {
            let message = format!(
                "{url} is not in the database: it was not dropped, its line was refused (see the .refused.tsv beside \
                the file's receipt in {}), or it ended longer ago than [database] keep; `prefetchd add FILE` hands it \
                over",
                config.spool.dir.join("done").display()
            );
            Err(failure(exit::DATA, message))
        }
    }
}

/// The URL in its normal spelling, whatever domains are configured now.
pub(super) fn parse(text: &str) -> Result<ObjectUrl, Fault> {
    ObjectUrl::parse(text, &UrlRules { url_bytes_max: usize::MAX, domains: Vec::new() })
}

pub(super) fn cannot(text: &str, fault: &Fault) -> anyhow::Error {
    failure(exit::DATA, format!("{text}: no such line is ever queued: {}", words::line_fault_with(fault).en))
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

fn print(story: &Story) {
    out(&one_line(&story.url));
    for moment in &story.events {
        let at = moment.at.as_deref().unwrap_or("now");
        let event = if moment.at.is_none() { "" } else { moment.event };
        out(&format!("  {at:<24}  {event:<10}  {}", one_line(&moment.text)));
    }
}
