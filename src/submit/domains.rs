//! The account's domains, so that URLs that would be refused are not sent. Asks for the list, in free calls, at the
//! start, every hour, after a domain error, and when a new domain appears.

use chrono::TimeDelta;
use tracing::{info, warn};

use super::reaction::{Lesson, react};
use super::worker::{Step, Submitter};
use crate::ledger::{self, Fact, pause_account_tx};
use crate::model::{AccountFault, Reason, ReasonKind, Time};
use crate::queue::{self, Batch, Host, HostStanding};
use crate::schedule::Standing;
use crate::service::{DomainRow, Fault};
use crate::store;
use crate::telemetry::one_line;
use crate::words;

/// The list is asked for again after this long.
const ASK_AGAIN: TimeDelta = TimeDelta::hours(1);

/// A new domain is looked up in a list that is younger than this; otherwise the list is asked for again.
const LIST_IS_FRESH: TimeDelta = TimeDelta::seconds(60);

/// Most pages that are read: 10,000 domains.
const PAGES_MAX: u32 = 200;

/// Domains whose standing is set in one transaction.
const HOSTS_A_STEP: u32 = 1_000;

/// Domains whose new standing one review logs by name.
const SAID_MAX: u32 = 20;

/// A domain with a batch accepted this recently is believed to be the account's, even if the list lacks it.
const ACCEPTED_HOLDS: TimeDelta = TimeDelta::hours(6);

/// What the submitter knows about the account's domains.
#[derive(Debug, Default)]
pub(super) struct Domains {
    /// The last whole list, and when it was read.
    list: Option<(Vec<DomainRow>, Time)>,
    /// When to ask again; none for at once.
    ask_at: Option<Time>,
    /// The last question failed: not asked again before this.
    failed_until: Option<Time>,
}

impl Domains {
    /// An answer suggests that something about a domain has changed.
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
    /// Asks for the account's domains when that is due, and sets the standing of each domain in the queue. None if
    /// there was nothing to do.
    pub(super) async fn review_domains(&mut self, standing: &Standing, now: Time) -> store::Result<Option<Step>> {
        let ails = self.domains.failed_until.is_some_and(|until| until > now)
            || standing.pause.is_some()
            || standing.backing_off.as_ref().is_some_and(|wait| wait.until > now);
        let has_unknown = standing.domains_readable && queue::has_unknown_hosts(self.store.read()).await?;
        if ails || !(self.domains.is_due(now, has_unknown) || has_unknown) {
            return Ok(None);
        }
        if self.domains.is_due(now, has_unknown) {
            self.domains.ask_at = Some(now + if standing.domains_readable { LIST_IS_FRESH } else { ASK_AGAIN });
            if standing.domains_readable {
                match self.ask_domains_twice_if_in_doubt().await? {
                    Ok(list) => {
                        let ask_at = Some(now + ASK_AGAIN);
                        self.domains = Domains { list: Some((list, now)), ask_at, failed_until: None };
                        self.note_domains_readable(true).await?;
                    }
                    Err(fault) => {
                        self.domains.failed_until = Some(now + LIST_IS_FRESH);
                        return self.could_not_ask_domains(&fault, standing).await.map(Some);
                    }
                }
            } else {
                self.domains.list = None;
            }
        }
        self.apply_domains(now).await?;
        Ok(Some(Step::Tidied))
    }

    /// Reads the whole list; at once a second time if it takes something away that was there. A domain is believed to
    /// be gone only if both lists lack it.
    async fn ask_domains_twice_if_in_doubt(&self) -> store::Result<Result<Vec<DomainRow>, Fault>> {
        let mut list = match self.ask_domains().await {
            Ok(list) => list,
            Err(fault) => return Ok(Err(fault)),
        };
        if self.is_contradicted(&list).await? {
            match self.ask_domains().await {
                Ok(second) => list.extend(second),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(list))
    }

    /// Whether the list takes something away that was there.
    async fn is_contradicted(&self, list: &[DomainRow]) -> store::Result<bool> {
        let mut behind = None;
        loop {
            let hosts = queue::hosts(self.store.read(), behind, HOSTS_A_STEP).await?;
            if needs_second_look(&hosts, list) {
                return Ok(true);
            }
            let Some(last) = hosts.last() else { return Ok(false) };
            behind = Some(last.id);
            self.pulse.beat();
        }
    }

    /// Reads the whole list.
    async fn ask_domains(&self) -> Result<Vec<DomainRow>, Fault> {
        let mut all: Vec<DomainRow> = Vec::new();
        for page in 1..=PAGES_MAX {
            let told = self.free(self.service.domains(page)).await?;
            let is_last = told.rows.is_empty();
            // If a domain moves between two pages while they are read, it may come twice, and another one not at all.
            all.extend(told.rows);
            let names: std::collections::HashSet<&str> = all.iter().map(|row| row.name.as_str()).collect();
            if names.len() as u64 >= told.total {
                return Ok(all);
            }
            if is_last {
                break;
            }
        }
        Err(Fault::lost("the list of domains was not whole"))
    }

    async fn could_not_ask_domains(&mut self, fault: &Fault, standing: &Standing) -> store::Result<Step> {
        let at = self.circumstances(&Batch::default(), standing);
        match fault.of_the_account() {
            Some(AccountFault::Forbidden) => {
                let permission = self.service.product().permission(self.service.product().actions.domains);
                warn!(
                    permission,
                    "this key may not ask for the account's domains; which of them work is learned from answers"
                );
                self.note_domains_readable(false).await?;
            }
            Some(_) => {
                if let Lesson::Pause { why, probe_at } = react(Err(fault), &at).lesson {
                    let mut tx = self.store.write().await?;
                    pause_account_tx(&mut tx, self.desk.policy.lane, &why, at.now, probe_at).await?;
                    tx.commit().await?;
                }
            }
            None => {
                let outcome = fault.class;
                info!(%outcome, "the account's domains could not be asked for; they are asked for again in a minute");
            }
        }
        Ok(Step::Tidied)
    }

    async fn note_domains_readable(&self, readable: bool) -> store::Result<()> {
        let mut tx = self.store.write().await?;
        ledger::note_fact_tx(&mut tx, self.desk.policy.lane, Fact::DomainsReadable(readable), self.now()).await?;
        tx.commit().await
    }

    /// Sets the standing of each domain in the queue, a thousand in a transaction.
    async fn apply_domains(&self, now: Time) -> store::Result<()> {
        let list = self.domains.list.as_ref().map(|(list, _)| list.as_slice());
        let (mut behind, mut said) = (None, 0);
        loop {
            let hosts = queue::hosts(self.store.read(), behind, HOSTS_A_STEP).await?;
            let Some(last) = hosts.last() else { break };
            behind = Some(last.id);
            let news = |host: Host| {
                let (standing, why) = standing_of(&host, list, now)?;
                (standing != host.standing).then_some((host, standing, why))
            };
            let changed: Vec<_> = hosts.into_iter().filter_map(news).collect();
            if !changed.is_empty() {
                self.set_standings(&changed, now).await?;
                changed
                    .iter()
                    .for_each(|(host, standing, why)| said += u32::from(say(host, *standing, why.as_ref(), said)));
            }
            self.pulse.beat();
        }
        if said > SAID_MAX {
            warn!(more = said - SAID_MAX, "more domains changed than are named here");
        }
        Ok(())
    }

    async fn set_standings(&self, changed: &[(Host, HostStanding, Option<Reason>)], now: Time) -> store::Result<()> {
        let mut tx = self.store.write().await?;
        for (host, standing, why) in changed {
            queue::set_standing_tx(&mut tx, host.id, *standing, why.as_ref(), None, now).await?;
            if !standing.may_go() {
                queue::explain_by_host_tx(&mut tx, host.id).await?;
            }
        }
        tx.commit().await
    }
}

/// Logs a domain's new standing, unless many were logged; true if there is something to say.
fn say(host: &Host, standing: HostStanding, why: Option<&Reason>, said: u32) -> bool {
    let (name, word) = (one_line(&host.name), standing.word());
    match why {
        None if host.standing == HostStanding::Unknown => return false,
        _ if said >= SAID_MAX => {}
        Some(why) => {
            let why = words::reason(why).en;
            warn!(host = name, standing = word, "URLs of this domain are not sent: {}", one_line(&why));
        }
        None => info!(host = name, standing = word, "URLs of this domain are sent again"),
    }
    true
}

/// Whether a list of domains takes something away that was there, so that it is not believed alone: it is empty, or it
/// lacks a domain that is known to be good.
fn needs_second_look(hosts: &[Host], list: &[DomainRow]) -> bool {
    let is_listed = |host: &Host| list.iter().any(|row| covers(&row.name, &host.name));
    list.is_empty() || hosts.iter().any(|host| host.standing == HostStanding::Good && !is_listed(host))
}

/// A domain's new standing, and the reason if it is blocked; none if it stays unchanged.
fn standing_of(host: &Host, list: Option<&[DomainRow]>, now: Time) -> Option<(HostStanding, Option<Reason>)> {
    let holds = host.holds_until.is_some_and(|until| until > now);
    let Some(list) = list else {
        let over = match host.standing {
            HostStanding::Offline => !holds,
            // The list said that, and can no longer be read.
            HostStanding::Refused => host.holds_until.is_none(),
            HostStanding::Unknown | HostStanding::Good => false,
        };
        return over.then_some((HostStanding::Unknown, None));
    };
    let exact = |row: &&DomainRow| (row.name.eq_ignore_ascii_case(&host.name), row.name.len());
    match list.iter().filter(|row| covers(&row.name, &host.name)).max_by_key(exact) {
        Some(row) if row.status.eq_ignore_ascii_case("online") => {
            let contradicted = !host.standing.may_go() && holds;
            (!contradicted).then_some((HostStanding::Good, None))
        }
        Some(row) => {
            let why = Reason::new(ReasonKind::NotOnline, one_line(&row.status));
            Some((HostStanding::Offline, Some(why)))
        }
        None if host.standing == HostStanding::Good && host.accepted_at.is_some_and(|at| now - at < ACCEPTED_HOLDS) => {
            None
        }
        None => Some((HostStanding::Refused, Some(ReasonKind::NotInAccount.into()))),
    }
}

/// Whether a listed name is this host, or a wildcard that covers it.
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

    fn host(standing: HostStanding, holds_until: Option<i64>) -> Host {
        let holds_until = holds_until.map(|hours| from_millis(hours * 3_600_000));
        Host { id: HostId(1), name: "vod.example.com".to_owned(), standing, holds_until, accepted_at: None }
    }

    fn after(hours: i64) -> Time {
        from_millis(hours * 3_600_000)
    }

    fn row(name: &str, status: &str) -> DomainRow {
        DomainRow { name: name.to_owned(), status: status.to_owned() }
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
    fn a_list_that_takes_something_away_is_read_twice() {
        let [good, unknown] = [HostStanding::Good, HostStanding::Unknown].map(|standing| host(standing, None));
        let other = [row("other.example.com", "online")];
        assert!(needs_second_look(&[], &[]) && needs_second_look(std::slice::from_ref(&unknown), &[]));
        assert!(needs_second_look(&[unknown.clone(), good.clone()], &other));
        assert!(!needs_second_look(&[unknown], &other));
        assert!(!needs_second_look(&[good], &[row(".example.com", "online")]));
    }

    #[test]
    fn the_nearest_name_of_the_list_counts() {
        let list = [row(".example.com", "offline"), row("vod.example.com", "online"), row(".com", "offline")];
        let unknown = host(HostStanding::Unknown, None);
        assert_eq!(standing_of(&unknown, Some(&list), after(0)), Some((HostStanding::Good, None)));
    }

    #[test]
    fn an_answer_outranks_the_list_for_a_while() {
        let online = [row("vod.example.com", "online")];
        let refused = host(HostStanding::Refused, Some(6));
        assert_eq!(standing_of(&refused, Some(&online), after(5)), None);
        assert_eq!(standing_of(&refused, Some(&online), after(7)), Some((HostStanding::Good, None)));
        let offline = host(HostStanding::Offline, None);
        assert_eq!(standing_of(&offline, Some(&online), after(0)), Some((HostStanding::Good, None)));
        // A list that lacks a domain accepted an hour ago is incomplete.
        let good = Host { accepted_at: Some(after(0)), ..host(HostStanding::Good, None) };
        assert_eq!(standing_of(&good, Some(&[]), after(1)), None);
        assert_eq!(standing_of(&good, Some(&[]), after(7)).unwrap().0, HostStanding::Refused);
    }

    #[test]
    fn without_a_list_what_was_offline_or_refused_by_the_list_gets_another_chance() {
        let chance = Some((HostStanding::Unknown, None));
        assert_eq!(standing_of(&host(HostStanding::Offline, Some(6)), None, after(5)), None);
        assert_eq!(standing_of(&host(HostStanding::Offline, Some(6)), None, after(7)), chance);
        assert_eq!(standing_of(&host(HostStanding::Refused, Some(6)), None, after(7)), None);
        assert_eq!(standing_of(&host(HostStanding::Refused, None), None, after(0)), chance);
    }
}
