//! API keys: who may ask for answers, and on whose nodes.

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

    /// The account whose key this is.
    pub(crate) async fn key_account(&self, hash: Digest) -> Result<Option<i64>, StoreError> {
        self.with(move |db| {
            db.prepare_cached("SELECT account FROM api_key WHERE hash = ?1")?
                .query_row([hash], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// Removes a key; false if there is none of this number.
    pub(crate) async fn remove_key(&self, id: i64) -> Result<bool, StoreError> {
        self.with(move |db| Ok(db.execute("DELETE FROM api_key WHERE id = ?1", [id])? == 1)).await
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
