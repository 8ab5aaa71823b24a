//! The readers of requests and answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use porten_core::relay::sse::{Piece, Scanner};
use porten_core::relay::{
    Answer, End, Ended, Facts, Flow, Head, Names, Opening, RequestId, Served, Serving, Wants, admit, admit_body, body,
};
use porten_core::route::{Dialect, Route};
use serde_json::value::RawValue;

use super::cuts;
use super::laws::header_map;

const ENGINE_ID: &str = "/Users/anna/models/tiny";

fn pieces<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<(bool, Vec<u8>)>, bool) {
    let mut scanner = Scanner::default();
    let mut found = Vec::new();
    for mut part in parts {
        loop {
            match scanner.next(&mut part) {
                Ok(Some(Piece::Event(data))) => found.push((true, data.to_vec())),
                Ok(Some(Piece::Comment(text))) => found.push((false, text.to_vec())),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// What is found does not depend on how the bytes arrive, and is no more than came.
pub(super) fn events(bytes: &[u8]) {
    let whole = pieces(std::iter::once(bytes));
    assert_eq!(whole, pieces(cuts(bytes)));
    assert!(whole.0.iter().map(|(_, data)| data.len()).sum::<usize>() <= bytes.len());
}

fn run<'a>(stream: bool, parts: impl Iterator<Item = &'a [u8]>, ended: Ended) -> (End, Vec<u8>) {
    let opening = Opening {
        dialect: Dialect::Chat,
        names: Names::new("tiny", ENGINE_ID),
        wants: Wants { stream, include_usage: stream, choices: 1 },
        request_id: RequestId::read("req-1").expect("an id"),
        created: 7,
    };
    let mut answer = Answer::new(opening);
    let mut out = Vec::new();
    for part in parts {
        if answer.take(part, &mut out) == Flow::Over {
            break;
        }
    }
    let end = answer.finish(ended, &mut out);
    (end, out)
}

/// An answer ends in exactly one way; `[DONE]` is the last word of a whole one only, the engine's path is in none, and how
/// the bytes arrive does not matter.
pub(super) fn answer(bytes: &[u8]) {
    for (stream, ended) in [(true, Ended::Eof), (true, Ended::Broken), (false, Ended::Eof)] {
        let (end, out) = run(stream, std::iter::once(bytes), ended);
        assert_eq!((&end, &out), (&run(stream, cuts(bytes), ended).0, &run(stream, cuts(bytes), ended).1));
        let is_whole = matches!(end, End::Complete(_));
        if stream {
            assert_eq!(out.ends_with(b"data: [DONE]\n\n"), is_whole, "{}", String::from_utf8_lossy(&out));
        }
        if let End::Error(error) = &end {
            assert!(!error.message.contains(ENGINE_ID) && !error.message.contains(char::is_control), "{error:?}");
        }
        assert!(out.len() <= 64 * 1024 + 8 * bytes.len(), "{} of {}", out.len(), bytes.len());
    }
    let document = || {
        let (_, mut out) = (0, Vec::new());
        let opening = Opening {
            dialect: Dialect::Chat,
            names: Names::new("tiny", ENGINE_ID),
            wants: Wants { stream: true, include_usage: true, choices: 1 },
            request_id: RequestId::read("req-1").expect("an id"),
            created: 7,
        };
        let end = Answer::new(opening).take_document(bytes, &mut out);
        (end, out)
    };
    let (end, out) = document();
    assert_eq!(out.ends_with(b"data: [DONE]\n\n"), matches!(end, End::Complete(_)));
}

/// Whatever the head and the body, what goes to the engine has a constant for its path, the engine's own id, `stream`, and
/// nothing that nobody knows.
pub(super) fn admission(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let line = String::from_utf8_lossy(line);
    let (method, path) = line.split_once(' ').unwrap_or((&line, ""));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let blank = rest.windows(2).position(|pair| pair == b"\n\n").unwrap_or(rest.len());
    let (headers, text) = rest.split_at(blank);
    let headers = header_map(headers);
    let served = Served { engine_id: ENGINE_ID.into(), routes: Route::ALL.to_vec() };
    let serving: Arc<Serving> = Arc::new([("tiny".to_owned(), served)].into_iter().collect());
    let facts = Facts { serving: Arc::clone(&serving), draining: false, in_flight: 0, cap: 1 };
    let admitted = match admit(&facts, &Head { method: &method, path, headers: &headers }) {
        Ok(admitted) => admitted,
        Err(error) => return assert!((400..500).contains(&error.status) || error.status == 503, "{error:?}"),
    };
    assert!(["/v1/chat/completions", "/v1/completions"].contains(&admitted.route.path()));
    assert_eq!(path.split('?').next(), Some(admitted.route.path()));
    let ask = match body::read(admitted.route, text.trim_ascii_start()) {
        Ok(ask) => ask,
        Err(error) => return assert!(error.status < 500 && !error.message.contains(char::is_control), "{error:?}"),
    };
    let Ok(served) = admit_body(&serving, admitted.route, &ask.model) else { return };
    let sent = ask.for_engine(&served.engine_id);
    // By its grammar alone: texts go to the engine as they came, half surrogate pairs too.
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_slice(&sent).expect("one JSON object goes to the engine");
    let field = |name: &str| fields.get(name).map(|value| value.get());
    assert_eq!((field("model"), field("stream")), (Some(format!("\"{ENGINE_ID}\"").as_str()), Some("true")));
    assert!(field("stream_options").is_some_and(|options| options.contains("\"include_usage\":true")), "{fields:?}");
    for never in ["adapters", "draft_model", "lora", "id_slot", "chat_template"] {
        assert!(!fields.contains_key(never), "{never}");
    }
    assert!((1..=256).contains(&ask.wants.choices));
}
