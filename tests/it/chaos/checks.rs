//! The invariants (DESIGN.md), against the sandbox's own account, by its clock.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use prefetchd::model::{Lane, Time};
use prefetchd::sandbox::{AccountView, DayView};
use prefetchd::store::{Conn, query, query_scalar};
use strum::VariantArray as _;

use super::lies::ODD;
use super::world::{BUDGET, Chaos, DIRECTORIES, PURGES};

/// The states that are counted.
const STATES: [&str; 9] =
    ["pending", "leased", "submitted", "complete", "failed", "expired", "cancelled", "held", "unconfirmed"];

/// What is dropped in a world's cycles is sent within so long after them.
const DRAINED_WITHIN: TimeDelta = TimeDelta::days(40);

/// A row of `v_urls`, as far as it is checked.
struct UrlRow {
    state: String,
    reason: Option<String>,
}

impl Chaos {
    /// All of them.
    pub async fn check(&self) {
        let account = self.account().await;
        let mut conn = self.conn().await;
        check_budget(&account, &mut conn).await;
        self.check_urls(&account, &mut conn).await;
        for state in STATES {
            for lane in Lane::VARIANTS {
                let word = lane.word();
                let rows = format!("select count(*) from v_urls where state = '{state}' and action = '{word}'");
                let tally = format!("select cast(sum({state}) as bigint) from tally where lane = {}", lane.number());
                let real = number(&mut conn, &rows).await;
                assert_eq!(number(&mut conn, &tally).await, real, "{state} of {word}");
                if *lane == Lane::Prefetch {
                    assert_eq!(number(&mut conn, &format!("select {state} from v_status")).await, real, "{state}");
                }
            }
        }
        check_files(&mut conn).await;
    }

    /// Each URL is in exactly one state, accepted once unless that is counted, and nothing ended that the service or
    /// its deadline did not end.
    async fn check_urls(&self, account: &AccountView, conn: &mut Conn) {
        let rows = query("select url, state, reason, action from v_urls").fetch_all(&mut *conn).await.unwrap();
        let mut urls: BTreeMap<(Lane, String), UrlRow> = BTreeMap::new();
        for row in &rows {
            let lane: Lane = row.get::<String, _>(3).parse().unwrap();
            let (url, row) = ((lane, row.get::<String, _>(0)), UrlRow { state: row.get(1), reason: row.get(2) });
            let Some(wish) = self.dropped.get(&url) else { panic!("{url:?} was dropped by nobody") };
            if let Some(other) = urls.get(&url).filter(|_| !wish.again) {
                panic!("{url:?} is {} and {}", other.state, row.state);
            }
            let now = self.service_time();
            let odd = ODD.iter().any(|(part, _)| url.1.contains(part));
            assert!(row.state != "failed" || odd, "{url:?} failed, and the service did not say so: {:?}", row.reason);
            let over = wish.deadline.is_some_and(|deadline| deadline <= now);
            assert!(row.state != "expired" || over || wish.again, "{url:?} expired before {:?}: {now}", wish.deadline);
            let due = wish.not_before.is_none_or(|at| at <= now + TimeDelta::seconds(1));
            let sent = accepted(account, lane).contains_key(&url.1);
            assert!(due || wish.again || !sent, "{url:?} went before its time: {now}");
            urls.insert(url, row);
        }
        for lane in Lane::VARIANTS {
            for url in accepted(account, *lane).keys() {
                let known = urls.contains_key(&(*lane, url.clone()));
                assert!(known, "{url} was accepted by {}, and is not in the database", lane.word());
            }
            let of_lane = format!("from v_submissions where action = '{}'", lane.word());
            let counted =
                number(conn, &format!("select cast(coalesce(sum(double_urls), 0) as bigint) {of_lane}")).await;
            let doubles = self.doubles(account, *lane);
            assert!(doubles <= counted.unsigned_abs(), "{doubles} doubles of {}, {counted} counted", lane.word());
        }
    }

    /// How often URLs that one line alone named were accepted once more.
    fn doubles(&self, account: &AccountView, lane: Lane) -> u64 {
        let is_once = |url: &str| self.dropped.get(&(lane, url.to_owned())).is_some_and(|wish| !wish.again);
        accepted(account, lane).iter().filter(|(url, _)| is_once(url)).map(|(_, times)| times - 1).sum()
    }

    /// By the service's own account: what all of its lines want purged first was not prefetched before it was purged.
    async fn check_order(&self) {
        let tasks = self.tasks().await;
        let at = |text: &str| text.parse::<Time>().unwrap();
        let mut purged: BTreeMap<&str, Time> = BTreeMap::new();
        for task in tasks.iter().filter(|task| task.operation == "purge" && task.ends_as == "Complete") {
            let end = at(&task.ends_at);
            purged.entry(&task.url).and_modify(|first| *first = end.min(*first)).or_insert(end);
        }
        for task in tasks.iter().filter(|task| task.operation == "prefetch" && !task.foreign) {
            let wish = self.dropped.get(&(Lane::Prefetch, task.url.clone()));
            if wish.is_none_or(|wish| wish.plain) {
                continue;
            }
            let first = purged.get(task.url.as_str());
            let is_after = first.is_some_and(|end| *end <= at(&task.accepted_at));
            assert!(is_after, "{} was prefetched at {}, and purged at {first:?}", task.url, task.accepted_at);
        }
    }

    /// Runs until nothing waits any more, and says how everything ended.
    pub async fn drain(&mut self) -> String {
        let mut life = self.life().await;
        let last = self.service_time() + DRAINED_WITHIN;
        while self.service_time() < last {
            self.read_all(&mut life).await;
            self.live(&mut life, 20, false).await;
            let mut conn = self.conn().await;
            if number(&mut conn, "select cast(sum(pending + leased) as bigint) from tally").await == 0 {
                self.check_order().await;
                return self.drained(&mut conn).await;
            }
        }
        let mut conn = self.conn().await;
        let lanes = "select action || ' waits for ' || coalesce(waiting_for, 'nothing') || ' until ' ||
                            coalesce(waiting_until, 'ever') || ', ' || pending || ' pending, ' || leased ||
                            ' leased, paused: ' || coalesce(paused_code, 'no')
                     from v_lanes where (action, day) in (select action, max(day) from v_lanes group by action)";
        let lanes: Vec<String> = query_scalar(lanes).fetch_all(&mut conn).await.unwrap();
        panic!("it does not come to an end: at {} {}", self.service_time(), lanes.join("; "));
    }

    async fn drained(&self, conn: &mut Conn) -> String {
        let account = self.account().await;
        let submitted = "select action, url from v_urls where state = 'submitted'";
        for row in query(submitted).fetch_all(&mut *conn).await.unwrap() {
            let (lane, url): (Lane, String) = (row.get::<String, _>(0).parse().unwrap(), row.get(1));
            assert!(accepted(&account, lane).contains_key(&url), "{url} is submitted, and was never accepted");
        }
        let urls = number(conn, "select count(distinct action || ' ' || url) from v_urls").await;
        assert_eq!(urls, i64::try_from(self.dropped.len()).unwrap(), "every valid URL is there");
        let mut ends = String::new();
        for lane in Lane::VARIANTS {
            ends.push_str(&format!("{}: ", lane.word()));
            for state in STATES {
                let tally = format!("select cast(sum({state}) as bigint) from tally where lane = {}", lane.number());
                let count = number(conn, &tally).await;
                if count > 0 {
                    ends.push_str(&format!("{count} {state}, "));
                }
            }
            let double_urls = format!(
                "select cast(coalesce(sum(double_urls), 0) as bigint) from v_submissions where action = '{}'",
                lane.word()
            );
            let counted = number(conn, &double_urls).await;
            ends.push_str(&format!("{} doubles, {counted} counted as possible; ", self.doubles(&account, *lane)));
        }
        format!("{} URLs of {} files over {} days; {ends}", self.dropped.len(), self.files, account.days.len())
    }
}

/// How often each URL was accepted by the operation of a lane.
fn accepted(account: &AccountView, lane: Lane) -> &BTreeMap<String, u64> {
    match lane {
        Lane::Prefetch => &account.accepted,
        Lane::Purge => &account.purge.accepted,
        Lane::PurgeDirectory => &account.purge_directory.accepted,
    }
}

/// What the service performed on a day, in the unit of the lane's budget: calls, or URLs of purges.
fn performed(day: &DayView, lane: Lane) -> u64 {
    match lane {
        Lane::Prefetch => day.requests_seen,
        Lane::Purge => day.purge.urls_accepted,
        Lane::PurgeDirectory => day.purge_directory.urls_accepted,
    }
}

/// On no day, by its own clock, did the service perform more than each lane's budget has; all of that is charged; and
/// the meters are the sums of what the submissions cost.
async fn check_budget(account: &AccountView, conn: &mut Conn) {
    for (lane, budget, meter) in [
        (Lane::Prefetch, BUDGET, "requests"),
        (Lane::Purge, PURGES, "urls"),
        (Lane::PurgeDirectory, DIRECTORIES, "urls"),
    ] {
        let word = lane.word();
        let mut in_all = 0;
        for (day, seen) in &account.days {
            let seen = performed(seen, lane);
            assert!(seen <= u64::from(budget), "{day}: the service performed {seen} of {word}");
            in_all += seen;
        }
        let of_lane = format!("from v_lanes as b where action = '{word}'");
        let charged = number(conn, &format!("select cast(coalesce(sum({meter}_used), 0) as bigint) {of_lane}")).await;
        assert!(in_all <= charged.unsigned_abs(), "{in_all} of {word} were performed, {charged} are charged");
        let over = format!("select count(*) {of_lane} and {meter}_used > {meter}_limit");
        assert_eq!(number(conn, &over).await, 0, "a day of {word} is charged beyond its limit");
        let later = format!("select count(*) {of_lane} and day > '{}'", account.day);
        assert_eq!(number(conn, &later).await, 0, "a day of {word} is charged that has not begun at the service");
        let sums = format!(
            "select count(*) {of_lane} and requests_used <> unbooked + (select coalesce(sum(cost), 0)
             from v_submissions as s where s.day = b.day and s.action = b.action)"
        );
        assert_eq!(number(conn, &sums).await, 0, "the meter of {word} is not what the submissions cost");
    }
}

/// The counters of files are what counting gives, of prefetches and purges alone and of both steps of a line.
async fn check_files(conn: &mut Conn) {
    for state in STATES {
        for (columns, first_step) in [("", 0), ("purge_", 1)] {
            let lines = format!(
                "select count(*) from v_urls as u left join v_wishes as w on w.url_id = u.url_id and w.came = 'first'
                 join urls as r on r.url_id = u.url_id and r.first_step = {first_step}
                 where coalesce(w.state, u.state) = '{state}'"
            );
            let kept = format!("select cast(coalesce(sum({columns}{state}), 0) as bigint) from v_files");
            // Merged purges of lines are counted in the same columns as their own.
            let merged = if first_step == 0 {
                "0"
            } else {
                "(select count(*) from v_wishes as v join wishes as w on w.url_id = v.url_id and w.line = v.line
                  and w.file_id = v.file_id where v.came = 'merged' and w.first_step = 1 and v.state = '{state}')"
            };
            let merged = format!("select {}", merged.replace("{state}", state));
            let all = number(conn, &lines).await + number(conn, &merged).await;
            assert_eq!(number(conn, &kept).await, all, "{columns}{state} in v_files");
        }
    }
}

async fn number(conn: &mut Conn, query: &str) -> i64 {
    query_scalar(query.to_owned()).fetch_one(conn).await.unwrap()
}
