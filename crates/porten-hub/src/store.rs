//! Keeps accounts, keys and grants in one SQLite file, which one thread owns.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::clock;

mod accounts;
mod grants;
mod keys;
mod migrate;

pub(crate) use accounts::RemovedAccount;
pub(crate) use grants::{Bearer, EndedGrant, Issued, MAX_GRANTS, NewGrant, NodeLine, Pair, Renewed, is_lapsed};

/// Calls that wait for the owner thread; a caller beyond them waits its turn.
const QUEUE: usize = 256;
/// How long a write waits for another process (the `porten-hub` commands) to finish its own.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);

/// The state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made or read.
    #[error("the state file {} cannot be opened", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// SQLite refused.
    #[error("the state file cannot be read or written")]
    Sql(#[from] rusqlite::Error),
    /// Written by a newer Hub.
    #[error("the state file was written by a newer porten-hub: start that one, or take another --state")]
    Newer,
    /// The owner thread has ended.
    #[error("the state file is closed")]
    Closed,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The state; clones share the one owner thread, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    known: Arc<keys::Known>,
    /// The last answer of [`Self::foreign_version`].
    seen: Arc<AtomicI64>,
}

impl Store {
    /// Opens the state file, making it (readable by its owner only) if it is not there.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = |source| StoreError::File { path: path.to_owned(), source };
        // SQLite would make it with the umask's rights; its own -wal and -shm files take this one's.
        let made = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(file)?;
        let rights = made.metadata().map_err(file)?.permissions();
        if rights.mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(file)?;
        }
        Self::start(Connection::open(path)?)
    }

    /// A state that ends with the process.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Connection::open_in_memory()?)
    }

    fn start(mut db: Connection) -> Result<Self, StoreError> {
        db.busy_timeout(BUSY_PATIENCE)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // A refresh token that was handed out must not be forgotten in a power cut: its agent would be signed out.
        db.pragma_update(None, "synchronous", "FULL")?;
        // A transaction that reads first and writes later would fail at once, not wait, when a command writes meanwhile.
        db.set_transaction_behavior(rusqlite::TransactionBehavior::Immediate);
        migrate::migrate(&mut db, clock::now())?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    job(&mut db);
                }
            })
            .map_err(|source| StoreError::File { path: PathBuf::new(), source })?;
        Ok(Self { jobs, known: Arc::default(), seen: Arc::new(AtomicI64::new(i64::MIN)) })
    }

    /// Runs `work` on the owner thread.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |db| {
            // The caller may have left; its work is done all the same.
            let _ = answer.send(work(db));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        Ok(answered.await.map_err(|_| StoreError::Closed)??)
    }

    /// A number that changes when another process has written to the file.
    pub(crate) async fn foreign_version(&self) -> Result<i64, StoreError> {
        let version = self.with(|db| db.pragma_query_value(None, "data_version", |row| row.get(0))).await?;
        if self.seen.swap(version, Ordering::Relaxed) != version {
            self.known.forget();
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_state_file_is_its_owners_alone_even_if_it_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let store = Store::open(&path).unwrap();
        store.add_account("dev", "x".into(), 0).await.unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        }
    }

    #[tokio::test]
    async fn a_write_by_another_process_is_noticed_and_ones_own_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let (store, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
        let before = store.foreign_version().await.unwrap();
        store.add_account("one", "x".into(), 0).await.unwrap();
        assert_eq!(store.foreign_version().await.unwrap(), before);
        other.add_account("two", "x".into(), 0).await.unwrap();
        assert_ne!(store.foreign_version().await.unwrap(), before);
    }

    #[test]
    fn a_file_of_a_newer_hub_and_a_file_that_is_no_database_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newer.sqlite");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Newer)));
        let path = folder.path().join("letter.txt");
        fs::write(&path, "Dear Hub, ".repeat(100)).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Sql(_))));
        assert!(fs::read_to_string(&path).unwrap().starts_with("Dear Hub"), "and left as it was");
        assert!(matches!(Store::open(Path::new("/nowhere/at/all")), Err(StoreError::File { .. })));
    }
}
