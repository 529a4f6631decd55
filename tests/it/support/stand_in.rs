//! A stand-in for the service that keeps the bytes of every call and answers as a test says. It checks no signature; the sandbox
//! does.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

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

    /// URLs of a batch.
    pub fn urls(&self) -> Vec<&str> {
        self.get("ObjectPath").lines().collect()
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

    /// What a service in order answers: quota and domains are there, batches are accepted, and their tasks run.
    pub fn honest(call: &Call) -> Self {
        let body = match call.get("Action") {
            "DescribeVodRefreshQuota" => r#"{"RequestId":"R","PreloadQuota":"500","PreloadRemain":"500"}"#.to_owned(),
            "DescribeVodUserDomains" => {
                r#"{"RequestId":"R","TotalCount":1,"Domains":{"PageData":[{"DomainName":"vod.example.com","DomainStatus":"online"}]}}"#
                    .to_owned()
            }
            "PreloadVodObjectCaches" => r#"{"RequestId":"R","PreloadTaskId":"71"}"#.to_owned(),
            _ => r#"{"RequestId":"R","TotalCount":0,"Tasks":{"Task":[]}}"#.to_owned(),
        };
        Self::Json(200, body)
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
