//! Accounts: whose nodes and whose keys.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::clock::Millis;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The argon2id hash of its passphrase (PHC string).
    pub(crate) passphrase: String,
    /// Grows when what was begun on the approval page in its name is to end.
    pub(crate) epoch: i64,
}

/// What went with an account that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemovedAccount {
    /// API keys.
    pub(crate) keys: usize,
    /// Sign-ins of nodes.
    pub(crate) grants: usize,
}

impl Store {
    /// Adds an account; false if the name is taken.
    pub(crate) async fn add_account(&self, name: &str, passphrase: String, now: Millis) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.with(move |db| {
            let sql = "INSERT INTO account (name, passphrase, made) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            Ok(db.execute(sql, params![name, passphrase, now])? == 1)
        })
        .await
    }

    /// Gives an account a new passphrase, and ends what was begun on the page under the old one; false if there is no
    /// such account.
    pub(crate) async fn set_passphrase(&self, name: &str, passphrase: String) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let sql = "UPDATE account SET passphrase = ?2, epoch = epoch + 1 WHERE name = ?1";
        self.with(move |db| Ok(db.execute(sql, params![name, passphrase])? == 1)).await
    }

    /// Removes an account with its keys and grants; none if there is no such account.
    pub(crate) async fn remove_account(&self, name: &str) -> Result<Option<RemovedAccount>, StoreError> {
        let name = name.to_owned();
        let removed = self.with(move |db| {
            let change = db.transaction()?;
            let sql = "SELECT id FROM account WHERE name = ?1";
            let Some(id) = change.query_row(sql, [&name], |row| row.get::<_, i64>(0)).optional()? else {
                return Ok(None);
            };
            let removed = RemovedAccount {
                keys: count(&change, "SELECT count(*) FROM api_key WHERE account = ?1", id)?,
                grants: count(&change, "SELECT count(*) FROM node_grant WHERE account = ?1", id)?,
            };
            change.execute("DELETE FROM account WHERE id = ?1", [id])?;
            change.commit()?;
            Ok(Some(removed))
        });
        let removed = removed.await;
        self.known.forget();
        removed
    }

    /// The account of a name, in whatever case it is written.
    pub(crate) async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let name = name.to_owned();
        self.with(move |db| {
            db.query_row("SELECT id, name, passphrase, epoch FROM account WHERE name = ?1", [name], |row| {
                Ok(Account { id: row.get(0)?, name: row.get(1)?, passphrase: row.get(2)?, epoch: row.get(3)? })
            })
            .optional()
        })
        .await
    }

    /// The name of the account of this id, if it is still there and what was begun in this epoch still stands.
    pub(crate) async fn account_in_epoch(&self, id: i64, epoch: i64) -> Result<Option<String>, StoreError> {
        self.with(move |db| {
            db.prepare_cached("SELECT name FROM account WHERE id = ?1 AND epoch = ?2")?
                .query_row([id, epoch], |row| row.get(0))
                .optional()
        })
        .await
    }

    /// The names of all accounts.
    pub(crate) async fn account_names(&self) -> Result<Vec<String>, StoreError> {
        self.with(|db| db.prepare("SELECT name FROM account ORDER BY name")?.query_map([], |row| row.get(0))?.collect())
            .await
    }
}

fn count(db: &Connection, sql: &str, account: i64) -> rusqlite::Result<usize> {
    let count: i64 = db.query_row(sql, [account], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or_default())
}
