//! Grants: which node may connect for which account, and the tokens it proves that with.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError};
use crate::clock::Millis;
use crate::oauth::rotation::{Family, Verdict};
use crate::secret::Digest;

/// The most grants of an account: far more machines than one house has, and few enough that one account cannot fill the
/// Hub. Those that have lapsed do not count.
pub(crate) const MAX_GRANTS: i64 = 64;
/// A grant that neither connected nor renewed its tokens for so long has lapsed (milliseconds): 180 days. It is longer than
/// a machine rests over a summer or a parental leave, and short enough that one which was sold or thrown away, with its
/// tokens on the disk, does not stay a member for years.
const LAPSES_AFTER: Millis = 180 * 24 * 60 * 60 * 1000;
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

/// Whom a first pair is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewGrant {
    pub(crate) account: i64,
    /// The account's epoch when the person said yes.
    pub(crate) epoch: i64,
    pub(crate) node: String,
    pub(crate) name: String,
}

/// What came of a person's yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Issued {
    /// The pair is issued. Older grants of the same node have ended: these.
    Granted {
        /// Their numbers.
        ended: Vec<i64>,
    },
    /// The account is gone, or what was begun on the page before has ended: the yes is void.
    Void,
    /// The account has [`MAX_GRANTS`].
    Full,
}

/// A grant that was ended by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndedGrant {
    /// Whose it was.
    pub(crate) account: String,
    /// What its machine is called.
    pub(crate) name: String,
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
    /// When it last connected or renewed its tokens.
    pub(crate) seen: Millis,
    /// Whether whoever runs the Hub drains it.
    pub(crate) drained: bool,
}

/// Whether a grant that was last seen then is worth nothing any more. A clock that was set back makes none lapse.
pub(crate) const fn is_lapsed(seen: Millis, now: Millis) -> bool {
    now.saturating_sub(seen) >= LAPSES_AFTER
}

impl Store {
    /// Makes a grant for the machine that a person said yes to, with its first pair, and ends older ones of the same node:
    /// a machine that signs in anew has lost its tokens, or somebody else has them.
    pub(crate) async fn issue_grant(&self, new: NewGrant, pair: Pair, now: Millis) -> Result<Issued, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let sql = "SELECT 1 FROM account WHERE id = ?1 AND epoch = ?2";
            if !change.prepare_cached(sql)?.exists([new.account, new.epoch])? {
                return Ok(Issued::Void);
            }
            if !has_room(&change, new.account, &new.node, now)? {
                return Ok(Issued::Full);
            }
            let ended: Vec<(i64, bool)> = change
                .prepare("DELETE FROM node_grant WHERE account = ?1 AND node = ?2 RETURNING id, drained")?
                .query_map(params![new.account, new.node], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            // What whoever runs the Hub drains stays drained.
            let drained = ended.iter().any(|(_, drained)| *drained);
            let sql =
                "INSERT INTO node_grant (account, node, name, made, seen, drained) VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
            change.execute(sql, params![new.account, new.node, new.name, now, drained])?;
            let grant = change.last_insert_rowid();
            keep(&change, grant, Family::new())?;
            issue(&change, grant, Family::new().current, pair)?;
            change.commit()?;
            Ok(Issued::Granted { ended: ended.into_iter().map(|(id, _)| id).collect() })
        })
        .await
    }

    /// Whether the account may have a grant for this node: it has one already, or fewer than [`MAX_GRANTS`].
    pub(crate) async fn has_room(&self, account: i64, node: &str, now: Millis) -> Result<bool, StoreError> {
        let node = node.to_owned();
        self.with(move |db| has_room(db, account, &node, now)).await
    }

    /// Renews a grant's tokens by its refresh token.
    pub(crate) async fn renew(&self, refresh: Digest, pair: Pair, now: Millis) -> Result<Renewed, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let Some((grant, generation)) = find(&change, refresh, "refresh", now)? else {
                return Ok(Renewed::Unknown);
            };
            let outcome = match family(&change, grant)?.present(generation) {
                Verdict::Rotate { next, lost } => {
                    if let Some(lost) = lost {
                        let sql = "DELETE FROM token WHERE node_grant = ?1 AND pair = ?2 AND kind = 'access'";
                        change.execute(sql, params![grant, lost])?;
                    }
                    keep(&change, grant, next)?;
                    change.execute("UPDATE node_grant SET seen = ?2 WHERE id = ?1", params![grant, now])?;
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
            let Some((grant, generation)) = find(&change, access, "access", now)? else { return Ok(None) };
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
        let sql = "UPDATE node_grant SET connected = ?2, seen = ?2 WHERE id = ?1 RETURNING drained";
        self.with(move |db| db.query_row(sql, params![grant, now], |row| row.get(0)).optional()).await
    }

    /// Notes that the nodes of these grants are connected: one that stays so for half a year has not lapsed.
    pub(crate) async fn note_seen(&self, grants: Vec<i64>, now: Millis) -> Result<(), StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            for grant in grants {
                change.prepare_cached("UPDATE node_grant SET seen = ?2 WHERE id = ?1")?.execute(params![grant, now])?;
            }
            change.commit()
        })
        .await
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

    /// Ends a grant by its number, because whoever runs the Hub wants it; none if there is no such grant. What was begun
    /// on the page in its account's name ends too: it may be how the machine got in.
    pub(crate) async fn end_grant(&self, grant: i64) -> Result<Option<EndedGrant>, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let sql = "UPDATE account SET epoch = epoch + 1
                       WHERE id = (SELECT account FROM node_grant WHERE id = ?1) RETURNING name";
            let Some(account) = change.query_row(sql, [grant], |row| row.get(0)).optional()? else { return Ok(None) };
            let sql = "DELETE FROM node_grant WHERE id = ?1 RETURNING name";
            let name = change.query_row(sql, [grant], |row| row.get(0))?;
            change.commit()?;
            Ok(Some(EndedGrant { account, name }))
        })
        .await
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
                "SELECT node_grant.id, account.name, node, node_grant.name, node_grant.made, connected, seen, drained
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
                    seen: row.get(6)?,
                    drained: row.get(7)?,
                })
            })?
            .collect()
        })
        .await
    }
}

fn has_room(db: &Connection, account: i64, node: &str, now: Millis) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM node_grant WHERE account = ?1 AND node <> ?2 AND seen > ?3";
    let others: i64 = db.query_row(sql, params![account, node, now - LAPSES_AFTER], |row| row.get(0))?;
    Ok(others < MAX_GRANTS)
}

/// The grant and the generation of a token, unless the grant has lapsed.
fn find(db: &Connection, token: Digest, kind: &str, now: Millis) -> rusqlite::Result<Option<(i64, i64)>> {
    let sql = "SELECT node_grant, pair, seen FROM token JOIN node_grant ON node_grant.id = node_grant
               WHERE hash = ?1 AND kind = ?2";
    let found: Option<(i64, i64, Millis)> = db
        .prepare_cached(sql)?
        .query_row(params![token, kind], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(found.filter(|(_, _, seen)| !is_lapsed(*seen, now)).map(|(grant, generation, _)| (grant, generation)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(n: u8) -> Pair {
        Pair { access: [n; 32], refresh: [n + 100; 32], expires: Millis::MAX }
    }

    fn new(account: &super::super::accounts::Account, node: &str) -> NewGrant {
        NewGrant { account: account.id, epoch: account.epoch, node: node.into(), name: "studio".into() }
    }

    async fn store() -> (Store, super::super::accounts::Account) {
        let store = Store::in_memory().unwrap();
        store.add_account("anna", "x".into(), 0).await.unwrap();
        let account = store.account("anna").await.unwrap().unwrap();
        (store, account)
    }

    #[tokio::test]
    async fn a_new_grant_of_a_node_ends_the_older_ones() {
        let (store, anna) = store().await;
        store.issue_grant(new(&anna, "other"), pair(3), 0).await.unwrap();
        store.issue_grant(new(&anna, "n"), pair(1), 0).await.unwrap();
        assert!(store.set_drained(2, true).await.unwrap());
        let second = store.issue_grant(new(&anna, "n"), pair(2), 0).await.unwrap();
        assert_eq!(second, Issued::Granted { ended: vec![2] });
        assert_eq!(store.renew([101; 32], pair(9), 0).await.unwrap(), Renewed::Unknown);
        assert_eq!(store.bearer([1; 32], 0).await.unwrap(), None);
        assert!(store.bearer([2; 32], 0).await.unwrap().is_some());
        assert!(store.bearer([3; 32], 0).await.unwrap().is_some(), "another node's stays");
        assert_eq!(store.drained().await.unwrap(), [3], "a new sign-in does not undrain a node");
    }

    #[tokio::test]
    async fn a_yes_of_an_old_epoch_or_a_removed_account_is_void() {
        let (store, anna) = store().await;
        store.set_passphrase("anna", "y".into()).await.unwrap();
        assert_eq!(store.issue_grant(new(&anna, "n"), pair(1), 0).await.unwrap(), Issued::Void);
        let anna = store.account("anna").await.unwrap().unwrap();
        store.issue_grant(new(&anna, "n"), pair(1), 0).await.unwrap();
        assert!(store.end_grant(1).await.unwrap().is_some());
        assert_eq!(store.issue_grant(new(&anna, "n"), pair(2), 0).await.unwrap(), Issued::Void);
        store.remove_account("anna").await.unwrap();
        store.add_account("bob", "x".into(), 0).await.unwrap();
        assert_eq!(store.issue_grant(new(&anna, "n"), pair(3), 0).await.unwrap(), Issued::Void);
    }

    #[tokio::test]
    async fn an_account_has_64_grants_and_those_that_lapsed_do_not_count() {
        let (store, anna) = store().await;
        for n in 0..64 {
            let issued = store.issue_grant(new(&anna, &format!("n{n}")), pair(n), 1000).await.unwrap();
            assert_eq!(issued, Issued::Granted { ended: vec![] });
        }
        assert_eq!(store.issue_grant(new(&anna, "one more"), pair(70), 1000).await.unwrap(), Issued::Full);
        assert!(matches!(store.issue_grant(new(&anna, "n3"), pair(71), 1000).await.unwrap(), Issued::Granted { .. }));
        assert!(store.has_room(anna.id, "one more", 1000 + LAPSES_AFTER).await.unwrap());
    }

    #[tokio::test]
    async fn a_grant_lapses_after_180_days_without_a_sign_of_life() {
        let (store, anna) = store().await;
        store.issue_grant(new(&anna, "n"), pair(1), 0).await.unwrap();
        let half = LAPSES_AFTER / 2;
        assert_eq!(store.renew([101; 32], pair(2), half).await.unwrap(), Renewed::Issued);
        assert!(store.bearer([2; 32], half + LAPSES_AFTER - 1).await.unwrap().is_some());
        assert_eq!(store.bearer([2; 32], half + LAPSES_AFTER).await.unwrap(), None);
        assert_eq!(store.renew([102; 32], pair(3), half + LAPSES_AFTER).await.unwrap(), Renewed::Unknown);
        store.note_seen(vec![1], LAPSES_AFTER).await.unwrap();
        assert!(store.bearer([2; 32], half + LAPSES_AFTER).await.unwrap().is_some(), "it was connected meanwhile");
    }
}
