//! What agent and Hub say to each other in text frames: the control half of `porten.v1` (docs/protocol.md).
//!
//! Each message is one JSON object with a `type`. Unknown types and unknown fields are ignored, so that either side
//! may be newer; a message of a known type that does not read is a protocol violation.

mod from_hub;

pub use from_hub::{LeftOut, take_from_hub};
use serde::{Deserialize, Serialize};

use crate::route::Route;

/// The WebSocket subprotocol; a breaking change gets a new one.
pub const SUBPROTOCOL: &str = "porten.v1";
/// Where a node opens its tunnel on a Hub.
pub const TUNNEL_PATH: &str = "/v1/node/tunnel";
/// A peer never sends a binary WebSocket message larger than this, so that no prompt sits in front of a token (bytes).
pub const MAX_MESSAGE_SENT: usize = 64 * 1024;
/// A peer refuses WebSocket messages larger than this, and sends no control message that is (bytes).
pub const MAX_MESSAGE_TAKEN: usize = 1024 * 1024;
/// The largest request body that is relayed (bytes).
pub const MAX_BODY: usize = 32 * 1024 * 1024;
/// The most streams one tunnel carries at a time: 512 whose readers may all stall, and a few beside them. The
/// flow-control arithmetic in `porten-link` stands on it.
pub const MAX_STREAMS: u32 = 520;

/// The most models in a Hub's catalog: what one agent can hold against its own list in a moment. `porten-hub` takes no
/// longer catalog; an agent keeps the first so many of another Hub's.
pub const MAX_CATALOG_MODELS: usize = 200;
/// The most models in an advert, those at rest included; a Hub ends a link that sends more with [`close::POLICY`].
pub const MAX_ADVERT_MODELS: usize = 256;
/// The longest id of a model (characters).
pub const MAX_MODEL_ID: usize = 200;
/// The longest sentence for a person, and the longest name of an account or a machine as it is sent (characters). What
/// is longer is cut where it is shown.
pub const MAX_TEXT: usize = 300;

/// Header that carries one request's id from the client's answer to the engine's log.
pub const REQUEST_ID: &str = "x-request-id";
/// Trailer by which the agent says how an answer ended: [`END_COMPLETE`] or [`END_ERROR`]. An answer without it was cut.
pub const END_TRAILER: &str = "porten-end";
/// The answer is whole.
pub const END_COMPLETE: &str = "complete";
/// The answer ended in an error event that stands in the body.
pub const END_ERROR: &str = "error";
/// Header on an agent's own refusal: the engine produced nothing, so the Hub may ask another node. Its value is the
/// error's code.
pub const REFUSAL: &str = "porten-refusal";

/// WebSocket close codes of `porten.v1` besides the standard ones.
pub mod close {
    /// Done, nothing wrong.
    pub const NORMAL: u16 = 1000;
    /// The peer broke the protocol (binary before the welcome, a message that does not read).
    pub const PROTOCOL: u16 = 1002;
    /// The peer sent more control messages than anyone could want.
    pub const POLICY: u16 = 1008;
    /// A message over [`super::MAX_MESSAGE_TAKEN`].
    pub const TOO_BIG: u16 = 1009;
    /// The Hub restarts; come back.
    pub const RESTART: u16 = 1012;
    /// The grant was revoked: the agent signs out.
    pub const REVOKED: u16 = 4401;
    /// No hello in time.
    pub const HELLO_TIMEOUT: u16 = 4408;
    /// The same node connected again from elsewhere; the newest wins and the old one stays away.
    pub const REPLACED: u16 = 4409;
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// First, once.
    Hello(Hello),
    /// Whenever what can be served changes; each replaces the last whole.
    Advert(Advert),
    /// No new requests please; the ones running are finished.
    Draining(Draining),
    /// How the link feels from here.
    PongStats(PongStats),
}

/// What a Hub says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromHub {
    /// The answer to hello; after it both sides start HTTP/2.
    Welcome(Welcome),
    /// The catalog changed.
    Catalog(Catalog),
    /// Why this node gets requests for a model, or gets none.
    Traffic(Traffic),
    /// The answer to draining: no more is placed here.
    Drained(Drained),
    /// Somebody asked for a model that is cold here.
    Wake(Wake),
    /// The Hub wants the node to drain (it will restart, or was asked to).
    Drain(Drain),
    /// The Hub is about to close, and why.
    Goodbye(Goodbye),
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The node's stable id, made once per machine.
    pub node: String,
    /// What its owner calls this machine.
    pub name: String,
    /// The agent's version.
    pub agent: String,
    /// Operating system and architecture, for the Hub's list of nodes.
    pub platform: String,
}

/// What this node can serve now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advert {
    /// Grows by one with each advert of a connection.
    pub seq: u64,
    /// The pooled budget (MiB).
    pub memory_mib: u64,
    /// The models that were proven to answer; empty while the engine is down.
    pub models: Vec<AdvertModel>,
    /// The most requests this node takes at a time.
    pub max_streams: u32,
    /// Whether the engine answers at all.
    pub engine_up: bool,
    /// The ids of models that gave their memory back for want of requests: not broken, loaded again by [`Wake`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cold: Vec<String>,
}

/// Somebody asked for a cold model: load it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// Its id.
    pub model: String,
}

/// One model in an [`Advert`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertModel {
    /// The Hub's id of the model.
    pub id: String,
    /// Routes that its engine answers; paths that this version does not know are left out.
    #[serde(deserialize_with = "known_routes")]
    pub routes: Vec<Route>,
    /// How long ago it last generated (seconds); left out by agents that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_s: Option<u64>,
}

/// The node finishes what it has and takes nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// Requests still running.
    pub in_flight: u32,
}

/// Measured round trip of the last answered ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PongStats {
    /// Round-trip time (milliseconds).
    pub rtt_ms: u32,
}

/// The Hub's answer to [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The node id as the Hub knows it.
    pub node: String,
    /// The account's name, shown to the person.
    pub account: String,
    /// What the Hub will not exceed.
    pub limits: Limits,
    /// The models this Hub offers.
    pub catalog: Vec<Offer>,
}

/// What a Hub promises not to exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Streams at a time.
    pub max_streams: u32,
    /// Bytes of one request body.
    pub max_body_bytes: u64,
}

/// The Hub's list of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// The models this Hub offers.
    pub models: Vec<Offer>,
}

/// One model that a Hub offers to its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The Hub's id of it.
    pub id: String,
    /// What a node must have at least (MiB).
    pub memory_mib: u64,
    /// The routes clients may use with it; paths that this version does not know are left out.
    #[serde(deserialize_with = "known_routes")]
    pub routes: Vec<Route>,
}

/// Why requests come, or do not, for each advertised model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// One entry per model of the last advert.
    pub models: Vec<ModelTraffic>,
}

/// The Hub's view of one advertised model. All but the first two may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelTraffic {
    /// The advertised id.
    pub id: String,
    /// Whether the Hub places requests here.
    pub standing: Standing,
    /// How long ago a client of the account last asked for it, of any node (seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_s: Option<u64>,
    /// For how long the Hub has counted that (seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_s: Option<u64>,
    /// How many nodes of the account could answer for it now, this one among them if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Whether the node has as many requests as it takes at a time.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_cap: bool,
    /// Not read any more: an agent looks for the nearest id in its own catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// With `needs_memory`: what the catalog asks for (MiB).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_mib: Option<u64>,
    /// With `resting`: how many requests in a row failed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// With `resting`: when one request is tried here again (seconds from now).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u64>,
}

impl ModelTraffic {
    /// A standing without a word more.
    #[must_use]
    pub fn new(id: impl Into<String>, standing: Standing) -> Self {
        Self {
            id: id.into(),
            standing,
            asked_s: None,
            counted_s: None,
            nodes: None,
            at_cap: false,
            nearest: None,
            needs_mib: None,
            failures: None,
            retry_s: None,
        }
    }
}

/// Whether a Hub places requests for a model on this node, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Requests for it may come here.
    Eligible,
    /// The Hub does not have this id in its catalog.
    NotOffered,
    /// The catalog asks for more memory than this node advertises.
    NeedsMemory,
    /// The node advertises no route on which the Hub offers the model.
    NoRoute,
    /// The node said that it drains.
    Draining,
    /// The Hub drains: itself, or this node.
    HubDrains,
    /// The node has not said for too long that the model generates.
    StaleProof,
    /// Requests failed here one after the other: other nodes are asked first for a while.
    Resting,
    /// A word from a newer Hub.
    #[serde(other)]
    Unknown,
}

/// The Hub places nothing more on a node that drains. What it had placed before is ahead of its answer to HTTP/2's PING.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Requests that it has placed here and that have not ended.
    pub in_flight: u32,
}

/// The Hub asks the node to drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// For the person, in one sentence.
    pub reason: String,
    /// Whether the node stays connected: the Hub places nothing and says itself when that is over. Left out, the node ends
    /// the connection once nothing runs, and dials again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub stay: bool,
}

/// The last word before a close.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goodbye {
    /// What it means for the agent.
    pub reason: GoodbyeReason,
    /// For the person, in one sentence.
    pub text: String,
    /// With `restart`: over how many seconds the Hub wants its nodes to come back. A Hub of a thousand names a time in
    /// which it can take them; left out, they come at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub within_s: u32,
}

impl Goodbye {
    /// A goodbye to a node that may come back when it likes.
    #[must_use]
    pub fn new(reason: GoodbyeReason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), within_s: 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
const fn is_false(it: &bool) -> bool {
    !*it
}

/// Why a Hub ends a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The Hub restarts.
    Restart,
    /// The grant was revoked.
    Revoked,
    /// The same node connected from elsewhere.
    Replaced,
    /// The agent broke the protocol.
    Protocol,
    /// A word from a newer Hub.
    #[serde(other)]
    Unknown,
}

/// A control message that does not read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not a JSON object with a `type`.
    #[error("not a control message")]
    NotAMessage(#[source] serde_json::Error),
    /// A known type whose fields do not read.
    #[error("a {kind:?} message with wrong fields")]
    Malformed {
        /// The message's `type`.
        kind: String,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads what a Hub sent, bounded and plain as [`take_from_hub`] has it. `Ok(None)` is a type this version does not know, to be ignored.
///
/// # Errors
/// The peer broke the protocol: close with [`close::PROTOCOL`].
pub fn read_from_hub(text: &str) -> Result<Option<FromHub>, WireError> {
    Ok(take_from_hub(text, |_| false)?.map(|(said, _)| said))
}

/// Reads what an agent sent. `Ok(None)` is a type this version does not know, to be ignored.
///
/// # Errors
/// The peer broke the protocol: close with [`close::PROTOCOL`].
pub fn read_from_agent(text: &str) -> Result<Option<FromAgent>, WireError> {
    read(text, &["hello", "advert", "draining", "pong_stats"])
}

/// Writes one control message.
#[must_use]
pub fn write(message: &impl Serialize) -> String {
    // Our own messages are structs of strings and numbers: serialising them cannot fail.
    serde_json::to_string(message).unwrap_or_default()
}

fn known_routes<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Route>, D::Error> {
    let paths = Vec::<String>::deserialize(from)?;
    let mut routes = Vec::new();
    for route in paths.iter().filter_map(|path| Route::read(path)) {
        if !routes.contains(&route) {
            routes.push(route);
        }
    }
    Ok(routes)
}

fn read<T: serde::de::DeserializeOwned>(text: &str, known: &[&str]) -> Result<Option<T>, WireError> {
    #[derive(Deserialize)]
    struct Kind {
        r#type: String,
    }
    let Kind { r#type: kind } = serde_json::from_str(text).map_err(WireError::NotAMessage)?;
    if !known.contains(&kind.as_str()) {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|source| WireError::Malformed { kind, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault B1: an unknown type is ignored; what is no message, is broken or nests too deep is an error, and no stack overflows.
    #[test]
    fn an_unknown_type_is_ignored_and_a_broken_known_one_is_an_error() {
        assert!(matches!(read_from_hub(r#"{"type":"confetti","n":1}"#), Ok(None)));
        assert!(matches!(read_from_hub(r#"{"type":"welcome"}"#), Err(WireError::Malformed { .. })));
        for broken in ["", "[]", "{}", "\"welcome\"", r#"{"type":3}"#, "\u{0}", r#"{"type":"drain","reason":"\ud800"}"#]
        {
            assert!(read_from_hub(broken).is_err(), "{broken:?}");
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(read_from_agent(&deep).is_err(), "nesting is bounded, not a stack overflow");
    }

    #[test]
    fn a_message_reads_back_as_it_was_written_and_unknown_fields_are_ignored() {
        let advert = FromAgent::Advert(Advert {
            seq: 3,
            memory_mib: 262_144,
            models: vec![AdvertModel {
                id: "deepseek-v4-flash".into(),
                routes: vec![Route::ChatCompletions],
                proven_s: None,
            }],
            max_streams: 8,
            engine_up: true,
            cold: vec![],
        });
        let text = write(&advert);
        assert_eq!(
            text,
            r#"{"type":"advert","seq":3,"memory_mib":262144,"models":[{"id":"deepseek-v4-flash","routes":["/v1/chat/completions"]}],"max_streams":8,"engine_up":true}"#
        );
        assert_eq!(read_from_agent(&text).ok().flatten(), Some(advert.clone()));
        let newer = text.replace("[\"/v1/chat/completions\"]", "[\"/v1/telepathy\",\"/v1/chat/completions\"]");
        assert_eq!(read_from_agent(&newer).ok().flatten(), Some(advert), "a route of a newer agent is left out");
        let newer = r#"{"type":"draining","in_flight":2,"mood":"calm"}"#;
        assert_eq!(read_from_agent(newer).ok().flatten(), Some(FromAgent::Draining(Draining { in_flight: 2 })));
    }

    /// A type that is written and not read would be ignored in silence.
    #[test]
    fn every_type_that_one_end_writes_the_other_knows() {
        let limits = Limits { max_streams: 1, max_body_bytes: 1 };
        let welcome = Welcome { node: "n".into(), account: "a".into(), limits, catalog: vec![] };
        let from_hub = [
            FromHub::Welcome(welcome),
            FromHub::Catalog(Catalog { models: vec![] }),
            FromHub::Traffic(Traffic { models: vec![] }),
            FromHub::Wake(Wake { model: "m".into() }),
            FromHub::Traffic(Traffic {
                models: vec![
                    ModelTraffic::new("a", Standing::HubDrains),
                    ModelTraffic { failures: Some(3), retry_s: Some(9), ..ModelTraffic::new("b", Standing::Resting) },
                    ModelTraffic { needs_mib: Some(7), ..ModelTraffic::new("c", Standing::NeedsMemory) },
                ],
            }),
            FromHub::Drained(Drained { in_flight: 2 }),
            FromHub::Drain(Drain { reason: "r".into(), stay: false }),
            FromHub::Drain(Drain { reason: "r".into(), stay: true }),
            FromHub::Goodbye(Goodbye::new(GoodbyeReason::Restart, "t")),
            FromHub::Goodbye(Goodbye { within_s: 40, ..Goodbye::new(GoodbyeReason::Restart, "t") }),
        ];
        for said in from_hub {
            assert_eq!(read_from_hub(&write(&said)).unwrap(), Some(said));
        }
        let advert =
            Advert { seq: 1, memory_mib: 1, models: vec![], max_streams: 1, engine_up: true, cold: vec!["m".into()] };
        for said in [FromAgent::Advert(advert), FromAgent::PongStats(PongStats { rtt_ms: 1 })] {
            assert_eq!(read_from_agent(&write(&said)).unwrap(), Some(said));
        }
    }

    #[test]
    fn what_is_not_said_is_not_written_and_a_newer_hubs_standing_is_kept_as_unknown() {
        let traffic = FromHub::Traffic(Traffic { models: vec![ModelTraffic::new("m", Standing::Eligible)] });
        assert_eq!(write(&traffic), r#"{"type":"traffic","models":[{"id":"m","standing":"eligible"}]}"#);
        let newer = r#"{"type":"traffic","models":[{"id":"m","standing":"on_the_moon","mood":"calm"}]}"#;
        let unknown = FromHub::Traffic(Traffic { models: vec![ModelTraffic::new("m", Standing::Unknown)] });
        assert_eq!(read_from_hub(newer).unwrap(), Some(unknown));
    }

    #[test]
    fn a_newer_hubs_reason_is_kept_as_unknown() {
        let text = r#"{"type":"goodbye","reason":"moved","text":"We moved."}"#;
        let read = read_from_hub(text).ok().flatten();
        assert!(matches!(read, Some(FromHub::Goodbye(Goodbye { reason: GoodbyeReason::Unknown, .. }))));
    }
}
