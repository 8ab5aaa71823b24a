//! Makes the state file's tables, or brings those of an older Hub into their present shape.

use rusqlite::{Connection, Transaction, params};

use super::StoreError;
use crate::clock::Millis;

/// The shape of the file; a Hub refuses a file of a newer shape.
const SCHEMA_VERSION: i64 = 3;
const SCHEMA: &str = include_str!("schema.sql");
/// What a file of shape 1 lacks.
const SINCE_1: &str = "ALTER TABLE node_grant ADD COLUMN drained INTEGER NOT NULL DEFAULT 0";
/// Shape 3 never gives an account's id twice, which no table can learn afterwards: it is made anew with the ids it had.
/// The next id is beyond any that is named anywhere. Sign-ins that wait are kept in memory now.
const SINCE_2: &str = "
    CREATE TABLE account_3 (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
        passphrase TEXT NOT NULL,
        made       INTEGER NOT NULL,
        epoch      INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO account_3 (id, name, passphrase, made) SELECT id, name, passphrase, made FROM account;
    DROP TABLE account;
    ALTER TABLE account_3 RENAME TO account;
    DELETE FROM sqlite_sequence WHERE name IN ('account', 'account_3');
    INSERT INTO sqlite_sequence (name, seq) SELECT 'account', max(id) FROM (
        SELECT 0 AS id UNION ALL SELECT id FROM account UNION ALL SELECT account FROM api_key
        UNION ALL SELECT account FROM node_grant UNION ALL SELECT account FROM device WHERE account IS NOT NULL
    );
    DROP TABLE device;
    ALTER TABLE node_grant ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX grant_of_node ON node_grant (account, node);
";

/// Brings the file into its present shape, in one transaction. Leaves foreign keys on.
pub(super) fn migrate(db: &mut Connection, now: Millis) -> Result<(), StoreError> {
    // A table that others refer to can be made anew only without them, and within a transaction they cannot be turned.
    db.pragma_update(None, "foreign_keys", false)?;
    let change = db.transaction()?;
    match change.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
        0 => change.execute_batch(SCHEMA)?,
        1 => {
            change.execute_batch(SINCE_1)?;
            to_3(&change, now)?;
        }
        2 => to_3(&change, now)?,
        SCHEMA_VERSION => {}
        _ => return Err(StoreError::Newer),
    }
    change.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    change.commit()?;
    Ok(db.pragma_update(None, "foreign_keys", true)?)
}

fn to_3(change: &Transaction<'_>, now: Millis) -> rusqlite::Result<()> {
    change.execute_batch(SINCE_2)?;
    // When they were last used was not kept: their absence counts from here.
    change.execute("UPDATE node_grant SET seen = ?1", params![now]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::super::Store;
    use super::*;
    use crate::secret;

    const SHAPE_2: &str = include_str!("shape_2.sql");

    /// A file of an older Hub, with the accounts 1 and 3, a grant and its refresh token, a key, and a sign-in that waits.
    fn older(folder: &Path, shape: i64) -> PathBuf {
        let path = folder.join(format!("shape-{shape}.sqlite"));
        let db = Connection::open(&path).unwrap();
        db.execute_batch(SHAPE_2).unwrap();
        db.execute_batch(
            "INSERT INTO account (id, name, passphrase, made) VALUES (1, 'anna', 'x', 5), (3, 'bob', 'y', 6);
             INSERT INTO api_key (id, account, hash, label, made) VALUES (4, 3, x'01', 'laptop', 0);
             INSERT INTO node_grant (id, account, node, name, made) VALUES (7, 1, 'n', 'studio', 0);
             INSERT INTO device (hash, user_code, node, name, expires, gap) VALUES (x'02', 'BBBBBBBB', 'n', 'x', 9, 9)",
        )
        .unwrap();
        let token = "INSERT INTO token (hash, node_grant, kind, pair) VALUES (?1, 7, 'refresh', 0)";
        db.execute(token, [secret::digest("refresh")]).unwrap();
        if shape == 1 {
            db.execute_batch("ALTER TABLE node_grant DROP COLUMN drained").unwrap();
        }
        db.pragma_update(None, "user_version", shape).unwrap();
        path
    }

    fn pair() -> super::super::Pair {
        super::super::Pair { access: [1; 32], refresh: [2; 32], expires: i64::MAX }
    }

    #[tokio::test]
    async fn a_file_of_an_older_hub_is_taken_over_with_all_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for shape in [1, 2] {
            let path = older(folder.path(), shape);
            let store = Store::open(&path).unwrap();
            assert_eq!(store.account_names().await.unwrap(), ["anna", "bob"]);
            assert_eq!(store.account("BOB").await.unwrap().unwrap().id, 3);
            assert_eq!(store.keys().await.unwrap()[0].account, "bob");
            assert_eq!(store.nodes().await.unwrap()[0].account, "anna");
            assert!(store.set_drained(7, true).await.unwrap());
            let now = crate::clock::now();
            let renewed = store.renew(secret::digest("refresh"), pair(), now).await.unwrap();
            assert_eq!(renewed, super::super::Renewed::Issued, "it has not lapsed");
            drop(store);
            let again = Store::open(&path).unwrap();
            assert_eq!(again.drained().await.unwrap(), [7], "and it is made once");
            // What refers to an account still does: it goes with it.
            again.remove_account("anna").await.unwrap().unwrap();
            assert!(again.nodes().await.unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn an_id_is_never_given_twice_after_a_migration() {
        let folder = tempfile::tempdir().unwrap();
        for shape in [1, 2] {
            let path = older(folder.path(), shape);
            // Something still names an account that was removed.
            let left = Connection::open(&path).unwrap();
            left.pragma_update(None, "foreign_keys", false).unwrap();
            left.execute("UPDATE node_grant SET account = 9", []).unwrap();
            drop(left);
            let store = Store::open(&path).unwrap();
            store.add_account("carol", "z".into(), 0).await.unwrap();
            assert_eq!(store.account("carol").await.unwrap().unwrap().id, 10, "shape {shape}");
            store.remove_account("carol").await.unwrap().unwrap();
            store.add_account("dora", "z".into(), 0).await.unwrap();
            assert_eq!(store.account("dora").await.unwrap().unwrap().id, 11, "shape {shape}");
        }
    }
}
