//! `forecast`: that it comes true, and that it has every URL exactly once.

use std::collections::BTreeMap;
use std::fs;

use chrono::{TimeDelta, Utc};
use prefetchd::model::{Action, FileId, Keys, Lane, ObjectUrl, Priority, Time, UrlRules};
use prefetchd::queue::{self, Bounds, NewUrls, Pending};
use prefetchd::store::{self, Store, query_scalar};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{World, said, urls};

/// A window that is closed now and for some hours to come.
fn closed() -> String {
    let hour = |hours: i64| (Utc::now() + TimeDelta::hours(8 + hours)).format("%H").to_string();
    format!("{}:00-{}:00", hour(5), hour(6))
}

fn forecast(world: &World, args: &[&str]) -> (Option<i32>, Value) {
    let args = [&["forecast", "--json"], args].concat();
    let output = world.run(&args);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (output.status.code(), json)
}

/// A world whose queue is full and whose window is closed.
fn waiting(config: &str, files: &[(&str, String)]) -> World {
    let world = World::new("[limits]\ncalls_per_second = 1000", &format!("{config}\nwindows = [\"{}\"]", closed()));
    let daemon = world.ready_daemon();
    let mut lines = 0;
    for (name, text) in files {
        world.drop_file(name, text);
        lines += text.lines().filter(|line| !line.starts_with('#')).count();
        world.wait_for("select pending from v_status", i64::try_from(lines).unwrap());
    }
    world.stop(daemon);
    world
}

#[test]
fn what_was_forecast_is_what_the_daemon_then_does() {
    let settings = "[budget]\nurls_per_day = \"unlimited\"\n[schedule]\nlinger = \"0s\"\nbatch_urls_max = 7";
    let low = format!("#: priority = low\n{}", urls("low", 10));
    let high = format!("#: priority = high\n{}", urls("high", 20));
    let world = waiting(settings, &[("low.txt", low), ("film.txt", urls("film", 30)), ("high.txt", high)]);
    let (_, closed) = forecast(&world, &[]);
    let first: Time = closed["files"][0]["first_at"].as_str().unwrap().parse().unwrap();
    assert!(first > Utc::now() + TimeDelta::hours(3), "the window is closed until {first}");

    world.configure(settings);
    let (code, told) = forecast(&world, &[]);
    assert_eq!(code, Some(0));
    let order: Vec<&str> =
        told["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["high.txt", "film.txt", "low.txt"]);
    assert_eq!((&told["urls"], &told["submitted"], &told["guessed"]), (&60.into(), &60.into(), &0.into()));

    let daemon = world.ready_daemon();
    world.wait_for("select submitted from v_status", 60);
    world.stop(daemon);
    assert_eq!(told["requests"].as_i64().unwrap(), world.number("select count(*) from v_submissions"));
    let done = world.rows("select file from v_urls group by file order by max(submission_id)");
    assert_eq!(done, [["high.txt"], ["film.txt"], ["low.txt"]]);
    let (code, json) = forecast(&world, &["film.txt"]);
    assert_eq!((code, &json["last"]["submitted"]), (Some(0), &30.into()));
    let text = said(&world.run(&["forecast", "film.txt"]));
    assert!(text.contains("nothing of film.txt waits to be sent: 30 submitted"), "{text}");
    assert_eq!(world.run(&["forecast", "never.txt"]).status.code(), Some(66));
}

#[test]
fn a_file_that_is_not_dropped_costs_what_it_adds_and_displaces_what_is_weaker() {
    let settings = "[budget]\nurls_per_day = \"unlimited\"\nrequests_per_day = 4\n[schedule]\nlinger = \"0s\"\n\
        batch_urls_max = 10";
    let deadline = (Utc::now() + TimeDelta::hours(30)).to_rfc3339();
    let due = format!("#: deadline = {deadline}\n{}", urls("due", 30));
    let world = waiting(settings, &[("due.txt", due), ("film.txt", urls("film", 50))]);
    world.configure(settings);
    // Known URLs, one that stands twice, one that is none, and 45 new ones that outrank all others.
    let text = format!("#: priority = urgent\n{}{}{}/dir/\n", urls("new", 45), urls("film", 3), urls("new", 1));
    fs::write(world.path("new.txt"), text).unwrap();
    let path = world.path("new.txt").display().to_string();
    let before = world.rows("select * from v_files");
    let (code, json) = forecast(&world, &["--add", &path]);
    let add = &json["add"];
    assert_eq!(
        (&add["queued"], &add["merged"], &add["refused"], &add["days"]),
        (&45.into(), &4.into(), &1.into(), &2.into()),
        "{add}"
    );
    // Eighty URLs in eight batches; five URLs more than four full ones make a fifth, or go with what is left of the
    // others.
    assert_eq!(json["requests"], 8);
    assert!((4..=5).contains(&add["requests"].as_i64().unwrap()), "{add}");
    let displaced: Vec<&str> =
        add["displaced"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert!(displaced.contains(&"film.txt"), "{add}");
    assert!(matches!(code, Some(0 | 1)));
    assert_eq!(world.rows("select * from v_files"), before, "it only asks");
    let text = said(&world.run(&["forecast", "--add", &path]));
    assert!(text.contains("added       new.txt: 45 URLs, 4 merged, 1 refused"), "{text}");
    assert_eq!(world.run(&["forecast", "--add", "/nowhere/x.txt"]).status.code(), Some(66));
}

#[test]
fn a_purge_and_prefetch_is_forecast_in_both_lanes_before_it_is_dropped_and_after_it() {
    let settings = "[spool]\nactions = [\"prefetch\", \"purge\", \"purge-directory\"]\n[budget.purge]\n\
        urls_per_day = 2000\n[schedule]\nlinger = \"0s\"\nbatch_urls_max = 500";
    let world = waiting(settings, &[("other.txt", urls("other", 10))]);
    world.configure(settings);
    let deadline = (Utc::now() + TimeDelta::hours(72)).to_rfc3339();
    let text = format!("#: action = purge+prefetch\n#: deadline = {deadline}\n{}", urls("film", 2_500));
    fs::write(world.path("film.txt"), &text).unwrap();
    let path = world.path("film.txt").display().to_string();
    let (code, told) = forecast(&world, &["--add", &path]);
    let add = &told["add"];
    assert_eq!((code, &add["queued"], &add["purge"]["urls"]), (Some(0), &2_500.into(), &2_500.into()), "{add}");
    // At least ten batches, and what purges leave over goes on the next day.
    assert!(add["requests"].as_i64().unwrap() >= 10 && add["days"] == 2, "{add}");
    let at = |value: &Value| value.as_str().unwrap().parse::<Time>().unwrap();
    assert!(at(&add["forecast"]["first_at"]) >= at(&add["purge"]["first_at"]) + TimeDelta::minutes(6), "{add}");
    assert!(at(&add["forecast"]["last_at"]) >= at(&add["purge"]["last_at"]) + TimeDelta::minutes(6), "{add}");
    let page = said(&world.run(&["forecast", "--add", &path]));
    assert!(page.contains("purges sent"), "{page}");

    // Dropped, it is told the same.
    world.configure(&format!("{settings}\nwindows = [\"{}\"]", closed()));
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", &text);
    world.wait_for("select purge_pending from v_files where name = 'film.txt'", 2_500);
    world.stop(daemon);
    world.configure(settings);
    let (_, now) = forecast(&world, &["film.txt"]);
    let of = |action: &Value| {
        let files = now["files"].as_array().unwrap();
        files.iter().find(|file| file["action"] == *action).unwrap_or_else(|| panic!("{now}")).clone()
    };
    for (told, is) in [(&add["forecast"], of(&Value::Null)), (&add["purge"], of(&"purge".into()))] {
        assert_eq!((&told["urls"], &told["submitted"]), (&is["urls"], &is["submitted"]));
        for key in ["first_at", "last_at"] {
            let apart = (at(&told[key]) - at(&is[key])).abs();
            assert!(apart < TimeDelta::minutes(1), "{key}: {told}, now {is}");
        }
    }
    // A directory and a purge are no prefetches either.
    fs::write(world.path("dirs.txt"), "#: action = purge-directory\nhttps://vod.example.com/a/\n").unwrap();
    let (_, told) = forecast(&world, &["--add", &world.path("dirs.txt").display().to_string()]);
    let add = &told["add"];
    assert_eq!((&add["queued"], &add["forecast"]["submitted"], &add["refused"]), (&1.into(), &1.into(), &0.into()));
    assert_eq!((&add["purge"], &add["requests"], &told["requests"]), (&Value::Null, &1.into(), &told["requests"]));
}

#[test]
fn a_deadline_that_will_be_missed_is_said_by_status_too() {
    let settings = "[budget]\nurls_per_day = \"unlimited\"\nrequests_per_day = 2\n[schedule]\nlinger = \"0s\"\n\
        batch_urls_max = 10";
    let deadline = (Utc::now() + TimeDelta::hours(1)).to_rfc3339();
    let world =
        waiting(settings, &[("due.txt", format!("#: deadline = {deadline}\n#: label = 首播\n{}", urls("due", 50)))]);
    world.configure(settings);
    let (code, json) = forecast(&world, &["--label", "首播"]);
    assert_eq!(code, Some(1));
    // Within an hour there are two budget days at most.
    let missed = json["missed"].as_i64().unwrap();
    assert!(missed == 30 || missed == 10, "{json}");
    assert_eq!(json["files"][0]["deadlines"][0]["missed"], missed);
    let json: Value = serde_json::from_slice(&world.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["forecast"]["risks"][0]["file"], "due.txt");
    let commands: Vec<&str> =
        json["needs"].as_array().unwrap().iter().map(|need| need["command"].as_str().unwrap()).collect();
    let starts = ["prefetchd run --config ", "prefetchd forecast due.txt --config "];
    assert!(commands.iter().zip(starts).all(|(command, start)| command.starts_with(start)), "{commands:?}");
}

/// Keys of a line or a file, few enough that classes fill.
fn any_keys() -> impl Strategy<Value = Keys> {
    (0_i64..4, proptest::option::of(1_i64..3), proptest::option::of(1_i64..3)).prop_map(|(priority, deadline, time)| {
        Keys {
            priority: Priority::from_rank(priority),
            deadline: deadline.map(day),
            not_before: time.map(|hours| day(0) + TimeDelta::hours(hours)),
            ..Keys::default()
        }
    })
}

fn day(days: i64) -> Time {
    "2026-11-24T00:00:00Z".parse::<Time>().unwrap() + TimeDelta::days(days)
}

/// A line: what its URL is drawn from, and its own keys.
type Line = (u8, Option<Keys>);

/// Files of lines, some of which have keys of their own, and domains of which some are not online.
async fn queue_up(store: &Store, files: &[(Keys, Vec<Line>)]) {
    let rules = UrlRules { url_bytes_max: 200, domains: vec![] };
    let mut tx = store.write().await.unwrap();
    for (number, (keys, lines)) in files.iter().enumerate() {
        let mut urls = NewUrls::default();
        for (line, (kind, own)) in lines.iter().enumerate() {
            // Some lines are of another file's URLs, and so strengthen those.
            let of = if kind % 7 == 0 { 0 } else { number };
            let url = ObjectUrl::parse(&format!("https://h{}.example.com/{of}/{line}.ts", kind % 3), &rules).unwrap();
            urls.push(line as u64 + 1, &url, Action::Prefetch, own.clone().map(std::sync::Arc::new));
        }
        let queue_file = |conn: &prefetchd::store::Bulk| {
            let new =
                queue::NewFile { name: "a.txt".to_owned(), stored_name: format!("{number}.txt"), owner_uid: None };
            let files = queue::register(conn, "", &[new], day(0))?;
            queue::set_keys(conn, files[0].id, keys)?;
            queue::enqueue(conn, files[0].id, keys, &urls, day(-1), day(0))
        };
        tx.bulk(queue_file).await.unwrap();
    }
    prefetchd::store::query("update hosts set standing = 'offline' where host = 'h1.example.com'")
        .execute(tx.conn())
        .await
        .unwrap();
    // Some are parked already.
    prefetchd::store::query(
        "update urls set parked = 1 where host_id in (select host_id from hosts where standing = 'offline') \
        and url_id % 2 = 0",
    )
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

type Sums<K> = BTreeMap<K, u64>;

fn sum<K: Ord>(pending: &Pending, key: impl Fn(&prefetchd::schedule::Group) -> K) -> Sums<K> {
    let mut sums = BTreeMap::new();
    for group in &pending.groups {
        *sums.entry(key(group)).or_default() += group.urls;
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_pending_url_is_in_the_outlook_exactly_once_however_little_is_read(
        files in proptest::collection::vec(
            (any_keys(), proptest::collection::vec((any::<u8>(), proptest::option::weighted(0.2, any_keys())), 1..40)),
            1..6,
        ),
        rows in 1_u32..60, few in 1_u32..6,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a.db");
            let store = Store::open(&path).await.unwrap();
            queue_up(&store, &files).await;
            let mut conn = store::open_reader(&path).await.unwrap();
            let all = Bounds { rows: 10_000, files: 10_000 };
            let exact = queue::pending(&mut conn, Lane::Prefetch, all, day(0)).await.unwrap();
            let short = queue::pending(&mut conn, Lane::Prefetch, Bounds { rows, files: few }, day(0)).await.unwrap();

            // Row by row, by all that matters.
            let sql = "select u.file_id, u.priority, u.deadline, u.wait_until, count(*) from urls as u join hosts as h
                       using (host_id)
                       where u.state = 0 and h.standing not in ('refused', 'offline') group by 1, 2, 3, 4";
            let mut counted: Sums<(i64, i64, Option<i64>, Option<i64>)> = BTreeMap::new();
            for row in prefetchd::store::query(sql).fetch_all(&mut conn).await.unwrap() {
                counted.insert((row.get(0), row.get(1), row.get(2), row.get(3)), row.get::<i64, _>(4).unsigned_abs());
            }
            let key = |group: &prefetchd::schedule::Group| {
                let millis = |at: Option<Time>| at.map(|at| at.timestamp_millis());
                let (file, rank) = (group.file.unwrap_or(FileId(0)).0, group.priority.rank());
                (file, rank, millis(group.deadline), millis(group.ready_at))
            };
            prop_assert_eq!(sum(&exact, key), counted);
            prop_assert_eq!(exact.guessed, 0);

            // With little read, no URL is lost and none is counted twice.
            let all: i64 = query_scalar("select pending from v_status").fetch_one(&mut conn).await.unwrap();
            let grouped = |pending: &Pending| pending.groups.iter().map(|group| group.urls).sum::<u64>();
            let total = |pending: &Pending| grouped(pending) + pending.blocked;
            prop_assert_eq!(total(&exact), all.unsigned_abs());
            prop_assert_eq!(total(&short), all.unsigned_abs());
            let blocked: i64 = query_scalar("select parked from v_status").fetch_one(&mut conn).await.unwrap();
            prop_assert_eq!((exact.blocked, short.blocked <= blocked.unsigned_abs()), (blocked.unsigned_abs(), true));
            Ok(())
        })?;
    }
}
