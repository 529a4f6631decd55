//! Who leads dies, hangs, is cut off, or loses its server, and another host goes on.
//!
//! Daemons of the built binary, real time, and the sandbox's account as the witness. The long form of a premiere:
//! `PREFETCHD_PREMIERES=20 cargo test takeover::a_premiere -- --nocapture`; each has a seed, and a failing one is
//! printed.

#![expect(clippy::print_stdout, reason = "a run tells its seed and how it ended")]

mod blows;
mod cluster;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use self::cluster::Cluster;
use crate::support::urls;

/// Premieres in the suite.
const PREMIERES: u64 = 2;

/// Tasks that end soon and well.
const QUICK: &str = "[tasks]\ntakes = \"1s\"\nfailing_share = 0.0\n";

/// URLs of a premiere.
const URLS: usize = 6_000;

/// Batches a day.
const BUDGET: u64 = 40;

fn premiere(seed: u64) -> Option<()> {
    let mut chance = StdRng::seed_from_u64(seed);
    let scenario = "[quota]\nper_day = 40\n[tasks]\ntakes = \"1s\"\nfailing_share = 0.0\nlisted_after_seconds = 0.5\n\
                    [[fault]]\nshare = 0.5\naction = \"delay\"\ndelay = \"300ms\"\n";
    let config = "[budget]\nrequests_per_day = 40\n[schedule]\nbatch_urls_max = 500\n";
    let mut cluster = Cluster::new(scenario, config, &["a", "b"], seed % 2 == 1)?;
    cluster.start("a");
    cluster.waits_to_lead("a");
    cluster.start("b");
    let deadline = chrono::Utc::now() + chrono::TimeDelta::minutes(10);
    let head = format!("#: priority = urgent\n#: deadline = {}\n", deadline.format("%Y-%m-%dT%H:%M:%SZ"));
    cluster.drop_file("b", "premiere.txt", head + &urls("premiere", URLS));
    // In mid-batch: after so many calls, and a moment into the next one.
    let batches = chance.random_range(1..10);
    cluster.wait("some batches", || cluster.world.preloads().len() >= batches);
    std::thread::sleep(Duration::from_millis(chance.random_range(0..400)));
    cluster.kill("a");
    let killed = Instant::now();
    cluster.waits_to_lead("b");
    let taken = killed.elapsed();
    cluster.wait_for("select complete from v_status", URLS as i64);
    cluster.wait_for("select count(*) from v_files where finished_at is not null", 1);
    cluster.assert_books_agree();
    cluster.assert_account_is_kept(BUDGET, true);
    assert_eq!(cluster.world.warm().len(), URLS);
    println!("premiere: seed {seed}: killed after {batches} calls, b led {taken:?} later");
    Some(())
}

#[test]
fn a_premiere_dropped_on_one_host_is_warm_although_the_leader_was_killed() {
    let premieres = std::env::var("PREFETCHD_PREMIERES").ok().and_then(|text| text.parse().ok());
    for seed in 0..premieres.unwrap_or(PREMIERES) {
        println!("premiere: seed {seed}");
        if premiere(seed).is_none() {
            return;
        }
    }
}

/// Blows in the suite, and the seed that has those whose ends are the least like a restart's: a failover, a long
/// snapshot, a lost commit, a stalled wire.
const BLOWS: usize = 4;
const SEED: u64 = 2;

#[test]
fn whatever_happens_to_hosts_and_server_the_budget_is_kept() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let blows = number("PREFETCHD_BLOWS").map_or(BLOWS, |blows| blows as usize);
    let first = number("PREFETCHD_BLOWS_SEED").unwrap_or(SEED);
    for n in 0..blows::worlds(blows) {
        let seed = first + n as u64;
        println!("blows: PREFETCHD_BLOWS_SEED={seed}");
        let Some(end) = blows::live(seed, blows::of_world(n, blows)) else { return };
        println!("blows: seed {seed}: {end}");
    }
}

/// Whoever leads has to write down each charge in its spool. If it cannot, another host leads until it can.
#[test]
fn a_host_whose_marker_cannot_be_written_lets_another_one_lead() {
    let Some(mut cluster) = Cluster::new(QUICK, "", &["a", "b"], false) else { return };
    cluster.start("a");
    cluster.waits_to_lead("a");
    cluster.start("b");
    cluster.wait_for("select hosts from v_status", 2);
    // Nobody can write into a folder as into a file, not even root.
    let marker = cluster.host("a").dir.join("spool/.ledger");
    let _ = std::fs::remove_file(&marker);
    std::fs::create_dir(&marker).unwrap();
    cluster.drop_file("b", "film.txt", urls("film", 200));
    cluster.waits_to_lead("b");
    cluster.wait_for("select complete from v_status", 200);
    let says = |count| {
        let query = "select count(*) from v_daemons where host = 'a' and lead_problem_code = 'marker_unwritten'";
        cluster.wait_for(query, count);
    };
    says(1);
    std::fs::remove_dir(&marker).unwrap();
    says(0);
    cluster.assert_books_agree();
    cluster.assert_account_is_kept(500, true);
}

/// A backup is put back into the same history of the server: a host whose marker knows more raises and doubts the day,
/// whoever leads.
#[test]
fn a_backup_that_is_put_back_costs_no_second_budget() {
    let config = "[budget]\nrequests_per_day = 4\n[schedule]\nbatch_urls_max = 10\nlinger = \"0s\"\n";
    let Some(mut cluster) = Cluster::new(QUICK, config, &["a", "b"], false) else { return };
    cluster.start("b");
    cluster.waits_to_lead("b");
    cluster.drop_file("b", "first.txt", urls("first", 10));
    cluster.wait_for("select complete from v_status", 10);
    cluster.stop("b");
    let backup = cluster.back_up();
    cluster.start("a");
    cluster.drop_file("a", "more.txt", urls("more", 30));
    cluster.wait_for("select complete from v_status", 40);
    cluster.stop("a");
    cluster.put_back(&backup);
    cluster.start("a");
    cluster.waits_to_lead("a");
    cluster.wait_for("select requests_used from v_budget", 4);
    cluster.stop("a");
    cluster.put_back(&backup);
    // This one's marker knows of one call alone.
    cluster.start("b");
    cluster.waits_to_lead("b");
    cluster.start("a");
    cluster.wait_for("select requests_used from v_budget", 4);
    cluster.drop_file("b", "last.txt", urls("last", 30));
    cluster.wait_for("select pending from v_status where waiting_code = 'requests_spent'", 30);
    cluster.assert_account_is_kept(4, false);
}

/// The server crashes, and behind a pooler; each commit that was answered stands.
#[test]
fn a_host_goes_on_when_its_server_has_crashed() {
    let Some(mut cluster) = Cluster::new(QUICK, "", &["a"], true) else {
        return;
    };
    cluster.start("a");
    for n in 1..4 {
        cluster.drop_file("a", &format!("film-{n}.txt"), urls(&format!("film-{n}"), 200));
        cluster.wait_for("select count(*) from v_files where progress = 'done'", n);
        cluster.restart_the_server();
    }
    cluster.wait_for("select complete from v_status", 600);
    cluster.host("a").wire.lose_a_commit();
    cluster.drop_file("a", "last.txt", urls("last", 200));
    cluster.wait_for("select complete from v_status", 800);
    cluster.assert_books_agree();
    cluster.assert_account_is_kept(500, true);
}
