//! What a charge was, as markers keep it and as the hosts of a server tell it to each other.

use chrono::NaiveDate;

use crate::model::{Lane, SubmissionId};
use crate::store::{Conn, Result, Sql, query};

/// A charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The budget day.
    pub date: NaiveDate,
    /// Requests charged to it, or of purges URLs.
    pub requests: u32,
    /// The submission that was opened last; the number only grows.
    pub submission: SubmissionId,
}

/// The last charge of each lane that has one among the latest 200.
const NEWEST: Sql = Sql::both(
    "
    select s.lane, s.day, case when s.lane = 1 then d.requests_used else d.urls_used end, s.submission_id
    from (select lane, day, submission_id, row_number() over (partition by lane order by submission_id desc) as nth
          from (select lane, day, submission_id from submissions order by submission_id desc limit 200) as latest) as s
    join budget_days as d on d.lane = s.lane and d.day = s.day
    where s.nth = 1",
);

/// The last charges, one for each lane.
pub async fn newest_marks(conn: &mut Conn) -> Result<Vec<(Lane, Mark)>> {
    let rows = query(NEWEST).fetch_all(conn).await?;
    let marks = rows.iter().filter_map(|row| {
        let date = row.get::<String, _>(1).parse().ok()?;
        let mark = Mark { date, requests: row.get(2), submission: SubmissionId(row.get(3)) };
        Some((Lane::of_number(row.get(0)), mark))
    });
    Ok(marks.collect())
}

/// A charge in a lane as it is told: `mark LANE DAY COST SUBMISSION`.
pub fn told(lane: Lane, mark: Mark) -> String {
    format!("mark {} {} {} {}", lane.number(), mark.date, mark.requests, mark.submission)
}

/// Reads what was told; none if it is something else.
pub fn heard(said: &str) -> Option<(Lane, Mark)> {
    let mut words = said.strip_prefix("mark ")?.split(' ');
    let number: i64 = words.next()?.parse().ok()?;
    let mark = Mark {
        date: words.next()?.parse().ok()?,
        requests: words.next()?.parse().ok()?,
        submission: SubmissionId(words.next()?.parse().ok()?),
    };
    let lane = Lane::of_number(number);
    (words.next().is_none() && lane.number() == number).then_some((lane, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard_and_nothing_else_is() {
        let date = "2026-11-29".parse().unwrap();
        for lane in [Lane::Prefetch, Lane::Purge, Lane::PurgeDirectory] {
            let mark = Mark { date, requests: 500, submission: SubmissionId(i64::MAX) };
            assert_eq!(heard(&told(lane, mark)), Some((lane, mark)));
        }
        for said in ["", "wake x", "mark", "mark 1 2026-11-29 5", "mark 9 2026-11-29 5 6", "mark 1 2026-11-29 -5 6"] {
            assert_eq!(heard(said), None, "{said}");
        }
        assert_eq!(heard("mark 1 2026-11-29 5 6 7"), None);
    }
}
