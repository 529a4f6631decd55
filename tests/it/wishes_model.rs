//! Wishes against a naive model: whatever is dropped, merged, cancelled, prioritized, sent in vain and waited for, a
//! URL goes by the strongest of its live wishes and ends with the last, and the counters say the same as the rows.

use std::collections::BTreeMap;

use prefetchd::model::{
    Action, Keys, Lane, ObjectUrl, Priority, ReasonKind, SubmissionId, Target, Time, UrlRules, from_millis, to_millis,
};
use prefetchd::queue::{self, NewUrls, Order, Release, ReleaseTo, Room, Selection};
use prefetchd::store::Store;
use proptest::prelude::*;
use strum::VariantArray as _;

/// Something that happens. Times are seconds from now.
#[derive(Debug, Clone)]
pub enum Event {
    /// A file of this name, each line of which names one of a few URLs.
    Drop {
        file: u8,
        urls: Vec<u8>,
        keys: (Priority, Option<i64>, Option<i64>),
        action: Action,
    },
    Cancel {
        file: u8,
    },
    Prioritize {
        file: u8,
        to: Priority,
    },
    /// What is ready goes into a batch.
    Send,
    /// The batch comes back, as if the service could not be reached.
    Back,
    Pass {
        seconds: i64,
    },
    /// What ended is asked for again. For the counters alone.
    Retry {
        file: u8,
    },
    /// The batches are accepted and end: well, or with URLs that failed. For the counters alone.
    End {
        well: bool,
    },
    /// What ended is forgotten. For the counters alone.
    Prune,
}

/// Some event; lines ask for one of these.
fn event(actions: &'static [Action]) -> impl Strategy<Value = Event> {
    let file = 0..4_u8;
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let keys = (priority.clone(), prop::option::of(-10..60_i64), prop::option::of(-5..90_i64));
    prop_oneof![
        4 => (file.clone(), prop::collection::vec(0..5_u8, 1..6), keys, prop::sample::select(actions))
            .prop_map(|(file, urls, keys, action)| Event::Drop { file, urls, keys, action }),
        1 => file.clone().prop_map(|file| Event::Cancel { file }),
        1 => (file, priority).prop_map(|(file, to)| Event::Prioritize { file, to }),
        1 => Just(Event::Send),
        1 => Just(Event::Back),
        3 => (1..40_i64).prop_map(|seconds| Event::Pass { seconds }),
    ]
}

/// Those too of which the naive model knows nothing.
pub fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => event(Action::VARIANTS),
        1 => any::<bool>().prop_map(|well| Event::End { well }),
        2 => (0..4_u8).prop_map(|file| Event::Retry { file }),
        1 => Just(Event::Prune),
    ]
}

#[derive(Debug, Clone)]
struct Wish {
    file: u8,
    priority: Priority,
    not_before: Option<i64>,
    deadline: Option<i64>,
    counts: bool,
}

/// Each time that a URL was queued.
#[derive(Debug, Clone)]
struct Url {
    lane: Lane,
    name: u8,
    state: &'static str,
    /// More than one line named it.
    is_shared: bool,
    live: Vec<Wish>,
    /// Priority, deadline and until when it waits, as last decided.
    goes_by: (Priority, Option<i64>, Option<i64>),
}

impl Url {
    fn named(&self) -> String {
        format!("{} {}", self.lane.word(), self.name)
    }

    fn decide(&mut self) {
        let counting: Vec<&Wish> = self.live.iter().filter(|wish| wish.counts).collect();
        let rank = |wish: &&Wish| (wish.priority, wish.deadline.unwrap_or(i64::MAX));
        let first = self.live.iter().filter_map(|wish| wish.not_before).min();
        self.goes_by = match counting.into_iter().min_by_key(rank) {
            Some(wish) => (wish.priority, wish.deadline, None),
            None => {
                let wish = self.live.iter().filter(|wish| wish.not_before == first).min_by_key(rank).unwrap();
                (wish.priority, wish.deadline, first)
            }
        };
    }

    fn end_some(&mut self, state: &'static str, ends: impl Fn(&Wish) -> bool) {
        self.live.retain(|wish| !ends(wish));
        if self.live.is_empty() {
            self.state = state;
        } else {
            self.decide();
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    urls: Vec<Url>,
    now: i64,
}

impl Model {
    fn waiting(&mut self) -> impl Iterator<Item = &mut Url> {
        self.urls.iter_mut().filter(|url| url.state == "pending")
    }

    fn apply(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Drop { file, urls, keys, action } => {
                let lane = action.lane();
                for name in urls {
                    let (priority, not_before, deadline) =
                        (keys.0, keys.1.map(|at| now + at * 1000), keys.2.map(|at| now + at * 1000));
                    let wish = Wish { file: *file, priority, not_before, deadline, counts: not_before.is_none() };
                    let is_live = |url: &Url| matches!(url.state, "pending" | "leased");
                    let purged =
                        self.urls.iter().any(|url| url.name == *name && url.lane == Lane::Purge && is_live(url));
                    // A purge joins one that still waits, and what was sent before a purge is stale.
                    let joins = |url: &Url| url.state == "pending" || (lane == Lane::Prefetch && !purged);
                    let there = |url: &&mut Url| url.name == *name && url.lane == lane && is_live(url);
                    match self.urls.iter_mut().rev().find(there).filter(|url| joins(url)) {
                        Some(url) => {
                            url.live.push(wish);
                            url.is_shared = true;
                            url.decide();
                        }
                        None => {
                            let goes_by = (priority, deadline, not_before);
                            let mut url = Url {
                                lane,
                                name: *name,
                                state: "pending",
                                is_shared: false,
                                live: vec![wish],
                                goes_by,
                            };
                            url.decide();
                            self.urls.push(url);
                        }
                    }
                }
            }
            Event::Cancel { file } => {
                self.waiting().for_each(|url| {
                    if url.live.iter().any(|wish| wish.file == *file) {
                        url.end_some("cancelled", |wish| wish.file == *file);
                    }
                });
            }
            Event::Prioritize { file, to } => self.waiting().for_each(|url| {
                url.live.iter_mut().filter(|wish| wish.file == *file).for_each(|wish| wish.priority = *to);
                url.decide();
            }),
            // One that came back after its deadline is not taken again, whether or not its end is written down.
            Event::Send => self
                .waiting()
                .filter(|url| url.goes_by.2.is_none() && url.goes_by.1.is_none_or(|at| at > now))
                .for_each(|url| url.state = "leased"),
            Event::Back => self.urls.iter_mut().filter(|url| url.state == "leased").for_each(|url| {
                url.state = "pending";
                // That its time has come is believed when the time passes.
                let is_shared = url.is_shared;
                url.live.iter_mut().for_each(|wish| wish.counts &= !is_shared || wish.not_before.is_none());
                url.decide();
            }),
            Event::Pass { seconds } => {
                self.now += seconds * 1000;
                let now = self.now;
                self.waiting().for_each(|url| {
                    url.live.iter_mut().for_each(|wish| wish.counts |= wish.not_before.is_some_and(|at| at <= now));
                    url.end_some("expired", |wish| wish.deadline.is_some_and(|at| at <= now));
                });
            }
            Event::Retry { .. } | Event::End { .. } | Event::Prune => unreachable!("not drawn for the model"),
        }
    }
}

pub struct Queue {
    pub store: Store,
    sent: i64,
    /// Of these, those that ended.
    ended: i64,
    files: u32,
}

impl Queue {
    async fn new(dir: &std::path::Path) -> Self {
        Self::over(Store::open(&dir.join("a.db")).await.unwrap()).await
    }

    /// An empty queue, on either engine.
    pub async fn over(store: Store) -> Self {
        let mut tx = store.write().await.unwrap();
        let day = "insert into budget_days (lane, day, starts_at, ends_at, requests_limit)
                   values (1, '2026-11-23', 0, 1, 500), (2, '2026-11-23', 0, 1, 500), (3, '2026-11-23', 0, 1, 500)";
        prefetchd::store::query(day).execute(tx.conn()).await.unwrap();
        tx.commit().await.unwrap();
        Self { store, sent: 0, ended: 0, files: 0 }
    }

    pub async fn apply(&mut self, event: &Event, now: Time) {
        let mut tx = self.store.write().await.unwrap();
        match event {
            Event::Drop { file, urls, keys, action } => {
                self.files += 1;
                let in_seconds = |seconds: i64| now + chrono::TimeDelta::seconds(seconds);
                let keys = Keys {
                    priority: keys.0,
                    not_before: keys.1.map(in_seconds),
                    deadline: keys.2.map(in_seconds),
                    ..Keys::default()
                };
                let rules = UrlRules { url_bytes_max: 200, domains: vec![] };
                let mut new = NewUrls::default();
                for (line, url) in (1..).zip(urls) {
                    let is_directory = *action == Action::PurgeDirectory;
                    let slash = if is_directory { "/" } else { "" };
                    let text = format!("https://a.example.com/{url}{slash}");
                    let target = if is_directory { Target::Directory { roots: false } } else { Target::File };
                    new.push(line, &ObjectUrl::read_as(&text, &rules, target).unwrap().0, *action, None);
                }
                let (name, stored_name) = (file.to_string(), self.files.to_string());
                tx.bulk(|conn| {
                    let file = queue::NewFile { name, stored_name, owner_uid: None };
                    let file = queue::register(conn, "", &[file], now)?.remove(0).id;
                    queue::set_keys(conn, file, &keys)?;
                    let enqueued = queue::enqueue(conn, file, &keys, &new, now, now)?;
                    let progress =
                        queue::ChunkRead { read_bytes: 1, lines: urls.len() as u64, enqueued, ..Default::default() };
                    queue::progress(conn, file, &progress)
                })
                .await
                .unwrap();
            }
            Event::Cancel { file } => order(&mut tx, Order::Cancel, *file, now).await,
            Event::Prioritize { file, to } => order(&mut tx, Order::Prioritize(*to), *file, now).await,
            Event::Send => {
                for lane in Lane::VARIANTS {
                    self.sent += 1;
                    send(&mut tx, *lane, self.sent, now).await;
                }
            }
            Event::Back => {
                for submission in self.ended + 1..=self.sent {
                    let batch = queue::leased_tx(&mut tx, SubmissionId(submission)).await.unwrap();
                    let to = ReleaseTo::Pending { wait_until: None, exhausted: prefetchd::model::UrlState::Failed };
                    let release = Release { to, counts: false, attempts_max: 3, reason: ReasonKind::Throttled.into() };
                    queue::release_tx(&mut tx, &batch, SubmissionId(submission), &release, now).await.unwrap();
                }
            }
            Event::Pass { .. } => {
                queue::tidy_tx(&mut tx, now).await.unwrap();
            }
            Event::End { well } => {
                self.end(&mut tx, *well, now).await;
                self.ended = self.sent;
            }
            Event::Retry { file } => order(&mut tx, Order::Retry, *file, now).await,
            Event::Prune => {
                queue::prune_tx(&mut tx, now).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
    }

    /// Ends what is in batches.
    async fn end(&self, tx: &mut prefetchd::store::WriteTx<'_>, well: bool, now: Time) {
        for submission in (self.ended + 1..=self.sent).map(SubmissionId) {
            let batch = queue::leased_tx(tx, submission).await.unwrap();
            if batch.urls.is_empty() {
                continue;
            }
            let close = "update submissions set state = 1, closed_at = 1 where submission_id = ?1";
            prefetchd::store::query(close).bind(submission.0).execute(tx.conn()).await.unwrap();
            queue::settle_submitted_tx(tx, &batch, now).await.unwrap();
            if !well {
                let failed = queue::Ending::Failed { why: ReasonKind::FailedAtOrigin.into() };
                let ends: Vec<_> = batch.urls.iter().step_by(2).map(|url| (url.id, failed.clone())).collect();
                queue::end_urls_tx(tx, &ends, now).await.unwrap();
            }
            queue::complete_batch_tx(tx, submission, now).await.unwrap();
            prefetchd::ledger::end_tx(tx, submission, now).await.unwrap();
        }
    }

    /// By order of arrival: what it goes by while it waits, else its state alone.
    async fn urls(&self) -> Vec<(String, String)> {
        let rows = "select url, state, priority, deadline, wait_until, lane from urls order by url_id";
        let rows = prefetchd::store::query(rows).fetch_all(self.store.read()).await.unwrap();
        let said = |row: &prefetchd::store::Row| {
            let url: String = row.get(0);
            let name = url.rsplit('/').next().unwrap().to_owned();
            let state: i64 = row.get(1);
            let state = ["pending", "leased", "complete", "failed", "expired", "cancelled"][state as usize];
            let goes_by = (Priority::from_rank(row.get(2)), row.get(3), row.get(4));
            (format!("{} {name}", Lane::of_number(row.get(5)).word()), shown(state, goes_by))
        };
        rows.iter().map(said).collect()
    }

    async fn assert_counters_agree(&self) {
        let own = "select coalesce(w.state, u.state) as state, count(*) from v_urls as u
                   join urls as r on r.url_id = u.url_id and r.first_step = 0
                   left join v_wishes as w on w.url_id = u.url_id and w.came = 'first' group by 1";
        // A wish's own row tells which step it is of.
        let merged = "select v.state, count(*) from v_wishes as v
                      join wishes as w on w.url_id = v.url_id and w.file_id = v.file_id and w.line = v.line
                      where v.came = 'merged' and w.first_step = 0 group by 1";
        let purges = "select state, count(*)
                      from (select coalesce(w.state, u.state) as state from v_urls as u
                            join urls as r on r.url_id = u.url_id and r.first_step = 1
                            left join v_wishes as w on w.url_id = u.url_id and w.came = 'first'
                            union all
                            select v.state from v_wishes as v
                            join wishes as w on w.url_id = v.url_id and w.file_id = v.file_id and w.line = v.line
                            where v.came = 'merged' and w.first_step = 1) group by 1";
        for (counted, columns) in [(own, ""), (merged, "merged_"), (purges, "purge_")] {
            let counted = prefetchd::store::query(counted).fetch_all(self.store.read()).await.unwrap();
            let counted: BTreeMap<String, i64> = counted.iter().map(|row| (row.get(0), row.get(1))).collect();
            for state in prefetchd::model::UrlState::ALL.map(|state| state.to_string()) {
                let kept = format!("select coalesce(sum({columns}{state}), 0) from v_files");
                let kept: i64 = prefetchd::store::query_scalar(kept).fetch_one(self.store.read()).await.unwrap();
                assert_eq!(kept, counted.get(&state).copied().unwrap_or(0), "{columns}{state}");
            }
        }
    }

    /// As long as nothing was forgotten.
    async fn assert_merged_lines_have_wishes(&self) {
        let merged = "select (select sum(merged) from files), (select count(*) from wishes where kind = 1)";
        let merged = prefetchd::store::query(merged).fetch_one(self.store.read()).await.unwrap();
        assert_eq!(merged.get::<Option<i64>, _>(0).unwrap_or(0), merged.get::<i64, _>(1));
    }
}

/// What is ready in a lane goes into a batch of this number.
async fn send(tx: &mut prefetchd::store::WriteTx<'_>, lane: Lane, number: i64, now: Time) {
    let room = Room { lane, weakest: Priority::Low, urls_max: 100, domains_max: None };
    let batch = queue::pick_tx(tx, room, &prefetchd::schedule::HostRooms::new(), now).await.unwrap();
    let open = "insert into submissions (submission_id, lane, day, nonce, signed_at, sent_at, urls, cost, opened_at)
                values (?1, ?2, '2026-11-23', ?1, 0, 0, 0, 0, 0)";
    prefetchd::store::query(open).bind(number).bind(lane.number()).execute(tx.conn()).await.unwrap();
    queue::lease_tx(tx, &batch, SubmissionId(number)).await.unwrap();
}

async fn order(tx: &mut prefetchd::store::WriteTx<'_>, order: Order, file: u8, now: Time) {
    let chosen = Selection { file: Some(file.to_string()), ..Selection::default() };
    let row = queue::record_order_tx(tx, queue::Asker { who: "test", host: "" }, order.command(), "", None, now)
        .await
        .unwrap();
    let ids = chosen.ids(tx.conn(), order.takes()).await.unwrap();
    order.perform_tx(tx, row, &ids, &chosen, now).await.unwrap();
}

fn shown(state: &str, goes_by: (Priority, Option<i64>, Option<i64>)) -> String {
    if state == "pending" { format!("{state} {goes_by:?}") } else { state.to_owned() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_url_goes_by_the_strongest_of_its_live_wishes_and_ends_with_the_last(
        events in prop::collection::vec(event(&[Action::Prefetch, Action::Prefetch, Action::Purge]), 1..30),
    ) {
        let start = to_millis("2026-11-23T01:00:00Z".parse().unwrap());
        let mut model = Model { now: start, ..Model::default() };
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut queue = Queue::new(dir.path()).await;
            for event in &events {
                model.apply(event);
                queue.apply(event, from_millis(model.now)).await;
                let expected: Vec<(String, String)> =
                    model.urls.iter().map(|url| (url.named(), shown(url.state, url.goes_by))).collect();
                // New URLs of one file are in the order of its lines.
                assert_eq!(queue.urls().await, expected, "after {event:?}");
                queue.assert_counters_agree().await;
                queue.assert_merged_lines_have_wishes().await;
            }
        });
    }

    #[test]
    fn the_counters_say_the_same_as_the_rows_whatever_is_asked_for_again_and_forgotten(
        events in prop::collection::vec(any_event(), 1..40),
    ) {
        let mut now: Time = "2026-11-23T01:00:00Z".parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut queue = Queue::new(dir.path()).await;
            for event in &events {
                if let Event::Pass { seconds } = event {
                    now += chrono::TimeDelta::seconds(*seconds);
                }
                queue.apply(event, now).await;
                queue.assert_counters_agree().await;
            }
        });
    }
}
