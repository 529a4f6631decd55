use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr as _;

use super::super::super::layout::{fields, listed};
use super::*;
use crate::model::{DayStart, Lang, WaitWhy};
use crate::status::{Invocation, KeyReport, LeftReport, Need, OldestReport, PaceReport, Risk, WalReport};

fn look() -> Look {
    Look {
        width: 80,
        height: None,
        colour: false,
        now: "2026-11-24T12:48:00Z".parse().unwrap(),
        day_starts: DayStart::default(),
        lang: Lang::En,
    }
}

fn states(counts: [i64; 9]) -> BTreeMap<String, i64> {
    UrlState::ALL.iter().map(|state| state.to_string()).zip(counts).collect()
}

fn film() -> FileReport {
    FileReport {
        file_id: 7,
        name: "第一集首播.txt".to_owned(),
        host: String::new(),
        progress: "done".to_owned(),
        rejected_why: None,
        label: Some("港湾灯火 premiere".to_owned()),
        priority: "urgent".to_owned(),
        deadline: Some("2026-11-24T14:00:00.000Z".to_owned()),
        dropped_at: "2026-11-24T09:00:00.000Z".to_owned(),
        lines: 1_110,
        queued: 1_104,
        merged: 2,
        refused: 4,
        fresh: 0,
        warm_seconds_median: None,
        warm_seconds_p95: None,
        urls: states([104, 0, 1_000, 0, 0, 0, 0, 0, 0]),
    }
}

#[expect(clippy::too_many_lines, reason = "one value")]
fn report() -> StatusReport {
    StatusReport {
        lanes: Vec::new(),
        at: None,
        host: None,
        leader: None,
        daemons: Vec::new(),
        is_leaderless: false,
        failures: 0,
        health: "running".to_owned(),
        health_since: Some("2026-11-24T04:07:00.000Z".to_owned()),
        database_problem: None,
        database_code: None,
        hanging: None,
        pid: Some(4242),
        started_at: Some("2026-11-24T04:07:00.000Z".to_owned()),
        paused_why: None,
        paused_code: None,
        paused_since: None,
        spool_problem: None,
        config_problem: None,
        http_problem: None,
        key: Some(KeyReport { source: crate::words::key_source("the environment"), generation: 1, refused: None }),
        waiting_for: Some(crate::words::wait(&WaitWhy::RequestsSpent { limit: 500 })),
        waiting_code: Some("requests_spent".to_owned()),
        waiting_until: Some("2026-11-24T16:00:00.000Z".to_owned()),
        in_doubt: 0,
        possible_doubles: 0,
        parked: 0,
        suspected: 0,
        files_reading: 1,
        orders_waiting: 0,
        robots_failing: vec![crate::status::RobotReport { name: "ops".to_owned(), failures: 3, why: "no".to_owned() }],
        files_incoming: 0,
        left_alone: Vec::new(),
        in_flight: 0,
        in_flight_limit: None,
        learned: Vec::new(),
        time_proved: true,
        service_ahead_ms: Some(0),
        urls: states([1_234_567, 0, 500_000, 0, 0, 0, 0, 0, 0]),
        pending: [("urgent", 104), ("high", 0), ("normal", 1_234_463), ("low", 0)]
            .map(|(priority, n)| (priority.to_owned(), n))
            .into(),
        oldest: Some(OldestReport {
            file: "nightly.txt".to_owned(),
            dropped_at: "2026-11-23T03:04:00.000Z".to_owned(),
            pending: 12,
        }),
        budget: Some(BudgetReport {
            day: "2026-11-24".to_owned(),
            day_ends_at: "2026-11-24T16:00:00.000Z".to_owned(),
            day_starts_from: None,
            requests_limit: 500,
            requests_used: 500,
            requests_left: Some(0),
            urls_left: None,
            urls_limit: None,
            urls_used: 500_000,
            exhausted_why: None,
            quota_untold: false,
            unit: Some("requests".to_owned()),
            quota: Some(520),
            remain: Some(12),
            drift: Some(8),
            observed_at: Some("2026-11-24T12:40:00.000Z".to_owned()),
            unsure: false,
            is_over: false,
            reserve: Some(20),
            reserve_until: Some("20:00".to_owned()),
        }),
        pace: Some(PaceReport { requests: 41, urls: 41_000 }),
        forecast: Some(ForecastReport {
            last_at: Some("2026-11-26T16:00:23Z".to_owned()),
            requests: 1_235,
            days: 3,
            submitted: 1_234_567,
            missed: 104,
            cold: 0,
            beyond: 0,
            ends_at: "2026-11-26T16:00:23Z".to_owned(),
            guessed: 0,
            risks: vec![Risk {
                file: Words::same("第一集首播.txt"),
                deadline: "2026-11-24T14:00:00Z".to_owned(),
                urls: 104,
                missed: 104,
                cold: 0,
            }],
            lanes: Vec::new(),
        }),
        wal: Some(WalReport { bytes: 12_000_000, is_long: false }),
        files: vec![film()],
        needs: vec![Need {
            what: crate::words::needs::missed("104", &Words::same("第一集首播.txt"), "2026-11-24 22:00"),
            command: "prefetchd forecast 第一集首播.txt".to_owned(),
        }],
        by: Invocation::default(),
    }
}

#[test]
fn a_busy_day_fits_eighty_columns_and_says_it_all() {
    let page = page(&report(), &look());
    assert_eq!(
        page,
        [
            "needs you   104 URLs of 第一集首播.txt will miss their deadline, 2026-11-24",
            "            22:00",
            "            $ prefetchd forecast 第一集首播.txt",
            "daemon      running since 12:07 (8 h 41 min), pid 4242; times are UTC+8",
            "key         from the environment",
            "waiting     for the next budget day: all 500 requests of this one are spent,",
            "            until Wed 25 Nov 00:00, in 3 h 12 min",
            "queue       1,234,567 pending: 104 urgent, 1,234,463 normal",
            "            500,000 submitted",
            "budget      [########################] 500 of 500 requests",
            "            500,000 URLs; day 2026-11-24, resets in 3 h 12 min, at 00:00",
            "            20 requests are kept for urgent URLs until 20:00",
            "quota       12 of 520 left at the service (requests), seen 20:40; 8 were spent",
            "            by others",
            "forecast    all sent by Fri 27 Nov 00:00, in 2 days 3 h, with 1,235 requests on",
            "            3 days",
            "            第一集首播.txt: 104 of 104 URLs will miss 22:00",
            "oldest      nightly.txt waits since Mon 23 Nov 11:04 (1 day 9 h), 12 pending",
            "            1 file is being read; what is not queued yet is not counted",
            "pace        41 requests and 41,000 URLs in the last hour",
            "wal         12 MB",
            "",
            "file                                      lines    pending  submitted   complete",
            "第一集首播.txt                            1,110        104      1,000          0",
            "    港湾灯火 premiere, urgent, deadline 22:00, 2 merged, 4 refused",
        ]
    );
}

#[test]
fn a_busy_day_is_told_in_chinese_in_the_same_columns() {
    let page = page(&report(), &Look { lang: Lang::Zh, ..look() });
    assert_eq!(
        page,
        [
            "待处理      第一集首播.txt 的 104 个 URL 将错过截止时间 2026-11-24 22:00",
            "            $ prefetchd forecast 第一集首播.txt",
            "守护进程    运行中，自 12:07 起（8 小时 41 分钟），pid 4242；时间为 UTC+8",
            "AccessKey   来自环境变量",
            "等待        下一预算日：本日 500 次请求已用完，至 11月25日 00:00（3 小时 12 分钟",
            "            后）",
            "队列        1,234,567 个待提交：紧急 104，普通 1,234,463",
            "            已提交 500,000",
            "当日预算    [########################] 500/500 次请求",
            "            500,000 个 URL；2026-11-24 当日，3 小时 12 分钟后（00:00）重置",
            "            20:00 之前为紧急 URL 预留 20 次请求",
            "每日配额    服务端余量 12/520（请求次数），20:40 查询；其他程序用掉 8",
            "预测        11月27日 00:00（2 天 3 小时后）提交完毕，需 1,235 次请求，分 3 日",
            "            第一集首播.txt：104 个 URL 中 104 个将错过 22:00",
            "等待最久    nightly.txt，自 11月23日 11:04 起（1 天 9 小时），12 个待提交",
            "            正在读取 1 个文件；尚未入队的未计入",
            "速度        过去一小时 41 次请求、41,000 个 URL",
            "wal         12 MB",
            "",
            "文件                                       行数     待提交     已提交     已预热",
            "第一集首播.txt                            1,110        104      1,000          0",
            "    港湾灯火 premiere，紧急，截止时间 22:00，合并 2，无效行 4",
        ]
    );
}

#[test]
fn a_new_daemon_has_little_to_say() {
    let mut report = report();
    (report.budget, report.forecast, report.wal, report.oldest, report.waiting_for) = (None, None, None, None, None);
    (report.urls, report.pending, report.files, report.needs) = (states([0; 9]), BTreeMap::new(), vec![], vec![]);
    (report.files_reading, report.pace) = (0, Some(PaceReport { requests: 0, urls: 0 }));
    assert_eq!(
        page(&report, &look()),
        [
            "Nothing needs you.",
            "daemon      running since 12:07 (8 h 41 min), pid 4242; times are UTC+8",
            "key         from the environment",
            "queue       0 pending",
            "            0 submitted",
            "budget      nothing was charged yet",
            "pace        0 requests and 0 URLs in the last hour",
        ]
    );
}

#[test]
fn any_height_is_kept_what_needs_somebody_and_the_daemon_stay_and_files_fill_what_is_left() {
    let mut report = report();
    report.files = vec![film(); 40];
    for (height, files) in [(23, 2), (60, 15), (12, 0)] {
        let page = page(&report, &Look { height: Some(height), ..look() });
        assert!(page.len() <= height, "{height}: {page:#?}");
        assert!(page[0].starts_with("needs you") && page[3].starts_with("daemon"), "{page:#?}");
        assert!(page[2].ends_with("$ prefetchd forecast 第一集首播.txt"), "{page:#?}");
        let shown = page.iter().filter(|line| line.starts_with("第一集首播.txt")).count();
        assert!(shown >= files, "{height}: {shown} files in {page:#?}");
        let last = page.last().map(String::as_str);
        assert!(files == 0 || last == Some("    and more: `prefetchd files`"), "{height}: {last:?}");
    }
    report.needs = vec![report.needs[0].clone(); 9];
    let page = page(&report, &Look { height: Some(23), ..look() });
    assert!(page.len() <= 23 && page.iter().any(|line| line.contains("and 6 more: `prefetchd status")), "{page:#?}");
}

#[test]
fn of_several_hosts_this_one_is_told_first_then_who_leads_then_the_others_then_the_account() {
    let mut report = report();
    let host = |host: &str, health: &str| crate::status::DaemonReport {
        host: host.to_owned(),
        health: health.to_owned(),
        version: Some("0.1.0".to_owned()),
        seen_at: Some("2026-11-24T12:47:58.000Z".to_owned()),
        ..crate::status::DaemonReport::default()
    };
    report.host = Some("warm-1".to_owned());
    report.daemons = vec![host("warm-1", "running"), host("warm-2", "running"), host("warm-3", "silent")];
    report.files[0].host = "warm-2".to_owned();
    for (leader, lang, expected) in [
        (
            Some("warm-2"),
            Lang::En,
            [
                "daemon      running since 12:07 (8 h 41 min), pid 4242; times are UTC+8",
                "leader      warm-2 leads, this host, warm-1, follows",
                "            warm-2 is running, seen 20:47, version 0.1.0",
                "            warm-3 is silent, seen 20:47, version 0.1.0",
                "key         from the environment",
            ],
        ),
        (
            Some("warm-1"),
            Lang::Zh,
            [
                "守护进程    运行中，自 12:07 起（8 小时 41 分钟），pid 4242；时间为 UTC+8",
                "主导        本机 warm-1 主导",
                "            warm-2 运行中，最近活动 20:47，版本 0.1.0",
                "            warm-3 没有活动迹象，最近活动 20:47，版本 0.1.0",
                "AccessKey   来自环境变量",
            ],
        ),
        (
            None,
            Lang::En,
            [
                "daemon      running since 12:07 (8 h 41 min), pid 4242; times are UTC+8",
                "leader      nobody leads; this host is warm-1",
                "            warm-2 is running, seen 20:47, version 0.1.0",
                "            warm-3 is silent, seen 20:47, version 0.1.0",
                "key         from the environment",
            ],
        ),
    ] {
        report.leader = leader.map(str::to_owned);
        let page = page(&report, &Look { lang, ..look() });
        let at = page.iter().position(|line| line == expected[0]).unwrap();
        assert_eq!(page[at..at + expected.len()], expected);
        let note =
            if lang == Lang::En { "    on warm-2, 港湾灯火 premiere" } else { "    在主机 warm-2 上，" };
        assert!(page.last().unwrap().starts_with(note), "{page:#?}");
    }
}

#[test]
fn a_daemon_that_cannot_look_does_not_say_that_the_queue_is_empty_and_has_no_forecast() {
    let mut report = report();
    report.health = "blocked".to_owned();
    report.health_since = Some("2026-11-24T12:46:30.000Z".to_owned());
    report.waiting_for = Some(crate::words::wait(&WaitWhy::Idle));
    report.files_incoming = 1;
    report.needs[0].what = Words::same("\x1b[2Jforged\nline");
    let text = page(&report, &look()).join("\n");
    for part in [
        "needs you   \\u{1b}[2Jforged\\nline",
        "daemon      running, but cannot use its database since 20:46 (1 min), pid 4242",
        "1 file is handed over and not read yet, in no count",
        "forecast    none while nothing is sent; it will take 1,235 requests on 3 days",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("queue is empty") && !text.contains("all sent by"), "{text}");
    report.health = "paused".to_owned();
    assert!(!page(&report, &look()).join("\n").contains("all sent by"));
}

#[test]
fn what_others_spent_is_not_shown_as_left() {
    let mut report = report();
    let budget = report.budget.as_mut().unwrap();
    (budget.requests_used, budget.requests_left) = (2, Some(0));
    let text = page(&report, &look()).join("\n");
    assert!(text.contains("[########################] 2 of 500 requests, and 0 really"), "{text}");
}

#[test]
fn a_day_that_is_over_is_no_budget_of_today() {
    let mut report = report();
    let budget = report.budget.as_mut().unwrap();
    (budget.is_over, budget.requests_left) = (true, Some(500));
    let text = page(&report, &look()).join("\n");
    assert!(text.contains("budget      [------------------------] 0 of 500 requests\n"), "{text}");
    assert!(text.contains("0 URLs; the last day that cost something is 2026-11-24"), "{text}");
}

#[test]
fn colour_is_shown_only_where_it_is_wanted_and_any_width_is_kept() {
    let coloured = page(&report(), &Look { colour: true, ..look() });
    assert!(coloured[3].starts_with("\x1b[1mdaemon      \x1b[0m\x1b[32mrunning"), "{:?}", coloured[3]);
    for (width, lang) in [(70, Lang::En), (80, Lang::En), (110, Lang::En), (70, Lang::Zh), (80, Lang::Zh)] {
        for line in page(&report(), &Look { width, lang, ..look() }) {
            assert!(line.width() <= width && !line.contains('\x1b'), "{width}: {line:?}");
        }
    }
}

#[test]
fn the_page_of_the_json_lists_every_field_and_no_other() {
    let mut report = report();
    report.left_alone.push(LeftReport {
        name: "half.part".to_owned(),
        why: Words::same("an upload that has not ended"),
        since: "2026-11-24T03:00:00.000Z".to_owned(),
    });
    report.lanes.push(crate::status::LaneReport { action: "purge".to_owned(), ..Default::default() });
    let forecast = report.forecast.as_mut().expect("the sample has one");
    forecast.lanes.push(crate::status::LaneForecast {
        action: "purge".to_owned(),
        last_at: Some("2026-11-24T16:00:23Z".to_owned()),
        days: 1,
        submitted: 7,
        missed: 0,
        cold: 0,
        beyond: 0,
    });
    (report.host, report.leader) = (Some("a".to_owned()), Some("b".to_owned()));
    report.daemons = vec![crate::status::DaemonReport::default()];
    report.files[0].host = "a".to_owned();
    report.learned.push(crate::status::LearnedReport {
        action: "prefetch",
        what: "unit",
        value: "requests".to_owned(),
        at: "2026-11-24T03:00:00.000Z".to_owned(),
        why: Words::same("a drop across a batch"),
    });
    assert_eq!(listed("status.json.md"), fields(&serde_json::to_value(report).unwrap()));
}
