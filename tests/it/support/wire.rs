//! A wire between a daemon and its PostgreSQL that stalls, breaks, and loses the answer to a commit.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How often a connection that hears nothing looks whether it is cut.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It passes everything on.
    Open,
    /// It passes nothing on.
    Stalled,
    /// It keeps back the answer to the next commit, and breaks.
    LosesCommit,
}

#[derive(Debug)]
struct State {
    mode: Mode,
    target: PathBuf,
    /// Counts the cuts; older connections end.
    cuts: u32,
}

/// The wire. Connections are taken for as long as the process lives.
#[derive(Debug, Clone)]
pub struct Wire {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A wire to this socket.
    pub fn to(target: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { mode: Mode::Open, target: target.to_path_buf(), cuts: 0 };
        let wire = Self { port, state: Arc::new(Mutex::new(state)) };
        let kept = wire.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Some((server, cuts)) = kept.connect() else { continue };
                let (Ok(reading), Ok(back)) = (server.try_clone(), client.try_clone()) else { continue };
                for wait in [client.set_read_timeout(Some(LOOK_AGAIN)), server.set_read_timeout(Some(LOOK_AGAIN))] {
                    wait.unwrap();
                }
                let (there, here) = (kept.clone(), kept.clone());
                std::thread::spawn(move || there.pass(cuts, client, server, true));
                std::thread::spawn(move || here.pass(cuts, reading, back, false));
            }
        });
        wire
    }

    /// What is sent from now on arrives later, when it is opened; nobody is told.
    pub fn stall(&self) {
        self.state.lock().unwrap().mode = Mode::Stalled;
    }

    /// Passes everything on again.
    pub fn open(&self) {
        self.state.lock().unwrap().mode = Mode::Open;
    }

    /// All connections break.
    pub fn cut(&self) {
        self.state.lock().unwrap().cuts += 1;
    }

    /// The next commit arrives, and its answer does not: its connection breaks.
    pub fn lose_a_commit(&self) {
        self.state.lock().unwrap().mode = Mode::LosesCommit;
    }

    /// Leads elsewhere; all connections break.
    pub fn lead_to(&self, target: &Path) {
        let mut state = self.state.lock().unwrap();
        state.target = target.to_path_buf();
        state.cuts += 1;
    }

    fn connect(&self) -> Option<(UnixStream, u32)> {
        let state = self.state.lock().unwrap();
        Some((UnixStream::connect(&state.target).ok()?, state.cuts))
    }

    fn pass(&self, cuts: u32, mut from: impl Read + Ends, mut to: impl Write + Ends, is_asking: bool) {
        let mut bytes = vec![0; 65_536];
        loop {
            let (mode, now) = {
                let state = self.state.lock().unwrap();
                (state.mode, state.cuts)
            };
            if now != cuts {
                break;
            }
            if mode == Mode::Stalled {
                std::thread::sleep(LOOK_AGAIN);
                continue;
            }
            let read = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            if !is_asking && mode == Mode::LosesCommit && has_committed(&bytes[..read]) {
                self.open();
                break;
            }
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        from.end();
        to.end();
    }
}

/// Whether the server says in this that a transaction is committed.
fn has_committed(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|tag| tag == b"COMMIT\0")
}

/// Ends a connection for both sides.
trait Ends {
    fn end(&self);
}

impl Ends for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}

impl Ends for std::net::TcpStream {
    fn end(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}
