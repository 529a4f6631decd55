//! The database's files and their names.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::{Error, Result};

/// Most symbolic links to follow in a row, as in the kernel.
const LINKS_MAX: usize = 40;

/// The write-ahead log beside a database file.
pub fn wal_of(path: &Path) -> PathBuf {
    beside(&real_path(path), "-wal")
}

/// The same path with this text appended.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The file that a path leads to, through symbolic links, even if that file does not exist yet.
pub fn real_path(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return path };
    std::fs::canonicalize(folder).map_or_else(|_| path.clone(), |folder| folder.join(name))
}

/// Refuses a file with two names: it would have two logs and two locks, one beside each name.
///
/// # Errors
///
/// [`Error::Linked`].
pub fn refuse_linked(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.nlink() > 1 => {
            Err(Error::Linked { path: path.to_path_buf(), names: meta.nlink() })
        }
        _ => Ok(()),
    }
}

/// Gives the database a number of its own, which distinguishes it from another one that is copied over it.
pub(super) async fn give_name(connection: &mut SqliteConnection) -> Result<()> {
    let name: i64 = sqlx::query_scalar("pragma application_id").fetch_one(&mut *connection).await?;
    if name == 0 {
        let name = rand::random_range(1..=i32::MAX);
        sqlx::query(sqlx::AssertSqlSafe(format!("pragma application_id = {name}"))).execute(connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_leads_to_one_file_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(dir.join("data")).unwrap();
        symlink("data", dir.join("link")).unwrap();
        symlink("../link/a.db", dir.join("data/b.db")).unwrap();
        let real = dir.join("data/a.db");
        for path in ["data/a.db", "link/a.db", "link/../data/./a.db", "data/b.db", "link/b.db"] {
            assert_eq!(real_path(&dir.join(path)), real, "{path}, before it is made");
        }
        fs::write(&real, "").unwrap();
        assert_eq!(real_path(&dir.join("link/b.db")), real);
        assert_eq!(wal_of(&dir.join("link/b.db")), dir.join("data/a.db-wal"));
        // A circle is left alone: opening it will fail.
        symlink("round", dir.join("round")).unwrap();
        assert!(real_path(&dir.join("round")).ends_with("round"));
    }

    #[test]
    fn a_file_with_two_names_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        refuse_linked(&path).unwrap();
        fs::write(&path, "").unwrap();
        refuse_linked(&path).unwrap();
        fs::hard_link(&path, dir.path().join("b.db")).unwrap();
        let error = refuse_linked(&path).unwrap_err().to_string();
        assert!(error.contains("2 names") && error.contains("a.db"), "{error}");
    }
}
