//! What tells this spool from another one: a random name in a file of its own, made once. A copy of the spool has the
//! same name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::folders::sync_folder;

/// Its name in the spool.
const NAME: &str = ".spool-id";

/// Digits of an id, in hex.
const DIGITS: usize = 32;

/// The id of the spool in this folder; makes one if there is none, or if a crash left a part of one.
///
/// # Errors
///
/// The file can be neither read nor made.
pub fn spool_id(dir: &Path) -> io::Result<String> {
    let path = dir.join(NAME);
    match fs::read_to_string(&path) {
        Ok(text) if is_id(text.trim_end()) => return Ok(text.trim_end().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = format!("{:032x}", rand::random::<u128>());
    let next = dir.join(format!("{NAME}.tmp"));
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&next)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    fs::rename(next, path)?;
    sync_folder(dir)?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_has_one_id_for_ever_and_no_two_have_the_same() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let id = spool_id(one.path()).unwrap();
        assert_eq!(spool_id(one.path()).unwrap(), id);
        assert_ne!(spool_id(other.path()).unwrap(), id);
        fs::write(one.path().join(NAME), &id[..7]).unwrap();
        let next = spool_id(one.path()).unwrap();
        assert!(is_id(&next) && next != id, "{next}");
    }
}
