//! Whatever an engine leaves out, doubles or misspells: the client gets the one form. What that is stands here once more,
//! apart from the code that writes it.

use serde_json::{Value, json};

use super::super::body::Wants;
use super::super::headers::RequestId;
use super::super::names::Names;
use super::*;
use crate::route::Dialect;

const ENGINE_ID: &str = "/Users/ada/models/tiny";

/// The same answer in one engine's habit.
struct Habit {
    name: &'static str,
    events: Vec<Value>,
    /// What the engine counted.
    usage: Option<Value>,
}

fn choice(delta: &Value, finish: &Value) -> Value {
    json!({ "index": 0, "delta": delta, "finish_reason": finish })
}

fn habits() -> Vec<Habit> {
    let usage = json!({ "prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9 });
    let counted = Some(usage.clone());
    let whole = |choices: Value| json!({ "id": "x", "object": "chat.completion.chunk", "created": 5, "model": ENGINE_ID, "choices": choices });
    let with = |mut event: Value, key: &str, value: Value| {
        event[key] = value;
        event
    };
    let last = || whole(json!([choice(&json!({ "content": "lo" }), &json!("stop"))]));
    let first = || whole(json!([choice(&json!({ "role": "assistant", "content": "Hel" }), &Value::Null)]));
    vec![
        Habit {
            name: "nothing of its own but choices",
            usage: None,
            events: vec![
                json!({ "choices": [{ "delta": { "content": "Hel" } }] }),
                json!({ "choices": [{ "delta": { "content": "lo" }, "finish_reason": "stop" }] }),
            ],
        },
        Habit {
            name: "object, id and created wrong or new in each chunk",
            usage: None,
            events: vec![
                with(with(first(), "id", json!("one")), "object", json!("chat.completion")),
                with(with(with(last(), "id", json!("two")), "created", json!(99)), "object", Value::Null),
            ],
        },
        Habit {
            name: "ids that are none",
            usage: None,
            events: vec![
                with(with(first(), "id", json!(7)), "created", json!("yesterday")),
                with(last(), "id", json!("")),
            ],
        },
        Habit {
            name: "usage in each chunk (vLLM's continuous_usage_stats)",
            usage: counted.clone(),
            events: vec![
                with(first(), "usage", json!({ "prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8 })),
                with(last(), "usage", usage.clone()),
            ],
        },
        Habit {
            name: "usage null in each chunk and then alone (OpenAI)",
            usage: counted.clone(),
            events: vec![
                with(first(), "usage", Value::Null),
                with(last(), "usage", Value::Null),
                with(whole(json!([])), "usage", usage.clone()),
            ],
        },
        Habit {
            name: "usage alone without choices",
            usage: counted,
            events: vec![first(), last(), json!({ "id": "x", "usage": usage })],
        },
        Habit {
            name: "a role alone, null and empty deltas, choices null",
            usage: None,
            events: vec![
                whole(json!([choice(&json!({ "role": "assistant", "content": null }), &Value::Null)])),
                whole(json!([choice(&Value::Null, &Value::Null)])),
                whole(Value::Null),
                whole(json!([choice(&json!({}), &Value::Null)])),
                first(),
                last(),
            ],
        },
        Habit {
            name: "the reason to finish in a chunk of its own, said twice",
            usage: None,
            events: vec![
                first(),
                whole(json!([choice(&json!({ "content": "lo" }), &Value::Null)])),
                whole(json!([choice(&json!({}), &json!("stop"))])),
                whole(json!([choice(&json!({}), &json!("stop"))])),
            ],
        },
    ]
}

fn run(events: &[Value], wants: Wants) -> (End, String) {
    let opening = Opening {
        dialect: Dialect::Chat,
        names: Names::new("tiny", ENGINE_ID),
        wants,
        request_id: RequestId::read("req-1").unwrap(),
        created: 1_795_000_000,
    };
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (mut answer, mut out) = (Answer::new(opening), Vec::new());
    let _ = answer.take((text + "data: [DONE]\n\n").as_bytes(), &mut out);
    let end = answer.finish(Ended::Eof, &mut out);
    (end, String::from_utf8(out).unwrap())
}

/// The chunks of a stream in the one form, or what is wrong with it.
fn canonical(stream: &str, usage: Option<&Value>) -> Result<Vec<Value>, String> {
    let rest = stream.strip_suffix("data: [DONE]\n\n").ok_or("no [DONE] at the end")?;
    let mut chunks = Vec::new();
    for event in rest.split_terminator("\n\n") {
        let data = event.strip_prefix("data: ").ok_or_else(|| format!("no event: {event}"))?;
        chunks.push(serde_json::from_str::<Value>(data).map_err(|error| error.to_string())?);
    }
    let first = chunks.first().ok_or("nothing")?.clone();
    for (at, chunk) in chunks.iter().enumerate() {
        let is_ours = chunk["object"] == "chat.completion.chunk"
            && chunk["model"] == "tiny"
            && chunk["id"].as_str().is_some_and(|id| !id.is_empty())
            && chunk["created"].is_i64()
            && (&chunk["id"], &chunk["created"]) == (&first["id"], &first["created"])
            && chunk["choices"].is_array();
        let is_usage = at + 1 == chunks.len() && usage.is_some();
        let told = chunk.get("usage");
        if !is_ours || told != usage.filter(|_| is_usage) || (is_usage && chunk["choices"] != json!([])) {
            return Err(format!("chunk {at}: {chunk}"));
        }
    }
    Ok(chunks)
}

#[test]
fn every_habit_of_an_engine_becomes_the_one_form_with_usage_only_where_it_was_asked_for() {
    for Habit { name, events, usage } in habits() {
        for include_usage in [true, false] {
            let (end, stream) = run(&events, Wants { stream: true, include_usage, choices: 1 });
            assert!(matches!(end, End::Complete(_)), "{name}: {end:?}");
            let chunks = canonical(&stream, usage.as_ref().filter(|_| include_usage)).expect(name);
            let choices = chunks.iter().flat_map(|chunk| chunk["choices"].as_array().unwrap());
            let said: String = choices.filter_map(|choice| choice["delta"]["content"].as_str()).collect();
            assert_eq!(said, "Hello", "{name}");
        }
    }
}

#[test]
fn a_document_is_the_same_whatever_the_habit() {
    for Habit { name, events, usage } in habits() {
        let (end, document) = run(&events, Wants { stream: false, include_usage: false, choices: 1 });
        assert!(matches!(end, End::Complete(_)), "{name}: {end:?}");
        let mut document: Value = serde_json::from_str(&document).unwrap();
        let id = document["id"].take();
        assert!(id.as_str().is_some_and(|id| !id.is_empty()) && document["created"].take().is_i64(), "{name}");
        let mut expected = json!({ "id": null, "object": "chat.completion", "created": null, "model": "tiny",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" }, "logprobs": null,
                "finish_reason": "stop" }] });
        if let Some(usage) = usage {
            expected["usage"] = usage;
        }
        assert_eq!(document, expected, "{name}");
    }
}

#[test]
fn an_answer_without_a_reason_to_finish_is_one_error_in_the_one_shape() {
    for Habit { name, mut events, .. } in habits() {
        for event in &mut events {
            for choice in event["choices"].as_array_mut().into_iter().flatten() {
                choice["finish_reason"] = Value::Null;
            }
        }
        let (end, stream) = run(&events, Wants { stream: true, include_usage: true, choices: 1 });
        let End::Error(error) = end else { panic!("{name}: {end:?}") };
        let last = stream.trim_end().rsplit("\n\n").next().and_then(|event| event.strip_prefix("data: ")).unwrap();
        let told: Value = serde_json::from_str(last).unwrap();
        let keys: Vec<&String> = told["error"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "message", "param", "type"], "{name}");
        assert_eq!((told["error"]["code"].as_str(), told["error"]["param"].is_null()), (Some(error.code), true));
        assert!(!stream.contains("[DONE]"), "{name}");
    }
}

#[test]
fn an_id_and_a_date_of_our_own_stand_where_the_engine_gives_none() {
    let (_, stream) = run(&habits()[0].events, Wants { stream: true, include_usage: false, choices: 1 });
    let chunks = canonical(&stream, None).unwrap();
    assert_eq!((&chunks[0]["id"], &chunks[0]["created"]), (&json!("chatcmpl-req-1"), &json!(1_795_000_000)));
}
