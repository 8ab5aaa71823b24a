//! How long things take, at speed 1: from nothing to ready in about five seconds. What goes wrong takes as long as was
//! measured of a real exo 0.3.70 on 22 November 2026.

use std::time::Duration;

/// From the command to the instance in `/state`.
pub(super) const ACCEPT: Duration = Duration::from_millis(150);
/// Until a runner's process is there.
pub(super) const SPAWN: Duration = Duration::from_millis(450);
/// A model's files, however many bytes they are.
pub(super) const DOWNLOAD: Duration = Duration::from_millis(1800);
/// How long a download is only announced.
pub(super) const PENDING: Duration = Duration::from_millis(100);
/// A runner that waits for the others: once idle, and in a group of several twice more.
pub(super) const JOIN: Duration = Duration::from_millis(100);
/// All layers.
pub(super) const LOAD: Duration = Duration::from_millis(2000);
/// Between the last layer and the warm-up.
pub(super) const LOADED: Duration = Duration::from_millis(100);
pub(super) const WARM_UP: Duration = Duration::from_millis(400);
/// Prefill of any prompt.
pub(super) const PREFILL_BASE: Duration = Duration::from_millis(80);
/// Prefill of each token more.
pub(super) const PREFILL_TOKEN: Duration = Duration::from_micros(400);
/// One token of an answer: 30 a second.
pub(super) const TOKEN: Duration = Duration::from_micros(33_333);
/// How often each node tells of its memory, and as often of its load.
pub(super) const TELEMETRY: Duration = Duration::from_secs(1);
/// What an instance works on at a time (`EXO_MAX_CONCURRENT_REQUESTS`).
pub(super) const CONCURRENT: usize = 8;

/// A node that was killed: until the others' ways to it are gone. Measured: 6 s.
pub(super) const LINKS_LOST: Duration = Duration::from_secs(6);
/// Until it is no longer a node. Measured: 36 s (exo waits 30 s, and looks every 10 s).
pub(super) const MEMBER_LOST: Duration = Duration::from_secs(36);
/// Until the instances on it are deleted. Measured: 46 s.
pub(super) const INSTANCES_LOST: Duration = Duration::from_secs(46);
/// From exo's start to its first answer. Measured: 4.5 to 9.7 s.
pub(super) const START: Duration = Duration::from_secs(6);
/// From a node's joining to its links. Measured: 7 to 10 s (exo probes every 10 s).
pub(super) const LINKS_FOUND: Duration = Duration::from_secs(7);
/// A lost master: until `/state` is emptied. Not measured closer than "a moment".
pub(super) const MASTER_MISSED: Duration = Duration::from_secs(1);
/// Until the next one is elected. Measured: about 6 s.
pub(super) const ELECTION: Duration = Duration::from_secs(6);
/// Between two nodes that tell a new master of themselves. Measured: 0.3 s.
pub(super) const REGISTER: Duration = Duration::from_millis(300);
/// A node that joins: how long it sees only itself. Measured: 3.3 s and 3.5 s.
pub(super) const ALONE: Duration = Duration::from_millis(3_400);
/// How long its state is then empty. Measured: 0.9 s.
pub(super) const EMPTY: Duration = Duration::from_millis(900);
/// How often history jumps on. Measured: 0.5 to 10 s between two fetches.
pub(super) const REPLAY_STEP: Duration = Duration::from_secs(2);
/// How long ago the replayed history began. Measured: a cluster of 18 minutes.
pub(super) const REPLAY_AGE: Duration = Duration::from_secs(18 * 60);
/// Until a node looks again at the files it has, and tries a failed download anew. From exo's source.
pub(super) const RESCAN: Duration = Duration::from_secs(60);
/// The first wait after a load that failed; each next is twice as long. From exo's source.
pub(super) const RETRY: Duration = Duration::from_millis(500);
/// The longest such wait. From exo's source.
pub(super) const RETRY_MOST: Duration = Duration::from_secs(10);
/// Loads after which exo deletes the instance. Measured: 5, in 40 to 82 s.
pub(super) const LOAD_ATTEMPTS: u32 = 5;
