//! The same question straight to the engine and through Hub, tunnel and agent: both answers say the same.
//!
//! What "the same" means is read here by a reader of its own, which shares no line with the product's: what each choice says,
//! byte for byte, how it finished, what was counted if that was asked for, and whether it is an error.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use porten_tests::House;
use porten_tests::client::Client;
use porten_tests::engine::{Dialect, ErrorShape, Framing, Manner, Reply};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

/// Ways in which an engine behaves, one after the other.
const MANNERS: usize = 250;
/// Questions to each.
const QUESTIONS: usize = 20;
/// Of them at a time.
const AT_ONCE: usize = 8;
/// Another seed is another run: `PORTEN_SEED=7`.
const SEED: u64 = 20_261_125;
/// As the engine has it; the Hub's name is `tiny`.
const ENGINE_ID: &str = "mlx-community/Tiny-4bit";

/// An answer as far as a client can tell it from another.
#[derive(Debug, Clone, PartialEq, Default)]
struct Said {
    is_error: bool,
    text: BTreeMap<u64, String>,
    /// Each choice of each event as it stood there, where the answer was streamed.
    choices: Vec<String>,
    finish: BTreeMap<u64, String>,
    usage: Option<Value>,
    done: bool,
}

/// Reads a stream's events, or a document.
fn read(status: u16, body: &str, streamed: bool) -> Said {
    let mut said = Said { is_error: status != 200, ..Said::default() };
    if said.is_error {
        return said;
    }
    let events: Vec<&str> = match streamed {
        true => body.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect(),
        false => vec![body],
    };
    for event in events {
        if event == "[DONE]" {
            said.done = true;
            continue;
        }
        let value: Value = serde_json::from_str(event).unwrap_or_else(|_| panic!("no JSON: {event}"));
        said.is_error |= value.get("error").is_some_and(|error| !error.is_null());
        if value["usage"].is_object() {
            said.usage = Some(value["usage"].clone());
        }
        let choices = value["choices"].as_array().cloned().unwrap_or_default();
        if streamed && !choices.is_empty() {
            // From its bracket to its own end: the fixture's choices are the last field but usage and timings.
            let from = event.find("\"choices\":").expect("choices") + "\"choices\":".len();
            let mut items = serde_json::Deserializer::from_str(&event[from..]).into_iter::<Value>();
            assert!(items.next().is_some_and(|item| item.is_ok()), "{event}");
            said.choices.push(event[from..from + items.byte_offset()].to_owned());
        }
        for choice in choices {
            let index = choice["index"].as_u64().unwrap_or_default();
            let parts = [&choice["delta"]["content"], &choice["message"]["content"], &choice["text"]];
            let text: String = parts.iter().filter_map(|part| part.as_str()).collect();
            said.text.entry(index).or_default().push_str(&text);
            if let Some(finish) = choice["finish_reason"].as_str() {
                said.finish.insert(index, finish.to_owned());
            }
        }
    }
    said
}

async fn ask(client: &Client, path: &str, body: &Value) -> Said {
    let response = client.send(path, body).await.expect("an answer");
    let status = response.status().as_u16();
    let streamed = status == 200 && body["stream"] == true;
    read(status, &response.text().await.expect("a whole body"), streamed)
}

fn manner(luck: &mut StdRng) -> Manner {
    let dialect = *[Dialect::Mlx, Dialect::Llama, Dialect::Exo].choose(luck).expect("one of three");
    let least = luck.random_range(1..40);
    let refusals = [ErrorShape::MlxBadJson, ErrorShape::LlamaTooLong, ErrorShape::ExoInvalid];
    let reply = match luck.random_range(0..12) {
        0 => Reply::Error(*refusals.choose(luck).expect("one of three")),
        _ => Reply::Generate,
    };
    Manner {
        dialect,
        reply,
        framing: if luck.random_bool(0.5) { Framing::Chunked } else { Framing::Closing },
        comments: luck.random_range(0..3),
        chunks: Some(luck.random_range(1..30)),
        chunk_size: least..=least + luck.random_range(0..300),
        delay: Duration::ZERO,
        ..Manner::llama(ENGINE_ID)
    }
}

/// A request, without the model.
fn question(luck: &mut StdRng) -> (&'static str, Value) {
    let words: String = (0..luck.random_range(1..60))
        .map(|_| *['a', 'ß', '→', '😀', '"', '\\', '\n', ' '].choose(luck).expect("a letter"))
        .collect();
    let is_chat = luck.random_bool(0.7);
    let mut body = match is_chat {
        true => json!({"messages": [{"role": "user", "content": words}]}),
        false => json!({ "prompt": words }),
    };
    body["stream"] = luck.random_bool(0.6).into();
    if body["stream"] == true && luck.random_bool(0.5) {
        body["stream_options"] = json!({"include_usage": luck.random_bool(0.7)});
    }
    if luck.random_bool(0.4) {
        body["max_tokens"] = luck.random_range(1..40).into();
    }
    if luck.random_bool(0.3) {
        body["temperature"] = json!(0.5);
    }
    (if is_chat { "/v1/chat/completions" } else { "/v1/completions" }, body)
}

/// What a client of the canonical form gets for what an engine said on its own.
fn expected(direct: Said, body: &Value) -> Said {
    let streams = body["stream"] == true;
    let wants_usage = !streams || body["stream_options"]["include_usage"] == true;
    Said { usage: direct.usage.filter(|_| wants_usage), done: streams && direct.done, ..direct }
}

async fn compare(house: &House, engine: &Client, path: &str, body: &Value) -> Result<(), String> {
    let with = |model: &str| {
        let mut body = body.clone();
        body["model"] = model.into();
        body
    };
    // The agent always asks for the count, so that what it has to leave out is there.
    let mut straight = with(ENGINE_ID);
    if straight["stream"] == true {
        straight["stream_options"] = json!({"include_usage": true});
    }
    let expected = expected(ask(engine, path, &straight).await, body);
    let through = ask(&house.client(), path, &with("tiny")).await;
    if expected == through {
        return Ok(());
    }
    Err(format!("{path} {body}\nstraight {expected:#?}\nthrough {through:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_random_questions_are_answered_the_same_straight_and_through_the_tunnel() {
    let seed = std::env::var("PORTEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let mut luck = StdRng::seed_from_u64(seed);
    let house = House::signed_in(Manner::llama(ENGINE_ID), |agent| {
        agent.set("PORTEN_ENGINE_MODELS", &format!("tiny={ENGINE_ID}")).set("PORTEN_LOG", "info");
    })
    .await;
    house.wait_ready(Duration::from_secs(20)).await;
    let engine = Client::new(&house.engine.url(), "");
    for turn in 0..MANNERS {
        let manner = manner(&mut luck);
        house.engine.change(|old| *old = manner.clone());
        house.engine.forget();
        let questions: Vec<_> = (0..QUESTIONS).map(|_| question(&mut luck)).collect();
        let asked = futures_util::stream::iter(&questions).map(|(path, body)| compare(&house, &engine, path, body));
        let compared: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        if let Some(Err(difference)) = compared.into_iter().find(Result::is_err) {
            panic!("PORTEN_SEED={seed}, manner {turn}, {manner:#?}\n{difference}");
        }
    }
    eprintln!("{} questions", MANNERS * QUESTIONS);
}
