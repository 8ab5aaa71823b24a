//! Accounts: whose nodes and whose keys.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::clock::Millis;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The argon2id hash of its passphrase (PHC string).
    pub(crate) passphrase: String,
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

    /// Gives an account a new passphrase; false if there is no such account.
    pub(crate) async fn set_passphrase(&self, name: &str, passphrase: String) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let sql = "UPDATE account SET passphrase = ?2 WHERE name = ?1";
        self.with(move |db| Ok(db.execute(sql, params![name, passphrase])? == 1)).await
    }

    /// Removes an account with its keys and grants; false if there is none.
    pub(crate) async fn remove_account(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let removed = self.with(move |db| Ok(db.execute("DELETE FROM account WHERE name = ?1", [name])? == 1)).await;
        self.known.forget();
        removed
    }

    /// The account of a name, in whatever case it is written.
    pub(crate) async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let name = name.to_owned();
        self.with(move |db| {
            db.query_row("SELECT id, name, passphrase FROM account WHERE name = ?1", [name], |row| {
                Ok(Account { id: row.get(0)?, name: row.get(1)?, passphrase: row.get(2)? })
            })
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
