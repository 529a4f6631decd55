use super::*;
use crate::config::Config;
use crate::model::{AccountFault, BudgetDay, PauseWhy, Priority, from_millis};
use crate::schedule::{Observation, Pause, Spent, Standing, Unit, WarmTime};
use crate::service::policy;
use crate::status::Doubts;
use strum::VariantArray as _;

fn facts() -> Facts {
    let idle = vec![(Name::Spool, Duration::from_millis(1500))];
    let now = from_millis(1_000_000);
    Facts {
        now,
        time: (true, 0.0),
        started: from_millis(0),
        database_bytes: Some(4096),
        wal_bytes: Some(0),
        writable: false,
        lost: false,
        idle,
    }
}

fn lane(lane: Lane, pause: Option<PauseWhy>) -> LaneSeen {
    let policy = policy(&Config::default(), lane);
    let observed = Observation { quota: 500, remain: 490, at: from_millis(5_000), requests: 7, urls: 7_000 };
    let day = BudgetDay::of(from_millis(1_000_000), policy.day_starts);
    let pause = pause.map(|why| Pause { why, probe_at: from_millis(0) });
    LaneSeen {
        policy,
        urls: vec![(Priority::Urgent, [1, 2, 3, 4, 5, 6, 7, 8, 9])],
        spent: Spent { requests: 7, observed: Some(observed), ..Spent::nothing(day) },
        standing: Standing { pause, unit: Some(Unit::Requests), ..Standing::default() },
        waits: Some("reserved".to_owned()),
        last_accepted: None,
        flight: (70, Some(100)),
        risk: (3, 4),
        doubts: Doubts { in_doubt: 2, ..Doubts::default() },
        warm: Some(WarmTime { median_seconds: 300, p95_seconds: 900, tasks: 20 }),
    }
}

fn seen(lanes: Vec<LaneSeen>) -> Seen {
    let census = Census { files_in_progress: 1, oldest_pending: Some(from_millis(400_000)), ..Census::default() };
    Seen { census, lanes, concerns: Concerns::default(), hosts: None }
}

fn value(page: &str, metric: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn the_page_says_what_the_database_said() {
    meters::start(&[Lane::Prefetch], &["accepted", "throttled"]);
    let page = page(&facts(), Some(&seen(vec![lane(Lane::Prefetch, None)])));
    for (metric, expected) in [
        ("prefetchd_urls{action=\"prefetch\",priority=\"urgent\",state=\"pending\"}", 1.0),
        ("prefetchd_urls{action=\"prefetch\",priority=\"urgent\",state=\"held\"}", 8.0),
        // The service has 490 left after 7 calls: others spent three.
        ("prefetchd_budget_requests_remaining{action=\"prefetch\"}", 490.0),
        ("prefetchd_deadline_risk_urls{action=\"prefetch\",kind=\"missed\"}", 3.0),
        ("prefetchd_warm_seconds{action=\"prefetch\",percentile=\"95\"}", 900.0),
        ("prefetchd_paused{action=\"prefetch\",reason=\"stopped\"}", 0.0),
        ("prefetchd_waiting{action=\"prefetch\",reason=\"reserved\"}", 1.0),
        ("prefetchd_waiting{action=\"prefetch\",reason=\"idle\"}", 0.0),
        ("prefetchd_quota_drift{action=\"prefetch\"}", 3.0),
        ("prefetchd_quota_unit_info{action=\"prefetch\",unit=\"requests\"}", 1.0),
        ("prefetchd_oldest_pending_age_seconds", 600.0),
        ("prefetchd_stage_idle_seconds{stage=\"spool\"}", 1.5),
        ("prefetchd_submissions_in_doubt{action=\"prefetch\"}", 2.0),
        ("prefetchd_in_flight_urls{action=\"prefetch\"}", 70.0),
        ("prefetchd_in_flight_limit_urls{action=\"prefetch\"}", 100.0),
        ("prefetchd_database_writable", 0.0),
        ("prefetchd_database_readable", 1.0),
        ("prefetchd_submissions_total{action=\"prefetch\",outcome=\"throttled\"}", 0.0),
    ] {
        assert_eq!(value(&page, metric), Some(expected), "{metric}\n{page}");
    }
    assert!(!page.contains("prefetchd_last_accepted"), "nothing was accepted yet\n{page}");
    assert!(!page.contains("action=\"purge"), "only prefetching is in use\n{page}");
}

#[test]
fn a_purge_has_what_its_budget_counts_and_no_limit_of_requests() {
    let mut purges = lane(Lane::PurgeDirectory, None);
    purges.spent.observed = Some(Observation { quota: 100, remain: 40, at: from_millis(5_000), requests: 1, urls: 60 });
    purges.spent.urls = 60;
    purges.standing.unit = Some(Unit::Urls);
    let page = page(&facts(), Some(&seen(vec![lane(Lane::Prefetch, None), purges])));
    let of = |name: &str| value(&page, &format!("prefetchd_{name}{{action=\"purge-directory\"}}"));
    assert_eq!((of("budget_urls_used"), of("budget_urls_remaining")), (Some(60.0), Some(40.0)), "{page}");
    assert_eq!((of("budget_requests_limit"), of("budget_requests_remaining")), (None, None));
    assert_eq!((of("budget_requests_used"), of("quota"), of("quota_drift")), (Some(7.0), Some(100.0), Some(0.0)));
    let unit = "prefetchd_quota_unit_info{action=\"purge-directory\",unit=\"directories\"}";
    assert_eq!(value(&page, unit), Some(1.0));
}

#[test]
fn a_pause_or_a_wait_is_one_of_a_fixed_set_of_words() {
    let paused = |why: Option<PauseWhy>| -> Vec<String> {
        let page = page(&facts(), Some(&seen(vec![lane(Lane::Purge, why)])));
        let lines = page.lines().filter(|line| line.starts_with("prefetchd_paused{"));
        lines.filter_map(|line| line.strip_suffix(" 1").map(str::to_owned)).collect()
    };
    let told = |word: &str| [format!("prefetchd_paused{{action=\"purge\",reason=\"{word}\"}}")];
    assert_eq!(paused(None), Vec::<String>::new());
    for fault in AccountFault::VARIANTS {
        assert_eq!(paused(Some(PauseWhy::Account(*fault))), told(fault.word()));
    }
    assert_eq!(paused(Some(PauseWhy::Text("some\"thing\n".to_owned()))), told("other"));
    let strange = LaneSeen { waits: Some("a\"b".to_owned()), ..lane(Lane::Prefetch, None) };
    let page = page(&facts(), Some(&seen(vec![strange])));
    assert_eq!(value(&page, "prefetchd_waiting{action=\"prefetch\",reason=\"text\"}"), Some(1.0));
}

#[test]
fn without_the_database_the_page_says_so_and_what_it_knows() {
    let page = page(&facts(), None);
    assert_eq!(value(&page, "prefetchd_database_readable"), Some(0.0));
    assert_eq!(value(&page, "process_start_time_seconds"), Some(0.0));
    assert!(!page.contains("prefetchd_urls"), "{page}");
}
