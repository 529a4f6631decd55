//! What needs the operator, each with the command that settles it or shows more.

use chrono::DateTime;
use serde::Serialize;

use super::StatusReport;
use crate::config::Config;
use crate::model::UrlState;
use crate::store;

/// A clock that is wrong by this much, in milliseconds, is worth setting; prefetchd itself follows the service's clock.
const CLOCK_WRONG_MS: i64 = 10_000;

/// The code of a pause by the operator in `v_status` ...
const STOPPED: &str = "stopped";

/// ... and the end of its sentence there, which is cut off because the command stands beside it here.
const STOPPED_END: &str = "; `prefetchd resume` ends it";

/// Something that needs the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What the matter is.
    pub what: String,
    /// The command to type.
    pub command: String,
}

impl StatusReport {
    /// What the operator must settle, the most urgent first.
    pub(super) fn list_needs(&self, config: &Config) -> Vec<Need> {
        let database = config.database.url.path();
        let mut needs = Vec::new();
        let mut add = |what: String, command: &str| needs.push(Need { what, command: command.to_owned() });
        if !self.has_daemon() {
            add("no daemon is running: files are not read and nothing is sent".to_owned(), "systemctl start prefetchd");
        }
        if let Some(why) = &self.database_problem {
            let command = match self.database_code.as_deref() {
                Some(store::LOCKED) => format!("fuser -v {}", database.display()),
                Some(store::FULL) => format!("df -h {}", database.display()),
                _ => "journalctl -u prefetchd -e".to_owned(),
            };
            add(format!("the daemon cannot use its database: {why}"), &command);
        }
        if let Some(stages) = &self.hanging {
            add(format!("the daemon's {stages} no longer moves"), "systemctl restart prefetchd");
        }
        if self.health == "silent" {
            add("the daemon gives no sign of life".to_owned(), "systemctl restart prefetchd");
        }
        if let Some(why) = &self.paused_why {
            if self.paused_code.as_deref() == Some(STOPPED) {
                add(
                    format!("submitting is paused {}", why.strip_suffix(STOPPED_END).unwrap_or(why)),
                    "prefetchd resume",
                );
            } else {
                add(format!("the account: {why}"), "prefetchd check --online");
            }
        }
        if let Some(problem) = &self.spool_problem {
            add(format!("files cannot be taken: {problem}"), "prefetchd check");
        }
        if let Some(problem) = &self.config_problem {
            add(format!("the reloaded configuration is not in force: {problem}"), "prefetchd check");
        }
        if let Some(problem) = &self.http_problem {
            add(format!("metrics are not served: {problem}"), "prefetchd check");
        }
        if let Some(ahead) = self.service_ahead_ms.filter(|ms| ms.abs() >= CLOCK_WRONG_MS) {
            let (seconds, side) = (ahead.unsigned_abs() / 1000, if ahead > 0 { "behind" } else { "ahead of" });
            let what = format!("this machine's clock is {seconds} s {side} the service's, which prefetchd follows");
            add(what, "timedatectl set-ntp true");
        }
        if self.budget.as_ref().is_some_and(|budget| budget.unsure && !budget.is_over) {
            let what = "the database is older than what was spent today; look up the true number in the console";
            add(what.to_owned(), "prefetchd budget confirm --requests-used N");
        }
        for risk in self.forecast.iter().flat_map(|forecast| &forecast.risks).filter(|risk| risk.missed > 0) {
            let deadline = DateTime::parse_from_rfc3339(&risk.deadline).map(|at| {
                let at = config.budget.day_starts.local(at.to_utc());
                at.format("%Y-%m-%d %H:%M %:z").to_string()
            });
            let deadline = deadline.unwrap_or_default();
            let what = format!("{} URLs of {} will miss their deadline, {deadline}", risk.missed, risk.file);
            add(what, &format!("prefetchd forecast {}", quoted(&risk.file)));
        }
        if self.parked > 0 {
            let what = format!("{} URLs belong to domains that are not online in this account", self.parked);
            add(what, "prefetchd hosts");
        }
        let held = self.count(UrlState::Held);
        if held > 0 {
            let what = format!("{held} URLs are held; `prefetchd urls --state held` says why");
            add(what, "prefetchd retry --state held");
        }
        if self.wal.as_ref().is_some_and(|wal| wal.is_long) {
            let what = "the WAL is long: somebody is reading the database and has not finished";
            add(what.to_owned(), &format!("fuser -v {}", database.display()));
        }
        needs
    }
}

/// Quoted for a shell.
pub fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | ':');
    if name.chars().all(is_plain) && !name.starts_with('-') {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_for_a_database_that_cannot_be_used_goes_by_the_word_of_its_trouble() {
        let command = |code: Option<&str>, text: &str| {
            let report = StatusReport {
                health: "blocked".to_owned(),
                database_problem: Some(text.to_owned()),
                database_code: code.map(str::to_owned),
                ..StatusReport::default()
            };
            report.list_needs(&Config::default()).remove(0).command
        };
        assert!(command(Some("locked"), "no disk is full").starts_with("fuser -v "));
        assert!(command(Some("full"), "no file is locked").starts_with("df -h "));
        assert!(command(Some("other"), "locked, full").starts_with("journalctl "));
        assert!(command(None, "locked, full").starts_with("journalctl "));
    }

    #[test]
    fn a_name_is_quoted_where_a_shell_would_read_it_otherwise() {
        assert_eq!(quoted("第一集.txt"), "第一集.txt");
        assert_eq!(quoted("a b.txt"), "'a b.txt'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted("-x"), "'-x'");
    }
}
