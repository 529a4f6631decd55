//! The report where the server of the database cannot be used: what is known of the daemon on this host.

use super::{Invocation, StatusReport};
use crate::config::Config;
use crate::model::{Time, rfc3339};
use crate::stage::Sign;
use crate::store;
use crate::words::needs::trouble;

impl StatusReport {
    /// The report of a host whose database answers with `error`: whether its daemon lives, as far as that can be seen
    /// from here, with its sign of life.
    pub fn away(
        error: &store::Error,
        config: &Config,
        (is_running, sign, pid): (Option<bool>, Option<Sign>, Option<i64>),
        now: Time,
        by: &Invocation,
    ) -> Self {
        let mut report = Self {
            at: Some(rfc3339(now)),
            health: "blocked".to_owned(),
            database_problem: Some(trouble(Some(error.word()), &error.to_string())),
            database_code: Some(error.word().to_owned()),
            pid,
            ..Self::default()
        };
        report.look_at_daemon(is_running, sign.unwrap_or_default(), now);
        report.list_needs(config, by);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_its_server_says_so_whether_its_daemon_runs_or_not() {
        let config = Config::from_toml("[database]\nurl = \"postgres://h/d\"").unwrap();
        let now = crate::model::from_millis(1_795_000_000_000);
        let report = |is_running| {
            let error = store::Error::Away("refused".into());
            let sign = Sign { at: Some(now), ..Sign::default() };
            StatusReport::away(&error, &config, (Some(is_running), Some(sign), None), now, &Invocation::default())
        };
        let told = |report: &StatusReport| report.needs.iter().map(|need| need.command.clone()).collect::<Vec<_>>();
        let (lives, is_dead) = (report(true), report(false));
        assert_eq!((lives.health.as_str(), lives.database_code.as_deref()), ("blocked", Some("away")));
        assert_eq!(told(&lives), ["prefetchd check"]);
        assert_eq!(is_dead.health, "not running");
        assert_eq!(told(&is_dead), ["prefetchd run", "prefetchd check"]);
    }
}
