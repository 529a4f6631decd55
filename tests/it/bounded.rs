//! Nothing spins: whatever the service answers, the calls of an hour are bounded.

use chrono::TimeDelta;
use prefetchd::config::Config;
use prefetchd::model::{HostId, Time, UrlId};
use prefetchd::service::{Answer, Reply};
use proptest::prelude::*;

use crate::support::model::{Model, Service};

/// Whatever can come back.
const ANSWERS: [(u16, &str); 25] = [
    (200, r#"{"PreloadTaskId":"1","RequestId":"r"}"#),
    (200, ""),
    (502, "<html>"),
    (414, "<html>"),
    (418, "{}"),
    (400, r#"{"Code":"InvalidObjectPath.Malformed"}"#),
    (503, "Throttling"),
    (429, "TooManyRequests"),
    (403, "ServiceBusy"),
    (403, "IllegalOperation"),
    (403, "OperationDenied.Suspended"),
    (404, "InvalidDomain.NotFound"),
    (404, "InvalidDomain.Offline"),
    (400, "QuotaExceeded.Preload"),
    (403, "PreloadQueueFull"),
    (500, "InvalidDomain.Configure_failed"),
    (400, "MissingParameter"),
    (400, "InvalidObjectPath.Malformed"),
    (400, "InvalidObjectPath.Size.Malformed"),
    (400, "SignatureDoesNotMatch"),
    (403, "Forbidden.RAM"),
    (400, "InvalidTimeStamp.Expired"),
    (400, "SignatureNonceUsed"),
    (503, "ServiceUnavailable"),
    (400, "SomethingNew"),
];

/// Answers with what is drawn, over and over.
struct Whim {
    answers: Vec<usize>,
    at: usize,
    calls: Vec<(Time, bool)>,
}

impl Whim {
    fn next(&mut self, now: Time, is_preload: bool) -> Reply {
        self.calls.push((now, is_preload));
        let drawn = self.answers[self.at % self.answers.len()];
        self.at += 1;
        match ANSWERS.get(drawn) {
            None if drawn.is_multiple_of(2) => Reply::NotSent("refused".into()),
            None => Reply::Lost("reset".into()),
            Some((status, text)) => {
                let is_body = text.is_empty() || text.starts_with(['{', '<']);
                let body = if is_body { (*text).to_owned() } else { format!(r#"{{"RequestId":"r","Code":"{text}"}}"#) };
                Reply::Answered(Answer { status: *status, date: Some(now), retry_after: None, body: body.into() })
            }
        }
    }
}

impl Service for Whim {
    fn preload(&mut self, _: u64, _: &[(UrlId, HostId)], now: Time) -> Reply {
        self.next(now, true)
    }
    fn quota(&mut self, now: Time) -> Reply {
        self.next(now, false)
    }
    fn is_online(&mut self, _: HostId, _: Time) -> Option<bool> {
        None
    }
    fn has_task(&mut self, nonce: u64) -> bool {
        nonce.is_multiple_of(3)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_calls_of_an_hour_are_bounded(
        answers in proptest::collection::vec(0..ANSWERS.len() + 2, 1..12),
        auto in any::<bool>(),
    ) {
        let config = format!("[budget]\nurls_per_day = \"{}\"\n", if auto { "auto" } else { "unlimited" });
        let start: Time = "2026-11-23T01:00:00Z".parse().unwrap();
        let mut model = Model::new(Config::from_toml(&config).unwrap(), start);
        for url in 0..600 {
            model.enqueue(UrlId(url), HostId(url % 3));
        }
        let mut whim = Whim { answers, at: 0, calls: Vec::new() };
        model.run_until(start + TimeDelta::hours(8), &mut whim);
        // Charged calls are bounded by the day's budget, copies of them and free calls by their backoff.
        prop_assert!(model.charged <= 500);
        for hour in 0..8 {
            let (from, to) = (start + TimeDelta::hours(hour), start + TimeDelta::hours(hour + 1));
            let count = |kind| whim.calls.iter().filter(|(at, k)| *k == kind && (from..to).contains(at)).count();
            let (preloads, free) = (count(true), count(false));
            prop_assert!(preloads <= 1000 && free <= 600, "hour {}: {} and {} free", hour, preloads, free);
        }
        let late = start + TimeDelta::hours(6);
        let late = whim.calls.iter().filter(|(at, _)| *at >= late).count();
        prop_assert!(late <= 400, "{late} calls in the last two of eight hours of faults");
    }
}
