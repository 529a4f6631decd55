//! How many requests of the day are left, and why fewer than was to be expected.

use super::BudgetReport;
use crate::model::LessWhy;

impl BudgetReport {
    /// Requests charged today.
    pub fn used_today(&self) -> i64 {
        // A day without a charge has no row yet.
        if self.is_over { 0 } else { self.requests_used }
    }

    /// Requests that are left, not below zero: a limit may have been lowered below what was spent before.
    pub fn left_today(&self) -> i64 {
        let expected = (self.requests_limit - self.used_today()).max(0);
        self.requests_left.unwrap_or(expected).clamp(0, expected)
    }

    /// Why fewer are left than the limit and what was charged let expect; none if they are not.
    pub fn less_why(&self) -> Option<LessWhy> {
        let (used, left) = (self.used_today(), self.left_today());
        if left >= (self.requests_limit - used).max(0) {
            return None;
        }
        let own_quota = |quota: i64| {
            let spent = if self.unit.as_deref() == Some("urls") { self.urls_used } else { used };
            quota < self.requests_limit && quota - spent <= left
        };
        Some(match self {
            _ if self.exhausted_why.is_some() => LessWhy::UsedUp,
            _ if self.urls_limit.is_some_and(|limit| limit <= self.urls_used) && !self.is_over => LessWhy::UrlsSpent,
            _ if self.quota.is_some_and(own_quota) => LessWhy::SmallQuota,
            _ if self.drift.is_some_and(|drift| drift > 0) => LessWhy::Others,
            _ => LessWhy::Told,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_named_only_if_they_spent_something() {
        let day = || BudgetReport { requests_limit: 500, requests_used: 2, ..BudgetReport::default() };
        let left = |left| BudgetReport { requests_left: Some(left), ..day() };
        let quota = |left_now, drift| BudgetReport { quota: Some(500), drift: Some(drift), ..left(left_now) };
        for (budget, left, why) in [
            (day(), 498, None),
            (quota(490, 8), 490, Some(LessWhy::Others)),
            (BudgetReport { requests_limit: 5000, ..quota(498, 0) }, 498, Some(LessWhy::SmallQuota)),
            (BudgetReport { urls_limit: Some(7), urls_used: 7, ..left(0) }, 0, Some(LessWhy::UrlsSpent)),
            (BudgetReport { requests_limit: 1, ..left(0) }, 0, None),
            (left(497), 497, Some(LessWhy::Told)),
            (BudgetReport { exhausted_why: Some("x".into()), ..left(0) }, 0, Some(LessWhy::UsedUp)),
        ] {
            assert_eq!((budget.left_today(), budget.less_why()), (left, why), "{budget:?}");
        }
    }
}
