//! The operations, behind the gateway's checks.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Value, json};
use url::Url;

use super::account::{Account, TaskView};
use super::product::{Kind, Operation, Product};
use super::scenario::{Change, Domain, PurgeRules, Scenario};
use super::signature::Parameters;
use super::tasks::Tasks;
use crate::model::Time;

/// An error's code and message.
pub(super) type Refused = (&'static str, String);

/// The result of an operation: the answer's own fields, or an error.
pub(super) type Said = Result<Value, Refused>;

/// A product behind the gateway, with an account of its own.
#[derive(Debug)]
pub(super) struct Service {
    product: &'static Product,
    pub(super) account: Account,
    tasks: Tasks,
    domains: Vec<Domain>,
    urls_per_call: usize,
    queue_urls: usize,
    purge: PurgeRules,
    quota_is_readable: bool,
    tasks_are_readable: bool,
    is_suspended: bool,
}

/// The message for a key without the permission for an operation.
const FORBIDDEN: &str = "User not authorized to operate on the specified resource.";

fn forbidden() -> Said {
    Err(("Forbidden.RAM", FORBIDDEN.to_owned()))
}

impl Service {
    pub(super) fn new(product: &'static Product, scenario: &Scenario, now: Time) -> Self {
        Self {
            product,
            account: Account::new(product, &scenario.quota, &scenario.purge, now),
            tasks: Tasks::new(product, scenario),
            domains: scenario.domains.clone(),
            urls_per_call: scenario.limits.urls_per_call,
            queue_urls: scenario.limits.queue_urls,
            purge: scenario.purge.clone(),
            quota_is_readable: scenario.quota.readable,
            tasks_are_readable: scenario.tasks.readable,
            is_suspended: scenario.account.suspended,
        }
    }

    /// Applies a change of the account.
    pub(super) fn change(&mut self, change: &Change) {
        self.urls_per_call = change.urls_per_call.unwrap_or(self.urls_per_call);
        self.queue_urls = change.queue_urls.unwrap_or(self.queue_urls);
        self.purge.urls_per_call = change.purge_urls_per_call.unwrap_or(self.purge.urls_per_call);
        self.purge.allowed = change.purge_allowed.unwrap_or(self.purge.allowed);
        self.quota_is_readable = change.quota_readable.unwrap_or(self.quota_is_readable);
        self.tasks_are_readable = change.tasks_readable.unwrap_or(self.tasks_are_readable);
        self.is_suspended = change.suspended.unwrap_or(self.is_suspended);
        for (kind, per_day) in [
            (Kind::Preload, change.per_day),
            (Kind::File, change.purge_urls_per_day),
            (Kind::Directory, change.purge_directories_per_day),
        ] {
            self.account.set_quota(kind, per_day.unwrap_or(self.account.quota(kind)));
        }
    }

    /// Somebody else does this to these URLs with this account, at `created`.
    pub(super) fn submit_elsewhere(&mut self, kind: Kind, urls: &[Arc<str>], created: Time) {
        if !urls.is_empty() {
            self.account.accepted_elsewhere(kind, urls.len(), created);
            self.tasks.accept_elsewhere(kind, urls, created);
        }
    }

    /// URLs whose cached copy is the one that a prefetch fetched.
    pub(super) fn warm(&self, now: Time) -> Vec<String> {
        self.tasks.warm(now)
    }

    /// All tasks.
    pub(super) fn tasks(&self) -> Vec<TaskView> {
        self.tasks.view()
    }

    /// Performs an operation.
    pub(super) fn perform(&mut self, operation: Operation, parameters: &Parameters, now: Time) -> Said {
        match operation {
            Operation::Preload => self.preload(parameters, now),
            Operation::Refresh if !self.purge.allowed => forbidden(),
            Operation::Refresh => self.refresh(parameters, now),
            Operation::Tasks | Operation::TasksById if !self.tasks_are_readable => forbidden(),
            Operation::Tasks => self.tasks.describe(parameters, now),
            Operation::TasksById => self.tasks.describe_by_id(parameters, now),
            Operation::Quota => self.quota(now),
            Operation::Domains => self.user_domains(parameters),
        }
    }

    fn preload(&mut self, parameters: &Parameters, now: Time) -> Said {
        let urls = urls_of(parameters);
        let checked = self.check_preload(&urls, parameters, now);
        self.settle(Kind::Preload, &urls, checked, now).map(|ids| json!({ self.product.preload_ids: ids }))
    }

    fn refresh(&mut self, parameters: &Parameters, now: Time) -> Said {
        let urls = urls_of(parameters);
        let kind = match parameters.get("ObjectType").map_or("", String::as_str) {
            "" | "File" => Kind::File,
            "Directory" => Kind::Directory,
            other => {
                let message = format!("ObjectType {other} is not supported; the sandbox plays File and Directory.");
                return Err(("InvalidObjectType.ValueNotSupported", message));
            }
        };
        let checked = self.check_refresh(kind, &urls, parameters, now);
        self.settle(kind, &urls, checked, now).map(|ids| json!({ "RefreshTaskId": ids }))
    }

    /// Counts a batch and, if it passed its checks, makes its tasks; returns their IDs.
    fn settle(
        &mut self,
        kind: Kind,
        urls: &[Arc<str>],
        checked: Result<(), Refused>,
        now: Time,
    ) -> Result<String, Refused> {
        match checked {
            Ok(()) => {
                self.account.accepted(kind, urls, now);
                Ok(self.tasks.accept(kind, urls, now))
            }
            Err(error) => {
                self.account.refused(kind, urls.len(), now);
                Err(error)
            }
        }
    }

    fn check_account(&self, urls: &[Arc<str>]) -> Result<(), Refused> {
        if self.is_suspended {
            return Err((self.product.suspended, "Your account is suspended for overdue payment.".to_owned()));
        }
        if urls.is_empty() {
            return Err(("MissingParameter", "ObjectPath is missing.".to_owned()));
        }
        Ok(())
    }

    /// Refuses a batch as a whole if one URL or domain of it is wrong.
    fn check_preload(&mut self, urls: &[Arc<str>], parameters: &Parameters, now: Time) -> Result<(), Refused> {
        self.check_account(urls)?;
        let value = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
        if let Some(area) = value("Area").filter(|area| !["domestic", "overseas"].contains(&area.as_str())) {
            return Err(("InvalidParameter", format!("Area {area} is not valid.")));
        }
        for (name, known) in
            [("QueryHashkey", self.product.has_query_hashkey), ("ConsistencyHash", self.product.has_consistency_hash)]
        {
            if let Some(flag) = value(name).filter(|flag| !known || !is_flag(flag)) {
                return Err(("InvalidParameter", format!("{name} {flag} is not valid.")));
            }
        }
        if urls.len() > self.urls_per_call {
            let message = format!("The maximum number of urls is exceeded: {}.", self.urls_per_call);
            return Err((self.product.too_many, message));
        }
        for url in urls {
            self.check_url(Kind::Preload, url)?;
        }
        if self.account.cost(Kind::Preload, urls.len()) > self.account.quota_left(Kind::Preload, now) {
            return Err(("QuotaExceeded.Preload", "The daily quota is exceeded.".to_owned()));
        }
        if self.queue_urls < usize::MAX && self.tasks.unfinished(Kind::Preload, now) + urls.len() > self.queue_urls {
            return Err(("PreloadQueueFull", "Too many objects are being prefetched.".to_owned()));
        }
        Ok(())
    }

    /// The same of a purge (SIBLING-APIS.md, A).
    fn check_refresh(
        &mut self,
        kind: Kind,
        urls: &[Arc<str>],
        parameters: &Parameters,
        now: Time,
    ) -> Result<(), Refused> {
        self.check_account(urls)?;
        if let Some(force) = parameters.get("Force").filter(|force| !is_flag(force)) {
            return Err(("InvalidParameter", format!("Force {force} is not valid.")));
        }
        let most = if kind == Kind::File { self.purge.urls_per_call } else { self.purge.directories_per_call };
        if urls.len() > most {
            return Err((self.product.too_many, format!("The maximum number of urls is exceeded: {most}.")));
        }
        for url in urls {
            self.check_url(kind, url)?;
        }
        let domains: HashSet<&str> = urls.iter().map(|url| host_of(url)).collect();
        if self.purge.domains_per_call.or(self.product.domains_a_purge).is_some_and(|most| domains.len() > most) {
            return Err((self.product.too_many, "Too many domains in one call.".to_owned()));
        }
        if self.account.cost(kind, urls.len()) > self.account.quota_left(kind, now) {
            return Err(("QuotaExceeded.Refresh", "The daily quota is exceeded.".to_owned()));
        }
        if let Some(most) = self.purge.urls_per_minute.filter(|_| kind == Kind::File) {
            for domain in domains {
                let more = urls.iter().filter(|url| host_of(url) == domain).count();
                if self.tasks.purged_since(domain, now - TimeDelta::minutes(1)) + more > most {
                    return Err(("QuotaPerMinuteExceeded.Refresh", "The quota of this minute is exceeded.".to_owned()));
                }
            }
        }
        Ok(())
    }

    fn check_url(&self, kind: Kind, url: &str) -> Result<(), Refused> {
        let malformed = || ("InvalidObjectPath.Malformed", "The specified ObjectPath is invalid.".to_owned());
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let parsed = Url::parse(&with_scheme).map_err(|_| malformed())?;
        let is_misplaced = match kind {
            Kind::Preload => parsed.path().ends_with('/'),
            Kind::File => false,
            Kind::Directory => !url.ends_with('/'),
        };
        if is_misplaced || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(malformed());
        }
        let host = parsed.host_str().unwrap_or_default();
        if host.contains('*') {
            return Err(("InvalidExtensiveDomain.ValueNotSupported", "Wildcard domains are not supported.".to_owned()));
        }
        match self.domains.iter().find(|domain| domain.name == host) {
            None => Err(("InvalidDomain.NotFound", format!("The domain {host} does not belong to you."))),
            Some(domain) => match domain.status.as_str() {
                "online" => Ok(()),
                "configuring" if kind != Kind::Preload => {
                    Err(("ServiceBusy", format!("The domain {host} is being configured. Try again later.")))
                }
                "configure_failed" => Err(("InvalidDomain.Configure_failed", format!("{host} is not configured."))),
                _ => Err(("InvalidDomain.Offline", format!("The domain {host} is offline."))),
            },
        }
    }

    /// The names are spelled as the service spells them, including the lower-case b. CDN's are numbers.
    fn quota(&mut self, now: Time) -> Said {
        if !self.quota_is_readable {
            return forbidden();
        }
        let mut said = json!({ "BlockQuota": "300", "blockRemain": "300" });
        for (kind, [quota, remain]) in [
            (Kind::Preload, ["PreloadQuota", "PreloadRemain"]),
            (Kind::File, ["UrlQuota", "UrlRemain"]),
            (Kind::Directory, ["DirQuota", "DirRemain"]),
        ] {
            said[quota] = json!(self.account.quota(kind).to_string());
            said[remain] = json!(self.account.quota_left(kind, now).to_string());
        }
        for name in self.product.other_quotas {
            said[*name] = json!("20");
        }
        Ok(said)
    }

    fn user_domains(&self, parameters: &Parameters) -> Said {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let number = |name: &str, default: usize| {
            get(name).and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let (page, size) = (number("PageNumber", 1), number("PageSize", 20));
        if size > self.product.domains_a_page {
            return Err(("InvalidParameter", format!("PageSize is at most {}.", self.product.domains_a_page)));
        }
        let finds_parts = get("DomainSearchType").map_or(self.product.finds_parts, |kind| kind != "full_match");
        // Without being asked for them, CDN and DCDN hide domains under review or failed (SIBLING-APIS.md, E).
        let shows_all = self.product.finds_parts || get("CheckDomainShow") == Some("true");
        let fits = |domain: &&Domain| {
            get("DomainStatus").is_none_or(|status| status == domain.status)
                && get("DomainName")
                    .is_none_or(|name| if finds_parts { domain.name.contains(name) } else { domain.name == name })
                && (shows_all || !domain.status.starts_with("check"))
        };
        let all: Vec<&Domain> = self.domains.iter().filter(fits).collect();
        let shown = all.iter().skip((page - 1).saturating_mul(size)).take(size);
        let shown: Vec<Value> =
            shown.map(|domain| json!({ "DomainName": domain.name, "DomainStatus": domain.status })).collect();
        Ok(json!({
            "TotalCount": all.len(), "PageNumber": page, "PageSize": size,
            "Domains": { "PageData": shown },
        }))
    }
}

fn is_flag(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// The URLs of `ObjectPath`, separated by `\n` or `\r\n`.
pub(super) fn urls_of(parameters: &Parameters) -> Vec<Arc<str>> {
    let paths = parameters.get("ObjectPath").map_or("", String::as_str);
    paths
        .split('\n')
        .map(|url| url.strip_suffix('\r').unwrap_or(url))
        .filter(|url| !url.is_empty())
        .map(Arc::from)
        .collect()
}

/// The host of a URL with or without a scheme.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}
