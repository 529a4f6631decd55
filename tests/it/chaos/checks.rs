//! The invariants (DESIGN.md), against the sandbox's own account, by its clock.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use prefetchd::sandbox::AccountView;
use prefetchd::store::{Conn, open_reader};

use super::lies::ODD;
use super::world::{BUDGET, Chaos};

/// The states that `v_status` counts.
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
        let mut conn = open_reader(self.database()).await.unwrap();
        check_budget(&account, &mut conn).await;
        let urls = self.check_urls(&account, &mut conn).await;
        for state in STATES {
            let counted = number(&mut conn, &format!("select {state} from v_status")).await;
            let real = urls.values().filter(|row| row.state == state).count();
            assert_eq!(counted, i64::try_from(real).unwrap(), "{state}");
        }
    }

    /// Each URL is in exactly one state, accepted once unless that is counted, and nothing ended that the service or
    /// its deadline did not end.
    async fn check_urls(&self, account: &AccountView, conn: &mut Conn) -> BTreeMap<String, UrlRow> {
        let rows =
            prefetchd::store::query("select url, state, reason from v_urls").fetch_all(&mut *conn).await.unwrap();
        let mut urls: BTreeMap<String, UrlRow> = BTreeMap::new();
        for row in &rows {
            let (url, row): (String, _) = (row.get(0), UrlRow { state: row.get(1), reason: row.get(2) });
            let Some(wish) = self.dropped.get(&url) else { panic!("{url} was dropped by nobody") };
            if let Some(other) = urls.get(&url).filter(|_| !wish.again) {
                panic!("{url} is {} and {}", other.state, row.state);
            }
            let now = self.service_time();
            let odd = ODD.iter().any(|(part, _)| url.contains(part));
            assert!(row.state != "failed" || odd, "{url} failed, and the service did not say so: {:?}", row.reason);
            let over = wish.deadline.is_some_and(|deadline| deadline <= now);
            assert!(row.state != "expired" || over || wish.again, "{url} expired before {:?}: {now}", wish.deadline);
            let due = wish.not_before.is_none_or(|at| at <= now + TimeDelta::seconds(1));
            assert!(due || wish.again || !account.accepted.contains_key(&url), "{url} went before its time: {now}");
            urls.insert(url, row);
        }
        for url in account.accepted.keys() {
            assert!(urls.contains_key(url), "{url} was accepted and is not in the database");
        }
        let counted = number(conn, "select possible_doubles from v_status").await.unsigned_abs();
        let doubles = self.doubles(account);
        assert!(doubles <= counted, "{doubles} doubles, {counted} counted");
        urls
    }

    /// How often URLs that one file alone named were accepted once more.
    fn doubles(&self, account: &AccountView) -> u64 {
        let once = self.dropped_once();
        account.accepted.iter().filter(|(url, _)| once.contains(url.as_str())).map(|(_, times)| times - 1).sum()
    }

    /// Runs until nothing waits any more, and says how everything ended.
    pub async fn drain(&mut self) -> String {
        let mut life = self.life().await;
        let last = self.service_time() + DRAINED_WITHIN;
        while self.service_time() < last {
            self.read_all(&mut life).await;
            self.live(&mut life, 20, false).await;
            let mut conn = open_reader(self.database()).await.unwrap();
            if number(&mut conn, "select pending + leased from v_status").await == 0 {
                return self.drained(&mut conn).await;
            }
        }
        let mut conn = open_reader(self.database()).await.unwrap();
        let row = prefetchd::store::query(
            "select waiting_for, waiting_until, pending, leased, in_doubt, paused_why from v_status",
        );
        let row = row.fetch_one(&mut conn).await.unwrap();
        panic!(
            "it does not come to an end: at {} it waits for {:?} until {:?}, {} pending, {} leased, {} in doubt, \
            paused: {:?}",
            self.service_time(),
            row.get::<Option<String>, _>(0),
            row.get::<Option<String>, _>(1),
            row.get::<i64, _>(2),
            row.get::<i64, _>(3),
            row.get::<i64, _>(4),
            row.get::<Option<String>, _>(5),
        );
    }

    async fn drained(&self, conn: &mut Conn) -> String {
        let account = self.account().await;
        let submitted: Vec<String> = prefetchd::store::query_scalar("select url from v_urls where state = 'submitted'")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        for url in &submitted {
            assert!(account.accepted.contains_key(url), "{url} is submitted, and was never accepted");
        }
        let urls = number(conn, "select count(distinct url) from v_urls").await;
        assert_eq!(urls, i64::try_from(self.dropped.len()).unwrap(), "every valid URL is there");
        let mut ends = String::new();
        for state in STATES {
            let count = number(conn, &format!("select {state} from v_status")).await;
            if count > 0 {
                ends.push_str(&format!("{count} {state}, "));
            }
        }
        format!(
            "{} URLs of {} files over {} days: {ends}{} doubles, {} counted as possible",
            self.dropped.len(),
            self.files,
            account.days.len(),
            self.doubles(&account),
            number(conn, "select possible_doubles from v_status").await,
        )
    }
}

/// On no day, by its own clock, did the service perform more calls than the budget has; all of them are charged; and
/// the meter is the sum of what the submissions cost.
async fn check_budget(account: &AccountView, conn: &mut Conn) {
    let mut seen_in_all = 0;
    for (day, seen) in &account.days {
        assert!(seen.requests_seen <= u64::from(BUDGET), "{day}: the service performed {} calls", seen.requests_seen);
        seen_in_all += seen.requests_seen;
    }
    let charged = number(conn, "select coalesce(sum(requests_used), 0) from v_budget").await;
    assert!(seen_in_all <= charged.unsigned_abs(), "{seen_in_all} calls were performed, {charged} are charged");
    let over = number(conn, "select count(*) from v_budget where requests_used > requests_limit").await;
    assert_eq!(over, 0, "a day is charged beyond its limit");
    let later = format!("select count(*) from v_budget where day > '{}'", account.day);
    assert_eq!(number(conn, &later).await, 0, "a day is charged that has not begun at the service");
    let sums = "select count(*) from v_budget as b
                where requests_used <> unbooked + (select coalesce(sum(cost), 0) from v_submissions as s
                where s.day = b.day)";
    assert_eq!(number(conn, sums).await, 0, "the meter is not what the submissions cost");
}

async fn number(conn: &mut Conn, query: &str) -> i64 {
    prefetchd::store::query_scalar(query.to_owned()).fetch_one(conn).await.unwrap()
}
