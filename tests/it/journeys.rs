//! On a server each statement is a journey, so a chunk takes as many however many lines it has, and whatever is known
//! of their URLs.

use prefetchd::model::{Action, Keys, ObjectUrl, Priority, Time, UrlRules};
use prefetchd::queue::{self, NewUrls};
use prefetchd::store::{Store, query};

use crate::support::postgres;

/// Lines of a chunk.
const LINES: u64 = 500;

/// Statements that a chunk may take, with those around it.
const STATEMENTS_MAX: usize = 60;

/// What is in a file: so many lines with these keys and this action, each URL so many times.
struct File {
    name: &'static str,
    keys: Keys,
    action: Action,
    times: u64,
    /// Each line has a label of its own.
    is_labelled: bool,
    /// Each line names a domain of its own.
    has_domains: bool,
}

impl File {
    fn named(name: &'static str) -> Self {
        let (keys, action) = (Keys::default(), Action::Prefetch);
        Self { name, keys, action, times: 1, is_labelled: false, has_domains: false }
    }

    fn lines(&self) -> NewUrls {
        let rules = UrlRules { url_bytes_max: 200, domains: vec![] };
        let mut urls = NewUrls::default();
        for line in 0..LINES {
            let n = line / self.times;
            let host = if self.has_domains { format!("h{n}") } else { "h".to_owned() };
            let url = ObjectUrl::parse(&format!("https://{host}.example.com/part-{n}.ts"), &rules).unwrap();
            let label = self.is_labelled.then(|| format!("label {line}"));
            let keys = label.map(|label| Keys { label: Some(label), ..self.keys.clone() }.into());
            urls.push(line + 1, &url, self.action, keys);
        }
        urls
    }

    async fn drop(&self, store: &Store, now: Time, fresh_since: Time) {
        let urls = self.lines();
        let mut tx = store.write().await.unwrap();
        tx.bulk(|conn| {
            let file = queue::NewFile { name: self.name.into(), stored_name: self.name.into(), owner_uid: None };
            let file = queue::register(conn, store.host(), &[file], now)?.remove(0).id;
            queue::set_keys(conn, file, &self.keys)?;
            queue::enqueue(conn, file, &self.keys, &urls, fresh_since, now)
        })
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_chunk_takes_as_many_statements_however_many_lines_it_has() {
    let Some(server) = postgres::server() else { return };
    let url = server.database("journeys").await;
    Store::open_server(&url, "a").await.unwrap().close().await;
    server.log_statements("journeys").await;
    let store = Store::open_server(&url, "a").await.unwrap();
    let now: Time = "2026-11-23T01:00:00Z".parse().unwrap();
    let later = now + chrono::TimeDelta::hours(1);
    let urgent = Keys { priority: Priority::Urgent, ..Keys::default() };
    let files = [
        ("new", File::named("new.txt"), now),
        ("waiting already", File::named("again.txt"), now),
        ("and wanted sooner", File { keys: urgent, ..File::named("sooner.txt") }, now),
        ("with labels", File { is_labelled: true, ..File::named("labels.txt") }, now),
        ("with domains", File { has_domains: true, ..File::named("domains.txt") }, now),
        ("to be purged first", File { action: Action::PurgeThenPrefetch, ..File::named("purges.txt") }, now),
        ("and once more", File { action: Action::PurgeThenPrefetch, ..File::named("purges-again.txt") }, now),
        ("each twice", File { times: 2, has_domains: true, ..File::named("twice.txt") }, now),
        ("complete and fresh", File::named("fresh.txt"), now),
        ("complete long ago", File::named("anew.txt"), later),
    ];
    for (what, file, fresh_since) in files {
        if what.starts_with("complete") {
            let mut tx = store.write().await.unwrap();
            let complete = query("update urls set state = 2, ended_at = ?1").bind(now.timestamp_millis() + 1_000);
            complete.execute(tx.conn()).await.unwrap();
            tx.commit().await.unwrap();
        }
        let before = server.logged();
        file.drop(&store, now, fresh_since).await;
        let statements = server.logged() - before;
        assert!(statements > 5 && statements < STATEMENTS_MAX, "{LINES} lines, {what}: {statements} statements");
    }
    let live: i64 = prefetchd::store::query_scalar("select count(*) from urls").fetch_one(store.read()).await.unwrap();
    assert!(live > 3 * LINES.cast_signed(), "{live}");
    store.close().await;
}
