use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;
use crate::credentials::Credentials;
use crate::service::PrefetchOptions;

/// A service that gives these answers, one per connection, and then none.
async fn service(answers: &'static [&'static str], clock: Clock) -> (Service, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = format!("[api]\nendpoint = \"http://{}\"", listener.local_addr().unwrap());
    let config = Config::from_toml(&config).unwrap();
    let server = tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            let (head, body) = answer.split_once('|').unwrap();
            let length = body.len();
            let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    let key = Credentials { access_key_id: "id".to_owned(), access_key_secret: "secret".into(), security_token: None };
    (Service::new(&config, clock, Provider::of(&config, key)).unwrap(), server)
}

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

#[tokio::test]
async fn only_an_answer_that_is_provably_the_services_teaches_the_time() {
    let clock = Clock::of_a_machine(at("2026-11-25T06:00:00Z"));
    let (service, _server) = service(
        &[
            "502 Bad Gateway\r\nDate: Wed, 25 Nov 2026 06:00:00 GMT|<html>",
            "200 OK\r\nDate: Wed, 25 Nov 2026 06:00:00 GMT|\
             {\"RequestId\":\"R\",\"PreloadQuota\":\"5\",\"PreloadRemain\":4}",
        ],
        clock.clone(),
    )
    .await;
    let fault = service.quota(Lane::Prefetch).await.unwrap_err();
    assert_eq!((fault.http_status, fault.class), (Some(502), Class::Deferred(Deferral::InDoubt)));
    assert!(!clock.reading().proved);
    assert_eq!(service.quota(Lane::Prefetch).await, Ok(Quota { a_day: 5, remains: 4 }));
    assert!(clock.reading().proved);
}

#[tokio::test]
async fn a_refusal_of_the_key_is_told_to_the_provider_and_so_is_that_it_is_taken() {
    let (service, _server) = service(
        &[
            "400 Bad Request|{\"RequestId\":\"R\",\"Code\":\"SignatureDoesNotMatch\"}",
            "403 Forbidden|{\"RequestId\":\"R\",\"Code\":\"Forbidden.RAM\"}",
            "200 OK|{\"RequestId\":\"R\",\"TotalCount\":0}",
        ],
        Clock::system(),
    )
    .await;
    let query = TaskQuery::first(Lane::Prefetch, crate::service::Window::all(at("2026-11-25T06:00:00Z")));
    let refused = |service: &Service| service.keys().state().refused.is_some();
    assert!(service.tasks(&query).await.is_err() && refused(&service));
    // A missing permission says nothing about the key.
    assert!(service.tasks(&query).await.is_err() && refused(&service));
    assert!(service.tasks(&query).await.is_ok() && !refused(&service));
}

#[tokio::test]
async fn each_call_is_told_to_the_observer_with_how_far_it_got() {
    static TOLD: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());
    let (service, server) = service(&["200 OK|{}"], Clock::system()).await;
    let service = service.observed_by(|action, result, _| TOLD.lock().unwrap().push((action, result)));
    let call = service.sign(&["https://vod.example.com/a"], &options(), "nonce", at("2026-11-25T06:00:00Z"));
    let fault = service.submit(service.turn().await, &call).await.unwrap_err();
    assert!(!fault.is_the_services && fault.class == Class::Deferred(Deferral::InDoubt));
    // Then nobody listens any more.
    server.await.unwrap();
    assert!(service.domains(1).await.unwrap_err().is_surely_unperformed());
    let told = TOLD.lock().unwrap().clone();
    assert_eq!(told, [("PreloadVodObjectCaches", "answered"), ("DescribeVodUserDomains", "not_sent")]);
}

#[test]
fn a_signed_prefetch_is_the_same_bytes_as_long_as_nothing_changes() {
    let config = Config::default();
    let key = |secret: &str| {
        let access_key_secret = secret.to_owned().into();
        let key = Credentials { access_key_id: "id".to_owned(), access_key_secret, security_token: None };
        Service::new(&config, Clock::system(), Provider::of(&config, key)).unwrap()
    };
    let signed_at = at("2026-11-25T06:00:00Z");
    let sha256 = |service: &Service, nonce: &str| service.sign(&["a", "b"], &options(), nonce, signed_at).sha256();
    let service = key("secret");
    assert_eq!(sha256(&service, "n"), sha256(&key("secret"), "n"));
    assert_ne!(sha256(&service, "n"), sha256(&service, "other"));
    assert_ne!(sha256(&service, "n"), sha256(&key("other"), "n"));
}

fn options() -> BatchOptions {
    let area = crate::config::Area::Domestic;
    BatchOptions::Prefetch(PrefetchOptions {
        area,
        l2_preload: false,
        query_hashkey: None,
        consistency_hash: None,
        with_header: None,
    })
}

#[test]
fn a_purge_is_signed_with_its_object_type_and_force_only_where_it_acts() {
    let config = Config::default();
    let key =
        Credentials { access_key_id: "id".into(), access_key_secret: "s".to_owned().into(), security_token: None };
    let service = Service::new(&config, Clock::system(), Provider::of(&config, key)).unwrap();
    let body = |options: &BatchOptions| {
        let batch = service.sign(&["a"], options, "n", at("2026-11-25T06:00:00Z"));
        (batch.call.action, String::from_utf8(batch.call.body).unwrap())
    };
    for (options, own) in [
        (BatchOptions::Purge, "&ObjectType=File&"),
        (BatchOptions::PurgeDirectory { force: false }, "&ObjectType=Directory&"),
        (BatchOptions::PurgeDirectory { force: true }, "&Force=true&"),
    ] {
        let (action, body) = body(&options);
        assert!(action == "RefreshVodObjectCaches" && body.contains(own) && !body.contains("Area"), "{body}");
        assert_eq!(body.contains("Force"), own.contains("Force"), "{body}");
    }
    assert!(!body(&options()).1.contains("ObjectType"));
}

#[test]
fn each_product_is_signed_by_its_own_names_with_the_options_that_are_set() {
    let signed = |text: &str, area| {
        let config = Config::from_toml(text).unwrap();
        let access_key_secret = "s".to_owned().into();
        let key = Credentials { access_key_id: "id".into(), access_key_secret, security_token: None };
        let service = Service::new(&config, Clock::system(), Provider::of(&config, key)).unwrap();
        let Api { query_hashkey, consistency_hash, .. } = config.api;
        let options = PrefetchOptions { area, l2_preload: false, query_hashkey, consistency_hash, with_header: None };
        let batch = service.sign(&["a"], &BatchOptions::Prefetch(options), "n", at("2026-11-25T06:00:00Z"));
        String::from_utf8(batch.call.body).unwrap()
    };
    use crate::config::Area::{Domestic, Unset};
    let cdn = signed("[api]\nproduct = \"cdn\"\nquery_hashkey = false\nconsistency_hash = true", Unset);
    for part in ["Action=PushObjectCache&", "Version=2018-05-10", "QueryHashkey=false&", "ConsistencyHash=true&"] {
        assert!(cdn.contains(part), "{part} is not in {cdn}");
    }
    assert!(!cdn.contains("Area"), "{cdn}");
    let dcdn = signed("[api]\nproduct = \"dcdn\"", Domestic);
    assert!(dcdn.contains("Action=PreloadDcdnObjectCaches&") && dcdn.contains("Area=domestic&"), "{dcdn}");
    assert!(dcdn.contains("Version=2018-01-15") && !dcdn.contains("Hash"), "{dcdn}");
}
