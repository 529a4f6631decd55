//! CDN and DCDN by their own rules.

use super::*;

/// Version, and the names of prefetch, purge, tasks, tasks by ID and domains.
const CDN: (&str, [&str; 5]) = (
    "2018-05-10",
    [
        "PushObjectCache",
        "RefreshObjectCaches",
        "DescribeRefreshTasks",
        "DescribeRefreshTaskById",
        "DescribeUserDomains",
    ],
);
const DCDN: (&str, [&str; 5]) = (
    "2018-01-15",
    [
        "PreloadDcdnObjectCaches",
        "RefreshDcdnObjectCaches",
        "DescribeDcdnRefreshTasks",
        "DescribeDcdnRefreshTaskById",
        "DescribeDcdnUserDomains",
    ],
);

impl Caller {
    /// A call of a product.
    fn of(&mut self, version: &str, action: &str, own: &[(&str, &str)]) -> (u16, Value) {
        let mut all = vec![("Version", version)];
        all.extend_from_slice(own);
        self.call(action, &all)
    }
}

/// Status and code.
fn code((status, body): (u16, Value)) -> (u16, String) {
    (status, body["Code"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn an_action_belongs_to_one_product_and_its_version() {
    let mut caller = Caller::new("");
    for (version, action) in
        [(CDN.0, PRELOAD), (DCDN.0, CDN.1[0]), ("2017-03-21", DCDN.1[0]), ("2018-05-10", "DescribeDcdnRefreshQuota")]
    {
        assert_eq!(code(caller.of(version, action, &[])).1, "InvalidAction.NotFound", "{version} {action}");
    }
    assert_eq!(code(caller.of("2014-11-11", "PushObjectCache", &[])).1, "InvalidVersion");
}

#[test]
fn each_product_has_an_account_of_its_own_and_names_tasks_in_its_own_field() {
    let mut caller = Caller::new("");
    for ((version, actions), ids, quota, name) in [
        (CDN, "PushTaskId", "DescribeRefreshQuota", "cdn"),
        (DCDN, "PreloadTaskId", "DescribeDcdnRefreshQuota", "dcdn"),
    ] {
        let (status, body) = caller.of(version, actions[0], &[("ObjectPath", "vod.example.com/a")]);
        assert!(status == 200 && body[ids].is_string(), "{body}");
        let (_, purged) = caller.of(version, actions[1], &[("ObjectPath", "vod.example.com/a")]);
        assert!(purged["RefreshTaskId"].is_string(), "{purged}");
        let view = caller.gateway.view(caller.now);
        assert_eq!((view.product.as_str(), view.quota, view.purge.quota), (name, 1_000, 10_000));
        assert_eq!((view.days["2026-11-23"].requests_seen, view.purge.quota_left), (1, 9_999));
        let (_, left) = caller.of(version, quota, &[]);
        assert!(left["RegexQuota"].is_string() && left["PreloadRemain"] == "999", "{left}");
        assert_eq!(left.get("PreloadEdgeQuota").is_some(), name == "cdn");
    }
    assert_eq!(caller.call("DescribeVodRefreshQuota", &[]).1["PreloadRemain"], "500");
}

#[test]
fn tasks_are_listed_where_the_product_lists_them_and_by_at_most_ten_ids() {
    let mut caller = Caller::new("[limits]\ncalls_per_second = 1000");
    for ((version, actions), rows, most) in [(CDN, "CDNTask", "100"), (DCDN, "Task", "50")] {
        // 600 URLs of one domain and one of another: an ID each 500 URLs, and one for the other.
        let many: String = (0..600).map(|n| format!("vod.example.com/{n}\n")).collect();
        let paths = format!("{many}media.example.com/x");
        let (_, body) = caller.of(version, actions[0], &[("ObjectPath", &paths)]);
        let named = body["PushTaskId"].as_str().or(body["PreloadTaskId"].as_str()).unwrap().to_owned();
        let ids: Vec<&str> = named.split(',').collect();
        assert_eq!(ids.len(), 3, "{named}");
        let (_, listed) = caller.of(version, actions[2], &[("PageSize", most), ("TaskId", ids[1])]);
        assert_eq!(listed["Tasks"][rows].as_array().map(Vec::len), Some(most.parse().unwrap()));
        let more = (most.parse::<u32>().unwrap() + 1).to_string();
        assert_eq!(code(caller.of(version, actions[2], &[("PageSize", &more)])).1, "InvalidParameter");
        let (_, by_id) = caller.of(version, actions[3], &[("TaskId", &named)]);
        assert_eq!((by_id["TotalCount"].as_u64(), by_id["Tasks"].as_array().map(Vec::len)), (Some(601), Some(601)));
        for wrong in ["1,2,3,4,5,6,7,8,9,10,11", "x", "1,,2"] {
            let asked = caller.of(version, actions[3], &[("TaskId", wrong)]);
            assert_eq!(code(asked), (400, "InvalidTaskId.Malformed".to_owned()), "{wrong}");
        }
    }
    let one_end = [("StartTime", "2026-11-23T00:00:00Z")];
    assert_eq!(code(caller.of(DCDN.0, DCDN.1[2], &one_end)).1, "MissingTimeParameter");
    assert_eq!(caller.of(CDN.0, CDN.1[2], &one_end).0, 200);
    let (_, said) = caller.of(DCDN.0, DCDN.1[1], &[("ObjectPath", "vod.example.com/d/"), ("ObjectType", "Directory")]);
    let id = said["RefreshTaskId"].as_str().unwrap().to_owned();
    let (_, by_id) = caller.of(DCDN.0, DCDN.1[3], &[("TaskId", &id)]);
    assert_eq!(by_id["Tasks"][0]["ObjectType"], "path", "DCDN's word for a directory");
}

#[test]
fn refusals_have_the_codes_and_statuses_of_the_product() {
    let scenario = "[limits]\nurls_per_call = 1\nqueue_urls = 1\ncalls_per_second = 1000\n[tasks]\ntakes = \"1h\"";
    let two = "vod.example.com/a\nvod.example.com/b";
    for ((version, actions), too_many, full) in
        [(CDN, "InvalidObjectPath.Size.Malformed", 403), (DCDN, "SingleRequest.OverLimit", 400)]
    {
        let mut caller = Caller::new(scenario);
        let mut preload = |path: &str| code(caller.of(version, actions[0], &[("ObjectPath", path)]));
        assert_eq!(preload(two), (400, too_many.to_owned()));
        assert_eq!(preload("vod.example.com/a").0, 200);
        assert_eq!(preload("vod.example.com/b"), (full, "PreloadQueueFull".to_owned()));
        let mut suspended = Caller::new("[account]\nsuspended = true");
        let (_, said) = suspended.of(version, actions[0], &[("ObjectPath", "vod.example.com/a")]);
        assert!(said["Code"] == "OperationDenied" && said["Message"].to_string().contains("overdue"), "{said}");
        let eleven: String = (0..11).map(|n| format!("d{n}.example.com/a\n")).collect();
        let domains: String = (0..11).map(|n| format!("[[domain]]\nname = \"d{n}.example.com\"\n")).collect();
        let mut spread = Caller::new(&domains);
        assert_eq!(code(spread.of(version, actions[1], &[("ObjectPath", &eleven)])), (400, too_many.to_owned()));
    }
    let mut caller = Caller::new("");
    for (version, action, option, taken) in [
        (CDN.0, CDN.1[0], "QueryHashkey", true),
        (CDN.0, CDN.1[0], "ConsistencyHash", true),
        (DCDN.0, DCDN.1[0], "QueryHashkey", true),
        (DCDN.0, DCDN.1[0], "ConsistencyHash", false),
        ("2017-03-21", PRELOAD, "QueryHashkey", false),
    ] {
        let (status, _) = caller.of(version, action, &[("ObjectPath", "vod.example.com/a"), (option, "true")]);
        assert_eq!(status == 200, taken, "{action} {option}");
    }
}

#[test]
fn each_operation_has_its_products_rate_and_domains_under_review_are_shown_on_demand() {
    let mut caller = Caller::new(
        "[[domain]]\nname = \"a.example.com\"\n[[domain]]\nname = \"b.a.example.com\"\nstatus = \"checking\"",
    );
    let answers: Vec<u16> = (0..6).map(|_| caller.of(CDN.0, CDN.1[2], &[]).0).collect();
    assert_eq!(answers, [200, 200, 200, 200, 200, 400], "five lists of tasks a second");
    let answers: Vec<u16> = (0..31).map(|_| caller.of(CDN.0, CDN.1[3], &[("TaskId", "1")]).0).collect();
    assert!(answers.iter().rev().skip(1).all(|status| *status == 200) && answers[30] == 400, "{answers:?}");
    let mut shown = |own: &[(&str, &str)]| caller.of(CDN.0, CDN.1[4], own).1["TotalCount"].as_u64();
    assert_eq!((shown(&[]), shown(&[("CheckDomainShow", "true"), ("PageSize", "500")])), (Some(1), Some(2)));
    let all = ("CheckDomainShow", "true");
    assert_eq!(shown(&[all, ("DomainName", "a.example.com")]), Some(1), "a whole name");
    let parts = ("DomainSearchType", "fuzzy_match");
    assert_eq!(shown(&[all, parts, ("DomainName", "a.example.com")]), Some(2));
    let (_, of_vod) = caller.call("DescribeVodUserDomains", &[("DomainName", "a.example.com")]);
    assert_eq!(of_vod["TotalCount"], 2, "VOD finds parts, and hides nothing");
}
