//! Allows one daemon per database and spool. The lock is the kernel's and ends with the process, however that ends. The
//! pid in the file's first line is only for the message; after it comes the sign of life (`stage::Sign`).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a look at a lock lasts at most, and for how many such looks to wait.
const LOOKER: Duration = Duration::from_millis(50);
const LOOKERS_GONE: u32 = 5;

/// A lock, held as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Nobody.
    Free,
    /// A daemon, with its pid as it wrote it.
    By(String),
    /// It cannot be seen from here.
    Unknown,
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Locked {
    /// Another daemon has it.
    #[error("another prefetchd (pid {pid}) uses {path}; one daemon a database and a spool: stop it first")]
    ByAnother {
        /// Its process.
        pid: String,
        /// The lock.
        path: PathBuf,
    },
    /// The lock's file cannot be made.
    #[error("the lock {path}: {source}")]
    Io {
        /// The lock.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock and writes this process's pid into its file.
    ///
    /// # Errors
    ///
    /// Another daemon has it, or the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, Locked> {
        let failed = |source| Locked::Io { path: path.to_path_buf(), source };
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path);
        let mut file = open.map_err(failed)?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A process that only checks whether it is held, such as `status`, is gone in a moment.
                Err(TryLockError::WouldBlock) if tries < LOOKERS_GONE => {
                    tries += 1;
                    std::thread::sleep(LOOKER);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Locked::ByAnother { pid: pid_in(&mut file), path: path.to_path_buf() });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Who holds the lock now.
    pub fn held(path: &Path) -> Held {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Held::Free,
            Err(_) => return Held::Unknown,
        };
        match file.try_lock_shared() {
            Ok(()) => Held::Free,
            Err(TryLockError::WouldBlock) => Held::By(pid_in(&mut file)),
            Err(TryLockError::Error(_)) => Held::Unknown,
        }
    }
}

fn pid_in(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => text.lines().next().map(str::trim).filter(|pid| !pid.is_empty()).unwrap_or("unknown").to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_says_by_whom() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(Lock::held(&path), Held::Free);
        let first = Lock::take(&path).unwrap();
        let error = Lock::take(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        assert_eq!(Lock::held(&path), Held::By(std::process::id().to_string()));
        drop(first);
        assert_eq!(Lock::held(&path), Held::Free);
        Lock::take(&path).unwrap();
    }
}
