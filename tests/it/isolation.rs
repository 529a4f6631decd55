//! What a batch was refused for is found, and nothing else is lost for it; what would be refused is not sent.

use crate::support::{World, said, urls};

const NO_LIST: &str =
    "[[fault]]\noperation = \"DescribeVodUserDomains\"\naction = \"error\"\ncode = \"Forbidden.RAM\"\n";

fn bad_urls(part: &str, code: &str) -> String {
    format!("[[fault]]\nurl_contains = \"{part}\"\naction = \"error\"\ncode = \"{code}\"\n")
}

#[test]
fn one_bad_url_among_many_is_found_and_the_others_are_submitted() {
    for code in ["InvalidObjectPath.Malformed", "InvalidExtensiveDomain.ValueNotSupported"] {
        let world = World::new(&bad_urls("/seg-000123.ts", code), "[budget]\nurls_per_day = \"unlimited\"");
        let _daemon = world.ready_daemon();
        world.drop_file("film.txt", urls("a", 1000));
        world.wait_for("select submitted from v_status", 999);
        world.wait_for("select failed from v_status", 1);
        let found = world.rows("select url, reason, attempts from v_urls where state = 'failed'");
        assert!(found[0][0].contains("/seg-000123.ts") && found[0][1].contains(code), "{found:?}");
        world.wait_for("select suspected from v_status", 0);
        // The batch, at most eleven that search, and what was left untested.
        let calls = world.preloads().len();
        assert!(calls <= 1 + 11 + 3, "{calls} calls");
        assert!(world.number("select isolations from v_budget") <= 11);
        assert_eq!(world.number("select count(*) from cases"), 0);
        world.assert_all_accepted(999);
        world.assert_books_agree();
    }
}

#[test]
fn an_unknown_code_that_stays_is_narrowed_down_and_held() {
    let scenario = bad_urls("/seg-000007.ts", "SomethingNew");
    let config = "[retry]\nattempts_max = 2\nbackoff_min = \"1s\"\nbackoff_max = \"1s\"";
    let world = World::new(&scenario, config);
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 16));
    world.wait_for("select submitted from v_status", 15);
    world.wait_for("select held from v_status", 1);
    let held = world.rows("select url, reason from v_urls where state = 'held'");
    assert!(held[0][0].contains("/seg-000007.ts") && held[0][1].contains("SomethingNew"), "{held:?}");
    assert!(world.preloads().len() <= 2 + 5 + 3, "{} calls", world.preloads().len());
    world.assert_books_agree();
}

#[test]
fn domains_that_are_not_online_are_not_sent_and_go_on_when_they_are() {
    let domains = |status: &str| {
        format!(
            "[[domain]]\nname = \"vod.example.com\"\n[[domain]]\nname = \"new.example.com\"\nstatus = \"{status}\"\n"
        )
    };
    let mut world = World::new(&domains("configuring"), "");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 10));
    let others: String = ["new", "foreign"].map(|host| urls("b", 5).replace("//vod.", &format!("//{host}."))).concat();
    world.drop_file("others.txt", format!("#: deadline = 2099-06-30\n{others}"));
    world.wait_for("select submitted from v_status", 10);
    world.waits_for("what remains (10 URLs) belongs to domains that are not online");
    let hosts = world.rows("select host, standing, pending from v_hosts order by host");
    assert_eq!(
        hosts,
        [
            ["foreign.example.com", "refused", "5"],
            ["new.example.com", "offline", "5"],
            ["vod.example.com", "good", "0"]
        ]
    );
    assert!(world.preloads().iter().all(|call| call.code == "OK"), "nothing was sent only to be refused");
    assert_eq!(world.number("select parked from v_status"), 10);
    assert!(world.rows("select reason from v_urls where host = 'new.example.com'")[0][0].contains("configuring"));
    let status = world.run(&["status"]);
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    // A deadline is told although no forecast counts what is blocked.
    for args in [["forecast", "others.txt"], ["status", "others.txt"]] {
        let output = world.run(&args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", said(&output));
        let told = said(&output);
        assert!(told.contains("prefetchd hosts --config ") && told.contains("2099"), "{args:?}: {told}");
    }
    let json = world.run(&["forecast", "others.txt", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(json["last"]["pending"] == 10 && json["blocked"] == 10 && json["beyond"].is_u64(), "{json}");
    let listed = world.run(&["hosts", "--standing", "offline"]);
    assert!(said(&listed).contains("new.example.com\toffline\t"), "{}", said(&listed));
    world.assert_books_agree();

    // The domain comes online; a restart asks at once, and without one it is asked every hour.
    drop(daemon);
    world.stop_sandbox();
    std::fs::write(world.path("scenario.toml"), domains("online")).unwrap();
    world.start_sandbox();
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 15);
    assert_eq!(world.number("select parked from v_status"), 5);
    world.assert_books_agree();
}

#[test]
fn without_the_list_of_domains_answers_teach() {
    for (status, code, standing) in
        [("offline", "InvalidDomain.Offline", "offline"), ("", "InvalidDomain.NotFound", "refused")]
    {
        let mut scenario =
            format!("{NO_LIST}[[domain]]\nname = \"vod.example.com\"\n[[domain]]\nname = \"film.example.com\"\n");
        if !status.is_empty() {
            scenario.push_str(&format!("[[domain]]\nname = \"bad.example.com\"\nstatus = \"{status}\"\n"));
        }
        let world = World::new(&scenario, "");
        let _daemon = world.ready_daemon();
        let list: String =
            ["vod", "bad", "film"].map(|host| urls("a", 20).replace("//vod.", &format!("//{host}."))).concat();
        world.drop_file("film.txt", list);
        world.wait_for("select submitted from v_status", 40);
        world.wait_for(&format!("select count(*) from v_hosts where standing = '{standing}'"), 1);
        let hosts = world.rows("select standing, pending, why, why_code from v_hosts where host = 'bad.example.com'");
        assert_eq!(hosts[0][..2], [standing, "20"]);
        let parked = "select distinct reason_code from v_urls where host = 'bad.example.com' and state = 'pending'";
        assert_eq!(world.rows(parked), [[hosts[0][3].clone()]]);
        assert!(hosts[0][2].contains(code), "{hosts:?}");
        assert!(world.preloads().len() <= 6, "{} calls", world.preloads().len());
        // More of it waits without a call, and another chance costs one.
        let calls = world.preloads().len();
        world.drop_file("more.txt", urls("c", 3).replace("//vod.", "//bad."));
        world.wait_for("select parked from v_status", 23);
        assert_eq!(world.preloads().len(), calls);
        let retry = world.run(&["retry", "--host", "bad.example.com"]);
        assert!(retry.status.success(), "{}", said(&retry));
        assert!(said(&retry).contains("23 URLs"), "{}", said(&retry));
        world.wait("another refusal", || world.preloads().len() > calls);
        world.wait_for(&format!("select count(*) from v_hosts where standing = '{standing}' and pending = 23"), 1);
        assert_eq!(world.preloads().len(), calls + 1);
        world.assert_books_agree();
    }
}

#[test]
fn a_domain_that_may_not_be_operated_on_is_learned_although_the_list_says_online() {
    let world = World::new(&bad_urls("//film.example.net", "IllegalOperation"), "");
    let _daemon = world.ready_daemon();
    let list: String =
        ["vod.example.com", "film.example.net"].map(|host| urls("a", 20).replace("vod.example.com", host)).concat();
    world.drop_file("film.txt", list);
    world.wait_for("select submitted from v_status", 20);
    world.wait_for("select count(*) from v_hosts where host = 'film.example.net' and standing = 'refused'", 1);
    world.waits_for("what remains (20 URLs) belongs to domains");
    assert!(world.preloads().len() <= 4, "{} calls", world.preloads().len());
    world.assert_books_agree();
}

#[test]
fn beyond_the_days_requests_for_isolation_suspects_are_held() {
    let scenario = bad_urls("/seg-000123.ts", "InvalidObjectPath.Malformed");
    let world = World::new(&scenario, "[retry]\nisolate_requests_max = 3\n[budget]\nurls_per_day = \"unlimited\"");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    world.waits_for("isolate_requests_max");
    assert_eq!(world.number("select isolations from v_budget"), 3);
    let held = world.number("select held from v_status");
    assert!((100..=150).contains(&held), "{held} held after three halves");
    assert_eq!(world.number("select submitted + held from v_status"), 1000);
    assert!(world.rows("select reason from v_urls where state = 'held'")[0][0].contains("tomorrow"));
    world.assert_books_agree();
    // With more of them it goes on where it was, without a new search.
    drop(daemon);
    world.configure("[budget]\nurls_per_day = \"unlimited\"");
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 999);
    world.wait_for("select failed from v_status", 1);
    assert!(world.number("select isolations from v_budget") <= 11);
    world.assert_books_agree();
}

#[test]
fn a_crash_in_the_middle_of_a_search_does_not_begin_it_again() {
    let scenario = bad_urls("/seg-000777.ts", "InvalidObjectPath.Malformed");
    let world = World::new(
        &scenario,
        "[api]\nrequests_per_second = 4\n[budget]\nurls_per_day = \"unlimited\"\nin_doubt_wait = \"1s\"",
    );
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1000));
    world.wait("the search to have begun", || world.try_number("select isolations from v_budget").unwrap_or(0) >= 3);
    daemon.kill();
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 999);
    world.wait_for("select failed from v_status", 1);
    // Of the call that was on its way when it was killed a copy goes. If that is refused, it proves nothing, and its
    // part is tested anew.
    assert!(world.preloads().len() <= 1 + 11 + 3 + 2 + 6, "{} calls", world.preloads().len());
    world.assert_all_accepted(999);
    world.assert_books_agree();
}

#[test]
fn a_list_of_domains_that_cannot_be_had_now_stops_nobody() {
    let fault =
        "[[fault]]\noperation = \"DescribeVodUserDomains\"\naction = \"error\"\ncode = \"ServiceUnavailable\"\n";
    let world = World::new(fault, "");
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 10));
    world.wait_for("select submitted from v_status", 10);
    world.drop_file("more.txt", urls("b", 10).replace("//vod.", "//media."));
    world.wait_for("select submitted from v_status", 20);
    let asked = world.account().calls.iter().filter(|call| call.operation == "DescribeVodUserDomains").count();
    assert!(asked <= 2, "asked {asked} times");
}

#[test]
fn a_bad_url_and_a_bad_domain_in_one_batch_are_both_found() {
    let scenario = format!(
        "{NO_LIST}[[domain]]\nname = \"vod.example.com\"\n[[domain]]\nname = \"bad.example.com\"\n\
        status = \"offline\"\n{}",
        bad_urls("/seg-000033.ts", "InvalidObjectPath.Malformed")
    );
    let world = World::new(&scenario, "");
    let _daemon = world.ready_daemon();
    let others = urls("b", 20).replace("//vod.", "//bad.");
    world.drop_file("film.txt", format!("{}{others}", urls("a", 200)));
    world.wait_for("select submitted from v_status", 199);
    world.wait_for("select failed from v_status", 1);
    world.wait_for("select parked from v_status", 20);
    world.wait_for("select suspected from v_status", 0);
    assert!(world.preloads().len() <= 24, "{} calls", world.preloads().len());
    world.assert_books_agree();
}

#[test]
fn a_test_whose_answer_is_lost_is_held_where_that_is_asked_for() {
    let scenario = format!(
        "[[fault]]\ncalls = [2]\naction = \"drop_after\"\n[[fault]]\ncalls = [3, 4, 5, 6, 7, 8]\n\
        action = \"drop_before\"\n\
         [[fault]]\noperation = \"DescribeVodRefreshTasks\"\naction = \"error\"\ncode = \"Forbidden.RAM\"\n{}",
        bad_urls("/seg-000001.ts", "InvalidObjectPath.Malformed")
    );
    let config = "[budget]\nin_doubt = \"hold\"\nurls_per_day = \"unlimited\"\n[retry]\nbackoff_min = \"1s\"\n\
        backoff_max = \"1s\"";
    let world = World::new(&scenario, config);
    let _daemon = world.ready_daemon();
    // The first half, which is the first test, has no bad one: it was accepted, and nobody knows.
    let list: Vec<String> = urls("a", 40).lines().rev().map(str::to_owned).collect();
    world.drop_file("film.txt", list.join("\n"));
    world.wait_for("select held from v_status", 20);
    world.wait_for("select submitted from v_status", 19);
    world.wait_for("select failed from v_status", 1);
    assert_eq!(world.account().accepted.values().filter(|times| **times > 1).count(), 0, "sent twice");
    world.assert_books_agree();
}

#[test]
fn what_is_held_for_tomorrow_is_not_queued_again_and_expires_in_time() {
    let scenario = bad_urls("/seg-000003.ts", "InvalidObjectPath.Malformed");
    let world = World::new(&scenario, "[retry]\nisolate_requests_max = 0\n");
    let daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 20));
    world.wait_for("select held from v_status", 20);
    world.waits_for("isolate_requests_max");
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::minutes(40)).to_rfc3339();
    world.drop_file("again.txt", format!("#: priority = urgent\n#: deadline = {deadline}\n{}", urls("a", 20)));
    world.wait_for("select count(*) from v_files where name = 'again.txt' and merged = 20 and queued = 0", 1);
    assert_eq!(world.number("select count(*) from v_urls where priority = 'urgent' and deadline is not null"), 20);
    world.assert_books_agree();
    drop(daemon);
    world.configure("");
    let _daemon = world.daemon();
    world.wait_for("select submitted from v_status", 19);
    world.wait_for("select failed from v_status", 1);
    world.assert_all_accepted(19);
    world.assert_books_agree();
}

#[test]
fn urgent_suspects_wait_for_no_window() {
    let scenario = bad_urls("/seg-000003.ts", "InvalidObjectPath.Malformed");
    let now = chrono::Utc::now() + chrono::TimeDelta::hours(8 + 6);
    let closed = format!(
        "[schedule]\nwindows = [\"{}-{}\"]\n",
        now.format("%H:%M"),
        (now + chrono::TimeDelta::minutes(5)).format("%H:%M")
    );
    let world = World::new(&scenario, &closed);
    let _daemon = world.ready_daemon();
    world.drop_file("urgent.txt", format!("#: priority = urgent\n{}", urls("a", 20)));
    world.drop_file("normal.txt", urls("b", 5));
    world.wait_for("select submitted from v_status", 19);
    world.wait_for("select failed from v_status", 1);
    world.waits_for("the next window");
    assert_eq!(world.number("select pending from v_status"), 5);
}

#[test]
fn a_domain_that_is_not_configured_costs_a_few_requests_only() {
    let scenario = format!(
        "{NO_LIST}[[domain]]\nname = \"vod.example.com\"\n[[domain]]\nname = \"new.example.com\"\n\
        status = \"configure_failed\"\n"
    );
    let world = World::new(&scenario, "[schedule]\nbatch_urls_max = 10\n");
    let _daemon = world.ready_daemon();
    let new = urls("b", 300).replace("//vod.", "//new.");
    world.drop_file("film.txt", format!("{}{new}", urls("a", 5)));
    world.wait_for("select submitted from v_status", 5);
    world.wait_for("select parked from v_status", 300);
    world.waits_for("what remains (300 URLs) belongs to domains");
    assert!(world.preloads().len() <= 5, "{} calls", world.preloads().len());
    world.assert_books_agree();
}
