//! The attacks on a Hub, each bounded in time and number.

use futures_util::future::BoxFuture;

use super::attacker::{Report, Stage};

mod accounts;
mod adverts;
mod answers;
mod bodies;
mod connections;
mod strangers;

const MIB: u64 = 1 << 20;

/// An attack on a Hub.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What is done, for people.
    pub(crate) what: &'static str,
    /// What the Hub's memory may grow by (bytes).
    pub(crate) bound: u64,
    /// The open files that the Hub is started with, if not the runner's.
    pub(crate) files: Option<u64>,
    pub(crate) run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Result<Report, String>>,
}

macro_rules! attack {
    ($name:literal, $bound:expr, $run:path, $what:literal) => {
        attack!($name, $bound, $run, $what, None)
    };
    ($name:literal, $bound:expr, $run:path, $what:literal, $files:expr) => {
        Attack { name: $name, what: $what, bound: $bound, files: $files, run: |stage| Box::pin($run(stage)) }
    };
}

/// All of them: those that were met, then our own.
pub(crate) const ALL: &[Attack] = &[
    attack!("sign-in-flood", 16 * MIB, strangers::sign_ins, "a stranger asks for device codes without end"),
    attack!("hash-flood", 64 * MIB, strangers::hashes, "a stranger sends wrong passphrases, 64 at a time"),
    attack!("hash-flood-leaving", 64 * MIB, strangers::hashes_left, "the same, each leaving before its answer"),
    attack!(
        "held-bodies",
        320 * MIB,
        bodies::held,
        "an account's 31 bodies of 32 MiB that its node holds, and 540 that trickle"
    ),
    attack!("big-advert", 16 * MIB, adverts::big, "an advert of 4,500 ids of 200 characters, again and again"),
    attack!("many-ids", 16 * MIB, adverts::many, "an advert of 22,000 short ids, again and again"),
    attack!(
        "tiny-frames",
        96 * MIB,
        answers::tiny_frames,
        "a node's answers in DATA frames of one byte, to 32 clients that do not read"
    ),
    attack!("many-nodes", 96 * MIB, accounts::nodes, "1,024 nodes of one account"),
    attack!(
        "silent-connections",
        48 * MIB,
        connections::silent,
        "1,100 connections that say nothing, at a Hub with 1,024 open files",
        Some(1024)
    ),
    attack!(
        "half-heads",
        96 * MIB,
        connections::half_heads,
        "9,217 heads of requests, each 60 KiB long and without its end"
    ),
    attack!("revoked-key", 16 * MIB, accounts::revoked, "a key is revoked while a stream runs on it"),
    attack!("long-hello", 16 * MIB, accounts::hellos, "30 hellos of three names of 300 KiB each"),
    attack!("odd-statuses", 16 * MIB, answers::statuses, "a node answers with statuses that nobody documents"),
    attack!(
        "rapid-reset",
        32 * MIB,
        answers::resets,
        "our own: a node resets each stream as it comes, under 32 clients"
    ),
    attack!("frame-flood", 16 * MIB, answers::frame_flood, "our own: a node's pings and settings as fast as they go"),
    attack!(
        "slow-readers",
        128 * MIB,
        answers::slow_readers,
        "our own: 512 clients of one account that do not read endless answers"
    ),
    attack!(
        "key-guessing",
        16 * MIB,
        strangers::keys,
        "our own: wrong keys as fast as they go, each a look into the database"
    ),
    attack!(
        "connection-churn",
        16 * MIB,
        connections::churn,
        "our own: connections that are opened and dropped, 2,000 a second at most"
    ),
    attack!(
        "control-flood",
        16 * MIB,
        adverts::flood,
        "our own: small control messages as fast as they go, from a node that comes back"
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attack_has_a_name_of_its_own() {
        for (number, attack) in ALL.iter().enumerate() {
            assert!(ALL[..number].iter().all(|other| other.name != attack.name), "{}", attack.name);
            assert!(!attack.what.is_empty() && attack.bound > 0);
        }
    }
}
