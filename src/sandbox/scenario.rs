//! A scenario of the sandbox: an account, its limits, and scripted lies. Every key is optional, and every lie is off by
//! default.

mod rules;
mod script;
mod values;

use std::path::Path;

use serde::Deserialize;

use super::product::Kind;

pub use self::rules::{
    Account, Answers, ClockRules, Domain, Letters, Limits, OddTask, PurgeRules, QuotaRules, QuotaUnit, TaskRules,
};
pub use self::script::{Action, Change, Fault, Foreign};
pub use self::values::DateLie;

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// Everything random is drawn from this.
    pub seed: u64,
    /// The service's clock.
    pub clock: ClockRules,
    /// Who may call.
    pub account: Account,
    /// The quota of a day.
    pub quota: QuotaRules,
    /// Purges.
    pub purge: PurgeRules,
    /// Sizes and rates.
    pub limits: Limits,
    /// How answers are spelled.
    pub answers: Answers,
    /// The account's domains; by default those of the demo.
    #[serde(rename = "domain")]
    pub domains: Vec<Domain>,
    /// How tasks proceed.
    pub tasks: TaskRules,
    /// What is odd about some tasks; the first entry that fits a URL applies.
    #[serde(rename = "task")]
    pub odd_tasks: Vec<OddTask>,
    /// What goes wrong; the first entry that fits a call applies.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
    /// What somebody else prefetches with this account.
    #[serde(rename = "foreign")]
    pub foreign: Vec<Foreign>,
    /// Changes of the account while the sandbox runs.
    #[serde(rename = "change")]
    pub changes: Vec<Change>,
}

impl Default for Scenario {
    fn default() -> Self {
        let domains = ["vod.example.com", "media.example.com", "film.example.net", "live.example.org"];
        Self {
            seed: 1,
            clock: ClockRules::default(),
            account: Account::default(),
            quota: QuotaRules::default(),
            purge: PurgeRules::default(),
            limits: Limits::default(),
            answers: Answers::default(),
            domains: domains.map(|name| Domain { name: name.into(), status: "online".into() }).into(),
            tasks: TaskRules::default(),
            odd_tasks: Vec::new(),
            faults: Vec::new(),
            foreign: Vec::new(),
            changes: Vec::new(),
        }
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// The message names the file, and the line if its content is wrong.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let scenario: Self = toml::from_str(&text).map_err(|error| format!("in {}: {error}", path.display()))?;
        scenario.check().map_err(|what| format!("in {}: {what}", path.display()))?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        let no_share = |share: Option<f64>| share.is_some_and(|share| !(0.0..=1.0).contains(&share));
        if self.tasks.speed.is_nan() || self.tasks.speed <= 0.0 || self.tasks.ids_per_batch == 0 {
            return Err("[tasks] speed and ids_per_batch must be above 0".to_owned());
        }
        for fault in &self.faults {
            if no_share(fault.share) || fault.every == Some(0) {
                return Err("of a [[fault]], share lies between 0 and 1, and every is at least 1".to_owned());
            }
            if fault.action == Action::Error && fault.code.is_none() {
                return Err("a [[fault]] with action = \"error\" needs a code".to_owned());
            }
        }
        if self.odd_tasks.iter().any(|odd| no_share(odd.share)) || no_share(Some(self.answers.share)) {
            return Err("of [answers] and of a [[task]], share lies between 0 and 1".to_owned());
        }
        let named = self.foreign.iter().map(|foreign| foreign.operation.as_str());
        let named = named.chain(self.odd_tasks.iter().filter_map(|odd| odd.operation.as_deref()));
        if let Some(unknown) = named.into_iter().find(|word| Kind::named(word).is_none()) {
            let known = "`prefetch`, `purge` or `purge-directory`";
            return Err(format!("the operation of a [[foreign]] or [[task]] is {known}, and not `{unknown}`"));
        }
        for foreign in &self.foreign {
            let of_a_call = foreign.first_url_of_call.is_some() || foreign.share.is_some();
            if no_share(foreign.share) || of_a_call != foreign.urls.is_empty() {
                let what = "a [[foreign]] has either urls, or first_url_of_call or share (between 0 and 1)";
                return Err(what.to_owned());
            }
        }
        match self.changes.iter().find(|change| change.after.is_some() == change.after_calls.is_some()) {
            Some(_) => Err("a [[change]] has either after or after_calls".to_owned()),
            None => Ok(()),
        }
    }
}
