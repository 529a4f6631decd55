use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::config::Config;
use crate::service::VOD;
use crate::service::reply::Quota;

/// `{"RequestId":"R","PreloadQuota":"500","PreloadRemain":"17"}`, packed in each way.
const PACKED: [(&str, &str); 3] = [
    ("br", "Cx2AeyJSZXF1ZXN0SWQiOiJSIiwiUHJlbG9hZFF1b3RhIjoiNTAwIiwiUHJlbG9hZFJlbWFpbiI6IjE3In0D"),
    ("deflate", "eJyrVgpKLSxNLS7xTFGyUgpS0lEKKErNyU9MCSzNL0lUslIyNTBACAal5iZm5ilZKRmaK9UCADgKEnA="),
    ("gzip", "H4sIAAAAAAAAA6tWCkotLE0tLvFMUbJSClLSUQooSs3JT0wJLM0vSVSyUjI1MEAIBqXmJmbmKVkpGZor1QIA/WO67DsAAAA="),
];

/// The reply when a call is answered with these bytes, and the call as it was received.
async fn answered(bytes: Vec<u8>) -> (Reply, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = format!("[api]\nendpoint = \"http://{}\"", listener.local_addr().unwrap());
    let client = Client::new(&Config::from_toml(&config).unwrap().api).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let call = SignedCall { action: "A", headers: HeaderMap::new(), query: String::new(), body: b"a=b".to_vec() };
    let (reply, _) = client.send(&call).await;
    (reply, server.await.unwrap())
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_packed_answer_is_unpacked_and_the_service_is_told_what_can_be() {
    for (coding, packed) in PACKED {
        let body = STANDARD.decode(packed).unwrap();
        let (reply, asked) = answered(answer(&format!("Content-Encoding: {coding}\r\n"), &body)).await;
        assert_eq!(reply.quota(&VOD.prefetch), Ok(Quota { a_day: 500, remains: 17 }), "{coding}");
        let asked = asked.to_ascii_lowercase();
        let accepts = asked.lines().find(|line| line.starts_with("accept-encoding:")).unwrap();
        assert!(accepts.contains(coding), "{accepts}");
    }
}

#[tokio::test]
async fn what_says_to_be_packed_and_is_not_is_no_answer() {
    let (reply, _) = answered(answer("Content-Encoding: gzip\r\n", b"{\"RequestId\":\"R\"}")).await;
    assert!(matches!(reply, Reply::Lost(_)), "{reply:?}");
}

#[tokio::test]
async fn an_answer_that_unpacks_to_more_than_is_read_is_no_answer() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut std::io::repeat(b' ').take(BODY_BYTES_MAX as u64 + 1), &mut packer).unwrap();
    let (reply, _) = answered(answer("Content-Encoding: gzip\r\n", &packer.finish().unwrap())).await;
    assert!(matches!(&reply, Reply::Lost(why) if why.contains("longer than")), "{reply:?}");
}

#[test]
fn the_longer_of_the_two_headers_that_ask_to_wait_counts() {
    let asked = |text: &[(&'static str, &'static str)]| {
        let headers = text.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        retry_after(&headers.collect())
    };
    let (http, acs) = (("retry-after", "2"), ("x-acs-retry-after", "1500"));
    assert_eq!(asked(&[]), None);
    assert_eq!(asked(&[http]), Some(Duration::from_secs(2)));
    assert_eq!(asked(&[acs]), Some(Duration::from_millis(1_500)));
    assert_eq!(asked(&[http, acs]), Some(Duration::from_secs(2)));
    assert_eq!(asked(&[("retry-after", "1"), acs]), Some(Duration::from_millis(1_500)));
    assert_eq!(asked(&[("retry-after", "soon"), ("x-acs-retry-after", "-1")]), None);
}
