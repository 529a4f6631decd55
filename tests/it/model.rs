//! Every interleaving of a small world, instead of drawn ones: a bounded search through the states of the daemon's pure
//! decisions and a small honest service.
//!
//! The decisions are the program's own: `decide`, `react`, `doubt::next_step`, `after_replay`, `ServiceClock`. What the
//! database does between them is told here anew, in a few lines each (`daemon.rs`), and so is the service
//! (`service.rs`). From one state the search goes to all that can come next: a step of the daemon with every fate of
//! its call, a crash before or after it, time, a call that is performed late, a clock that is set, a key that is
//! replaced, somebody else's task. In every state reached the invariants hold (`world.rs`), and with a rule taken away
//! the search finds what breaks.

#![expect(clippy::print_stdout, reason = "the number of states is told")]

mod daemon;
mod rules;
mod service;
mod world;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use self::rules::Rules;
use self::world::{Bounds, World};

/// How a search ended.
#[derive(Debug)]
struct Searched {
    states: usize,
    deepest: usize,
    /// Whether there is no state beyond those that were visited.
    whole: bool,
    /// What broke, and the way there.
    broken: Option<(String, Vec<String>)>,
}

/// Searches breadth first, so that the way to what breaks is a shortest one. No more than `states_max` states are
/// visited.
fn search(starts: Vec<World>, rules: &Rules, bounds: &Bounds, states_max: usize) -> Searched {
    let mut seen = HashSet::new();
    let mut layer: Vec<(World, usize)> = Vec::new();
    // Each state visited, by the one it came from and the step between them.
    let mut ways: Vec<(usize, &'static str)> = Vec::new();
    for start in starts {
        ways.push((usize::MAX, "start"));
        layer.push((start, ways.len() - 1));
    }
    let mut deepest = 0;
    while !layer.is_empty() && ways.len() < states_max {
        let mut next = Vec::new();
        for (world, way) in layer {
            for (step, after) in world.next(rules, bounds) {
                let mut hasher = DefaultHasher::new();
                after.hash(&mut hasher);
                if !seen.insert(hasher.finish()) {
                    continue;
                }
                ways.push((way, step));
                if let Err(what) = after.check(rules) {
                    let broken = Some((what, steps_to(&ways, ways.len() - 1)));
                    return Searched { states: ways.len(), deepest, whole: false, broken };
                }
                next.push((after, ways.len() - 1));
            }
        }
        deepest += 1;
        layer = next;
    }
    Searched { states: ways.len(), deepest, whole: layer.is_empty(), broken: None }
}

fn steps_to(ways: &[(usize, &'static str)], mut at: usize) -> Vec<String> {
    let mut steps = Vec::new();
    while at != usize::MAX {
        steps.push(ways[at].1.to_owned());
        at = ways[at].0;
    }
    steps.reverse();
    steps
}

/// More states in the long form: `PREFETCHD_MODEL_STATES=2000000 cargo test --release model -- --nocapture`.
fn states_max() -> usize {
    std::env::var("PREFETCHD_MODEL_STATES").ok().and_then(|text| text.parse().ok()).unwrap_or(60_000)
}

fn told(name: &str, searched: &Searched, since: Instant) {
    let Searched { states, deepest, whole, .. } = searched;
    let all = if *whole { ", all there are" } else { "" };
    println!("model: {name}: {states} states{all}, {deepest} steps deep, {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
fn in_every_state_reached_the_invariants_hold() {
    for (name, bounds) in Bounds::all() {
        let since = Instant::now();
        let searched = search(World::starts(), &Rules::REAL, &bounds, states_max() / 4);
        told(name, &searched, since);
        if let Some((what, steps)) = &searched.broken {
            panic!("{name}: {what}\n{}", steps.join("\n"));
        }
    }
}

#[test]
fn without_any_one_of_the_rules_the_search_finds_what_breaks() {
    for (name, rules, bounds) in Rules::broken() {
        let since = Instant::now();
        let searched = search(World::starts(), &rules, &bounds, 1_000_000);
        told(name, &searched, since);
        let (what, steps) = searched.broken.unwrap_or_else(|| panic!("{name}: nothing was found"));
        println!("model: {name}: {what}\n    {}", steps.join("\n    "));
    }
}
