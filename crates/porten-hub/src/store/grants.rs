//! Grants: which node may connect for which account, and the tokens it proves that with.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Asked, Store, StoreError};
use crate::clock::Millis;
use crate::oauth::rotation::{Family, Verdict};
use crate::secret::Digest;

/// Retired refresh tokens that are remembered for each grant; older ones are merely unknown.
const KEEP_RETIRED: i64 = 1000;

/// A pair of tokens to issue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) access: Digest,
    pub(crate) refresh: Digest,
    /// When the access token ends.
    pub(crate) expires: Millis,
}

/// Who holds an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) grant: i64,
    pub(crate) account: i64,
    pub(crate) account_name: String,
    /// The node the person said yes to.
    pub(crate) node: String,
}

/// What came of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    /// The pair is issued.
    Issued,
    /// No such token, or its grant has ended.
    Unknown,
    /// It was used before: its grant, of this number, has ended now.
    Reused(i64),
}

/// One grant as `porten-hub node list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeLine {
    pub(crate) id: i64,
    pub(crate) account: String,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) made: Millis,
    /// When it last opened a tunnel.
    pub(crate) connected: Option<Millis>,
    /// Whether whoever runs the Hub drains it.
    pub(crate) drained: bool,
}

impl Store {
    /// Renews a grant's tokens by its refresh token.
    pub(crate) async fn renew(&self, refresh: Digest, pair: Pair, now: Millis) -> Result<Renewed, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let Some((grant, generation)) = find(&change, refresh, "refresh")? else { return Ok(Renewed::Unknown) };
            let outcome = match family(&change, grant)?.present(generation) {
                Verdict::Rotate { next, lost } => {
                    if let Some(lost) = lost {
                        let sql = "DELETE FROM token WHERE node_grant = ?1 AND pair = ?2 AND kind = 'access'";
                        change.execute(sql, params![grant, lost])?;
                    }
                    keep(&change, grant, next)?;
                    issue(&change, grant, next.current, pair)?;
                    forget_old(&change, grant, next.current, now)?;
                    Renewed::Issued
                }
                Verdict::Revoke => {
                    end(&change, grant)?;
                    Renewed::Reused(grant)
                }
            };
            change.commit()?;
            Ok(outcome)
        })
        .await
    }

    /// Who holds this access token, if it is good now; using it proves that its pair has arrived.
    pub(crate) async fn bearer(&self, access: Digest, now: Millis) -> Result<Option<Bearer>, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let Some((grant, generation)) = find(&change, access, "access")? else { return Ok(None) };
            let good: bool =
                change
                    .query_row("SELECT expires > ?2 FROM token WHERE hash = ?1", params![access, now], |r| r.get(0))?;
            if !good {
                return Ok(None);
            }
            let before = family(&change, grant)?;
            let after = before.used(generation);
            if after != before {
                keep(&change, grant, after)?;
            }
            let bearer = change.query_row(
                "SELECT account.id, account.name, node FROM node_grant JOIN account ON account.id = account
                 WHERE node_grant.id = ?1",
                [grant],
                |row| Ok(Bearer { grant, account: row.get(0)?, account_name: row.get(1)?, node: row.get(2)? }),
            )?;
            change.commit()?;
            Ok(Some(bearer))
        })
        .await
    }

    /// Notes that a grant's node opened a tunnel; whether it is drained, or none if the grant has ended meanwhile.
    pub(crate) async fn note_connected(&self, grant: i64, now: Millis) -> Result<Option<bool>, StoreError> {
        let sql = "UPDATE node_grant SET connected = ?2 WHERE id = ?1 RETURNING drained";
        self.with(move |db| db.query_row(sql, params![grant, now], |row| row.get(0)).optional()).await
    }

    /// Drains a grant's node, or takes that back; false if there is no such grant.
    pub(crate) async fn set_drained(&self, grant: i64, drained: bool) -> Result<bool, StoreError> {
        let sql = "UPDATE node_grant SET drained = ?2 WHERE id = ?1";
        self.with(move |db| Ok(db.execute(sql, params![grant, drained])? == 1)).await
    }

    /// The grants whose nodes are drained.
    pub(crate) async fn drained(&self) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT id FROM node_grant WHERE drained";
        self.with(move |db| db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()).await
    }

    /// Ends the grant that a token, of either kind, belongs to; its number.
    pub(crate) async fn end_by_token(&self, token: Digest) -> Result<Option<i64>, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let sql = "SELECT node_grant FROM token WHERE hash = ?1";
            let grant = change.query_row(sql, [token], |row| row.get(0)).optional()?;
            if let Some(grant) = grant {
                end(&change, grant)?;
            }
            change.commit()?;
            Ok(grant)
        })
        .await
    }

    /// Ends a grant by its number; false if there is none.
    pub(crate) async fn end_grant(&self, grant: i64) -> Result<bool, StoreError> {
        self.with(move |db| end(db, grant)).await
    }

    /// Those of `grants` that have ended.
    pub(crate) async fn ended(&self, grants: Vec<i64>) -> Result<Vec<i64>, StoreError> {
        self.with(move |db| {
            let mut is_there = db.prepare("SELECT 1 FROM node_grant WHERE id = ?1")?;
            let mut ended = Vec::new();
            for grant in grants {
                if !is_there.exists([grant])? {
                    ended.push(grant);
                }
            }
            Ok(ended)
        })
        .await
    }

    /// All grants.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeLine>, StoreError> {
        self.with(|db| {
            db.prepare(
                "SELECT node_grant.id, account.name, node, node_grant.name, node_grant.made, connected, drained
                 FROM node_grant JOIN account ON account.id = account ORDER BY node_grant.id",
            )?
            .query_map([], |row| {
                Ok(NodeLine {
                    id: row.get(0)?,
                    account: row.get(1)?,
                    node: row.get(2)?,
                    name: row.get(3)?,
                    made: row.get(4)?,
                    connected: row.get(5)?,
                    drained: row.get(6)?,
                })
            })?
            .collect()
        })
        .await
    }
}

/// Makes a grant for the machine a person said yes to, with its first pair.
pub(super) fn issue_first(
    change: &Transaction<'_>,
    account: i64,
    asked: &Asked,
    pair: Pair,
    now: Millis,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO node_grant (account, node, name, made) VALUES (?1, ?2, ?3, ?4)";
    change.execute(sql, params![account, asked.node, asked.name, now])?;
    let grant = change.last_insert_rowid();
    keep(change, grant, Family::new())?;
    issue(change, grant, Family::new().current, pair)
}

fn find(db: &Connection, token: Digest, kind: &str) -> rusqlite::Result<Option<(i64, i64)>> {
    db.prepare_cached("SELECT node_grant, pair FROM token WHERE hash = ?1 AND kind = ?2")?
        .query_row(params![token, kind], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn family(db: &Connection, grant: i64) -> rusqlite::Result<Family> {
    let sql = "SELECT current_pair, previous_pair, pair_seen, previous_retried FROM node_grant WHERE id = ?1";
    db.prepare_cached(sql)?.query_row([grant], |row| {
        Ok(Family { current: row.get(0)?, previous: row.get(1)?, seen: row.get(2)?, retried: row.get(3)? })
    })
}

fn keep(db: &Connection, grant: i64, family: Family) -> rusqlite::Result<()> {
    let Family { current, previous, seen, retried } = family;
    db.prepare_cached(
        "UPDATE node_grant SET current_pair = ?2, previous_pair = ?3, pair_seen = ?4, previous_retried = ?5
         WHERE id = ?1",
    )?
    .execute(params![grant, current, previous, seen, retried])
    .map(drop)
}

fn issue(db: &Connection, grant: i64, generation: i64, pair: Pair) -> rusqlite::Result<()> {
    let sql = "INSERT INTO token (hash, node_grant, kind, pair, expires) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut add = db.prepare_cached(sql)?;
    add.execute(params![pair.access, grant, "access", generation, pair.expires])?;
    add.execute(params![pair.refresh, grant, "refresh", generation, None::<Millis>]).map(drop)
}

fn forget_old(db: &Connection, grant: i64, generation: i64, now: Millis) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM token WHERE node_grant = ?1 AND (pair < ?2 OR (kind = 'access' AND expires <= ?3))",
        params![grant, generation - KEEP_RETIRED, now],
    )
    .map(drop)
}

fn end(db: &Connection, grant: i64) -> rusqlite::Result<bool> {
    Ok(db.execute("DELETE FROM node_grant WHERE id = ?1", [grant])? == 1)
}
