//! The sandbox as a caller sees it, at times that the test chooses.

mod lies;
mod products;
mod purge;

use serde_json::Value;

use super::*;
use crate::sandbox::signature::Parameters;

/// A caller that signs correctly, at times that the test chooses.
struct Caller {
    gateway: Gateway,
    now: Time,
    nonce: u32,
    secret: &'static str,
}

impl Caller {
    fn new(scenario: &str) -> Self {
        let now = "2026-11-23T01:00:00Z".parse().unwrap();
        let scenario: Scenario = toml::from_str(scenario).unwrap();
        Self { gateway: Gateway::new(&scenario, now), now, nonce: 0, secret: crate::sandbox::ACCESS_KEY_SECRET }
    }

    fn signed(&mut self, action: &str, own: &[(&str, &str)]) -> Parameters {
        self.nonce += 1;
        let mut parameters: Parameters = [
            ("Action", action.to_owned()),
            ("Version", "2017-03-21".to_owned()),
            ("AccessKeyId", crate::sandbox::ACCESS_KEY_ID.to_owned()),
            ("SignatureNonce", self.nonce.to_string()),
            ("Timestamp", crate::model::rfc3339(self.now)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        parameters.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let signature = expected("POST", &parameters, self.secret);
        parameters.insert("Signature".to_owned(), signature);
        parameters
    }

    /// Sends a call and returns the answer.
    fn hand_over(&mut self, parameters: &Parameters) -> Sent {
        let body_sha256 = parameters.values().flat_map(|value| value.chars()).collect();
        let asked = Asked {
            method: "POST".to_owned(),
            parameters: parameters.clone(),
            body_sha256,
            v3: None,
            urls_in_body: true,
        };
        self.gateway.call(asked, self.now)
    }

    fn send(&mut self, parameters: &Parameters) -> (u16, Value) {
        let sent = self.hand_over(parameters);
        (sent.status, serde_json::from_str(&sent.body).unwrap())
    }

    fn call(&mut self, action: &str, own: &[(&str, &str)]) -> (u16, Value) {
        let parameters = self.signed(action, own);
        self.send(&parameters)
    }

    /// Status and code of an error.
    fn refused(&mut self, action: &str, own: &[(&str, &str)]) -> (u16, String) {
        let (status, body) = self.call(action, own);
        (status, body["Code"].as_str().unwrap_or_default().to_owned())
    }
}

const PRELOAD: &str = "PreloadVodObjectCaches";
const TASKS: &str = "DescribeVodRefreshTasks";

#[test]
fn the_gateway_checks_who_calls_when_and_whether_for_the_first_time() {
    let mut caller = Caller::new("");
    let good = caller.signed("DescribeVodRefreshQuota", &[]);
    assert_eq!(caller.send(&good).0, 200);
    assert_eq!(caller.send(&good).1["Code"], "SignatureNonceUsed");
    let mut forged = caller.signed("DescribeVodRefreshQuota", &[]);
    forged.insert("Extra".to_owned(), "x".to_owned());
    assert_eq!(caller.send(&forged).1["Code"], "SignatureDoesNotMatch");
    let late = caller.signed("DescribeVodRefreshQuota", &[]);
    caller.now += TimeDelta::minutes(16);
    assert_eq!(caller.send(&late).1["Code"], "InvalidTimeStamp.Expired");
    assert_eq!(caller.refused("NoSuchThing", &[]).1, "InvalidAction.NotFound");
    assert_eq!(
        caller.refused(PRELOAD, &[("AccessKeyId", "somebody")]),
        (404, "InvalidAccessKeyId.NotFound".to_owned())
    );
}

#[test]
fn a_batch_is_refused_as_a_whole_with_the_documented_status() {
    let mut caller = Caller::new(
        "[limits]\nurls_per_call = 2\n[quota]\nper_day = 1\n[[domain]]\nname = \"a.example.com\"\n\
         [[domain]]\nname = \"off.example.com\"\nstatus = \"offline\"",
    );
    for (paths, status, code) in [
        ("", 400, "MissingParameter"),
        ("a.example.com/1\nb.example.com/2", 404, "InvalidDomain.NotFound"),
        ("off.example.com/1", 404, "InvalidDomain.Offline"),
        ("a.example.com/1\na.example.com/", 400, "InvalidObjectPath.Malformed"),
        ("*.example.com/1", 400, "InvalidExtensiveDomain.ValueNotSupported"),
        ("a.example.com/1\r\na.example.com/2\na.example.com/3", 400, "InvalidObjectPath.Size.Malformed"),
    ] {
        assert_eq!(caller.refused(PRELOAD, &[("ObjectPath", paths)]), (status, code.to_owned()), "{paths}");
    }
    assert_eq!(caller.call(PRELOAD, &[("ObjectPath", "a.example.com/1\r\nhttps://a.example.com/2")]).0, 200);
    assert_eq!(caller.refused(PRELOAD, &[("ObjectPath", "a.example.com/3")]).1, "QuotaExceeded.Preload");
    let view = caller.gateway.view(caller.now);
    assert_eq!((view.quota_left, view.accepted.len()), (0, 2));
}

#[test]
fn tasks_go_from_pending_over_refreshing_to_their_end() {
    let mut caller = Caller::new("[tasks]\nspeed = 1.0\nfailing = [\"/bad\"]\nlisted_after_seconds = 5.0");
    let paths = "vod.example.com/good\nvod.example.com/bad";
    let (_, accepted) = caller.call(PRELOAD, &[("ObjectPath", paths)]);
    let id = accepted["PreloadTaskId"].as_str().unwrap().to_owned();
    let status = |caller: &mut Caller, path: &str| {
        let (_, body) = caller.call(TASKS, &[("ObjectPath", path)]);
        body["Tasks"]["Task"][0]["Status"].as_str().map(str::to_owned)
    };
    assert_eq!(status(&mut caller, "vod.example.com/good"), None, "not listed yet");
    caller.now += TimeDelta::seconds(6);
    assert_eq!(status(&mut caller, "vod.example.com/good").as_deref(), Some("Pending"));
    caller.now += TimeDelta::seconds(204);
    assert_eq!(status(&mut caller, "vod.example.com/good").as_deref(), Some("Refreshing"));
    caller.now += TimeDelta::minutes(30);
    assert_eq!(status(&mut caller, "vod.example.com/good").as_deref(), Some("Complete"));
    assert_eq!(status(&mut caller, "vod.example.com/bad").as_deref(), Some("Failed"));
    let (_, body) =
        caller.call(TASKS, &[("TaskId", &id), ("Status", "Failed"), ("ObjectType", "preload"), ("PageSize", "1")]);
    assert_eq!(body["TotalCount"], 1);
    assert_eq!(caller.refused(TASKS, &[("Status", "Failed")]).1, "MissingParameter");
    assert_eq!(caller.refused(TASKS, &[("PageSize", "51")]).1, "InvalidParameter");
    caller.now += TimeDelta::days(3);
    assert_eq!(status(&mut caller, "vod.example.com/good"), None, "forgotten after three days");
}

#[test]
fn an_unfinished_url_is_answered_with_its_task_where_tasks_are_merged() {
    let mut caller = Caller::new("[tasks]\nmerge = true");
    let (_, first) = caller.call(PRELOAD, &[("ObjectPath", "vod.example.com/a")]);
    let (_, both) = caller.call(PRELOAD, &[("ObjectPath", "vod.example.com/a\nvod.example.com/b")]);
    let (first, both) = (first["PreloadTaskId"].as_str().unwrap(), both["PreloadTaskId"].as_str().unwrap());
    assert!(both.starts_with(&format!("{first},")) && both.len() > first.len() + 1, "{first} {both}");
}

#[test]
fn the_rate_is_limited_and_domains_are_listed_by_page() {
    let mut caller = Caller::new("[limits]\ncalls_per_second = 2");
    let names = |body: &Value| body["Domains"]["PageData"].as_array().map_or(0, Vec::len);
    let (_, first) = caller.call("DescribeVodUserDomains", &[("PageSize", "3")]);
    let (_, second) = caller.call("DescribeVodUserDomains", &[("PageSize", "3"), ("PageNumber", "2")]);
    assert_eq!((first["TotalCount"].as_u64(), names(&first), names(&second)), (Some(4), 3, 1));
    assert_eq!(caller.refused("DescribeVodUserDomains", &[]), (400, "Throttling.User".to_owned()));
    caller.now += TimeDelta::seconds(1);
    assert_eq!(caller.call("DescribeVodUserDomains", &[("DomainStatus", "offline")]).1["TotalCount"], 0);
}
