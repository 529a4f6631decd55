//! What a world's service does wrong, drawn from its seed.

use std::fmt::Write as _;

use chrono::TimeDelta;
use prefetchd::model::Time;
use prefetchd::sandbox::ACCESS_KEY_SECRET;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

/// False dates: the far future and past, a day or four off, a skew that looks like none, none at all.
const DATES: [&str; 8] =
    ["9999-12-31T23:59:59Z", "2037-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "+1d", "-1d", "+4d", "-25s", "none"];

/// What a machine's clock is off by: nothing, seconds, minutes, more than a day, a year. By days it is never off by as
/// much as a false date is: two witnesses that tell the same lie before anything is proved are believed.
const SKEWS: [i64; 9] = [0, 2, -3, 25, -25, 290, -290, 90_000, -400 * 86_400];

/// How tasks of URLs with these in them end; the service says so, and only then may a URL fail.
pub const ODD: [(&str, &str); 5] = [
    ("/odd-failed/", "status = \"Failed\""),
    ("/odd-timeout/", "status = \"Timeout\""),
    ("/odd-canceled/", "status = \"Canceled\""),
    ("/odd-word/", "status = \"Paused\""),
    ("/odd-part/", "process = \"37%\""),
];

/// A world's lies.
pub struct Lies {
    /// What the sandbox is to be.
    pub scenario: String,
    /// What the machine's clock is ahead of the service's by.
    pub skew: TimeDelta,
    /// The key's secret, and from when on it is the next one.
    pub secrets: Vec<(TimeDelta, String)>,
}

impl Lies {
    /// Draws them.
    pub fn draw(seed: u64, unit: &str) -> Self {
        let mut chance = StdRng::seed_from_u64(seed ^ 0x11e5);
        let per_day = if unit == "urls" { chance.random_range(200..800) } else { chance.random_range(10..30) };
        let queue = [usize::MAX >> 1].choose(&mut chance).copied().unwrap();
        let mut text = format!(
            "seed = {seed}\n[quota]\nunit = \"{unit}\"\nper_day = {per_day}\nothers_share = 0.02\ncounts_refused = {}\n\
             [limits]\ncalls_per_second = 100000\nqueue_urls = {queue}\n\
             [tasks]\nlisted_after_seconds = {}.0\nids_per_batch = {}\ntakes = \"{}s\"\nmerge = {}\nstale = {}\n\
             strict_times = false\n\
             [purge]\nurls_per_day = {}\ndirectories_per_day = {}\ncounts_refused = {}\ntakes = \"{}s\"\n",
            chance.random_bool(0.3),
            chance.random_range(0..60),
            chance.random_range(1..4),
            chance.random_range(60..1500),
            chance.random_bool(0.3),
            chance.random_bool(0.3),
            chance.random_range(40..120),
            chance.random_range(4..12),
            chance.random_bool(0.3),
            chance.random_range(10..900),
        );
        for (part, odd) in ODD {
            let _ = writeln!(text, "[[task]]\nurl_contains = \"{part}\"\n{odd}");
        }
        text.push_str("[[task]]\nshare = 0.05\nwhole_tasks = true\nunlisted = true\n");
        text.push_str("[[task]]\nshare = 0.1\nwhole_tasks = true\nlisted_after = \"4m\"\n");
        faults(&mut text, &mut chance);
        for after in ["0s", "-30s", "-2h"] {
            let _ =
                writeln!(text, "[[foreign]]\nshare = 0.02\ncount = {}\nafter = \"{after}\"", chance.random_range(1..4));
        }
        let secrets = changes(&mut text, &mut chance, if unit == "urls" { 25 } else { 1 });
        let skew = TimeDelta::seconds(*SKEWS.choose(&mut chance).unwrap());
        Self { scenario: text, skew, secrets }
    }

    /// The secret that the service takes, and the one that the operator has written down: a little early, or late.
    pub fn secret(&self, since: TimeDelta) -> &str {
        let in_force = self.secrets.iter().rfind(|(after, _)| *after <= since);
        in_force.map_or(ACCESS_KEY_SECRET, |(_, secret)| secret)
    }
}

fn faults(text: &mut String, chance: &mut StdRng) {
    for fault in [
        "action = \"drop_before\"",
        "action = \"drop_after\"",
        "action = \"truncate\"",
        "action = \"garbage\"",
        "action = \"html\"\nstatus = 502",
        "action = \"error\"\ncode = \"Throttling.User\"",
        "action = \"error\"\ncode = \"ServiceUnavailable\"",
    ] {
        for operation in ["prefetch", "purge"] {
            let _ = writeln!(text, "[[fault]]\noperation = \"{operation}\"\nshare = 0.03\n{fault}");
        }
    }
    for delay in ["20s", "5m", "14m"] {
        for operation in ["prefetch", "purge"] {
            let late = "share = 0.02\naction = \"late\"";
            let _ = writeln!(text, "[[fault]]\noperation = \"{operation}\"\n{late}\ndelay = \"{delay}\"");
        }
    }
    text.push_str("[[fault]]\nshare = 0.003\naction = \"delay\"\ndelay = \"1500ms\"\n");
    for operation in ["DescribeVodRefreshTasks", "DescribeVodRefreshQuota"] {
        let _ = writeln!(text, "[[fault]]\noperation = \"{operation}\"\nshare = 0.05\naction = \"drop_after\"");
    }
    // Each so seldom that it is not told twice while nothing is proved, and no two alike: two witnesses that agree
    // would be believed.
    let dates = DATES.sample(chance, 2);
    for ((action, every), date) in [("pass", 47), ("html", 61)].into_iter().zip(dates) {
        let _ =
            writeln!(text, "[[fault]]\noperation = \"*\"\nevery = {every}\naction = \"{action}\"\ndate = \"{date}\"");
    }
}

/// What becomes of the account in the world's first days. A suspension ends; a key is replaced by another one.
fn changes(text: &mut String, chance: &mut StdRng, unit: u32) -> Vec<(TimeDelta, String)> {
    let mut secrets = Vec::new();
    for n in 0..chance.random_range(0..5) {
        let after = chance.random_range(1..60);
        let mut change = |after: i32, what: String| {
            let _ = writeln!(text, "[[change]]\nafter = \"{after}h\"\n{what}");
        };
        match chance.random_range(0..7) {
            5 => change(after, format!("purge_urls_per_day = {}", chance.random_range(40..120))),
            6 => {
                change(after, "purge_allowed = false".to_owned());
                change(after + 3, "purge_allowed = true".to_owned());
            }
            0 | 1 => change(after, format!("per_day = {}", unit * chance.random_range(10..90))),
            2 => {
                change(after, "suspended = true".to_owned());
                change(after + 2, "suspended = false".to_owned());
            }
            3 => change(after, "tasks_readable = false".to_owned()),
            _ => {
                let secret = format!("secret-{n}");
                change(after, format!("access_key_secret = \"{secret}\""));
                secrets.push((TimeDelta::hours(i64::from(after)), secret));
            }
        }
    }
    secrets.sort();
    secrets
}

/// The moment at which the sandbox's clock begins.
pub fn start() -> Time {
    "2026-11-23T14:00:00Z".parse().unwrap()
}
