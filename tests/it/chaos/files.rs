//! The files of a world: each asks for one action, or its lines for their own.

use std::fs;
use std::time::SystemTime;

use chrono::TimeDelta;
use prefetchd::model::{Action, Lane, Time, rfc3339};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};

use super::lies::ODD;
use super::world::Chaos;

/// What files and lines ask for, by how often.
const ACTIONS: [Action; 10] = [
    Action::Prefetch,
    Action::Prefetch,
    Action::Prefetch,
    Action::Prefetch,
    Action::Prefetch,
    Action::PurgeThenPrefetch,
    Action::PurgeThenPrefetch,
    Action::PurgeThenPrefetch,
    Action::Purge,
    Action::PurgeDirectory,
];

/// Directories, few enough that many URLs are below one that is purged.
const FOLDERS: u32 = 40;

/// What lines say of a URL in a lane, by the service's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    pub not_before: Option<Time>,
    pub deadline: Option<Time>,
    /// Whether more than one line names it: then the strongest wish counts, and it may go again.
    pub again: bool,
    /// Whether a line wants it prefetched that wants no purge before.
    pub plain: bool,
}

impl Chaos {
    /// Drops a file of new URLs, a few known ones, and some that are none; now and then with a time of its own.
    pub fn drop_file(&mut self) {
        self.files += 1;
        let now = self.service_time();
        let wish = match self.chance.random_range(0..10) {
            0 => Wish { not_before: Some(now + TimeDelta::hours(self.chance.random_range(1..13))), ..Wish::default() },
            1 => Wish { deadline: Some(now + TimeDelta::hours(self.chance.random_range(1..13))), ..Wish::default() },
            _ => Wish::default(),
        };
        let action = *ACTIONS.choose(&mut self.chance).unwrap();
        let mixed = self.chance.random_range(0..6) == 0;
        let lines = self.chance.random_range(1..if action == Action::PurgeDirectory { 8 } else { 80 });
        let lines: Vec<(Action, String)> = (0..lines).map(|_| self.draw_line(action, mixed, wish)).collect();
        let mut list = String::new();
        let ending = if mixed { "jsonl" } else { "txt" };
        if !mixed {
            list.push_str(&format!("#: action = {}\n", action.word()));
            for (key, time) in [("not_before", wish.not_before), ("deadline", wish.deadline)] {
                if let Some(time) = time {
                    list.push_str(&format!("#: {key} = {}\n", rfc3339(time)));
                }
            }
        }
        for (action, url) in &lines {
            list.push_str(&if mixed { record(*action, url, wish) } else { url.clone() });
            list.push('\n');
        }
        list.push_str("no url at all\n");
        let incoming = self.config.spool.dir.join("incoming");
        fs::create_dir_all(&incoming).unwrap();
        let hidden = incoming.join(".next");
        fs::write(&hidden, list).unwrap();
        // Long since settled, so that the scan takes it whether or not inotify was heard.
        fs::File::options().append(true).open(&hidden).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        fs::rename(hidden, incoming.join(format!("file-{:05}.{ending}", self.files))).unwrap();
    }

    /// Draws a line, and notes what it wants.
    fn draw_line(&mut self, action: Action, mixed: bool, wish: Wish) -> (Action, String) {
        let action = if mixed { *ACTIONS.choose(&mut self.chance).unwrap() } else { action };
        // What is purged was mostly prefetched before.
        let is_purged = matches!(action, Action::Purge | Action::PurgeThenPrefetch);
        let known = if is_purged && self.chance.random_bool(0.2) { self.known() } else { None };
        let url = known.unwrap_or_else(|| draw_url(&mut self.chance, action));
        let mut want = |lane: Lane, wish: Wish| {
            let known = self.dropped.entry((lane, url.clone()));
            let also = |known: &mut Wish| (known.again, known.plain) = (true, known.plain || wish.plain);
            known.and_modify(also).or_insert(wish);
        };
        if action.purges_first() {
            want(Lane::Purge, wish);
        }
        want(action.lane(), Wish { plain: action == Action::Prefetch, ..wish });
        (action, url)
    }

    /// Some URL that was dropped for prefetching.
    fn known(&mut self) -> Option<String> {
        let urls = self.dropped.keys().filter(|(lane, _)| *lane == Lane::Prefetch);
        urls.choose(&mut self.chance).map(|(_, url)| url.clone())
    }
}

fn draw_url(chance: &mut StdRng, action: Action) -> String {
    let odd = if chance.random_bool(0.03) { ODD.choose(chance).unwrap().0 } else { "/" };
    let folder = format!("https://vod.example.com{odd}folder-{:02}/", chance.random_range(0..FOLDERS));
    if action == Action::PurgeDirectory {
        return folder;
    }
    format!("{folder}{:06}.ts", chance.random_range(0..200_000))
}

fn record(action: Action, url: &str, wish: Wish) -> String {
    serde_json::json!({
        "url": url, "action": action.word(),
        "not_before": wish.not_before.map(rfc3339), "deadline": wish.deadline.map(rfc3339),
    })
    .to_string()
}
