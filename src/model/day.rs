//! The budget day: the 24 hours from `day_starts`, named by its date there.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike as _};

use super::Time;

/// A time of day without an offset, such as `20:00`; it uses the offset of `day_starts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub NaiveTime);

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveTime::parse_from_str(text, "%H:%M")
            .map(Self)
            .map_err(|_| "allowed is a time of day, HH:MM, such as \"20:00\"")
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

/// When the account's quota resets: a time of day at a fixed offset, `00:00+08:00` by default
/// (VOD-API.md, "reset of the day").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayStart {
    time: NaiveTime,
    offset: FixedOffset,
}

impl DayStart {
    /// The offset for times that are written without one.
    pub fn offset(self) -> FixedOffset {
        self.offset
    }

    /// The date and time at the offset of `day_starts`.
    pub fn local(self, now: Time) -> DateTime<FixedOffset> {
        now.with_timezone(&self.offset)
    }

    /// The first moment, at or after `now`, when it is `at` there.
    pub fn next(self, at: TimeOfDay, now: Time) -> Time {
        let today = self.at(self.local(now).date_naive(), at.0);
        if today >= now { today } else { today + TimeDelta::days(1) }
    }

    fn at(self, date: NaiveDate, time: NaiveTime) -> Time {
        (date.and_time(time) - self.offset).and_utc()
    }
}

impl Default for DayStart {
    fn default() -> Self {
        Self { time: NaiveTime::MIN, offset: FixedOffset::east_opt(8 * 3600).expect("eight hours are an offset") }
    }
}

impl FromStr for DayStart {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "allowed is a time of day with its offset, HH:MM±HH:MM, such as \"00:00+08:00\"";
        let (time, offset) = text.split_at_checked(text.rfind(['+', '-']).unwrap_or(0)).ok_or_else(wrong)?;
        // Seconds are for tests, which wait for the reset; no account's day starts in the middle of a minute.
        let time = NaiveTime::parse_from_str(time, "%H:%M").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M:%S"));
        Ok(Self { time: time.map_err(|_| wrong())?, offset: FixedOffset::from_str(offset).map_err(|_| wrong())? })
    }
}

impl fmt::Display for DayStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = if self.time.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
        write!(f, "{}{}", self.time.format(format), self.offset)
    }
}

/// One budget day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BudgetDay {
    /// The date on which it starts, at the offset of `day_starts`.
    pub date: NaiveDate,
    /// Its first moment.
    pub starts_at: Time,
    /// The first moment of the next day.
    pub ends_at: Time,
}

impl BudgetDay {
    /// The day that `now` belongs to.
    pub fn of(now: Time, starts: DayStart) -> Self {
        let local = starts.local(now);
        let before_start = local.time() < starts.time;
        let date = if before_start { local.date_naive().pred_opt() } else { Some(local.date_naive()) };
        Self::on(date.unwrap_or_default(), starts)
    }

    /// The day that `now` belongs to, if `last` is the latest stored day that has begun. A stored day lasts until the
    /// first start of a day, by `starts`, that is at least 24 hours after its own start and has a later name. So a
    /// changed `day_starts` takes effect then, days never overlap, and no change opens a second budget.
    pub fn after(last: Option<Self>, now: Time, starts: DayStart) -> Self {
        let Some(last) = last else { return Self::of(now, starts) };
        let last = last.under(starts);
        if now < last.ends_at { last } else { Self::of(now, starts) }
    }

    /// The same day, with the end that `starts` gives it.
    pub fn under(self, starts: DayStart) -> Self {
        let full = self.starts_at + TimeDelta::days(1);
        let mut next = Self::of(full, starts);
        while next.starts_at < full || next.date <= self.date {
            next = Self::of(next.ends_at, starts);
        }
        Self { ends_at: next.starts_at, ..self }
    }

    /// Whether it is longer than usual, because `day_starts` was changed.
    pub fn is_long(self) -> bool {
        self.ends_at - self.starts_at > TimeDelta::days(1)
    }

    /// The day of this name.
    pub fn on(date: NaiveDate, starts: DayStart) -> Self {
        let starts_at = starts.at(date, starts.time);
        Self { date, starts_at, ends_at: starts_at + TimeDelta::days(1) }
    }
}

impl fmt::Display for BudgetDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

/// A moment from RFC 3339 text.
#[cfg(test)]
pub(crate) fn moment(text: &str) -> Time {
    DateTime::parse_from_rfc3339(text).expect("a test's moment is RFC 3339").to_utc()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_day_turns_at_four_in_the_afternoon_utc() {
        let starts = DayStart::default();
        let before = BudgetDay::of(moment("2026-11-23T15:59:59.999Z"), starts);
        let after = BudgetDay::of(moment("2026-11-23T16:00:00Z"), starts);
        assert_eq!(before.to_string(), "2026-11-23");
        assert_eq!(after.to_string(), "2026-11-24");
        assert_eq!(before.ends_at, after.starts_at);
    }

    #[test]
    fn a_day_may_start_at_any_hour_and_offset() {
        let starts: DayStart = "06:30-03:00".parse().expect("a start");
        assert_eq!(starts.to_string(), "06:30-03:00");
        assert_eq!(BudgetDay::of(moment("2026-11-23T09:29:00Z"), starts).to_string(), "2026-11-22");
        assert_eq!(BudgetDay::of(moment("2026-11-23T09:30:00Z"), starts).to_string(), "2026-11-23");
        let seconds: DayStart = "06:30:07-03:00".parse().expect("a start with seconds");
        assert_eq!(seconds.to_string(), "06:30:07-03:00");
        assert_eq!(BudgetDay::of(moment("2026-11-23T09:30:06Z"), seconds).to_string(), "2026-11-22");
        assert!("25:00+08:00".parse::<DayStart>().is_err());
        assert!("00:00".parse::<DayStart>().is_err());
        assert!("日00:00".parse::<DayStart>().is_err());
    }

    #[test]
    fn a_changed_start_holds_once_the_day_that_is_charged_has_had_its_time() {
        let day = BudgetDay::of(moment("2026-11-24T20:00:00Z"), DayStart::default());
        for (starts, ends_at, next) in [
            ("00:00+08:00", "2026-11-25T16:00:00Z", "2026-11-26"),
            ("00:00+00:00", "2026-11-26T00:00:00Z", "2026-11-26"),
            ("12:00+08:00", "2026-11-26T04:00:00Z", "2026-11-26"),
            ("23:59+08:00", "2026-11-26T15:59:00Z", "2026-11-26"),
            ("00:00-12:00", "2026-11-26T12:00:00Z", "2026-11-26"),
        ] {
            let starts = starts.parse().expect("a start");
            let before = BudgetDay::after(Some(day), moment(ends_at) - TimeDelta::milliseconds(1), starts);
            assert_eq!((before.date, before.starts_at, before.ends_at), (day.date, day.starts_at, moment(ends_at)));
            assert_eq!(before.is_long(), starts != DayStart::default());
            let after = BudgetDay::after(Some(before), moment(ends_at), starts);
            assert_eq!((after.to_string().as_str(), after.starts_at), (next, moment(ends_at)));
        }
    }

    proptest! {
        /// Whatever is configured when: no two budgets begin within 24 hours, and the configured time takes effect
        /// soon.
        #[test]
        fn no_history_of_changes_opens_a_second_budget(
            steps in prop::collection::vec((0_i64..200_000, 0_u32..24, -12_i32..=14, any::<bool>()), 1..60),
        ) {
            let mut now = moment("2026-11-23T00:00:00Z");
            let mut starts = DayStart::default();
            let mut last: Option<BudgetDay> = None;
            let mut changed_at = now;
            for (seconds, hour, east, changes) in steps {
                now += TimeDelta::seconds(seconds);
                if changes {
                    let sign = if east < 0 { '-' } else { '+' };
                    starts = format!("{hour:02}:00{sign}{:02}:00", east.abs()).parse().expect("a start");
                    changed_at = now;
                }
                let day = BudgetDay::after(last, now, starts);
                prop_assert!(day.starts_at <= now && now < day.ends_at);
                match last {
                    Some(last) if day.date == last.date => prop_assert_eq!(day.starts_at, last.starts_at),
                    Some(last) => {
                        prop_assert!(day.date > last.date);
                        prop_assert!(day.starts_at - last.starts_at >= TimeDelta::days(1));
                    }
                    None => {}
                }
                if now - changed_at > TimeDelta::days(3) {
                    prop_assert_eq!(day, BudgetDay::of(now, starts));
                }
                last = Some(day);
            }
        }

        #[test]
        fn every_moment_is_in_one_day(seconds in 0_i64..4_000_000_000, hour in 0_u32..24, east in -12_i32..=14) {
            let sign = if east < 0 { '-' } else { '+' };
            let starts: DayStart = format!("{hour:02}:00{sign}{:02}:00", east.abs()).parse().expect("a start");
            let now = DateTime::from_timestamp(seconds, 0).expect("in range");
            let day = BudgetDay::of(now, starts);
            prop_assert!(day.starts_at <= now && now < day.ends_at);
            prop_assert_eq!(BudgetDay::of(day.starts_at, starts), day);
            let next = BudgetDay::of(day.ends_at, starts);
            prop_assert_eq!(next.starts_at, day.ends_at);
            prop_assert_eq!(next.date, day.date.succ_opt().expect("in range"));
        }
    }
}
