//! The stage's loop: listens, takes a bounded number of connections, and gives each a bounded time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::desk::{Desk, Page};
use crate::clock::Clock;
use crate::settings::Live;
use crate::status::Board;
use crate::store::Store;

/// Connections that are served at a time; more wait in the system's queue.
const CONNECTIONS_MAX: usize = 32;

/// How long a client may take for the head of its request ...
const HEAD_MAX: Duration = Duration::from_secs(2);

/// ... and for everything, the answer taken included.
const CONNECTION_MAX: Duration = Duration::from_secs(10);

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// An address that cannot be had is tried again after this, doubling, up to `LISTEN_RETRY_MAX`.
const LISTEN_RETRY_MIN: Duration = Duration::from_secs(1);
const LISTEN_RETRY_MAX: Duration = Duration::from_secs(60);

/// The pause after a connection that could not be taken, as when the process has too many files open.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// The stage that serves.
#[derive(Debug)]
pub struct Server {
    listen: SocketAddr,
    desk: Arc<Desk>,
    board: Board,
}

impl Server {
    /// A server at `listen` that tells what `store` knows.
    pub fn new(listen: SocketAddr, store: Arc<Store>, board: Board, clock: Clock, live: Live) -> Self {
        Self { listen, desk: Arc::new(Desk::new(store, clock, live)), board }
    }

    /// Serves until `shutdown`. An address that somebody else has stops nobody's main job: it is said, and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let Some((listener, was_told)) = self.listen(&shutdown).await else { return };
        let mut connections = JoinSet::new();
        if was_told {
            connections.spawn(take_back(self.board.clone()));
        }
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve(stream, Arc::clone(&self.desk)));
                    }
                    Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
                },
                Some(_) = connections.join_next() => {}
                () = shutdown.cancelled() => break,
            }
        }
        connections.shutdown().await;
    }

    /// Listens, as soon as that is possible; says too whether the board says that it was not. None if the daemon stops before.
    async fn listen(&self, shutdown: &CancellationToken) -> Option<(TcpListener, bool)> {
        let mut wait = LISTEN_RETRY_MIN;
        let mut told = None;
        loop {
            let error = match TcpListener::bind(self.listen).await {
                Ok(listener) => {
                    let listen = listener.local_addr().unwrap_or(self.listen);
                    info!(%listen, "metrics and health are served");
                    return Some((listener, told.is_some()));
                }
                Err(error) => error,
            };
            let problem = format!("{}: {error}; change [http] listen, or free the address", self.listen);
            if told.as_ref() != Some(&problem) {
                warn!(listen = %self.listen, %error, "metrics and health are not served; it is tried again, and all else goes on");
                told = self.board.http_problem(Some(&problem)).await.is_ok().then_some(problem);
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = wait.saturating_mul(2).min(LISTEN_RETRY_MAX),
                () = shutdown.cancelled() => return None,
            }
        }
    }
}

/// Takes the problem off the board as soon as the database can be written; who asks is served meanwhile.
async fn take_back(board: Board) {
    while board.http_problem(None).await.is_err() {
        tokio::time::sleep(LISTEN_RETRY_MAX).await;
    }
}

/// One request, then the connection is closed.
async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(answer(request.method(), request.uri().path(), &desk).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(2 * HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What goes wrong here is the client's affair.
    let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
}

async fn answer(method: &Method, path: &str, desk: &Desk) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal =
            response(Page::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD: nothing can be changed here\n"));
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    response(match path {
        "/healthz" => desk.health(),
        "/metrics" => desk.pages().await.metrics.clone(),
        "/readyz" => desk.pages().await.ready.clone(),
        "/status" => desk.pages().await.status.clone(),
        _ => Page::text(StatusCode::NOT_FOUND, "here are /metrics, /healthz, /readyz and /status\n"),
    })
}

fn response(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.body));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
