//! What the submitter in memory makes of an answer: what becomes of the batch, and what is learned of the account.

use super::{
    BackingOff, Doubt, Found, HashSet, HostId, HostStanding, Lesson, Model, Pause, QueueSize, Reaction, SubmissionId,
    Suspect, UrlId,
};

impl Model {
    pub(super) fn close(&mut self, sent: &Doubt, reaction: &Reaction) {
        let Doubt { batch, suspects, .. } = sent;
        let urls = u32::try_from(batch.len()).unwrap();
        let accepted = reaction.release.is_none();
        if reaction.lesson == Lesson::QueueFull {
            let size = QueueSize::after_refusal(self.size.as_ref(), sent.in_flight, urls, self.now);
            let before = self.size.replace(size);
            self.size_before.get_or_insert(before);
        } else if accepted {
            self.size = self.size.take().and_then(|size| size.after_acceptance(sent.in_flight, urls, self.now));
        }
        if !reaction.closing.charged {
            self.charged -= 1;
            self.spent.requests -= 1;
        }
        if !reaction.closing.urls_charged {
            self.spent.urls -= urls;
        }
        if *suspects > 0 && (!reaction.closing.charged || (accepted && *suspects < urls.div_ceil(2))) {
            self.spent.isolations -= 1;
        }
        if reaction.ask_domains {
            self.domains_at = None;
        }
        if let Some(release) = &reaction.release {
            self.release(batch, release);
            if let Some(evidence) = &reaction.evidence {
                let good: HashSet<HostId> =
                    self.standings.iter().filter(|(_, s)| **s == HostStanding::Good).map(|(host, _)| *host).collect();
                let member =
                    |(url, host): &(UrlId, HostId)| Suspect { url: *url, host: *host, core: false, away: false };
                let case = prefetchd::schedule::Case {
                    id: SubmissionId(i64::try_from(sent.nonce).unwrap()),
                    blame: evidence.blame,
                    why: evidence.why.clone(),
                    unsure: evidence.unsure,
                    members: batch.iter().map(member).collect(),
                };
                match self.cases.refused(case, &good) {
                    Some(Found::Url { url, .. }) => {
                        self.ready.remove(&url);
                        self.failed += 1;
                        self.standing.bad_rate = self.standing.bad_rate.seen(0, 1);
                    }
                    Some(Found::Host { host, .. }) => self.park(host, evidence.standing),
                    None => {}
                }
            }
        } else {
            self.warmed += batch.len() as u64;
            self.cases.accepted(batch);
            self.standing.bad_rate = self.standing.bad_rate.seen(urls, 0);
            for (url, host) in batch {
                self.standings.insert(*host, HostStanding::Good);
                self.hosts.remove(url);
                self.attempts.remove(url);
            }
        }
        self.learn(&reaction.lesson);
    }

    pub(super) fn release(&mut self, batch: &[(UrlId, HostId)], release: &prefetchd::queue::Release) {
        use prefetchd::queue::ReleaseTo;
        for (url, _) in batch {
            let attempts = self.attempts.entry(*url).or_default();
            *attempts += u32::from(release.counts);
            match release.to {
                ReleaseTo::Held => self.held += 1,
                ReleaseTo::Pending { .. } if release.counts && *attempts >= release.attempts_max => self.held += 1,
                ReleaseTo::Pending { wait_until: Some(at), .. } => self.later.entry(at).or_default().push(*url),
                ReleaseTo::Pending { .. } => {
                    self.ready.insert(*url);
                }
            }
        }
    }

    pub(super) fn learn(&mut self, lesson: &Lesson) {
        match lesson {
            Lesson::Well => {
                self.standing.failures = 0;
                self.standing.probes = 0;
                self.standing.backing_off = None;
                self.standing.pause = None;
            }
            Lesson::TooLargeAlone { until, why } => {
                self.standing.failures += 1;
                self.standing.batch_urls_max = None;
                self.standing.backing_off = Some(BackingOff { until: *until, why: why.clone() });
            }
            Lesson::Nothing | Lesson::QueueFull | Lesson::MinuteFull => {}
            Lesson::BackOff { until, why } | Lesson::AskFirst { until, why } => {
                self.standing.failures += 1;
                self.standing.backing_off = Some(BackingOff { until: *until, why: why.clone() });
                if matches!(lesson, Lesson::AskFirst { .. }) {
                    self.spent.observed = None;
                }
            }
            Lesson::Pause { why, probe_at } => {
                self.standing.probes += 1;
                self.standing.pause = Some(Pause { why: why.clone(), probe_at: *probe_at });
            }
            Lesson::DayExhausted { code } => self.spent.exhausted = Some(code.clone()),
            Lesson::QuotaRefused { urls } => {
                self.spent.refused_urls = Some(*urls);
                self.spent.observed = None;
            }
            Lesson::BatchLimit(urls) => self.standing.batch_urls_max = Some(*urls),
            Lesson::UrlsInQuery => unreachable!("no call of the model is signed by V3"),
        }
    }
}
