//! Whole answers, from engines' bytes to clients' bytes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ENGINE_ID: &str = "/Users/ada/models/tiny";

// exo 0.3.70, recorded 22 Nov 2026, trimmed, with a path for its model.
const EXO: &str = r#": keep-alive

: prefill_progress {"PrefillProgressChunk":{"model":"/Users/ada/models/tiny","processed_tokens":0,"total_tokens":26}}

data: {"id":"eb2cfd0b","object":"chat.completion","created":1795374395,"model":"/Users/ada/models/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"cl"}}]}

data: {"id":"eb2cfd0b","object":"chat.completion","created":1795374395,"model":"/Users/ada/models/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"�lt"}}]}

data: {"id":"eb2cfd0b","object":"chat.completion","created":1795374395,"model":"/Users/ada/models/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":28,"completion_tokens":24,"total_tokens":52}}

: generation_stats {"prompt_tps":438.3,"generation_tps":96.7,"prompt_tokens":28,"generation_tokens":3}

data: [DONE]

"#;

// mlx_lm 0.32.2 with SmolLM2-135M, recorded 22 Nov 2026, trimmed.
const MLX: &str = r#": keepalive 31/32

data: {"id": "chatcmpl-49b5", "system_fingerprint": "0.32.2-0.32.4", "object": "chat.completion.chunk", "model": "/Users/ada/models/tiny", "created": 1795382600, "choices": [{"index": 0, "finish_reason": null, "delta": {"role": "assistant", "content": "I"}}]}

data: {"id": "chatcmpl-49b5", "system_fingerprint": "0.32.2-0.32.4", "object": "chat.completion.chunk", "model": "/Users/ada/models/tiny", "created": 1795382600, "choices": [{"index": 0, "finish_reason": null, "delta": {"role": "assistant", "content": "'m"}}]}

data: {"id": "chatcmpl-49b5", "system_fingerprint": "0.32.2-0.32.4", "object": "chat.completion.chunk", "model": "/Users/ada/models/tiny", "created": 1795382600, "choices": [{"index": 0, "finish_reason": "length", "delta": {"role": "assistant"}}]}

data: {"id": "chatcmpl-49b5", "system_fingerprint": "0.32.2-0.32.4", "object": "chat.completion", "model": "/Users/ada/models/tiny", "created": 1795382600, "choices": [], "usage": {"prompt_tokens": 32, "completion_tokens": 6, "total_tokens": 38}}

data: [DONE]

"#;

// The shape of llama.cpp 11434: the role alone first, usage and timings last.
const LLAMA: &str = r#"data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795380000,"id":"chatcmpl-Lz","model":"/Users/ada/models/tiny","system_fingerprint":"b11434","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi\n\"you\""}}],"created":1795380000,"id":"chatcmpl-Lz","model":"/Users/ada/models/tiny","system_fingerprint":"b11434","object":"chat.completion.chunk"}

:

data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1795380000,"id":"chatcmpl-Lz","model":"/Users/ada/models/tiny","system_fingerprint":"b11434","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795380000,"id":"chatcmpl-Lz","model":"/Users/ada/models/tiny","system_fingerprint":"b11434","object":"chat.completion.chunk","usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11},"timings":{"prompt_n":9}}

data: [DONE]

"#;

fn answer(stream: bool, choices: u32) -> Answer {
    opened(Dialect::Chat, Wants { stream, include_usage: true, choices })
}

fn opened(dialect: Dialect, wants: Wants) -> Answer {
    Answer::new(Opening {
        dialect,
        names: Names::new("tiny", ENGINE_ID),
        wants,
        request_id: RequestId::read("req-1").unwrap(),
        created: 1_795_000_000,
    })
}

/// Runs a stream through an answer, cut where `cuts` say.
fn run(mut answer: Answer, bytes: &[u8], cuts: &[usize]) -> (End, String) {
    let mut out = Vec::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let cut = cut.clamp(at, bytes.len());
        if answer.take(&bytes[at..cut], &mut out) == Flow::Over {
            break;
        }
        at = cut;
    }
    let end = answer.finish(Ended::Eof, &mut out);
    (end, String::from_utf8(out).unwrap())
}

fn code(end: &End) -> &'static str {
    match end {
        End::Complete(_) => "complete",
        End::Error(error) => error.code,
    }
}

fn chunks(stream: &str) -> Vec<Value> {
    let events = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    events.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn content(stream: &str) -> String {
    chunks(stream)
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn every_engines_stream_becomes_the_same_kind_of_stream() {
    for (engine, said, prompt, completion) in
        [(EXO, "cl�ltx", 28, 24), (MLX, "I'm", 32, 6), (LLAMA, "Hi\n\"you\"", 9, 2)]
    {
        let (end, stream) = run(answer(true, 1), engine.as_bytes(), &[]);
        assert_eq!(end, End::Complete(Tokens { prompt_tokens: Some(prompt), completion_tokens: Some(completion) }));
        assert_eq!(content(&stream), said);
        assert!(!stream.contains("/Users/"), "{stream}");
        let chunks = chunks(&stream);
        for chunk in &chunks {
            assert_eq!((&chunk["model"], &chunk["object"]), (&json!("tiny"), &json!("chat.completion.chunk")));
            assert_eq!((&chunk["id"], &chunk["created"]), (&chunks[0]["id"], &chunks[0]["created"]));
        }
        let usage: Vec<usize> = (0..chunks.len()).filter(|at| chunks[*at].get("usage").is_some()).collect();
        assert_eq!(usage, [chunks.len() - 1]);
        assert_eq!(chunks[chunks.len() - 1]["choices"], json!([]));
        assert!(stream.ends_with("}\n\ndata: [DONE]\n\n") && stream.matches("[DONE]").count() == 1);
    }
}

#[test]
fn a_client_that_did_not_ask_to_stream_gets_one_document() {
    for (engine, said) in [(EXO, "cl�ltx"), (MLX, "I'm"), (LLAMA, "Hi\n\"you\"")] {
        let (end, document) = run(answer(false, 1), engine.as_bytes(), &[]);
        assert_eq!(code(&end), "complete");
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!((&document["object"], &document["model"]), (&json!("chat.completion"), &json!("tiny")));
        assert_eq!(document["choices"][0]["message"], json!({"role": "assistant", "content": said}));
        assert!(document["usage"]["prompt_tokens"].is_u64());
    }
}

#[test]
fn text_completions_go_the_same_way() {
    // mlx_lm 0.32.2, 22 Nov 2026, trimmed.
    let engine = r#"data: {"id": "cmpl-8639", "object": "text_completion", "model": "/Users/ada/models/tiny", "created": 1795382608, "choices": [{"index": 0, "finish_reason": null, "text": "the"}]}

data: {"id": "cmpl-8639", "object": "text_completion", "model": "/Users/ada/models/tiny", "created": 1795382608, "choices": [{"index": 0, "finish_reason": "length", "text": " scene"}]}

data: {"id": "cmpl-8639", "object": "chat.completion", "model": "/Users/ada/models/tiny", "created": 1795382608, "choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 2}}

data: [DONE]

"#;
    let wants = Wants { stream: false, include_usage: false, choices: 1 };
    let (end, document) = run(opened(Dialect::Text, wants), engine.as_bytes(), &[]);
    assert_eq!(end, End::Complete(Tokens { prompt_tokens: Some(2), completion_tokens: Some(2) }));
    assert_eq!(
        document,
        r#"{"id":"cmpl-8639","object":"text_completion","created":1795382608,"model":"tiny","choices":[{"index":0,"text":"the scene","logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens": 2, "completion_tokens": 2}}"#
    );
    let (_, stream) = run(opened(Dialect::Text, Wants { stream: true, ..wants }), engine.as_bytes(), &[]);
    assert_eq!(chunks(&stream).len(), 2, "usage was not asked for");
    assert!(chunks(&stream).iter().all(|chunk| chunk["object"] == json!("text_completion")));
}

#[test]
fn an_engine_that_forgets_done_after_a_whole_answer_is_forgiven() {
    let (end, stream) = run(answer(true, 1), EXO.replace("data: [DONE]\n\n", "").as_bytes(), &[]);
    assert_eq!(code(&end), "complete");
    assert_eq!(stream.matches("data: [DONE]\n\n").count(), 1);
}

#[test]
fn nothing_after_done_counts() {
    let mut answer = answer(true, 1);
    let mut out = Vec::new();
    assert_eq!(answer.take(EXO.as_bytes(), &mut out), Flow::Over);
    let before = out.len();
    assert_eq!(answer.take(b"data: {\"error\":\"late\"}\n\nrubbish", &mut out), Flow::Over);
    assert_eq!(out.len(), before);
    assert_eq!(code(&answer.finish(Ended::Broken, &mut out)), "complete");
}

#[test]
fn a_cut_stream_is_an_error_event_and_never_done() {
    let cut = EXO.find("data: {\"id\":\"eb2cfd0b\",\"object\":\"chat.completion\",\"created\":1795374395,\"model\":\"/Users/ada/models/tiny\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"x\"}").unwrap();
    for done in ["", "data: [DONE]\n\n"] {
        let (end, stream) = run(answer(true, 1), format!("{}{done}", &EXO[..cut]).as_bytes(), &[]);
        assert_eq!(code(&end), "upstream_truncated");
        assert!(stream.ends_with("\"code\":\"upstream_truncated\"}}\n\n") && !stream.contains("[DONE]"), "{stream}");
        let (end, document) = run(answer(false, 1), &EXO.as_bytes()[..cut], &[]);
        assert_eq!((code(&end), document.as_str()), ("upstream_truncated", ""));
    }
    assert_eq!(code(&run(answer(true, 1), b"", &[]).0), "upstream_truncated");
    assert_eq!(code(&answer(true, 1).finish(Ended::Silent, &mut Vec::new())), "engine_timeout");
}

#[test]
fn an_error_in_the_stream_is_told_without_paths() {
    // exo 0.3.70 after its runner was killed, 22 Nov 2026, with a path put in.
    let killed = format!(
        "{}data: {{\"error\":{{\"message\":\"Runner shutdown at {ENGINE_ID}/x, see /tmp/log\",\"type\":\"InternalServerError\",\"code\":500}}}}\n\ndata: [DONE]\n\n",
        ": keep-alive\n\n"
    );
    let (end, stream) = run(answer(true, 1), killed.as_bytes(), &[]);
    let End::Error(error) = end else { panic!("{end:?}") };
    assert_eq!(
        (error.status, error.code, error.message.as_str()),
        (500, "engine_failed", "Runner shutdown at tiny/x, see …")
    );
    assert_eq!(stream, format!(": keep-alive\n\n{}", error.event()));
}

#[test]
fn what_cannot_be_looked_at_does_not_leave_the_machine() {
    for wrong in ["data: hello /Users/ada\n\n", "data: [1]\n\n", "data: {\"choices\":{}}\n\n"] {
        let (end, stream) = run(answer(true, 1), wrong.as_bytes(), &[]);
        assert_eq!(code(&end), "engine_answer_unreadable");
        assert!(!stream.contains("/Users/"));
    }
    let (end, _) = run(answer(true, 1), b"data: {\"x\":\"\xff\"}\n\n", &[]);
    assert_eq!(code(&end), "engine_answer_unreadable");
    let large = format!("data: {{\"x\":\"{}\"}}\n\n", "x".repeat(super::super::sse::MAX_EVENT));
    let (end, stream) = run(answer(true, 1), large.as_bytes(), &[]);
    assert_eq!(code(&end), "engine_answer_too_large");
    assert!(stream.len() < 1000);
}

#[test]
fn an_event_of_several_lines_stays_one_event() {
    let (end, stream) = run(
        answer(true, 1),
        b"data: {\"choices\":[{\ndata: \"finish_reason\":\"stop\",\r\ndata:\"delta\":{}}]}\n\n",
        &[],
    );
    assert_eq!(code(&end), "complete");
    assert_eq!(chunks(&stream)[0]["choices"], json!([{"finish_reason": "stop", "delta": {}}]));
    assert_eq!(stream.lines().filter(|line| !line.is_empty()).count(), 2);
}

#[test]
fn a_broken_or_lonely_choice_is_no_whole_answer() {
    let broken =
        b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\"}]}\n\ndata: [DONE]\n\n";
    assert_eq!(code(&run(answer(true, 1), broken, &[]).0), "engine_failed");
    assert_eq!(code(&run(answer(true, 2), EXO.as_bytes(), &[]).0), "engine_choices_missing");
    let two = r#"data: {"choices":[{"index":1,"delta":{},"finish_reason":"stop"},{"index":0,"delta":{}}]}

data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

"#;
    assert_eq!(code(&run(answer(true, 2), two.as_bytes(), &[]).0), "complete");
}

#[test]
fn comments_alone_do_not_begin_an_answer() {
    let mut answer = answer(true, 1);
    let mut out = Vec::new();
    let _ = answer.take(&EXO.as_bytes()[..150], &mut out);
    assert!(!answer.has_begun() && !out.is_empty());
    let _ = answer.take(&EXO.as_bytes()[150..400], &mut out);
    assert!(answer.has_begun());
}

#[test]
fn a_document_from_an_engine_that_ignores_stream_serves_both_kinds_of_client() {
    // exo 0.3.70, 22 Nov 2026, with a tool call.
    let document = r#"{"id":"c27b","object":"chat.completion","created":1795374395,"model":"/Users/ada/models/tiny","choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":null,"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":16,"completion_tokens":4}}"#;
    let mut out = Vec::new();
    assert_eq!(code(&answer(true, 1).take_document(document.as_bytes(), &mut out)), "complete");
    let stream = String::from_utf8(out).unwrap();
    assert_eq!(content(&stream), "hi");
    assert_eq!(chunks(&stream)[0]["choices"][0]["delta"]["tool_calls"][0]["index"], json!(0));
    assert!(stream.ends_with("data: [DONE]\n\n") && !stream.contains("/Users/"));

    let mut out = Vec::new();
    assert_eq!(code(&answer(false, 1).take_document(document.as_bytes(), &mut out)), "complete");
    let read: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(read["choices"][0]["message"]["tool_calls"][0]["function"]["name"], json!("f"));
    assert_eq!((&read["model"], &read["id"]), (&json!("tiny"), &json!("c27b")));
}

#[test]
fn a_200_that_holds_no_answer_is_an_error() {
    // exo answers 200 with nothing when its instance dies.
    for (body, expected) in [
        ("", "engine_answer_unreadable"),
        ("{}", "engine_answer_unreadable"),
        ("null", "engine_answer_unreadable"),
        (r#"{"object":"list","data":[]}"#, "engine_answer_unreadable"),
        (r#"{"choices":[]}"#, "engine_answer_unreadable"),
        (r#"{"error":{"message":"no","code":500}}"#, "engine_failed"),
        (r#"{"error":"no"}"#, "engine_failed"),
        (r#"{"choices":[{"message":{"content":"a"},"finish_reason":null}]}"#, "upstream_truncated"),
    ] {
        for stream in [true, false] {
            let end = answer(stream, 1).take_document(body.as_bytes(), &mut Vec::new());
            assert_eq!(code(&end), expected, "{body}");
        }
    }
}

/// A stream of one or two choices with any contents, and where each part finishes.
fn any_stream() -> impl Strategy<Value = (u32, Vec<(u32, String, bool)>)> {
    (1_u32..3).prop_flat_map(|choices| {
        let part = (0..choices, "\\PC{0,8}", proptest::bool::weighted(0.2));
        (Just(choices), proptest::collection::vec(part, 0..8))
    })
}

fn engine_stream(parts: &[(u32, String, bool)], done: bool) -> String {
    let mut stream = String::from(": keepalive 1/2\n\n");
    for (index, text, finished) in parts {
        let reason = if *finished { json!("stop") } else { Value::Null };
        let choice = json!({"index": index, "delta": {"content": text}, "finish_reason": reason});
        let chunk =
            json!({"id": "i", "created": 5, "model": ENGINE_ID, "choices": [choice], "usage": {"prompt_tokens": 1}});
        stream.push_str(&format!("data: {chunk}\n\n"));
    }
    stream + if done { "data: [DONE]\n\n" } else { "" }
}

proptest! {
    /// Most events of an answer are not read as JSON but recognised as the one before with another text: nothing of it may
    /// be lost, whatever the texts are and however they alternate with other events.
    #[test]
    fn every_text_arrives_as_it_was_said(
        texts in proptest::collection::vec(("(\\PC|[\"\\\\\n])*", 0_u8..4), 1..20),
        cut in 1_usize..200,
    ) {
        let mut events = String::new();
        let event = |choice: Value| json!({"id": "x", "model": ENGINE_ID, "created": 5, "choices": [choice]});
        for (text, kind) in &texts {
            let choice = match kind {
                0 | 1 => json!({"index": 0, "delta": {"content": text}, "finish_reason": null}),
                2 => json!({"index": 0, "delta": {"reasoning_content": text}}),
                _ => json!({"index": 0, "delta": {"content": text}, "logprobs": {"token": text}}),
            };
            events += &format!("data: {}\n\n", event(choice));
        }
        events += &format!("data: {}\n\ndata: [DONE]\n\n", event(json!({"index": 0, "delta": {}, "finish_reason": "stop"})));
        let (mut answer, mut out) = (answer(true, 1), Vec::new());
        for piece in events.as_bytes().chunks(cut) {
            let _ = answer.take(piece, &mut out);
        }
        prop_assert!(matches!(answer.finish(Ended::Eof, &mut out), End::Complete(_)));
        let out = String::from_utf8(out).unwrap();
        let said: Vec<Value> =
            out.split_terminator("\n\n").filter_map(|event| serde_json::from_str(event.strip_prefix("data: ")?).ok()).collect();
        prop_assert_eq!(said.len(), texts.len() + 1);
        for ((text, kind), said) in texts.iter().zip(&said) {
            let delta = &said["choices"][0]["delta"];
            prop_assert_eq!(&delta[if *kind == 2 { "reasoning_content" } else { "content" }], &json!(text));
            prop_assert_eq!((&said["object"], &said["model"]), (&json!("chat.completion.chunk"), &json!("tiny")));
            prop_assert_eq!(said["choices"][0]["logprobs"]["token"] == json!(text), *kind == 3);
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_complete_only_if_each_choice_finished_before(
        (choices, parts) in any_stream(), done: bool, at in any::<prop::sample::Index>(), stream: bool,
    ) {
        let bytes = engine_stream(&parts, done).into_bytes();
        let cut = at.index(bytes.len() + 1);
        let (end, sent) = run(answer(stream, choices), &bytes[..cut], &[]);
        let arrived = String::from_utf8_lossy(&bytes[..cut]).into_owned();
        let whole_events = arrived.rfind("\n\n").map_or("", |last| &arrived[..last + 2]);
        let arrived = chunks(whole_events);
        let each = (0..choices).all(|index| {
            arrived.iter().any(|chunk| chunk["choices"][0]["index"] == json!(index) && chunk["choices"][0]["finish_reason"] == json!("stop"))
        });
        prop_assert_eq!(code(&end) == "complete", each);
        if stream {
            prop_assert_eq!(sent.matches("data: [DONE]").count(), usize::from(each));
            prop_assert_eq!(sent.matches("data: {\"error\"").count(), usize::from(!each));
        }
    }

    #[test]
    fn what_is_sent_does_not_depend_on_how_the_bytes_arrive(
        (choices, parts) in any_stream(), done: bool, stream: bool, mut cuts in proptest::collection::vec(0_usize..2000, 0..10),
    ) {
        let bytes = engine_stream(&parts, done).into_bytes();
        cuts.sort_unstable();
        prop_assert_eq!(run(answer(stream, choices), &bytes, &cuts), run(answer(stream, choices), &bytes, &[]));
    }

    #[test]
    fn a_document_says_what_the_stream_said((choices, mut parts) in any_stream()) {
        parts.extend((0..choices).map(|index| (index, String::new(), true)));
        let bytes = engine_stream(&parts, true).into_bytes();
        let (_, stream) = run(answer(true, choices), &bytes, &[]);
        let (end, document) = run(answer(false, choices), &bytes, &[]);
        prop_assert_eq!(code(&end), "complete");
        let document: Value = serde_json::from_str(&document).unwrap();
        for index in 0..choices {
            let streamed: String = chunks(&stream).iter().flat_map(|chunk| chunk["choices"].as_array().cloned().unwrap_or_default())
                .filter(|choice| choice["index"] == json!(index))
                .filter_map(|choice| choice["delta"]["content"].as_str().map(str::to_owned)).collect();
            let said: String = parts.iter().filter(|(of, _, _)| *of == index).map(|(_, text, _)| text.as_str()).collect();
            prop_assert_eq!(&streamed, &said);
            prop_assert_eq!(&document["choices"][usize::try_from(index).unwrap()]["message"]["content"], &json!(said));
        }
        prop_assert_eq!(&document["usage"], &json!({"prompt_tokens": 1}));
    }

    #[test]
    fn no_bytes_break_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), stream: bool) {
        let (end, sent) = run(answer(stream, 1), &[b"data: {\"choices\":[{", &bytes[..]].concat(), &[]);
        prop_assert_eq!(stream && code(&end) != "complete", sent.contains("\"error\""));
    }
}

#[test]
fn what_only_keeps_a_connection_open_is_no_progress() {
    let mut reading = answer(true, 1);
    let mut out = Vec::new();
    let mut after = |text: &str| {
        let _ = reading.take(text.as_bytes(), &mut out);
        reading.progress()
    };
    assert_eq!(after(": keep-alive\n\n:\n\n: keep-alive\n\n"), 0);
    assert_eq!(after(": prefill_progress {\"processed_tokens\":512}\n\n"), 1);
    assert_eq!(after(": prefill_progress {\"processed_tokens\":512}\n\n"), 1, "the same again");
    assert_eq!(after(": prefill_progress {\"processed_tokens\":1024}\n\n: keep-alive\n\n"), 2);
    assert_eq!(after("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"), 3);
}
