//! What reads strangers' bytes, fed with bytes that nobody would send: one function a reader, and the laws it must keep.
//!
//! `cargo test` runs each for a moment with the same bytes each time; `make fuzz` runs them for minutes with new ones. A
//! target is a plain `fn(&[u8])` that panics where a law is broken, so that any engine can drive it.

mod laws;
mod link;
mod relay;

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The longest input (bytes): readers hold more, but what is special happens at the edges of small things.
const LONGEST: usize = 16 * 1024;
/// Pieces that readers stumble over.
const WORDS: [&[u8]; 36] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b" ",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"\\ud800",
    b"\\u0000",
    b"\xff",
    b"\xef\xbb\xbf",
    b"data:",
    b"data: [DONE]\n\n",
    b": keep-alive\n\n",
    b"\"finish_reason\":\"stop\"",
    b"\"error\":",
    b"/../",
    b"%2e%2e",
    b"content-length: 7\n",
    b"connection: x\n",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"type\":\"welcome\"",
    b"http://",
    b"https://porten.ai/",
    b"/Users/anna/models/tiny",
];

/// One reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Reads, and panics where a law is broken.
    pub run: fn(&[u8]),
    /// Inputs that are well-formed, to be spoilt: texts, and files below `tests/recorded`.
    seeds: &'static [Seed],
}

#[derive(Debug, Clone, Copy)]
enum Seed {
    Text(&'static str),
    File(&'static str),
}

use Seed::{File, Text};

/// All readers.
pub const TARGETS: [Target; 12] = [
    Target {
        name: "control",
        run: laws::control,
        seeds: &[
            Text(
                r#"{"type":"welcome","node":"n","account":"a","limits":{"max_streams":520,"max_body_bytes":9},"catalog":[{"id":"tiny","memory_mib":1,"routes":["/v1/completions"]}]}"#,
            ),
            Text(r#"{"type":"traffic","models":[{"id":"tiny","standing":"eligible"}]}"#),
            Text(r#"{"type":"goodbye","reason":"restart","text":"t","within_s":9}"#),
            Text(
                r#"{"type":"advert","seq":3,"memory_mib":262144,"models":[{"id":"m","routes":["/v1/chat/completions"]}],"max_streams":8,"engine_up":true,"cold":["x"]}"#,
            ),
        ],
    },
    Target { name: "websocket", run: link::websocket, seeds: &[Text("\u{1}a\u{3}binary\u{1}{\"type\":\"traffic\"}")] },
    Target {
        name: "events",
        run: relay::events,
        seeds: &[
            File("exo-0.3.70/chat_stream.sse"),
            File("exo-0.3.70/messages_stream.sse"),
            Text("data:a\r\ndata: b\r\n\r\n:c\n\n"),
        ],
    },
    Target {
        name: "http1",
        run: laws::http1,
        seeds: &[
            Text(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nt: u\r\n\r\n",
            ),
            Text("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413 No\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc"),
            Text("HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: a\n\n"),
        ],
    },
    Target {
        name: "answer",
        run: relay::answer,
        seeds: &[
            File("exo-0.3.70/chat_stream.sse"),
            File("exo-0.3.70/chat_cancelled_by_api.sse"),
            File("exo-0.3.70/chat_killed_by_instance_delete.sse"),
            File("exo-0.3.70/chat_nonstream.json"),
            Text(
                "data: {\"model\":\"/Users/anna/models/tiny\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ),
        ],
    },
    Target {
        name: "admission",
        run: relay::admission,
        seeds: &[
            Text(
                "POST /v1/chat/completions?x=1\ncontent-type: application/json\n\n{\"model\":\"tiny\",\"stream\":true,\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA\"}}]}],\"adapters\":\"/etc\",\"tools\":[]}",
            ),
            Text(
                "POST /v1/completions\ncontent-type: application/json\ncontent-length: 40\n\n{\"model\":\"tiny\",\"prompt\":[\"a\",\"b\"]}",
            ),
        ],
    },
    Target {
        name: "headers",
        run: laws::headers,
        seeds: &[Text(
            "connection: x-a\nx-a: b\nte: trailers\nx-request-id: req-1\nretry-after: 7\ncontent-type: text/event-stream; charset=utf-8\n",
        )],
    },
    Target {
        name: "config",
        run: laws::config,
        seeds: &[Text(
            "[hub]\nurl = \"wss://porten.ai\"\n[engine]\nurl = \"http://localhost:8000/v1\"\nmodels = [\"tiny=/a/b\"]\n[wired_limits_mib]\nstudio = 9\n",
        )],
    },
    Target {
        name: "exo",
        run: laws::exo,
        seeds: &[
            File("exo-0.3.70/state_idle.json"),
            File("exo-0.3.70/state_ready.json"),
            File("exo-0.3.70/instance_previews.json"),
            File("exo-0.3.70/state_nodeMemory.json"),
        ],
    },
    Target {
        name: "sign-in",
        run: laws::sign_in,
        seeds: &[
            Text(
                r#"{"device_code":"dev","user_code":"BCDF-GHJK","verification_uri":"https://porten.ai/device","verification_uri_complete":"https://porten.ai/device?user_code=BCDF-GHJK","expires_in":600,"interval":5}"#,
            ),
            Text(r#"{"access_token":"acc","token_type":"Bearer","expires_in":900,"refresh_token":"ref"}"#),
            Text(
                r#"{"issuer":"https://porten.ai","token_endpoint":"https://porten.ai/t","device_authorization_endpoint":"https://porten.ai/d","porten_protocols":["porten.v1"]}"#,
            ),
            Text(r#"{"error":"slow_down","error_description":"x"}"#),
        ],
    },
    Target {
        name: "display-text",
        run: laws::display_text,
        seeds: &[
            Text("Anna’s Mac\u{1b}[2J\u{1b}]0;x\u{7}\r\n2026-11-30T00:00:00Z  INFO x\u{202e}abc\u{9b}31m"),
            Text("e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}x\u{e0041}\u{3164}\u{2800}\u{fe0f}  \t\u{a0}y"),
        ],
    },
    Target {
        name: "models",
        run: laws::models,
        seeds: &[
            File("exo-0.3.70/v1_models_downloaded.json"),
            Text(r#"{"object":"list","data":[{"id":"a/b","object":"model"}]}"#),
        ],
    },
];

/// An input, shown as it would be written in a test.
#[derive(Clone)]
struct Octets(Vec<u8>);

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// What is done to a seed.
#[derive(Debug, Clone)]
enum Edit {
    Set(Index, u8),
    Insert(Index, usize),
    Remove(Index, usize),
    Double(Index, usize),
    Cut(Index),
}

impl Target {
    /// Runs so many inputs, the same each time.
    ///
    /// # Errors
    /// A law was broken: the least input that breaks it.
    pub fn briefly(&self, cases: u32) -> Result<(), String> {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        self.drive(&mut TestRunner::new_with_rng(config, rng))
    }

    /// Runs new inputs for so long; how many that were.
    ///
    /// # Errors
    /// A law was broken: the least input that breaks it.
    pub fn for_long(&self, time: Duration) -> Result<u64, String> {
        const ROUND: u32 = 1000;
        let until = Instant::now() + time;
        let mut done = 0;
        while Instant::now() < until {
            let config = Config { cases: ROUND, failure_persistence: None, ..Config::default() };
            self.drive(&mut TestRunner::new(config))?;
            done += u64::from(ROUND);
        }
        Ok(done)
    }

    fn drive(&self, runner: &mut TestRunner) -> Result<(), String> {
        let seeds: Vec<Vec<u8>> = self.seeds.iter().map(Seed::bytes).collect();
        for seed in &seeds {
            (self.run)(seed);
        }
        let edits = prop::collection::vec(edit(), 0..12);
        let spoilt = (0..seeds.len(), edits).prop_map(move |(seed, edits)| spoil(seeds[seed].clone(), &edits));
        let raw = prop::collection::vec(any::<u8>(), 0..256);
        let inputs = prop_oneof![1 => raw, 5 => spoilt].prop_map(Octets);
        let outcome = runner.run(&inputs, |Octets(bytes)| {
            (self.run)(&bytes);
            Ok(())
        });
        outcome.map_err(|error| format!("{}: {error}", self.name))
    }
}

impl Seed {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            Text(text) => text.as_bytes().to_vec(),
            File(path) => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded").join(path);
                std::fs::read(path).expect("a recorded answer")
            }
        };
        bytes.truncate(LONGEST);
        bytes
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || any::<Index>();
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        3 => (at(), 0..WORDS.len()).prop_map(|(at, word)| Edit::Insert(at, word)),
        2 => (at(), 1_usize..40).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (at(), 1_usize..200).prop_map(|(at, length)| Edit::Double(at, length)),
        1 => at().prop_map(Edit::Cut),
    ]
}

fn spoil(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        let at = |at: &Index| at.index(bytes.len() + 1);
        match edit {
            Edit::Set(index, byte) => {
                let at = at(index);
                if let Some(old) = bytes.get_mut(at) {
                    *old = *byte;
                }
            }
            Edit::Insert(index, word) => {
                let at = at(index);
                bytes.splice(at..at, WORDS[*word].iter().copied());
            }
            Edit::Remove(index, length) => {
                let at = at(index);
                bytes.drain(at..(at + length).min(bytes.len()));
            }
            Edit::Double(index, length) => {
                let at = at(index);
                let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Edit::Cut(index) => bytes.truncate(at(index)),
        }
    }
    bytes
}

/// The places where an input says that it is to be cut, and what is cut there: a reader must not care.
pub(crate) fn cuts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    let mut step = bytes.len() % 7 + 1;
    std::iter::from_fn(move || {
        let (piece, more) = rest.split_at(step.min(rest.len()));
        // Of all sizes, often of one byte.
        step = (step * 5 + piece.first().map_or(0, |byte| usize::from(*byte))) % 11 + 1;
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}
