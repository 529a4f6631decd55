//! `prefetchd check --online`: asks the service about this key, with free calls only.

use super::super::failure;
use crate::config::Config;
use crate::exit;
use crate::model::{AccountFault, Lane, PauseWhy, ProductName, rfc3339};
use crate::service::{DomainRow, Fault, Quota, Service, TaskQuery, Window};
use crate::submit::still_paused;
use crate::words::{self, Words, checks, labels};

/// Most pages of domains to read.
const PAGES_MAX: u32 = 4;

/// Most domains to name.
const DOMAINS_SHOWN: usize = 20;

/// What was found, and problems that do not prevent a start.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) well: Vec<(Words, Words)>,
    pub(super) amiss: Vec<Words>,
}

/// Fetches the key and asks the service, with one call per operation.
pub(super) async fn ask(config: &Config, service: &Service) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    findings.well.push((checks::KEY, key(service).await?));
    let url = config.api.endpoint.url();
    let quota = service.quota(Lane::Prefetch).await;
    refused(&quota, url)?;
    findings.well.push((checks::SERVICE, checks::takes(url.as_ref())));
    let (product, actions) = (service.product(), service.product().actions);
    let permission = |action: &str| product.permission(action);
    if let Some(left) = findings.permitted(quota, &permission(actions.quota), &checks::WITHOUT_QUOTA) {
        let Quota { a_day, remains } = left;
        findings.well.push((checks::QUOTA, checks::left(remains, a_day)));
    }
    let domains = domains(service).await;
    if let Some((rows, total)) = findings.permitted(domains, &permission(actions.domains), &checks::WITHOUT_DOMAINS) {
        findings.well.push((checks::DOMAINS, shown(&rows, total, product.name)));
    }
    let now = service.clock().now();
    let query = TaskQuery { page_size: 1, ..TaskQuery::first(Lane::Prefetch, Window::all(now)) };
    let tasks = service.tasks(&query).await;
    if findings.permitted(tasks, &permission(actions.tasks), &checks::WITHOUT_TASKS).is_some() {
        findings.well.push((checks::TASKS, checks::TASKS_OK));
    }
    let mut untried = Vec::new();
    for lane in config.spool.actions.lanes() {
        match lane {
            Lane::Prefetch => untried.push(permission(actions.prefetch)),
            _ => {
                purges(&mut findings, service, *lane).await;
                untried.push(permission(actions.purge));
            }
        }
    }
    untried.dedup();
    untried.iter().for_each(|untried| findings.well.push((checks::PERMISSIONS, checks::not_tried(untried))));
    Ok(findings)
}

/// What is left of the day of an action beside prefetching, and whether its tasks can be asked for. What the key may
/// not ask was told before, of prefetching.
async fn purges(findings: &mut Findings, service: &Service, lane: Lane) {
    let action = labels::action(lane.word());
    match service.quota(lane).await {
        Ok(Quota { a_day, remains }) => {
            findings.well.push((checks::QUOTA, checks::left_of(&action, remains, a_day)));
        }
        Err(fault) => findings.note(&action, &fault),
    }
    let window = Window::all(service.clock().now());
    if let Err(fault) = service.tasks(&TaskQuery { page_size: 1, ..TaskQuery::first(lane, window) }).await {
        findings.note(&action, &fault);
    }
}

/// Which key there is, and when it ends.
async fn key(service: &Service) -> anyhow::Result<Words> {
    let keys = service.keys();
    let key = keys.fetch().await.map_err(|none| failure(exit::UNAVAILABLE, Words::same(none.to_string())))?;
    let state = keys.state();
    let source = words::key_source(&state.source.to_string());
    Ok(checks::key_got(key.credentials.tail(), &source, state.ends_at.map(rfc3339).as_deref()))
}

/// What the quota's answer says against the key or the whole account.
fn refused(said: &Result<Quota, Fault>, url: &url::Url) -> anyhow::Result<()> {
    if let Err(fault) = said
        && fault.http_status.is_none()
    {
        let why = fault.message.as_deref().unwrap_or_default();
        return Err(failure(exit::UNAVAILABLE, checks::no_answer(url.as_ref(), why)));
    }
    let unlike = PauseWhy::Text(checks::UNLIKE_THE_API.en.into_owned());
    match still_paused(Lane::Prefetch, said, &unlike) {
        Some(why) if why == unlike => {
            Err(failure(exit::UNAVAILABLE, Words::same(url.to_string()).then(&checks::UNLIKE_THE_API)))
        }
        Some(why) => Err(failure(exit::CONFIG, checks::refuses(url.as_ref(), &words::pause(&why)))),
        None => Ok(()),
    }
}

async fn domains(service: &Service) -> Result<(Vec<DomainRow>, u64), Fault> {
    let (mut rows, mut total) = (Vec::new(), 0);
    for page in 1..=PAGES_MAX {
        let page = service.domains(page).await?;
        total = page.total;
        let is_last = page.rows.is_empty();
        rows.extend(page.rows);
        if is_last || rows.len() as u64 >= total {
            break;
        }
    }
    Ok((rows, total))
}

fn shown(rows: &[DomainRow], total: u64, product: ProductName) -> Words {
    let named: Vec<String> =
        rows.iter().take(DOMAINS_SHOWN).map(|row| format!("{} ({})", row.name, row.status)).collect();
    let more = total.saturating_sub(named.len() as u64);
    checks::domains(total, &named, more, product.title()[0])
}

impl Findings {
    /// A refusal of a question about this action, unless the key may not ask it.
    fn note(&mut self, action: &Words, fault: &Fault) {
        if fault.of_the_account() != Some(AccountFault::Forbidden) {
            let code = fault.code.as_deref().unwrap_or("no code");
            self.amiss.push(action.clone().then(&Words::same(format!("{} ({code})", fault.class))));
        }
    }

    /// The result; a missing permission, or another refusal, is noted as a problem.
    fn permitted<T>(&mut self, said: Result<T, Fault>, permission: &str, without: &Words) -> Option<T> {
        let fault = match said {
            Ok(said) => return Some(said),
            Err(fault) => fault,
        };
        let code = fault.code.as_deref().unwrap_or("no code");
        self.amiss.push(match fault.of_the_account() {
            Some(AccountFault::Forbidden) => checks::not_permitted(permission, code, without),
            _ => Words::same(format!("{permission}: {} ({code})", fault.class)),
        });
        None
    }
}
