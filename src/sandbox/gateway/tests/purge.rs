//! Purges of URLs and directories.

use super::*;

const PURGE: &str = "RefreshVodObjectCaches";

impl Caller {
    fn purge(&mut self, paths: &str, object_type: &str) -> (u16, String) {
        self.refused(PURGE, &[("ObjectPath", paths), ("ObjectType", object_type)])
    }

    /// What is left of URLs and directories.
    fn left(&mut self) -> [String; 2] {
        let (_, quota) = self.call("DescribeVodRefreshQuota", &[]);
        ["UrlRemain", "DirRemain"].map(|name| quota[name].as_str().unwrap().to_owned())
    }
}

#[test]
fn urls_and_directories_have_quotas_of_their_own_that_a_refusal_leaves_alone() {
    let mut caller = Caller::new("[purge]\nurls_per_day = 3\ndirectories_per_day = 2\nurls_used = 1");
    assert_eq!(caller.left(), ["2", "2"]);
    assert_eq!(caller.purge("vod.example.com/a\nvod.example.com/b", "File").0, 200);
    assert_eq!(caller.purge("vod.example.com/d/", "Directory").0, 200);
    assert_eq!(caller.left(), ["0", "1"]);
    assert_eq!(caller.purge("vod.example.com/c", ""), (400, "QuotaExceeded.Refresh".to_owned()));
    let view = caller.gateway.view(caller.now);
    assert_eq!((view.purge.quota, view.purge.quota_left, view.purge.accepted.len()), (3, 0, 2));
    assert_eq!((view.purge_directory.quota_left, view.quota_left, view.accepted.len()), (1, 500, 0));
    let day = &view.days["2026-11-23"];
    assert_eq!((day.purge.requests_seen, day.purge.requests_accepted, day.purge.quota_used), (2, 1, 3));
    assert_eq!((day.purge_directory.urls_accepted, day.requests_seen), (1, 0));
}

#[test]
fn a_purge_is_refused_as_a_whole_with_the_documented_status() {
    let mut caller = Caller::new(
        "[purge]\nurls_per_call = 2\ndirectories_per_call = 1\ndomains_per_call = 1\nurls_per_minute = 3\n\
         [limits]\ncalls_per_second = 1000\n\
         [[domain]]\nname = \"a.example.com\"\n[[domain]]\nname = \"b.example.com\"\n\
         [[domain]]\nname = \"busy.example.com\"\nstatus = \"configuring\"",
    );
    for (paths, kind, status, code) in [
        ("", "File", 400, "MissingParameter"),
        ("a.example.com/1", "Regex", 400, "InvalidObjectType.ValueNotSupported"),
        ("a.example.com/1\na.example.com/2\na.example.com/3", "File", 400, "InvalidObjectPath.Size.Malformed"),
        ("a.example.com/1/\na.example.com/2/", "Directory", 400, "InvalidObjectPath.Size.Malformed"),
        ("a.example.com/1\nb.example.com/2", "File", 400, "InvalidObjectPath.Size.Malformed"),
        ("a.example.com/1", "Directory", 400, "InvalidObjectPath.Malformed"),
        ("*.example.com/1", "File", 400, "InvalidExtensiveDomain.ValueNotSupported"),
        ("c.example.com/1", "File", 404, "InvalidDomain.NotFound"),
        ("busy.example.com/1", "File", 403, "ServiceBusy"),
        ("a.example.com/1\na.example.com/2", "File", 200, ""),
        ("a.example.com/3\na.example.com/4", "File", 400, "QuotaPerMinuteExceeded.Refresh"),
        ("b.example.com/3\nb.example.com/4", "File", 200, ""),
    ] {
        assert_eq!(caller.purge(paths, kind), (status, code.to_owned()), "{paths}");
    }
    caller.now += TimeDelta::minutes(1);
    assert_eq!(caller.purge("a.example.com/3\na.example.com/4", "File").0, 200);
    let forced = [("ObjectPath", "a.example.com/d/"), ("ObjectType", "Directory"), ("Force", "perhaps")];
    assert_eq!(caller.refused(PURGE, &forced), (400, "InvalidParameter".to_owned()));
    let mut caller = Caller::new("[purge]\nallowed = false");
    assert_eq!(caller.purge("vod.example.com/a", "File"), (403, "Forbidden.RAM".to_owned()));
}

#[test]
fn a_purge_makes_cold_what_was_fetched_before_it_ended() {
    let mut caller = Caller::new("[tasks]\ntakes = \"1s\"\n[purge]\ntakes = \"10s\"");
    let warm = |caller: &mut Caller| caller.gateway.warm(caller.now).join(" ");
    let prefetch = |caller: &mut Caller, paths: &str| assert_eq!(caller.call(PRELOAD, &[("ObjectPath", paths)]).0, 200);
    prefetch(&mut caller, "https://vod.example.com/a\nvod.example.com/d/b");
    caller.now += TimeDelta::seconds(1);
    assert_eq!(warm(&mut caller), "https://vod.example.com/a vod.example.com/d/b");
    assert_eq!(caller.purge("http://vod.example.com/a", "File").0, 200);
    assert_eq!(caller.purge("http://vod.example.com/d/", "Directory").0, 200);
    prefetch(&mut caller, "https://vod.example.com/a");
    caller.now += TimeDelta::seconds(9);
    assert_eq!(warm(&mut caller), "https://vod.example.com/a vod.example.com/d/b", "not purged yet");
    caller.now += TimeDelta::seconds(1);
    assert_eq!(warm(&mut caller), "", "one was fetched again too early");
    prefetch(&mut caller, "https://vod.example.com/a");
    caller.now += TimeDelta::seconds(1);
    assert_eq!(warm(&mut caller), "https://vod.example.com/a");
    let tasks = caller.gateway.tasks(caller.now);
    let told: Vec<String> = tasks.iter().map(|task| format!("{} {}", task.operation, task.url)).collect();
    let purges = ["purge http://vod.example.com/a", "purge-directory http://vod.example.com/d/"];
    assert_eq!((told.len(), &told[2..4]), (6, &purges.map(str::to_owned)[..]));
    assert!(tasks.iter().all(|task| task.ends_as == "Complete" && task.accepted_at < task.ends_at && !task.foreign));
}

#[test]
fn tasks_of_each_kind_are_listed_by_their_type_and_may_fail_or_be_odd() {
    let mut caller = Caller::new(
        "[purge]\ntakes = \"2s\"\nfailing = [\"/bad\"]\n\
         [[task]]\noperation = \"purge-directory\"\nstatus = \"Timeout\"",
    );
    let (_, said) = caller.call(PURGE, &[("ObjectPath", "vod.example.com/a\nvod.example.com/bad")]);
    let id = said["RefreshTaskId"].as_str().unwrap().to_owned();
    assert_eq!(caller.purge("vod.example.com/d/", "Directory").0, 200);
    caller.now += TimeDelta::seconds(2);
    let mut listed = |own: &[(&str, &str)]| {
        let (_, body) = caller.call(TASKS, own);
        let rows = body["Tasks"]["Task"].as_array().unwrap().clone();
        rows.iter().map(|row| (row["ObjectType"].to_string(), row["Status"].to_string())).collect::<Vec<_>>()
    };
    let row = |kind: &str, status: &str| (format!("\"{kind}\""), format!("\"{status}\""));
    assert_eq!(listed(&[("TaskId", &id)]), [row("file", "Failed"), row("file", "Complete")]);
    assert_eq!(listed(&[("ObjectType", "directory")]), [row("directory", "Timeout")]);
    assert_eq!(listed(&[("ObjectType", "preload")]), []);
    assert_eq!(listed(&[("ObjectType", "file"), ("Status", "Failed")]), [row("file", "Failed")]);
    assert_eq!(caller.refused(TASKS, &[("ObjectType", "film")]).1, "InvalidObjectType.ValueNotSupported");
}

#[test]
fn purges_meet_faults_and_strangers_of_their_own_and_change_with_the_account() {
    let mut caller = Caller::new(
        "[[fault]]\noperation = \"purge\"\ncalls = [2]\naction = \"error\"\ncode = \"TooMany.Refresh\"\n\
         [[foreign]]\noperation = \"purge\"\nfirst_url_of_call = 1\n\
         [[change]]\nafter = \"1h\"\npurge_urls_per_day = 5\npurge_allowed = false",
    );
    assert_eq!(caller.call(PRELOAD, &[("ObjectPath", "vod.example.com/a")]).0, 200);
    assert_eq!(caller.purge("vod.example.com/a", "File").0, 200);
    assert_eq!(caller.left(), ["1998", "100"], "ours and the stranger's");
    assert_eq!(caller.purge("vod.example.com/b", "File"), (400, "TooMany.Refresh".to_owned()));
    caller.now += TimeDelta::hours(1);
    assert_eq!(caller.left()[0], "3");
    assert_eq!(caller.purge("vod.example.com/b", "File").1, "Forbidden.RAM");
}
