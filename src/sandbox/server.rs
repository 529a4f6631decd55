//! The sandbox's HTTP/1.1 server, on hyper, which can also drop a connection without an answer, as faults require.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, DATE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::gateway::{Asked, Gateway, Sent};
use super::scenario::{Action, Scenario};
use super::signature::{Parameters, SignedHeaders};
use crate::clock::Clock;

/// Longest request target that a gateway passes on (VOD-API.md: longer ones get an HTML 414).
const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Longest body.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A sandbox that listens.
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    gateway: Arc<Mutex<Gateway>>,
    clock: Clock,
}

impl Sandbox {
    /// Binds the socket.
    ///
    /// # Errors
    ///
    /// The address cannot be used.
    pub async fn bind(listen: SocketAddr, scenario: &Scenario, clock: Clock) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let gateway = Arc::new(Mutex::new(Gateway::new(scenario, clock.now())));
        Ok(Self { listener, gateway, clock })
    }

    /// Its address, with the port that the system chose if 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves until `shutdown`.
pub async fn serve(sandbox: Sandbox, shutdown: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = sandbox.listener.accept() => accepted,
            () = shutdown.cancelled() => return,
        };
        // The connection failed before it was accepted, or too many files are open: the next one may succeed.
        let Ok((stream, _)) = accepted else { continue };
        let (gateway, clock) = (Arc::clone(&sandbox.gateway), sandbox.clock.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, Arc::clone(&gateway), clock.clone()));
            // An error here is a dropped connection, ours or the client's.
            let mut http = hyper::server::conn::http1::Builder::new();
            // The scenario decides whether answers have a date, and which.
            let _ = http.auto_date_header(false).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The connection is dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped by the scenario")]
struct Dropped;

async fn answer(
    request: Request<Incoming>,
    gateway: Arc<Mutex<Gateway>>,
    clock: Clock,
) -> Result<Response<Content>, Dropped> {
    let method = request.method().clone();
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Ok(html(StatusCode::URI_TOO_LONG));
    }
    let open = || gateway.lock().expect("no holder of the gateway panics");
    match (&method, request.uri().path()) {
        (&Method::GET, "/_sandbox/account") => {
            let view = open().view(clock.now());
            Ok(response(StatusCode::OK, serde_json::to_string(&view).expect("a view is JSON"), "application/json"))
        }
        (&Method::GET, "/_sandbox/warm") => {
            let warm = open().warm(clock.now());
            Ok(response(StatusCode::OK, serde_json::to_string(&warm).expect("a list is JSON"), "application/json"))
        }
        (&Method::GET, "/_sandbox/tasks") => {
            let tasks = open().tasks(clock.now());
            Ok(response(StatusCode::OK, serde_json::to_string(&tasks).expect("a list is JSON"), "application/json"))
        }
        (&(Method::GET | Method::POST), "/") => {
            let mut v3 = SignedHeaders::of(request.uri(), request.headers());
            let mut parameters = decode(request.uri().query().unwrap_or_default().as_bytes());
            let Ok(body) = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await else {
                return Ok(html(StatusCode::PAYLOAD_TOO_LARGE));
            };
            let body = body.to_bytes();
            let form = decode(&body);
            let urls_in_body = form.contains_key("ObjectPath");
            parameters.extend(form);
            if let Some(signed) = &mut v3 {
                parameters.extend(signed.parameters());
            }
            let body_sha256 = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
            let asked = Asked { method: method.to_string(), parameters, body_sha256, v3, urls_in_body };
            let mut sent = open().call(asked, clock.now());
            tokio::time::sleep(sent.delay).await;
            if let Some(call) = sent.held {
                sent = open().held(call, clock.now()).ok_or(Dropped)?;
            }
            if sent.is_dropped() { Err(Dropped) } else { Ok(on_the_wire(sent)) }
        }
        _ => Ok(html(StatusCode::NOT_FOUND)),
    }
}

fn on_the_wire(sent: Sent) -> Response<Content> {
    let status = StatusCode::from_u16(sent.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = response(status, sent.body, sent.kind);
    response.body_mut().truncate = sent.fault == Some(Action::Truncate);
    if !sent.retry_after.is_zero() {
        response.headers_mut().insert("x-acs-retry-after", millis(sent.retry_after).into());
    }
    if let Some(date) = sent.date {
        response.headers_mut().insert(DATE, date.parse().expect("a date is a header's value"));
    }
    response
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn decode(form: &[u8]) -> Parameters {
    url::form_urlencoded::parse(form).into_owned().collect()
}

fn html(status: StatusCode) -> Response<Content> {
    response(status, format!("<html><body><h1>{status}</h1></body></html>"), "text/html")
}

fn response(status: StatusCode, body: String, kind: &'static str) -> Response<Content> {
    let mut response = Response::new(Content { bytes: body.into(), truncate: false });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("a media type is a header's value"));
    response
}

/// A body that can break off in the middle: it announces all of its bytes, sends half of them, and fails.
#[derive(Debug)]
struct Content {
    bytes: Bytes,
    truncate: bool,
}

impl Body for Content {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(self.truncate.then_some(Err(Dropped)));
        }
        let whole = std::mem::take(&mut self.bytes);
        let part = if self.truncate { whole.slice(..whole.len() / 2) } else { whole };
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && !self.truncate
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
