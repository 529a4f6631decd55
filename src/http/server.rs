//! The stage's loop: listens, keeps a bounded number of connections, and gives each a bounded time.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::access::{Door, refusal};
use super::desk::Desk;
use super::guests::{ALL_MAX, Guest, Room, room};
use super::route::Route;
use super::served::Served;
use crate::clock::Clock;
use crate::model::Backoff;
use crate::stage::{Heartbeat, Live};
use crate::status::Board;
use crate::store::Store;
use crate::words;

/// Longest time for the head of a request ...
const HEAD_MAX: Duration = Duration::from_secs(2);

/// ... and for everything, including the reading of the answer.
const CONNECTION_MAX: Duration = Duration::from_secs(10);

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// How long an address that cannot be had is waited for before it is tried again.
const LISTEN_RETRY: Backoff = Backoff { min: Duration::from_secs(1), max: Duration::from_secs(60) };

/// The pause after a failure to accept a connection, as when the process has too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(500);

/// The stage that serves.
#[derive(Debug)]
pub struct Server {
    listen: SocketAddr,
    desk: Arc<Desk>,
    board: Board,
}

impl Server {
    /// A server on `listen` that shows what is in `store`.
    pub fn new(
        listen: SocketAddr,
        store: Arc<Store>,
        board: Board,
        clock: Clock,
        live: Live,
        heartbeat: Heartbeat,
    ) -> Self {
        Self { listen, desk: Arc::new(Desk::new(store, clock, live, heartbeat)), board }
    }

    /// Serves until `shutdown`. If the address is taken, it warns and retries; nothing else waits for it.
    pub async fn run(self, shutdown: CancellationToken) {
        let Some((listener, was_told)) = self.listen(&shutdown).await else { return };
        let mut guests = Guests::default();
        if was_told {
            guests.tasks.spawn(take_back(self.board.clone()));
        }
        loop {
            tokio::select! {
                accepted = listener.accept(), if guests.tasks.len() < ALL_MAX => match accepted {
                    Ok((stream, peer)) => guests.take(stream, peer.ip(), self.listen.ip(), &self.desk),
                    Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
                },
                Some(ended) = guests.tasks.join_next_with_id() => guests.forget(&ended),
                () = shutdown.cancelled() => break,
            }
        }
        guests.tasks.shutdown().await;
    }

    /// Listens as soon as possible. Also returns whether the board says that it could not. None if the daemon stops
    /// first.
    async fn listen(&self, shutdown: &CancellationToken) -> Option<(TcpListener, bool)> {
        let mut failures = 0;
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
            let problem = words::http_problem(&format!("{}: {error}", self.listen)).en.into_owned();
            if told.as_ref() != Some(&problem) {
                warn!(
                    listen = %self.listen, %error,
                    "metrics and health are not served yet; the daemon tries again, and all else goes on"
                );
                told = self.board.http_problem(Some(&problem)).await.is_ok().then_some(problem);
            }
            failures += 1;
            tokio::select! {
                () = tokio::time::sleep(LISTEN_RETRY.bound(failures)) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }
}

/// Removes the problem from the board as soon as the database can be written; requests are served meanwhile.
async fn take_back(board: Board) {
    while board.http_problem(None).await.is_err() {
        tokio::time::sleep(LISTEN_RETRY.max).await;
    }
}

/// The connections, in the order in which they came.
#[derive(Debug, Default)]
struct Guests {
    tasks: JoinSet<()>,
    here: Vec<(AbortHandle, Guest, Arc<AtomicBool>)>,
}

impl Guests {
    /// Accepts a connection, if there is room or room can be made.
    fn take(&mut self, stream: TcpStream, peer: IpAddr, listen: IpAddr, desk: &Arc<Desk>) {
        let now = Instant::now();
        let guests = self.here.iter().map(|(_, guest, asked)| Guest { asked: asked.load(Ordering::Relaxed), ..*guest });
        match room(&guests.collect::<Vec<_>>(), peer, now) {
            Room::Free => {}
            Room::For(at) => self.here.remove(at).0.abort(),
            Room::None => return,
        }
        let asked = Arc::new(AtomicBool::new(false));
        let local = stream.local_addr().ok().map(|local| local.ip());
        let visit = Visit { desk: Arc::clone(desk), asked: Arc::clone(&asked), listen, local };
        let task = self.tasks.spawn(serve(stream, visit));
        self.here.push((task, Guest { peer, since: now, asked: false }, asked));
    }

    fn forget(&mut self, ended: &Result<(tokio::task::Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.here.retain(|(task, ..)| task.id() != id);
    }
}

/// What the answer to a connection depends on.
#[derive(Debug, Clone)]
struct Visit {
    desk: Arc<Desk>,
    /// Set once its request has been read.
    asked: Arc<AtomicBool>,
    listen: IpAddr,
    local: Option<IpAddr>,
}

/// Serves one request, then closes the connection.
async fn serve(stream: TcpStream, visit: Visit) {
    let service = service_fn(move |request: Request<Incoming>| {
        let visit = visit.clone();
        async move {
            visit.asked.store(true, Ordering::Relaxed);
            Ok::<_, Infallible>(answer(&request, &visit).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(2 * HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // An error here concerns only the client.
    let _ = tokio::time::timeout(CONNECTION_MAX, connection).await;
}

async fn answer(request: &Request<Incoming>, visit: &Visit) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal =
            Served::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD: nothing can be changed here\n").response();
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let (path, desk) = (request.uri().path(), &visit.desk);
    let settings = desk.settings();
    let http = &settings.config.http;
    let door = Door { listen: visit.listen, local: visit.local, hosts: &http.hosts };
    let authority = request.uri().authority().map(Authority::as_str);
    let route = Route::of(path, http);
    if let Some(why) = refusal(route.tells(), request.headers(), authority, &door) {
        return Served::text(StatusCode::MISDIRECTED_REQUEST, why).response();
    }
    let served = match route {
        Route::Health => desk.health(),
        Route::Metrics => desk.pages().await.metrics.clone(),
        Route::Ready => desk.pages().await.ready.clone(),
        Route::Status => desk.pages().await.status.clone(),
        Route::Page(below) => desk.page(below, request.uri().query(), request.headers()).await,
        Route::Nothing => Served::text(StatusCode::NOT_FOUND, "here are /metrics, /healthz, /readyz and /status\n"),
    };
    served.response()
}
