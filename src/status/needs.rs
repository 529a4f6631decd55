//! What needs the operator, each with the command that settles it or shows more.

use chrono::DateTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Invocation, RobotReport, StatusReport};
use crate::config::Config;
use crate::model::{UrlState, quoted};
use crate::store;
use crate::telemetry::one_line;
use crate::words::{Words, labels, needs};

/// A clock that is wrong by this much, in milliseconds, is worth setting; prefetchd itself follows the service's clock.
const CLOCK_WRONG_MS: i64 = 10_000;

/// So many calls must fail in a row before the operator is asked to look.
const FAILURES_TOLD: u32 = 4;

/// The code of a pause by the operator in `v_status`.
const STOPPED: &str = "stopped";

/// Something that needs the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Need {
    /// What the matter is.
    pub what: Words,
    /// The command to type.
    pub command: String,
}

impl StatusReport {
    /// Says what the operator has to settle, the most pressing first, and what to type here for it.
    pub fn list_needs(&mut self, config: &Config, by: &Invocation) {
        let mut needs = Vec::new();
        self.of_the_daemon(&mut needs, config, by);
        self.of_the_account(&mut needs, by);
        self.of_lanes(&mut needs, by);
        self.of_urls(&mut needs, config, by);
        self.of_people(&mut needs, config, by);
        self.needs = needs;
        self.by = by.clone();
        self.make_pasteable(by);
    }

    /// Lets the commands in sentences be typed as they are typed here.
    fn make_pasteable(&mut self, by: &Invocation) {
        let lanes = self.lanes.iter_mut().flat_map(|lane| [&mut lane.paused_why, &mut lane.waiting_for]);
        let own = [
            &mut self.paused_why,
            &mut self.waiting_for,
            &mut self.spool_problem,
            &mut self.config_problem,
            &mut self.http_problem,
        ];
        let needs = self.needs.iter_mut().map(|need| &mut need.what);
        let left = self.left_alone.iter_mut().map(|left| &mut left.why);
        for words in own.into_iter().chain(lanes).flatten().chain(needs).chain(left) {
            *words = words.map(|text| by.pasteable(text));
        }
    }

    fn of_the_daemon(&self, needs: &mut Vec<Need>, config: &Config, by: &Invocation) {
        let database = config.database.url.file();
        let mut add = |what: Words, command: String| needs.push(Need { what, command });
        if !self.has_daemon() {
            add(needs::NO_DAEMON, by.start());
        }
        if let Some(why) = &self.database_problem {
            let command = match (self.database_code.as_deref(), database) {
                (Some(store::LOCKED), Some(file)) => by.who_has_open(file),
                (Some(store::FULL), Some(file)) => format!("df -h {}", quoted(&file.to_string_lossy())),
                (Some(_), None) => by.reads("check"),
                _ => by.log(),
            };
            add(needs::database(why), command);
        }
        if let Some(stages) = &self.hanging {
            add(needs::hanging(stages), by.restart());
        }
        if self.health == "silent" {
            add(needs::SILENT, by.restart());
        }
        self.of_hosts(needs, by);
    }

    /// Hosts that share the account.
    fn of_hosts(&self, needs: &mut Vec<Need>, by: &Invocation) {
        let mut add = |what: Words, command: String| needs.push(Need { what, command });
        let problems = self.daemons.iter().filter(|daemon| daemon.health == "running");
        let problems: Vec<Words> =
            problems.filter_map(|daemon| Some(needs::of_host(&daemon.host, daemon.lead_problem.as_ref()?))).collect();
        if self.is_leaderless {
            add(needs::nobody_leads(&problems), by.reads("check"));
        } else {
            // A host that is configured not to lead needs nobody, as long as another one does.
            let differs = self.daemons.iter().filter(|daemon| daemon.health == "running" && daemon.is_mistaken());
            for (host, why) in differs.filter_map(|daemon| Some((&daemon.host, daemon.lead_problem.as_ref()?))) {
                add(needs::of_host(host, why), by.reads("check"));
            }
        }
        for other in self.others() {
            if other.health == "silent" {
                add(needs::silent_host(&other.host, other.files_unread), by.reads("status --json"));
            }
            if let Some(problem) = &other.spool_problem {
                add(needs::of_host(&other.host, problem), by.reads("status --json"));
            }
        }
    }

    fn of_the_account(&self, needs: &mut Vec<Need>, by: &Invocation) {
        let mut add = |what: Words, command: String| needs.push(Need { what, command });
        if let Some(why) = &self.paused_why {
            let is_stopped = self.paused_code.as_deref() == Some(STOPPED);
            add(if is_stopped { needs::paused(why) } else { needs::account(why) }, by.changes("resume"));
        }
        if self.failures >= FAILURES_TOLD
            && let Some(waiting_for) = &self.waiting_for
        {
            add(needs::failures(self.failures, waiting_for), by.reads("check --online"));
        }
        if let Some(problem) = &self.spool_problem {
            add(needs::spool(problem), by.reads("check"));
        }
        if let Some(problem) = &self.config_problem {
            add(needs::config(problem), by.reads("check"));
        }
        if let Some(problem) = &self.http_problem {
            add(needs::http(problem), by.reads("check"));
        }
        if let Some(ahead) = self.service_ahead_ms.filter(|ms| ms.abs() >= CLOCK_WRONG_MS) {
            add(needs::clock(ahead.unsigned_abs() / 1000, ahead > 0), by.as_root("timedatectl set-ntp true"));
        }
        if self.budget.as_ref().is_some_and(|budget| budget.unsure && !budget.is_over) {
            add(needs::LEDGER_UNKNOWN, by.changes("budget confirm --requests-used N"));
        }
    }

    /// What prefetching needs is told before, and not again.
    fn of_lanes(&self, needs: &mut Vec<Need>, by: &Invocation) {
        let mut add = |what: Words, command: String| needs.push(Need { what, command });
        for lane in &self.lanes {
            let action = &lane.action;
            if let Some(why) = lane.paused_why.as_ref().filter(|_| lane.paused_code != self.paused_code) {
                add(needs::lane_paused(action, why), by.changes("resume"));
            }
            match lane.waiting_code.as_deref() {
                Some("ledger_unknown") => {
                    add(needs::lane_unknown(action), by.changes(&format!("budget confirm --action {action}")));
                }
                Some("requests_spent" | "urls_spent" | "quota_used_up" | "nothing_remains") if lane.has_urgent => {
                    add(needs::lane_urgent_waits(action), by.reads(&format!("urls --state pending --action {action}")));
                }
                _ => {}
            }
            if lane.failed > 0 {
                let list = by.reads(&format!("urls --state failed --action {action}"));
                let retry = by.changes(&format!("retry --state failed --action {action}"));
                add(needs::lane_failed(action, &lane.failed.to_string(), &list), retry);
            }
        }
    }

    /// What was asked of the daemon, or should be told by it, and does not get through.
    fn of_people(&self, needs: &mut Vec<Need>, config: &Config, by: &Invocation) {
        if self.orders_waiting > 0 {
            let command = if self.has_daemon() { by.log() } else { by.start() };
            needs.push(Need { what: needs::orders(self.orders_waiting), command });
        }
        // Robots that are no longer configured are not told of anything.
        let is_known = |robot: &&RobotReport| config.notify.robot.iter().any(|known| known.name() == robot.name);
        for robot in self.robots_failing.iter().filter(is_known) {
            let command = by.changes(&format!("notify --test --robot {}", quoted(&robot.name)));
            let (name, why) = (one_line(&robot.name), one_line(&robot.why));
            needs.push(Need { what: needs::robot(&name, robot.failures, &why), command });
        }
    }

    fn of_urls(&self, needs: &mut Vec<Need>, config: &Config, by: &Invocation) {
        let mut add = |what: Words, command: String| needs.push(Need { what, command });
        let urgent = self.pending.get("urgent").copied().unwrap_or(0);
        let left = self.budget.as_ref().map(|budget| (budget.requests_left, budget.drift.unwrap_or(0)));
        if let Some((Some(0), others)) = left.filter(|_| urgent > 0) {
            let others = (others > 0).then(|| others.to_string());
            add(needs::urgent_waits(&urgent.to_string(), others.as_deref()), by.reads("forecast"));
        }
        for risk in self.forecast.iter().flat_map(|forecast| &forecast.risks).filter(|risk| risk.missed > 0) {
            let deadline = DateTime::parse_from_rfc3339(&risk.deadline).map(|at| {
                let at = config.budget.day_starts.local(at.to_utc());
                at.format("%Y-%m-%d %H:%M").to_string()
            });
            let deadline = deadline.unwrap_or_default();
            let what = needs::missed(&risk.missed.to_string(), &risk.file, &deadline);
            let command = match &risk.file {
                file if *file == labels::OTHER_FILES => by.reads("forecast"),
                file => by.reads(&format!("forecast {}", quoted(&file.en))),
            };
            add(what, command);
        }
        if self.parked > 0 {
            add(needs::parked(&self.parked.to_string()), by.reads("hosts"));
        }
        let held = self.count(UrlState::Held) + self.lanes.iter().map(|lane| lane.held).sum::<i64>();
        if held > 0 {
            let what = needs::held(&held.to_string(), &by.reads("urls --state held"));
            add(what, by.changes("retry --state held"));
        }
        if let Some(file) = config.database.url.file().filter(|_| self.wal.as_ref().is_some_and(|wal| wal.is_long)) {
            add(needs::WAL_LONG, by.who_has_open(file));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{BudgetReport, LaneReport};

    #[test]
    fn the_command_for_a_database_that_cannot_be_used_goes_by_the_word_of_its_trouble() {
        let command = |code: Option<&str>, text: &str| {
            let mut report = StatusReport {
                health: "blocked".to_owned(),
                database_problem: Some(Words::same(text)),
                database_code: code.map(str::to_owned),
                ..StatusReport::default()
            };
            report.list_needs(&Config::default(), &Invocation::default());
            report.needs.remove(0).command
        };
        assert!(command(Some("locked"), "no disk is full").contains("find /proc "));
        assert!(command(Some("full"), "no file is locked").starts_with("df -h "));
        assert!(command(Some("other"), "locked, full").contains("journalctl "));
        assert!(command(None, "locked, full").contains("journalctl "));
    }

    #[test]
    fn orders_that_nobody_carries_out_and_robots_that_cannot_be_told_need_somebody() {
        let robot = |name: &str| RobotReport { name: name.to_owned(), failures: 3, why: "no\nroute".to_owned() };
        let mut report = StatusReport {
            health: "stopped".to_owned(),
            orders_waiting: 1,
            robots_failing: vec![robot("ops room"), robot("of yesterday")],
            ..StatusReport::default()
        };
        let robots = "[[notify.robot]]\nname = \"ops room\"\nkind = \"json\"\nurl_file = \"/etc/x\"";
        let config = Config::from_toml(robots).unwrap();
        report.list_needs(&config, &Invocation::default());
        let told: Vec<_> = report.needs.iter().map(|need| (need.what.en.as_ref(), need.command.as_str())).collect();
        assert_eq!(told[1].0, "1 order of a member waits in orders/: nobody carries it out");
        assert_eq!(told[1].1, "prefetchd run");
        assert_eq!(told[2].0, "the robot ops room could not be told 3 times in a row: no\\nroute");
        assert_eq!(told[2].1, "prefetchd notify --test --robot 'ops room'");
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn hosts_that_are_missed_or_would_not_lead_need_somebody_and_a_follower_does_not() {
        let host = |name: &str, health: &str, problem: Option<(&str, &str)>| crate::status::DaemonReport {
            host: name.to_owned(),
            health: health.to_owned(),
            lead_problem: problem.map(|(_, text)| Words::same(text)),
            lead_problem_code: problem.map(|(code, _)| code.to_owned()),
            ..crate::status::DaemonReport::default()
        };
        let off = Some(("lead_off", "it does not lead"));
        let mut report = StatusReport {
            health: "running".to_owned(),
            host: Some("a".to_owned()),
            leader: Some("b".to_owned()),
            daemons: vec![host("a", "running", off), host("b", "running", None)],
            ..StatusReport::default()
        };
        let told = |report: &mut StatusReport| -> Vec<String> {
            report.list_needs(&Config::default(), &Invocation::default());
            report.needs.iter().map(|need| need.what.en.to_string()).collect()
        };
        assert_eq!(told(&mut report), [""; 0], "b leads, and a need not");
        report.daemons.push(host("c", "running", Some(("policy_differs", "its [budget] differs"))));
        report.daemons.push(crate::status::DaemonReport { files_unread: 2, ..host("d", "silent", None) });
        let what = told(&mut report);
        assert_eq!(what[0], "host c: its [budget] differs");
        assert!(
            what[1].starts_with("host d gives no sign of life")
                && what[1].ends_with("2 files are not read to their end")
        );
        (report.leader, report.is_leaderless) = (None, true);
        let what = told(&mut report);
        assert_eq!(
            what[0],
            "no host leads: files are read, and nothing is sent; host a: it does not lead; host c: its [budget] differs"
        );
    }

    #[test]
    fn urgent_urls_that_wait_for_a_spent_quota_need_somebody() {
        let budget = BudgetReport { requests_left: Some(0), drift: Some(498), ..BudgetReport::default() };
        let mut report = StatusReport { health: "running".to_owned(), budget: Some(budget), ..StatusReport::default() };
        report.list_needs(&Config::default(), &Invocation::default());
        assert_eq!(report.needs, []);
        report.pending.insert("urgent".to_owned(), 3_998);
        report.list_needs(&Config::default(), &Invocation::default());
        let what = needs::urgent_waits("3998", Some("498"));
        assert_eq!(what.en, "3998 urgent URLs wait and what the day may cost is spent, 498 of it by others");
        assert_eq!(report.needs, [Need { what, command: "prefetchd forecast".to_owned() }]);
    }

    #[test]
    fn a_lane_of_purges_that_needs_somebody_says_so_with_its_remedy() {
        let lane = LaneReport { action: "purge".to_owned(), pending: 7, ..LaneReport::default() };
        let needs = |lane: LaneReport| {
            let mut report =
                StatusReport { health: "running".to_owned(), lanes: vec![lane], ..StatusReport::default() };
            report.list_needs(&Config::default(), &Invocation::default());
            let told: Vec<(String, String)> =
                report.needs.into_iter().map(|need| (need.what.en.into_owned(), need.command)).collect();
            told
        };
        let waits =
            |code: &str, has_urgent| LaneReport { waiting_code: Some(code.to_owned()), has_urgent, ..lane.clone() };
        assert_eq!(needs(lane.clone()), []);
        assert_eq!(needs(waits("urls_spent", false)), []);
        let told = needs(waits("urls_spent", true));
        assert_eq!(told[0].1, "prefetchd urls --state pending --action purge");
        let told = needs(waits("ledger_unknown", false));
        assert_eq!(told[0].1, "prefetchd budget confirm --action purge");
        let forbidden = LaneReport {
            paused_why: Some(Words::same("no permission")),
            paused_code: Some("purge_forbidden".to_owned()),
            ..lane.clone()
        };
        let told = needs(forbidden);
        assert!(told[0].0.contains("purge: no permission") && told[0].1.ends_with("resume"), "{told:?}");
        let told = needs(LaneReport { failed: 2, ..lane.clone() });
        assert!(told[0].0.starts_with("purge: 2 failed") && told[0].0.contains("urls --state failed"), "{told:?}");
        assert_eq!(told[0].1, "prefetchd retry --state failed --action purge");
        let told = needs(LaneReport { held: 2, ..lane.clone() });
        assert!(told[0].0.starts_with("2 URLs are held"), "{told:?}");
    }
}
