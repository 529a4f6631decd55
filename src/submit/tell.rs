//! What the log says of batches that end, and of those in doubt.

use tracing::{info, warn};

use super::outcome::Outcome;
use super::reaction::{Reaction, of_lane};
use super::send::Opened;
use crate::ledger::Closing;
use crate::model::Lane;
use crate::queue::Finding;
use crate::service::Fault;
use crate::telemetry::one_line;
use crate::words;

/// Logs one event for each batch that ended.
pub(super) fn tell(opened: &Opened, outcome: &Outcome, reaction: &Reaction) {
    let lane = opened.batch.urls.first().map_or(Lane::Prefetch, |url| url.seat.lane);
    let why = outcome.reason().map(|kind| words::reason_kind(of_lane(kind, lane)).en).unwrap_or_default();
    let (id, urls) = (opened.submission.0, opened.batch.urls.len());
    let Closing { outcome: word, charged, http_status, code, message, request_id, .. } = &reaction.closing;
    if let Outcome::Accepted { tasks } = outcome {
        info!(submission.id = id, urls, tasks = tasks.len(), request_id, "batch accepted");
    } else {
        let said = message.as_deref().map(one_line);
        warn!(
            submission.id = id,
            urls,
            outcome = word,
            charged,
            http_status,
            code,
            said,
            request_id,
            "batch not accepted: {why}"
        );
    }
}

/// Logs one event for each URL or domain that was found.
pub(super) fn tell_finding(finding: Option<&Finding>, reaction: &Reaction) {
    let why = reaction.evidence.as_ref().map(|evidence| one_line(&words::reason(&evidence.why).en));
    match finding {
        Some(Finding::Url(url)) => warn!(url, why, "the batch was refused because of this URL; it ends here"),
        Some(Finding::HostOf(url)) => {
            warn!(url, why, "the batch was refused because of the domain of this URL; its URLs wait");
        }
        None => {}
    }
}

pub(super) fn tell_doubt(opened: &Opened, fault: &Fault) {
    let why = match fault.http_status {
        None => one_line(fault.message.as_deref().unwrap_or_default()),
        Some(status) => {
            let code = fault.code.as_deref().map(|code| format!(" {}", one_line(code))).unwrap_or_default();
            format!("HTTP {status}{code}, which does not say what became of it")
        }
    };
    warn!(
        submission.id = opened.submission.0,
        urls = opened.batch.urls.len(),
        why,
        "batch in doubt: it may have been accepted; it stays charged until that is known"
    );
}
