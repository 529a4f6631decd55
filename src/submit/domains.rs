//! The account's domains: asked for, for free, at start, every hour, after a domain error and when a new domain appears, so
//! that what would be refused is not sent.

use chrono::TimeDelta;
use tracing::{info, warn};

use super::outcome::{AccountFault, Deferral, Outcome};
use super::worker::{Step, Submitter};
use crate::ledger::{self, Fact};
use crate::model::Time;
use crate::queue::{self, Host, HostStanding};
use crate::schedule::Standing;
use crate::store;
use crate::telemetry::one_line;
use crate::vod::{DomainRow, Reply, SignedCall};

/// The list is asked for again after this.
const ASK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// A new domain is looked up in a list that is no older than this; else the list is asked for afresh.
const LIST_IS_FRESH: TimeDelta = TimeDelta::seconds(60);

/// Pages that are read at most: 10,000 domains.
const PAGES_MAX: u32 = 200;

/// Where an answer to a batch contradicts the list, the answer is believed for so long.
const ANSWER_HOLDS: TimeDelta = TimeDelta::hours(6);

/// Where there is no list, a domain that was offline gets another chance after this.
const OFFLINE_HOLDS: TimeDelta = TimeDelta::hours(24);

/// What the submitter knows of the account's domains.
#[derive(Debug, Default)]
pub(super) struct Domains {
    /// The last whole list, and when it was told.
    list: Option<(Vec<DomainRow>, Time)>,
    /// When to ask again; none means at once.
    ask_at: Option<Time>,
}

impl Domains {
    /// An answer says that something about a domain has changed.
    pub(super) fn doubt(&mut self) {
        self.ask_at = None;
    }

    fn is_due(&self, now: Time, has_unknown: bool) -> bool {
        let is_old = |told: Time| now - told >= LIST_IS_FRESH;
        self.ask_at.is_none_or(|at| at <= now)
            || (has_unknown && self.list.as_ref().is_none_or(|(_, told)| is_old(*told)))
    }
}

impl Submitter {
    /// Asks for the account's domains when that is due, and gives each domain of the queue its standing. None if there was
    /// nothing to do.
    pub(super) async fn review_domains(&mut self, standing: &Standing, now: Time) -> store::Result<Option<Step>> {
        let ails = standing.pause.is_some() || standing.backing_off.as_ref().is_some_and(|wait| wait.until > now);
        let has_unknown = standing.domains_readable && queue::has_unknown_hosts(self.store.read()).await?;
        if ails || !(self.domains.is_due(now, has_unknown) || has_unknown) {
            return Ok(None);
        }
        if self.domains.is_due(now, has_unknown) {
            self.domains.ask_at = Some(now + if standing.domains_readable { LIST_IS_FRESH } else { ASK_AGAIN });
            if standing.domains_readable {
                match self.ask_domains().await {
                    Ok(list) => {
                        self.domains = Domains { list: Some((list, now)), ask_at: Some(now + ASK_AGAIN) };
                        self.note_domains_readable(true).await?;
                    }
                    Err(reply) => return self.could_not_ask_domains(&reply).await.map(Some),
                }
            } else {
                self.domains.list = None;
            }
        }
        self.apply_domains(now).await?;
        Ok(Some(Step::Tidied))
    }

    /// The whole list, or the answer that was none.
    async fn ask_domains(&mut self) -> Result<Vec<DomainRow>, Reply> {
        let mut all: Vec<DomainRow> = Vec::new();
        for page in 1..=PAGES_MAX {
            self.pace.until_ready().await;
            let nonce = uuid::Uuid::new_v4().to_string();
            let call = SignedCall::domains(page, &self.credentials, &nonce, self.now());
            let reply = self.client.send(&call).await;
            self.learn_time(&reply);
            let told = match &reply {
                Reply::Answered(answer) if answer.is_success() => answer.domains(),
                _ => None,
            };
            let Some((rows, total)) = told else { return Err(reply) };
            let is_last = rows.is_empty();
            all.extend(rows);
            if all.len() as u64 >= total {
                return Ok(all);
            }
            if is_last {
                break;
            }
        }
        Err(Reply::Lost("the list of domains was not whole".to_owned()))
    }

    async fn could_not_ask_domains(&self, reply: &Reply) -> store::Result<Step> {
        let outcome = Outcome::of(reply);
        match outcome {
            Outcome::Deferred(Deferral::Account(AccountFault::Forbidden)) => {
                warn!(
                    "this key may not ask for the account's domains (vod:DescribeVodUserDomains); \
                     which of them are well is learned from answers"
                );
                self.note_domains_readable(false).await?;
            }
            outcome => {
                info!(%outcome, "the account's domains could not be asked for; they are asked for again in a minute");
            }
        }
        Ok(Step::Tidied)
    }

    async fn note_domains_readable(&self, readable: bool) -> store::Result<()> {
        let mut tx = self.store.write().await?;
        ledger::note_fact_tx(&mut tx, Fact::DomainsReadable(readable), self.now()).await?;
        tx.commit().await
    }

    async fn apply_domains(&self, now: Time) -> store::Result<()> {
        let list = self.domains.list.as_ref().map(|(list, _)| list.as_slice());
        let mut changed = Vec::new();
        for host in queue::hosts(self.store.read()).await? {
            let new = standing_of(&host, list, now);
            if let Some((standing, why)) = new.filter(|(standing, _)| *standing != host.standing) {
                changed.push((host, standing, why));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        for (host, standing, why) in &changed {
            queue::set_standing_tx(&mut tx, host.id, *standing, why.as_deref(), false, now).await?;
            if !standing.may_go() {
                queue::explain_by_host_tx(&mut tx, host.id).await?;
            }
        }
        tx.commit().await?;
        for (host, standing, why) in &changed {
            let (name, word) = (one_line(&host.name), standing.word());
            match why {
                Some(why) => warn!(host = name, standing = word, "URLs of this domain are not sent: {}", one_line(why)),
                None if host.standing != HostStanding::Unknown => {
                    info!(host = name, standing = word, "URLs of this domain are sent again");
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What a domain's standing is now, and if it may not be sent, why; none if it stays as it is.
fn standing_of(host: &Host, list: Option<&[DomainRow]>, now: Time) -> Option<(HostStanding, Option<String>)> {
    let answered_within = |span| host.answered.is_some_and(|at| now - at < span);
    let Some(list) = list else {
        let over = host.standing == HostStanding::Offline && !answered_within(OFFLINE_HOLDS);
        return over.then_some((HostStanding::Unknown, None));
    };
    match list.iter().find(|row| covers(&row.domain_name, &host.name)) {
        Some(row) if row.domain_status.eq_ignore_ascii_case("online") => {
            let contradicted = !host.standing.may_go() && answered_within(ANSWER_HOLDS);
            (!contradicted).then_some((HostStanding::Good, None))
        }
        Some(row) => {
            let why = format!(
                "the domain is `{}` at the service; it goes on when it is online",
                one_line(&row.domain_status)
            );
            Some((HostStanding::Offline, Some(why)))
        }
        None => Some((
            HostStanding::Refused,
            Some("the account has no such domain; it goes on when the domain is added there".to_owned()),
        )),
    }
}

/// Whether a listed name is this host, or stands for all below its parent.
fn covers(listed: &str, host: &str) -> bool {
    match listed.strip_prefix('*').unwrap_or(listed) {
        suffix if suffix.starts_with('.') => {
            host.len() > suffix.len() && host.to_ascii_lowercase().ends_with(&suffix.to_ascii_lowercase())
        }
        name => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostId, from_millis};

    fn host(standing: HostStanding, answered: Option<i64>) -> Host {
        Host { id: HostId(1), name: "vod.example.com".to_owned(), standing, answered: answered.map(from_millis) }
    }

    fn row(name: &str, status: &str) -> DomainRow {
        DomainRow { domain_name: name.to_owned(), domain_status: status.to_owned() }
    }

    #[test]
    fn the_list_says_what_may_be_sent() {
        let now = from_millis(0);
        let unknown = host(HostStanding::Unknown, None);
        for (listed, status, standing) in [
            ("vod.example.com", "online", HostStanding::Good),
            ("VOD.example.com", "online", HostStanding::Good),
            (".example.com", "online", HostStanding::Good),
            ("*.example.com", "online", HostStanding::Good),
            ("vod.example.com", "offline", HostStanding::Offline),
            ("vod.example.com", "configure_failed", HostStanding::Offline),
            ("example.com", "online", HostStanding::Refused),
            (".vod.example.com", "online", HostStanding::Refused),
        ] {
            let said = standing_of(&unknown, Some(&[row(listed, status)]), now).map(|(standing, _)| standing);
            assert_eq!(said, Some(standing), "{listed} {status}");
        }
    }

    #[test]
    fn an_answer_outranks_the_list_for_a_while() {
        let online = [row("vod.example.com", "online")];
        let refused = host(HostStanding::Refused, Some(0));
        let after = |hours: i64| from_millis(hours * 3_600_000);
        assert_eq!(standing_of(&refused, Some(&online), after(5)), None);
        assert_eq!(standing_of(&refused, Some(&online), after(7)), Some((HostStanding::Good, None)));
        assert_eq!(
            standing_of(&host(HostStanding::Offline, None), Some(&online), after(0)),
            Some((HostStanding::Good, None))
        );
    }

    #[test]
    fn without_a_list_what_was_offline_gets_another_chance_after_a_day() {
        let after = |hours: i64| from_millis(hours * 3_600_000);
        assert_eq!(standing_of(&host(HostStanding::Offline, Some(0)), None, after(23)), None);
        assert_eq!(
            standing_of(&host(HostStanding::Offline, Some(0)), None, after(25)),
            Some((HostStanding::Unknown, None))
        );
        assert_eq!(standing_of(&host(HostStanding::Refused, Some(0)), None, after(25)), None);
    }
}
