//! `prefetchd retry`, `cancel`, `prioritize`: carry out an operator's order through the database, a bounded number of
//! URLs at a time, with or without a daemon. Members of the group, who may only read the database, drop their order
//! into the spool ([`members`]), and the daemon carries it out.

mod members;

use std::path::Path;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{json, number, out, tell};
use super::{failure, load, open_existing, runtime, spool_name, who, why};
use crate::config::Config;
use crate::exit;
use crate::model::{Lane, Priority, UrlState};
use crate::orders::{Tray, begin_tx, domain, look};
use crate::queue::{self, Asker, ORDER_ROWS_MAX, Order, Selection};
use crate::status::{self, Invocation};
use crate::store::{self, Store, WriteTx};
use crate::telemetry::one_line;
use crate::words::{Words, commands};

/// How often to wait for a locked database, each time for as long as the store waits.
const BUSY_TRIES: u32 = 12;

/// Others get the lock for as long as it was held, but at most for this long.
const BREATH_MAX: Duration = Duration::from_millis(500);

/// Which URLs are meant.
#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true)]
struct WhichArgs {
    /// This URL
    #[arg(group = "which")]
    url: Option<String>,
    /// URLs of files with this name
    #[arg(long, value_name = "NAME", group = "which", value_parser = spool_name())]
    file: Option<String>,
    /// URLs with this label
    #[arg(long, group = "which")]
    label: Option<String>,
    /// URLs of this domain
    #[arg(long, group = "which")]
    host: Option<String>,
    /// URLs in this state
    #[arg(long, group = "which", value_parser = super::state_words())]
    state: Option<UrlState>,
    /// prefetch, purge or purge-directory: only that step
    #[arg(long, value_parser = super::lane_words())]
    action: Option<Lane>,
}

/// How the order is carried out and reported.
#[derive(Debug, clap::Args)]
struct HowArgs {
    /// Only print how many URLs would change
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
All that is given must hold. A URL that was queued again in the meantime and is pending, in a batch or submitted is left
alone, so that nothing is queued twice. A deadline that has passed is dropped. With --host alone a domain that is \
refused or
offline gets another chance, too. What is unconfirmed was accepted and may be warm: only --state unconfirmed sends it \
again,
for another charge.

Examples:
  prefetchd retry --file premiere.txt --state failed --dry-run
  prefetchd retry --host media.example.com")]
pub(super) struct RetryArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
All that is given must hold. What is pending or held ends as cancelled; what is in a batch or was submitted cannot be \
called
back.

Examples:
  prefetchd cancel --label 'old catalogue' --dry-run
  prefetchd cancel https://vod.example.com/film/index.m3u8")]
pub(super) struct CancelArgs {
    #[command(flatten)]
    which: WhichArgs,
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
All that is given must hold. What is pending or held gets the priority, stronger or weaker.

Examples:
  prefetchd prioritize --file premiere.txt
  prefetchd prioritize --label nightly --priority low")]
pub(super) struct PrioritizeArgs {
    #[command(flatten)]
    which: WhichArgs,
    /// urgent, high, normal or low
    #[arg(long, default_value = "urgent", value_parser = super::priority_words())]
    priority: Priority,
    #[command(flatten)]
    how: HowArgs,
}

/// What was done, or would be.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Done {
    command: &'static str,
    what: String,
    dry_run: bool,
    /// URLs that were changed.
    urls: u64,
    /// URLs in a state to which the order applies that were left alone.
    left_alone: u64,
    /// URLs that are in a batch now.
    leased: u64,
    /// Set if a domain got another chance: how many of its URLs wait.
    domain_urls: Option<i64>,
}

impl Done {
    fn of(order: Order, which: &Selection, leased: u64) -> Self {
        Self { command: order.command(), what: which.to_string(), leased, ..Self::default() }
    }
}

pub(super) fn retry(config: Option<&Path>, args: &RetryArgs) -> anyhow::Result<i32> {
    let order = match args.which.state {
        Some(UrlState::Unconfirmed) => Order::RetryUnconfirmed,
        _ => Order::Retry,
    };
    give(config, order, &args.which, &args.how)
}

pub(super) fn cancel(config: Option<&Path>, args: &CancelArgs) -> anyhow::Result<i32> {
    give(config, Order::Cancel, &args.which, &args.how)
}

pub(super) fn prioritize(config: Option<&Path>, args: &PrioritizeArgs) -> anyhow::Result<i32> {
    give(config, Order::Prioritize(args.priority), &args.which, &args.how)
}

fn give(path: Option<&Path>, order: Order, which: &WhichArgs, how: &HowArgs) -> anyhow::Result<i32> {
    let (config, from) = load(path)?;
    let mut selection = selection(which)?;
    if let Some(state) = selection.state.filter(|state| !order.takes().contains(state)) {
        let message = commands::takes(order.command(), order.takes(), state, order == Order::Retry);
        return Err(failure(exit::USAGE, message));
    }
    let tray = Tray::under(&config.spool.dir);
    let is_member = !runtime()?.block_on(may_write(&config))? && tray.takes_ours();
    if is_member {
        selection.owner = Some(rustix::process::getuid().as_raw());
    }
    let done = runtime()?.block_on(async {
        is_known(&config, &selection).await?;
        match (how.dry_run, is_member) {
            (true, _) => Ok(rehearse(&config, order, &selection).await?),
            (false, true) => members::ask(&config, &tray, order, &selection).await,
            (false, false) => Ok(perform(&config, order, &selection).await?),
        }
    })?;
    if done.urls == 0 && done.domain_urls.is_none() {
        let whole = Selection { owner: None, ..selection };
        let all = if is_member { runtime()?.block_on(rehearse(&config, order, &whole))? } else { Done::default() };
        if all.urls > 0 || all.domain_urls.is_some() {
            let by = Invocation::here(&config, from.as_deref(), None);
            let args = std::env::args().skip(1).collect::<Vec<_>>();
            let what = commands::not_dropped_by_you(&one_line(&done.what), &by.as_owner(&by.again(&args)));
            return Err(failure(exit::NO_PERMISSION, what));
        }
        return Err(failure(exit::DATA, nothing(order, &done)));
    }
    if how.json {
        out(&json(&done)?);
    } else {
        say(order, &done);
    }
    Ok(0)
}

/// Refuses the name of a file that nobody dropped.
async fn is_known(config: &Config, selection: &Selection) -> anyhow::Result<()> {
    let Some(name) = &selection.file else { return Ok(()) };
    let mut conn = store::open_reader_of(config).await?;
    if status::Progress::any_file(&mut conn, name).await? {
        return Ok(());
    }
    Err(failure(exit::NO_INPUT, commands::none_named(&one_line(name))))
}

/// Whether this process may write the database. One that does not exist is no reason to ask anybody else.
async fn may_write(config: &Config) -> store::Result<bool> {
    match config.database.url.file() {
        Some(path) => Ok(!path.exists() || rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()),
        None => store::open_reader_of(config).await?.may_write().await,
    }
}

fn selection(which: &WhichArgs) -> anyhow::Result<Selection> {
    let url = which.url.as_deref().map(|text| why::parse(text).map_err(|refusal| why::cannot(text, &refusal)));
    Ok(Selection {
        url: url.transpose()?,
        file: which.file.clone(),
        label: which.label.clone(),
        host: which.host.as_deref().map(str::to_ascii_lowercase),
        state: which.state,
        owner: None,
        lane: which.action,
    })
}

/// What would be done; takes no lock.
async fn rehearse(config: &Config, order: Order, selection: &Selection) -> store::Result<Done> {
    let mut conn = store::open_reader_of(config).await?;
    let (ids, leased) = look(&mut conn, order, selection).await?;
    let mut done = Done::of(order, selection, leased);
    done.dry_run = true;
    for ids in ids.chunks(ORDER_ROWS_MAX) {
        done.urls += order.count(&mut conn, ids, selection).await?;
    }
    if let Some(host) = domain(order, selection) {
        done.domain_urls = queue::blocked_host(&mut conn, host).await?;
    }
    done.left_alone = ids.len() as u64 - done.urls;
    Ok(done)
}

/// Carries the order out: records it first, then works in steps. If it is interrupted, the record says how far it got.
async fn perform(config: &Config, order: Order, selection: &Selection) -> store::Result<Done> {
    let store = open_existing(config).await?;
    let clock = status::told_clock(&mut store.read().acquire().await?).await?;
    let (ids, leased) = look(&mut store.read().acquire().await?, order, selection).await?;
    let mut done = Done::of(order, selection, leased);
    let mut tx = patient(&store).await?;
    let asker = Asker { who: &who::asks(), host: store.host() };
    let (row, domain_urls) = begin_tx(&mut tx, order, selection, asker, None, clock.now()).await?;
    done.domain_urls = domain_urls;
    tx.commit().await?;
    for ids in ids.chunks(ORDER_ROWS_MAX) {
        let mut tx = patient(&store).await?;
        let start = Instant::now();
        done.urls += order.perform_tx(&mut tx, row, ids, selection, clock.now()).await?;
        tx.commit().await?;
        // Lets the daemon and other commands have their turn.
        tokio::time::sleep(start.elapsed().min(BREATH_MAX)).await;
    }
    let mut tx = patient(&store).await?;
    queue::finish_order_tx(&mut tx, row, clock.now()).await?;
    tx.commit().await?;
    done.left_alone = ids.len() as u64 - done.urls;
    store.close().await;
    Ok(done)
}

/// Begins a transaction; waits for somebody else's long one.
pub(super) async fn patient(store: &Store) -> store::Result<WriteTx<'_>> {
    for _ in 1..BUSY_TRIES {
        match store.write().await {
            Err(store::Error::Busy(_)) => {}
            begun => return begun,
        }
    }
    store.write().await
}

fn nothing(order: Order, done: &Done) -> Words {
    let what = one_line(&done.what);
    let message = match order {
        _ if done.left_alone == 0 => commands::nothing_to_do(&what, order.takes()),
        Order::Retry | Order::RetryUnconfirmed => commands::queued_again(&what, &number(done.left_alone.cast_signed())),
        _ => commands::is_so_already(&what),
    };
    if done.leased > 0 { message.also(&commands::in_a_batch(&number(done.leased.cast_signed()))) } else { message }
}

fn say(order: Order, done: &Done) {
    let (what, urls) = (one_line(&done.what), number(done.urls.cast_signed()));
    let does = match order {
        Order::Retry | Order::RetryUnconfirmed => commands::retried(&what, &urls, done.dry_run),
        Order::Cancel => commands::cancelled(&what, &urls, done.dry_run),
        Order::Prioritize(priority) => commands::prioritized(&what, &urls, priority, done.dry_run),
    };
    if let Some(urls) = done.domain_urls {
        tell(&commands::domain_goes_on(&what, &number(urls), done.dry_run));
    }
    if done.urls > 0 || done.domain_urls.is_none() {
        tell(&does);
    }
    if done.left_alone > 0 && order.command() == Order::Retry.command() {
        tell(&commands::left_alone(&number(done.left_alone.cast_signed())));
    }
    if done.leased > 0 && order == Order::Cancel {
        tell(&commands::cannot_be_called_back(&number(done.leased.cast_signed())));
    }
}
