//! Reports the daemon's state: to systemd, as one line, whenever it has changed; and on USR1 in the log.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::systemd;
use crate::model::UrlState;
use crate::status::{Board, StatusReport, read_report};
use crate::store::{self, Store};
use crate::words::Words;

/// The line is sent at most this often ...
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// ... and checked this often, for counts that change without a note on the board.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The herald.
#[derive(Debug)]
pub(super) struct Herald {
    pub(super) store: Arc<Store>,
    pub(super) board: Board,
    /// Rung to log the state.
    pub(super) asked: Arc<Notify>,
}

impl Herald {
    /// Reports until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut told = String::new();
        // Without systemd it only responds to USR1.
        let listens = systemd::listens();
        while !shutdown.is_cancelled() {
            if listens && let Ok(report) = self.report().await {
                let words = in_words(&report);
                if words != told {
                    systemd::status(&words);
                    told = words;
                }
            }
            tokio::select! {
                () = self.asked.notified() => self.log().await,
                () = later(&self.board), if listens => {}
                () = shutdown.cancelled() => {}
            }
        }
    }

    async fn report(&self) -> store::Result<StatusReport> {
        let mut conn = self.store.read().acquire().await?;
        let mut report = read_report(&mut conn, 0).await?;
        report.read_daemons(&mut conn, self.store.host()).await?;
        Ok(report)
    }

    async fn log(&self) {
        let report = match self.report().await {
            Ok(report) => report,
            Err(error) => {
                warn!(%error, "asked for the state, but the database cannot be read");
                return;
            }
        };
        let count = |state: UrlState| count(&report, state);
        let budget = report.budget.as_ref();
        info!(
            health = report.health,
            paused = english(report.paused_why.as_ref()),
            spool = english(report.spool_problem.as_ref()),
            configuration = english(report.config_problem.as_ref()),
            waiting_for = english(report.waiting_for.as_ref()),
            waiting_until = report.waiting_until,
            pending = count(UrlState::Pending),
            leased = count(UrlState::Leased),
            submitted = count(UrlState::Submitted),
            complete = count(UrlState::Complete),
            failed = count(UrlState::Failed),
            unconfirmed = count(UrlState::Unconfirmed),
            held = count(UrlState::Held),
            in_doubt = report.in_doubt,
            day = budget.map(|budget| budget.day.as_str()),
            requests_used = budget.map(|budget| budget.requests_used),
            requests_limit = budget.map(|budget| budget.requests_limit),
            "state"
        );
    }
}

/// The log is English.
fn english(words: Option<&Words>) -> Option<&str> {
    words.map(|words| &*words.en)
}

/// Resolves when there may be something new to report.
async fn later(board: &Board) {
    tokio::time::sleep(TELL_AGAIN).await;
    let _ = tokio::time::timeout(LOOK_AGAIN, board.changed()).await;
}

/// One line for `systemctl status`.
fn in_words(report: &StatusReport) -> String {
    let until = |until: &Option<String>| until.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
    let doing = match (&report.paused_why, &report.waiting_for) {
        _ if !report.has_leader() => "no host leads".to_owned(),
        _ if report.follows() => format!("{} leads", report.leader.as_deref().unwrap_or_default()),
        (Some(why), _) => format!("paused: {why}"),
        (None, Some(why)) => format!("waiting for {why}{}", until(&report.waiting_until)),
        (None, None) => "sending".to_owned(),
    };
    let mut words = format!(
        "{doing}; {} URLs pending, {} submitted",
        count(report, UrlState::Pending),
        count(report, UrlState::Submitted)
    );
    if let Some(budget) = &report.budget {
        words += &format!(", {} of {} requests of {} spent", budget.requests_used, budget.requests_limit, budget.day);
    }
    for problem in [&report.spool_problem, &report.config_problem].into_iter().flatten() {
        words += &format!("; {problem}");
    }
    crate::telemetry::one_line(&words)
}

fn count(report: &StatusReport, state: UrlState) -> i64 {
    report.urls.get(&state.to_string()).copied().unwrap_or(0)
}
