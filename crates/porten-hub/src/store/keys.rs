//! API keys: who may ask for answers, and on whose nodes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::clock::Millis;
use crate::secret::Digest;

/// One key as `porten-hub key list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyLine {
    pub(crate) id: i64,
    pub(crate) account: String,
    pub(crate) label: String,
    pub(crate) made: Millis,
}

/// The good keys that were asked for, so that a request need not wait for the database: two changes of thread and
/// four locks of a file cost more than the rest of its reception.
#[derive(Debug, Default)]
pub(super) struct Known {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    accounts: HashMap<Digest, i64>,
    /// Grows each time that all is forgotten: what was looked up before is not kept after.
    age: u64,
}

impl Known {
    /// Each change is one insertion or assignment: a panic elsewhere leaves nothing half done.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self) {
        let mut inside = self.inside();
        *inside = Inside { age: inside.age + 1, accounts: HashMap::new() };
    }
}

impl Store {
    /// Adds a key to an account; its number.
    pub(crate) async fn add_key(
        &self,
        account: i64,
        hash: Digest,
        label: &str,
        now: Millis,
    ) -> Result<i64, StoreError> {
        let label = label.to_owned();
        self.with(move |db| {
            let sql = "INSERT INTO api_key (account, hash, label, made) VALUES (?1, ?2, ?3, ?4)";
            db.execute(sql, params![account, hash, label, now])?;
            Ok(db.last_insert_rowid())
        })
        .await
    }

    /// The account whose key this is. What another process changes counts once [`Store::foreign_version`] has seen it.
    pub(crate) async fn key_account(&self, hash: Digest) -> Result<Option<i64>, StoreError> {
        let age = {
            let known = self.known.inside();
            if let Some(account) = known.accounts.get(&hash) {
                return Ok(Some(*account));
            }
            known.age
        };
        let found = self.with(move |db| {
            db.prepare_cached("SELECT account FROM api_key WHERE hash = ?1")?
                .query_row([hash], |row| row.get(0))
                .optional()
        });
        let found = found.await?;
        let mut known = self.known.inside();
        if known.age == age {
            known.accounts.extend(found.map(|account| (hash, account)));
        }
        Ok(found)
    }

    /// Removes a key; false if there is none of this number.
    pub(crate) async fn remove_key(&self, id: i64) -> Result<bool, StoreError> {
        let removed = self.with(move |db| Ok(db.execute("DELETE FROM api_key WHERE id = ?1", [id])? == 1)).await;
        self.known.forget();
        removed
    }

    /// All keys.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyLine>, StoreError> {
        self.with(|db| {
            db.prepare(
                "SELECT api_key.id, account.name, label, api_key.made FROM api_key JOIN account ON account.id = account
                 ORDER BY api_key.id",
            )?
            .query_map([], |row| {
                Ok(KeyLine { id: row.get(0)?, account: row.get(1)?, label: row.get(2)?, made: row.get(3)? })
            })?
            .collect()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_another_process_removes_is_good_until_that_is_seen_and_one_of_our_own_ends_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let (hub, command) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
        assert!(hub.add_account("dev", "x".into(), 0).await.unwrap());
        let account = hub.account("dev").await.unwrap().unwrap().id;
        let (one, two) = (hub.add_key(account, [1; 32], "one", 0).await.unwrap(), [2; 32]);
        hub.add_key(account, two, "two", 0).await.unwrap();
        hub.foreign_version().await.unwrap();
        for hash in [[1; 32], two, two] {
            assert_eq!(hub.key_account(hash).await.unwrap(), Some(account));
        }
        assert_eq!(hub.key_account([3; 32]).await.unwrap(), None);
        assert!(command.remove_key(one).await.unwrap());
        hub.foreign_version().await.unwrap();
        assert_eq!(hub.key_account([1; 32]).await.unwrap(), None);
        assert!(hub.remove_key(one + 1).await.unwrap());
        assert_eq!(hub.key_account(two).await.unwrap(), None);
    }
}
