//! The pages for people: reads what they show, makes each at most once a second for all who ask, and makes only a few
//! different ones a second, so that nobody can load the daemon through them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::ACCEPT_LANGUAGE;
use tokio::sync::Mutex;

use super::desk::{Desk, READ_MAX};
use super::served::{Caching, Served};
use crate::config::Config;
use crate::model::{Lang, Time, UrlState, quoted};
use crate::page::{self, Ask, FileData, Frame, Notice, Place, Wrong, accepted, asset};
use crate::spool::{Folders, RECEIPT, REFUSED, refused_lines};
use crate::stage::{Settings, Sign};
use crate::status::{FileHere, FilePage, Invocation, LineSaid, Overview, StatusReport, read_report};
use crate::store;

/// How long a page is used.
const FRESH: Duration = Duration::from_secs(1);

/// Most different pages made in that time ...
const MADE_MAX: usize = 12;

/// ... and kept.
const KEPT_MAX: usize = 32;

/// Files on one page of their list.
const FILES: u32 = 25;

/// Most bytes of a receipt or report that is downloaded.
const DOWNLOAD_MAX: u64 = 64 * 1024 * 1024;

const HTML: &str = "text/html; charset=utf-8";

/// The pages that were made lately.
#[derive(Debug, Default)]
pub(super) struct Pages {
    made: Mutex<VecDeque<(Instant, Key, Served)>>,
}

/// What makes two requests ask for the same page.
type Key = (Ask, Lang);

/// What was read for a page.
enum Read {
    Overview(Box<Overview>),
    File(Box<FileHere>),
    Gone(Option<(String, Time)>),
    NoFile,
}

impl Desk {
    /// The answer to a request below the base path.
    pub(super) async fn page(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Served {
        if let Some(asset) = path.strip_prefix("/assets/").and_then(asset) {
            return Served { caching: Caching::Immutable, ..Served::of(StatusCode::OK, asset.kind, asset.body) };
        }
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok()).and_then(accepted);
        let wanted = accepted.or(self.settings().config.ui.language).unwrap_or_default();
        let ask = match Ask::parse(path, query) {
            Ok(ask) => ask,
            Err(wrong) => {
                let status = match wrong {
                    Wrong::NotFound => StatusCode::NOT_FOUND,
                    Wrong::Query(..) => StatusCode::BAD_REQUEST,
                };
                let home = Ask { place: Place::Overview(None), lang: None, refresh: None };
                return self.notice(status, home, wanted, &Notice::wrong(&wrong));
            }
        };
        let lang = ask.lang.unwrap_or(wanted);
        match ask.place {
            Place::Receipt(id) => self.download(id, RECEIPT, "application/json", (ask, lang)).await,
            Place::Refused(id) => {
                self.download(id, REFUSED, "text/tab-separated-values; charset=utf-8", (ask, lang)).await
            }
            Place::Overview(_) | Place::File(_) => self.made((ask, lang)).await,
        }
    }

    /// The page, at most a second old. Whoever asks for one that is being made waits for it.
    async fn made(&self, key: Key) -> Served {
        let mut made = self.pages_made.made.lock().await;
        let is_fresh = |at: &Instant| at.elapsed() < FRESH;
        if let Some((.., page)) = made.iter().find(|(at, of, _)| is_fresh(at) && *of == key) {
            return page.clone();
        }
        if made.iter().filter(|(at, ..)| is_fresh(at)).count() >= MADE_MAX {
            let busy = self.notice(StatusCode::SERVICE_UNAVAILABLE, key.0, key.1, &Notice::busy());
            return Served { retry: true, ..busy };
        }
        let page = self.make_page(key).await;
        made.push_front((Instant::now(), key, page.clone()));
        made.truncate(KEPT_MAX);
        page
    }

    async fn make_page(&self, (ask, lang): Key) -> Served {
        let settings = &*self.settings();
        let config = &settings.config;
        let now = self.clock().now();
        let frame = self.frame(config, (ask, lang), now);
        if let Some(lost) = self.lost() {
            let pid = i64::from(std::process::id());
            let by = self.by(settings);
            let report = StatusReport::lost(&lost, config.database.url.file(), Some(pid), now, &by);
            let body = page::overview(&frame, &Overview::of_report(report));
            return html(StatusCode::SERVICE_UNAVAILABLE, body, ask);
        }
        let read = tokio::time::timeout(READ_MAX, self.read_page(settings, ask.place, now)).await;
        let read = read.map_err(|_| format!("the database does not answer within {} s", READ_MAX.as_secs()));
        match read.and_then(|read| read.map_err(|error| error.to_string())) {
            Ok(Read::Overview(overview)) => html(StatusCode::OK, page::overview(&frame, &overview), ask),
            Ok(Read::File(mut here)) => {
                let has_receipt = self.look_at_spool(config, &mut here).await;
                let by = self.by(settings);
                here.story.make_pasteable(&by);
                let commands = commands(&here, &by);
                let data = FileData { here: &here, commands, has_receipt };
                html(StatusCode::OK, page::file(&frame, &data), ask)
            }
            Ok(Read::Gone(what)) => {
                let what = what.map(|(name, at)| (name, frame.when(at).text));
                let (name, at) = what.unwrap_or_default();
                html(StatusCode::GONE, Notice::gone(&name, &at).page(&frame, None), ask)
            }
            Ok(Read::NoFile) => html(StatusCode::NOT_FOUND, Notice::no_file().page(&frame, None), ask),
            Err(why) => {
                let sign: Sign = self.sign();
                let notice = Notice::unreadable(&why, &sign, &self.by(settings).log());
                html(StatusCode::SERVICE_UNAVAILABLE, notice.page(&frame, Some(&sign)), ask)
            }
        }
    }

    /// The database failed.
    async fn read_page(&self, settings: &Settings, place: Place, now: Time) -> store::Result<Read> {
        let config = &settings.config;
        let mut conn = self.reader().await?;
        let after = match place {
            Place::Overview(after) => after,
            Place::File(id) | Place::Receipt(id) | Place::Refused(id) => {
                return Ok(match FilePage::read(&mut conn, config, id, now).await? {
                    FilePage::Here(here) => Read::File(here),
                    FilePage::Gone(what) => Read::Gone(what),
                    FilePage::None => Read::NoFile,
                });
            }
        };
        let mut report = read_report(&mut conn, 0).await?;
        report.complete(&mut conn, config, (Some(true), Some(self.sign())), now).await?;
        let folders = Folders::under(&config.spool.dir);
        report.orders_waiting = folders.count_orders(self.clock().wall());
        report.list_needs(config, &self.by(settings));
        report.files_incoming = folders.count_waiting(report.reading_here());
        let overview = Overview::read(&mut conn, config, (after, FILES), now).await?;
        Ok(Read::Overview(Box::new(Overview { report, ..overview })))
    }

    /// Adds the first refused lines, and says whether there is a receipt. What is gone or unreadable adds nothing.
    async fn look_at_spool(&self, config: &Config, here: &mut FileHere) -> bool {
        let (folders, stored) = (Folders::under(&config.spool.dir), here.story.stored_as.clone());
        here.story.format = crate::spool::format_words(&here.story.name);
        if here.story.host != config.database.host().as_str() {
            return false;
        }
        let found = tokio::task::spawn_blocking(move || {
            let lines = refused_lines(&folders, &stored, u64::MAX).ok().flatten();
            let lines: Vec<LineSaid> = lines
                .into_iter()
                .flat_map(|lines| lines.map_while(Result::ok).take(5))
                .map(|line| LineSaid { line: line.line, reason: line.reason, text: line.text })
                .collect();
            let has = |ending| beside(&folders, &stored, ending).is_some();
            (lines, has(RECEIPT), has(REFUSED))
        });
        let (lines, has_receipt, has_report) = found.await.unwrap_or_default();
        here.story.refused_lines = lines;
        here.story.refused_report = has_report.then(String::new);
        has_receipt
    }

    /// A receipt or a report of the spool, to download.
    async fn download(&self, id: i64, ending: &'static str, kind: &'static str, (ask, lang): Key) -> Served {
        let settings = self.settings();
        let config = &settings.config;
        let read = tokio::time::timeout(READ_MAX, async { self.stored_name(id).await }).await;
        let stored = read.ok().and_then(Result::ok).flatten();
        let folders = Folders::under(&config.spool.dir);
        let found = tokio::task::spawn_blocking(move || {
            let path = beside(&folders, &stored?, ending)?;
            let meta = path.metadata().ok().filter(|meta| meta.is_file() && meta.len() <= DOWNLOAD_MAX)?;
            let body = std::fs::read(&path).ok()?;
            Some((meta, body))
        });
        match found.await.unwrap_or_default() {
            Some((_, body)) => {
                let name = format!("file-{id}{ending}");
                Served { download: Some(name), ..Served::of(StatusCode::OK, kind, body) }
            }
            None => self.notice(StatusCode::NOT_FOUND, ask, lang, &Notice::no_report()),
        }
    }

    fn notice(&self, status: StatusCode, ask: Ask, lang: Lang, notice: &Notice) -> Served {
        let settings = self.settings();
        let frame = self.frame(&settings.config, (ask, lang), self.clock().now());
        html(status, notice.page(&frame, None), ask)
    }

    fn frame<'a>(&self, config: &'a Config, (ask, lang): Key, now: Time) -> Frame<'a> {
        Frame { base: &config.http.base_path, lang, ask, now, day_starts: config.budget.day_starts }
    }
}

/// Where a file of the spool lies that belongs to an input.
fn beside(folders: &Folders, stored: &str, ending: &str) -> Option<PathBuf> {
    let name = format!("{stored}{ending}");
    let places = [folders.done.join(&name), folders.rejected.join(&name)];
    places.into_iter().find(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_file()))
}

/// What may help with a file, as it has to be typed here.
fn commands(here: &FileHere, by: &Invocation) -> Vec<String> {
    let story = &here.story;
    let name = quoted(&story.name);
    let mut commands = Vec::new();
    for state in [UrlState::Held, UrlState::Failed, UrlState::Expired, UrlState::Unconfirmed] {
        if story.progress.count(state) > 0 {
            commands.push(by.reads(&format!("urls --file {name} --state {state}")));
            commands.push(by.changes(&format!("retry --file {name} --state {state}")));
        }
    }
    if story.progress.count(UrlState::Pending) > 0 {
        commands.push(by.reads(&format!("wait {name}")));
    }
    commands.push(by.reads(&format!("status --id {}", story.file_id)));
    commands
}

fn html(status: StatusCode, body: String, ask: Ask) -> Served {
    let refresh = ask.refresh.filter(|_| status == StatusCode::OK);
    Served { refresh, is_page: true, ..Served::of(status, HTML, body) }
}
