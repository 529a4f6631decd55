//! Faults and lies drawn from a seed, and the books checked against the sandbox's own account, by its clock, after each
//! cycle.
//!
//! The stages run step by step in this process, with real files, a real database and real HTTP, on clocks that the test
//! moves: the machine's, which may be wrong and is set now and then, and the service's. A crash is a step that is
//! dropped wherever it is; then everything is opened anew. Each world lives some cycles with lies of its own
//! (`lies.rs`). A failing seed is printed, and replays what is drawn: `PREFETCHD_CHAOS_SEED=7 cargo test chaos`. The
//! long run: `PREFETCHD_CHAOS_CYCLES=1000 cargo test --release chaos -- --nocapture`.

#![expect(clippy::print_stdout, reason = "a run tells its seed and how it ended")]

mod checks;
mod files;
mod lies;
mod world;

use rand::RngExt as _;

use self::world::Chaos;
use crate::support::postgres::{self, Server};

/// Cycles that one world lives; then another one, with other lies, begins.
const WORLD_CYCLES: u32 = 50;

/// Cycles in the suite; on a server fewer, since its engine is what is new there.
const CYCLES: u64 = 35;
const CYCLES_ON_A_SERVER: u64 = 12;

/// What the suite draws from: worlds differ much in how long they take, and others are for the long run.
const SEED: u64 = 100;

/// Lives through some cycles: files, steps, crashes; and then until nothing waits any more.
async fn world(seed: u64, unit: &str, cycles: u32, on: Option<&Server>) -> String {
    let url = match on {
        Some(server) => Some(server.database(&format!("chaos_{unit}_{seed}")).await),
        None => None,
    };
    let mut chaos = Chaos::new(seed, unit, url).await;
    let mut life = chaos.life().await;
    for _ in 0..cycles {
        if chaos.chance.random_range(0..2) == 0 {
            chaos.drop_file();
        }
        let steps = chaos.chance.random_range(1..12);
        if !chaos.live(&mut life, steps, true).await {
            chaos.crashes += 1;
            drop(life);
            life = chaos.life().await;
        }
        chaos.check().await;
    }
    drop(life);
    let end = chaos.drain().await;
    chaos.check().await;
    format!("{} crashes in {} steps; {end}", chaos.crashes, chaos.steps)
}

fn run(seed: u64, unit: &str, cycles: u32, on: Option<&Server>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let worlds = cycles.div_ceil(WORLD_CYCLES);
    for n in 0..worlds {
        let (seed, cycles) = (seed + u64::from(n), WORLD_CYCLES.min(cycles - n * WORLD_CYCLES));
        println!("chaos: PREFETCHD_CHAOS_SEED={seed}, quota in {unit}, {cycles} cycles");
        let end = runtime.block_on(world(seed, unit, cycles, on));
        println!("chaos: seed {seed}: {end}");
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn run_from_environment(unit: &str, cycles: u64, on: Option<&Server>) {
    let cycles = u32::try_from(from_environment("PREFETCHD_CHAOS_CYCLES", cycles)).unwrap();
    run(from_environment("PREFETCHD_CHAOS_SEED", SEED), unit, cycles, on);
}

#[test]
fn whatever_happens_the_books_hold_where_the_quota_counts_requests() {
    run_from_environment("requests", CYCLES, None);
}

#[test]
fn whatever_happens_the_books_hold_where_the_quota_counts_urls() {
    run_from_environment("urls", CYCLES, None);
}

/// One daemon, its database on a server.
#[test]
fn whatever_happens_the_books_hold_on_postgresql() {
    if let Some(server) = postgres::server() {
        run_from_environment("requests", CYCLES_ON_A_SERVER, Some(server));
    }
}
