//! Requests to sign in that wait for a person's answer.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::grants::{Pair, issue_first};
use super::{Store, StoreError};
use crate::clock::Millis;
use crate::oauth::poll::{Answer, Reply, Request};
use crate::secret::Digest;

/// The most requests that wait at a time; a flood beyond it is refused.
const MAX_WAITING: i64 = 1000;
/// How long an expired request is remembered, so that its agent hears "expired" and not "unknown" (milliseconds).
const KEEP_EXPIRED: Millis = 10 * 60 * 1000;

/// A new request.
#[derive(Debug, Clone)]
pub(crate) struct NewDevice {
    pub(crate) hash: Digest,
    pub(crate) user_code: String,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) expires: Millis,
    pub(crate) interval: Millis,
}

/// What a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What the machine is called.
    pub(crate) name: String,
    /// The node's id.
    pub(crate) node: String,
}

/// What a poll found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Polled {
    /// No such request: never made, or already used.
    Unknown,
    /// As the machine judged. For [`Reply::Grant`] the pair is issued and the request is gone.
    Known(Reply),
}

impl Store {
    /// Keeps a new request; false if too many wait already, or its user code is taken.
    pub(crate) async fn add_device(&self, new: NewDevice, now: Millis) -> Result<bool, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            change.execute("DELETE FROM device WHERE expires < ?1", [now - KEEP_EXPIRED])?;
            let waiting: i64 = change.query_row("SELECT count(*) FROM device", [], |row| row.get(0))?;
            if waiting >= MAX_WAITING {
                return Ok(false);
            }
            let added = change.execute(
                "INSERT INTO device (hash, user_code, node, name, expires, gap) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO NOTHING",
                params![new.hash, new.user_code, new.node, new.name, new.expires, new.interval],
            )?;
            change.commit()?;
            Ok(added == 1)
        })
        .await
    }

    /// Who asks under a user code that still waits for its answer.
    pub(crate) async fn asked(&self, user_code: &str, now: Millis) -> Result<Option<Asked>, StoreError> {
        let user_code = user_code.to_owned();
        self.with(move |db| {
            let sql = "SELECT name, node FROM device WHERE user_code = ?1 AND expires > ?2 AND answer IS NULL";
            db.query_row(sql, params![user_code, now], |row| Ok(Asked { name: row.get(0)?, node: row.get(1)? }))
                .optional()
        })
        .await
    }

    /// Keeps the person's answer. False if the code is not waiting any more: an answer stands.
    pub(crate) async fn answer_device(
        &self,
        user_code: &str,
        account: i64,
        connect: bool,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let user_code = user_code.to_owned();
        let answer = if connect { "connect" } else { "refuse" };
        self.with(move |db| {
            let changed = db.execute(
                "UPDATE device SET answer = ?3, account = ?4
                 WHERE user_code = ?1 AND expires > ?2 AND answer IS NULL",
                params![user_code, now, answer, account],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    /// One poll: judges it, and if the person said yes turns the request into a grant with this first pair.
    pub(crate) async fn poll_device(&self, hash: Digest, pair: Pair, now: Millis) -> Result<Polled, StoreError> {
        self.with(move |db| {
            let change = db.transaction()?;
            let Some((request, asked)) = waiting(&change, hash)? else { return Ok(Polled::Unknown) };
            let reply = request.poll(now);
            match reply {
                Reply::Grant(account) => {
                    issue_first(&change, account, &asked, pair, now)?;
                    change.execute("DELETE FROM device WHERE hash = ?1", [hash])?;
                }
                Reply::Pending => {
                    change.execute("UPDATE device SET polled = ?2 WHERE hash = ?1", params![hash, now])?;
                }
                Reply::SlowDown(interval) => {
                    let sql = "UPDATE device SET polled = ?2, gap = ?3 WHERE hash = ?1";
                    change.execute(sql, params![hash, now, interval])?;
                }
                Reply::Denied | Reply::Expired => {}
            }
            change.commit()?;
            Ok(Polled::Known(reply))
        })
        .await
    }
}

fn waiting(db: &Connection, hash: Digest) -> rusqlite::Result<Option<(Request, Asked)>> {
    let sql = "SELECT expires, gap, polled, answer, account, name, node FROM device WHERE hash = ?1";
    db.query_row(sql, [hash], |row| {
        let request =
            Request { expires: row.get(0)?, interval: row.get(1)?, polled: row.get(2)?, answer: answer(row)? };
        Ok((request, Asked { name: row.get(5)?, node: row.get(6)? }))
    })
    .optional()
}

fn answer(row: &Row<'_>) -> rusqlite::Result<Answer> {
    let said: Option<String> = row.get(3)?;
    match said.as_deref() {
        None => Ok(Answer::None),
        Some("connect") => Ok(Answer::Connect(row.get(4)?)),
        Some("refuse") => Ok(Answer::Refuse),
        // The table's CHECK lets nothing else in.
        Some(_) => Err(FromSqlError::InvalidType.into()),
    }
}
