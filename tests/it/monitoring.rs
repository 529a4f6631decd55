//! What ships for whoever watches: dashboard, alert rules and the list of events agree with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::http::{LISTEN, address, get};
use crate::support::{World, read, said, urls};

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// `promtool`, if it is installed.
fn promtool() -> Option<Command> {
    let there = Command::new("promtool").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: promtool is missing (apt-get install prometheus)");
    }
    there.is_ok().then(|| Command::new("promtool"))
}

fn assert_promtool(args: &[&str], input: Option<&str>, directory: &Path) {
    let Some(mut promtool) = promtool() else { return };
    let stdin = match input {
        Some(text) => {
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::write(file.path(), text).unwrap();
            Stdio::from(fs::File::open(file.path()).unwrap())
        }
        None => Stdio::null(),
    };
    let output = promtool.args(args).current_dir(directory).stdin(stdin).output().unwrap();
    let complained = !output.status.success() || (input.is_some() && !output.stderr.is_empty());
    assert!(!complained, "promtool {args:?}: {}", said(&output));
}

/// The page of a daemon that has spent something and knows its quota, so that it exports everything.
fn metrics() -> String {
    let world = World::new("", LISTEN);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 5));
    world.wait_for("select submitted from v_status", 5);
    // What the quota counts shows across a batch, when it is asked for again.
    world.drop_file("next.txt", urls("b", 5));
    world.wait_for("select submitted from v_status", 10);
    let address = address(&world);
    let page = || get(address, "/metrics").body;
    world.wait("the quota's unit to be shown", || page().contains("prefetchd_quota_drift"));
    page()
}

/// The page of a daemon with a number of URLs a day, which it then exports too.
fn metrics_with_a_limit() -> String {
    let world = World::new("", &format!("{LISTEN}[budget]\nurls_per_day = 1000\n"));
    let _daemon = world.ready_daemon();
    get(address(&world), "/metrics").body
}

/// The page of a host that shares a database, which it then exports too.
fn metrics_of_a_host() -> String {
    let Some(world) = World::on_server("", LISTEN) else {
        // Without PostgreSQL only their names are known.
        return "# TYPE prefetchd_leads gauge\n# TYPE prefetchd_hosts gauge\n".to_owned();
    };
    let _daemon = world.ready_daemon();
    let page = get(address(&world), "/metrics").body;
    assert!(page.contains("prefetchd_hosts{health=\"running\"} 1"), "{page}");
    page
}

/// The names with their types.
fn exported(page: &str) -> BTreeMap<&str, &str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("prefetchd_")).collect()
}

/// The expressions of the dashboard's panels.
fn expressions(dashboard: &Value) -> Vec<&str> {
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets.map(|target| target["expr"].as_str().expect("each target has an expression")).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&read(&shipped("config/grafana-dashboard.json"))).unwrap()
}

#[test]
fn what_the_dashboard_and_the_alerts_ask_for_is_exported_and_well_named() {
    let page = metrics();
    assert_promtool(&["check", "metrics"], Some(&page), Path::new("/"));
    let page = page + &metrics_with_a_limit() + &metrics_of_a_host();
    let exported = exported(&page);
    for (name, kind) in &exported {
        assert!(name.starts_with("prefetchd_") || *name == "process_start_time_seconds", "{name}");
        assert_eq!(name.ends_with("_total"), *kind == "counter", "{name} is a {kind}");
    }
    let is_exported = |name: &str| {
        let series = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        exported.contains_key(name) || series.is_some_and(|name| exported.get(name) == Some(&"histogram"))
    };
    for file in ["config/grafana-dashboard.json", "config/prometheus-alerts.yml", "tests/prometheus-alerts.test.yml"] {
        let text = read(&shipped(file));
        let names = named(&text);
        assert!(names.len() >= 10, "{file} names only {names:?}");
        for name in names {
            assert!(is_exported(name), "{file} names {name}, which is not exported:\n{page}");
        }
    }
    let shown = named_in_either();
    for name in exported.keys().filter(|name| name.starts_with("prefetchd_")) {
        assert!(shown.iter().any(|used| used.starts_with(name)), "{name} is in no panel and no alert");
    }
}

/// Metrics that have the label `action`.
fn by_action(page: &str) -> BTreeSet<&str> {
    let lines = page.lines().filter(|line| line.contains("{action=\""));
    lines.map(|line| line.split('{').next().unwrap()).collect()
}

#[test]
fn the_dashboard_shows_each_action_apart_where_a_metric_does() {
    let page = metrics() + &metrics_with_a_limit();
    let by_action = by_action(&page);
    assert!(by_action.len() >= 15, "{by_action:?}");
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["name"] == "action"), "a variable for the action");
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let expression = target["expr"].as_str().unwrap();
            let is_of_actions = named(expression).iter().any(|name| by_action.contains(name));
            assert_eq!(expression.contains("action=~\"$action\""), is_of_actions, "{}: {expression}", panel["title"]);
        }
    }
}

fn named_in_either() -> BTreeSet<String> {
    let files = ["config/grafana-dashboard.json", "config/prometheus-alerts.yml"];
    files
        .iter()
        .flat_map(|file| named(&read(&shipped(file))).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn the_alert_rules_are_valid_and_fire_when_they_should() {
    let root = shipped("");
    assert_promtool(&["check", "rules", "config/prometheus-alerts.yml"], None, &root);
    assert_promtool(&["test", "rules", "tests/prometheus-alerts.test.yml"], None, &root);
    let (rules, tests) =
        (read(&shipped("config/prometheus-alerts.yml")), read(&shipped("tests/prometheus-alerts.test.yml")));
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} has no test");
    }
}

/// What Grafana 10 and 11 need of a dashboard that is imported, as far as its documentation says.
#[test]
fn the_dashboard_is_one_that_grafana_can_load() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_i64().unwrap() >= 38);
    assert!(dashboard["id"].is_null(), "an id belongs to one installation");
    assert!(dashboard["title"].is_string() && dashboard["uid"].as_str().unwrap().len() <= 40);
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source =
        variables.iter().find(|variable| variable["type"] == "datasource").expect("a variable for the data source");
    assert_eq!((&source["name"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
    let mut ids = BTreeSet::new();
    let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is used twice");
        assert!(
            ["row", "stat", "timeseries", "bargauge", "gauge"].contains(&panel["type"].as_str().unwrap()),
            "{title}"
        );
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} does not fit the grid");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} lies on another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let letters: BTreeSet<&str> = targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && letters.len() == targets.len(), "{title}");
        assert!(targets.iter().all(|target| target["datasource"]["uid"] == "${datasource}"), "{title}");
    }
}

#[test]
fn each_expression_of_the_dashboard_is_promql() {
    let dashboard = dashboard();
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (at, expression) in expressions(&dashboard).into_iter().enumerate() {
        let expression =
            expression.replace("$__rate_interval", "5m").replace("$instance", ".+").replace("$action", ".+");
        assert!(!expression.contains('$'), "{expression}");
        rules.push_str(&format!("  - record: panel:{at}\n    expr: {}\n", serde_json::to_string(&expression).unwrap()));
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("dashboard.yml"), rules).unwrap();
    assert_promtool(&["check", "rules", "dashboard.yml"], None, dir.path());
}

/// The files of the program, without what only tests, the sandbox or the demo say.
fn sources(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["sandbox", "demo"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            let text = read(&path);
            let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            found.push((path, text));
        }
    }
}

/// The string literals of a piece of source, from its beginning to the parenthesis that closes it.
fn literals(source: &str) -> Vec<(String, bool)> {
    let (mut found, mut depth, mut is_value) = (Vec::new(), 1, false);
    let mut chars = source.chars();
    while let Some(c) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return found,
            ')' => depth -= 1,
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    // An escaped line end swallows the blanks after it.
                    match c {
                        '\\' => match chars.next() {
                            Some('\n') => {
                                let rest = chars.as_str().trim_start();
                                chars = rest.chars();
                            }
                            escaped => text.extend(escaped),
                        },
                        c => text.push(c),
                    }
                }
                found.push((text, is_value || depth > 1));
            }
            _ => {}
        }
        if !c.is_whitespace() {
            is_value = c == '=';
        }
    }
    panic!("the macro is not closed: {source:.80}");
}

#[test]
fn the_page_of_events_lists_every_warning_and_error() {
    let page = read(&shipped("docs/events.md"));
    let mut files = Vec::new();
    sources(&shipped("src"), &mut files);
    let mut events = 0;
    for (path, text) in &files {
        for (level, start) in [("warn", "warn!("), ("error", "error!(")] {
            for (at, _) in text.match_indices(start) {
                let literals = literals(&text[at + start.len()..]);
                // Its message is the literal that is no field's value.
                let message = literals.into_iter().find(|(_, is_value)| !is_value);
                let (message, _) = message.unwrap_or_else(|| panic!("{}: an event without a message", path.display()));
                // What is filled in differs from time to time.
                let heading = format!("### `{message}`\n");
                let section = page
                    .split_once(&heading)
                    .unwrap_or_else(|| panic!("{}: docs/events.md lacks the section\n{heading}", path.display()));
                let section = section.1.split("\n##").next().unwrap();
                assert!(section.contains(level), "{message}: the page does not say that its level is {level}");
                assert!(section.contains("**Do:**"), "{message}: the page does not say what to do");
                events += 1;
            }
        }
    }
    assert!(events >= 25, "only {events} events were found");
    // And the other way round: what the page lists is somewhere in the sources.
    let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
    let all = all.split("\\\n").map(str::trim_start).collect::<String>();
    for heading in page.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')) {
        assert!(all.contains(heading), "docs/events.md lists what is never said: {heading}");
    }
}
