//! A stand-in for the service that keeps the bytes of every call and answers as a test says. It checks no signature;
//! the sandbox does.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

/// One call, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The form that was sent: what a copy must be equal to.
    pub body: String,
    parameters: HashMap<String, String>,
}

impl Call {
    /// A parameter, or nothing.
    pub fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> usize {
        self.get(name).parse().unwrap_or(1)
    }
}

/// What a call gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// HTTP status and body.
    Json(u16, String),
    /// The connection ends without a word.
    Drop,
}

impl Answer {
    /// An error of the gateway, which did not pass the call on.
    pub fn error(status: u16, code: &str) -> Self {
        Self::Json(status, format!(r#"{{"RequestId":"R","Code":"{code}","Message":"said the stand-in"}}"#))
    }

    fn body(body: impl std::fmt::Display) -> Self {
        Self::Json(200, body.to_string())
    }
}

/// A service in order, which performs each nonce once and lists its tasks, all of them complete.
#[derive(Debug, Default)]
pub struct Honest {
    /// Task, when it was made, URLs.
    batches: Mutex<Vec<(String, String, Vec<String>)>>,
    nonces: Mutex<HashSet<String>>,
}

impl Honest {
    pub fn answer(&self, call: &Call) -> Answer {
        match call.get("Action") {
            "DescribeVodRefreshQuota" => {
                Answer::body(json!({"RequestId": "R", "PreloadQuota": "500", "PreloadRemain": "500"}))
            }
            "DescribeVodUserDomains" => {
                let domain = json!({"DomainName": "vod.example.com", "DomainStatus": "online"});
                Answer::body(json!({"RequestId": "R", "TotalCount": 1, "Domains": {"PageData": [domain]}}))
            }
            "PreloadVodObjectCaches" => self.perform(call),
            _ => self.list(call),
        }
    }

    fn perform(&self, call: &Call) -> Answer {
        if !self.nonces.lock().unwrap().insert(call.get("SignatureNonce").to_owned()) {
            return Answer::error(400, "SignatureNonceUsed");
        }
        let mut batches = self.batches.lock().unwrap();
        let task = (71 + batches.len()).to_string();
        let made_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        batches.push((task.clone(), made_at, call.get("ObjectPath").lines().map(str::to_owned).collect()));
        Answer::body(json!({"RequestId": "R", "PreloadTaskId": task}))
    }

    fn list(&self, call: &Call) -> Answer {
        let fits = |asked: &str, value: &str| call.get(asked).is_empty() || call.get(asked) == value;
        let batches = self.batches.lock().unwrap();
        let rows = batches.iter().flat_map(|(task, at, urls)| urls.iter().map(move |url| (task, at, url)));
        let rows =
            rows.filter(|(task, _, url)| fits("TaskId", task) && fits("ObjectPath", url) && fits("Status", "Complete"));
        let rows: Vec<_> = rows
            .map(|(task, at, url)| {
                json!({"TaskId": task, "ObjectPath": url, "CreationTime": at, "Status": "Complete", "Process": "100%"})
            })
            .collect();
        let (page, size) = (call.number("PageNumber"), call.number("PageSize"));
        let shown: Vec<_> = rows.iter().skip((page - 1) * size).take(size).collect();
        Answer::body(json!({"RequestId": "R", "TotalCount": rows.len(), "Tasks": {"Task": shown}}))
    }
}

/// The stand-in; it serves until the test's process ends.
pub struct StandIn {
    pub endpoint: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl StandIn {
    pub fn new(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&calls), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                // A client that goes away in the middle is no failure of the stand-in.
                std::thread::spawn(move || serve(stream?, &kept, &*answer));
            }
        });
        Self { endpoint, calls }
    }

    /// The calls of an operation so far, in order.
    pub fn calls(&self, action: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.get("Action") == action).cloned().collect()
    }

    /// All calls so far, in order.
    pub fn all(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    kept: &Mutex<Vec<Call>>,
    answer: &(impl Fn(&Call) -> Answer + ?Sized),
) -> std::io::Result<()> {
    let body = read_body(&mut stream)?;
    let parameters = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let call = Call { body, parameters };
    kept.lock().unwrap().push(call.clone());
    let Answer::Json(status, body) = answer(&call) else { return Ok(()) };
    let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
    let head = format!("HTTP/1.1 {status} Said\r\nDate: {date}\r\nConnection: close\r\nContent-Length: {}", body.len());
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes())
}

/// The body of a request that says how long it is.
fn read_body(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(body.to_owned());
            }
        }
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}
