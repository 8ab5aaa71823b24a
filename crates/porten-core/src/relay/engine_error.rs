//! Reads how an engine said no, in any of the shapes engines use, into the one error a client reads.
//!
//! | the engine answers | the client gets | because |
//! |---|---|---|
//! | 400, 422 and other 4xx | the same, `engine_rejected` | the request is at fault; another node would say the same |
//! | 400 `exceed_context_size_error` (llama.cpp) | 400 `context_length_exceeded` | the code OpenAI clients know |
//! | 401, 403, 407 | 502 `engine_refused` | the credentials are this node's matter, not the client's |
//! | 404 with an error object | 503 `model_not_loaded` | exo: no instance; the model was served, so it can be again |
//! | 404 with an error text | 400 `engine_rejected` | mlx_lm says 404 for any request that it cannot prepare |
//! | other 404, 405, 501 | 502 `engine_route_missing` | exo has no `/v1/completions`; another node may |
//! | 408, 504 | 504 `engine_timeout` | |
//! | 429 | 429 `engine_busy` | with its `Retry-After` |
//! | 503 | 503 `engine_unavailable` | llama.cpp while it loads |
//! | other 5xx | the same, `engine_failed` | |
//! | 3xx | 502 `engine_redirect` | a redirect is never followed |
//! | anything else | 502 `engine_answer_unreadable` | |

use serde_json::Value;

use super::names::Names;
use crate::api_error::ApiError;

/// The most of an error body that is read (bytes).
pub const MAX_ERROR_BODY: usize = 64 * 1024;
/// What a client is told to wait for an engine that does not say how long (seconds): a model loads in about that.
pub const ENGINE_RETRY: u32 = 5;
/// The most of FastAPI's complaints that are repeated.
const MAX_DETAILS: usize = 3;

/// An engine's answer that is neither a stream nor a document.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// HTTP status.
    pub status: u16,
    /// The body's media type without parameters (`headers::essence`).
    pub media_type: &'a str,
    /// The body, as much as was read of it; looked at up to [`MAX_ERROR_BODY`].
    pub body: &'a [u8],
    /// When to come back (seconds; `headers::retry_after`).
    pub retry_after: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"error":{…}}`
    Object,
    /// `{"error":"…"}`
    Text,
    /// Anything else, or nothing.
    Other,
}

struct Words {
    shape: Shape,
    /// The machine's word, e.g. `exceed_context_size_error`.
    kind: Option<String>,
    message: Option<String>,
}

/// The error a client gets for an engine's failure.
#[must_use]
pub fn read(failure: &Failure<'_>, names: &Names) -> ApiError {
    let body = failure.body.get(..MAX_ERROR_BODY).unwrap_or(failure.body);
    judge(failure.status, failure.retry_after, &read_body(failure.media_type, body), names)
}

/// The error a client gets for an error value inside a stream or document (`data: {"error":…}`).
pub(super) fn read_value(error: &str, names: &Names) -> ApiError {
    let value = serde_json::from_str(error).unwrap_or(Value::Null);
    let status = value.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|status| (400..600).contains(status)).unwrap_or(500);
    judge(status, None, &read_error(&value), names)
}

/// Whether another node may do better: the fault was this node's or its engine's, and the engine gave nothing.
#[must_use]
pub fn may_go_elsewhere(error: &ApiError) -> bool {
    matches!(error.status, 429 | 502 | 503 | 504)
}

fn judge(status: u16, retry_after: Option<u32>, words: &Words, names: &Names) -> ApiError {
    let said = words.message.as_deref().map(|message| names.scrub(message)).filter(|told| !told.is_empty());
    let ours = |text: &str| match &said {
        Some(said) => format!("{text} It said: {said}"),
        None => text.to_owned(),
    };
    let theirs = || said.clone().unwrap_or_else(|| format!("The engine answered {status} without saying why."));
    let server = |status, code, text: String| ApiError::new(status, "server_error", code, text);
    let rejected = |status, code| ApiError::new(status, "invalid_request_error", code, theirs());
    let wait = retry_after.unwrap_or(ENGINE_RETRY);
    match (status, words.shape) {
        (300..=399, _) => server(502, "engine_redirect", "The engine answered with a redirect.".to_owned()),
        (401 | 403 | 407, _) => server(502, "engine_refused", ours("The engine does not let this node in.")),
        (404, Shape::Object) => {
            server(503, "model_not_loaded", ours("The engine does not have the model loaded now.")).retry_after(wait)
        }
        (404, Shape::Text) => rejected(400, "engine_rejected"),
        (404 | 405 | 501, _) => server(502, "engine_route_missing", ours("The engine does not know this route.")),
        (408 | 504, _) => server(504, "engine_timeout", ours("The engine took too long.")),
        (429, _) => ApiError::new(429, "rate_limit_error", "engine_busy", theirs()).retry_after(wait),
        (400, _) if words.kind.as_deref() == Some("exceed_context_size_error") => {
            rejected(400, "context_length_exceeded")
        }
        (400..=499, _) => rejected(status, "engine_rejected"),
        (503, _) => server(503, "engine_unavailable", theirs()).retry_after(wait),
        (500..=599, _) => server(status, "engine_failed", theirs()),
        _ => unreadable(),
    }
}

/// An answer that is none.
#[must_use]
pub fn unreadable() -> ApiError {
    ApiError::unavailable(502, "engine_answer_unreadable", "The engine gave an answer that cannot be read.")
}

fn read_body(media_type: &str, body: &[u8]) -> Words {
    // mlx_lm sends the bare words `Not Found` as application/json, so the body is tried, not believed.
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => match (fields.get("error"), fields.get("detail"), fields.get("message")) {
            (Some(error), _, _) if !error.is_null() => read_error(error),
            (_, Some(detail), _) => other(read_detail(detail)),
            (_, _, message) => other(message.and_then(Value::as_str).map(str::to_owned)),
        },
        Ok(Value::String(text)) => other(Some(text)),
        Ok(_) => other(None),
        Err(_) if media_type == "text/html" => other(None),
        Err(_) => {
            let text = std::str::from_utf8(body).unwrap_or_default().trim();
            let plain = !text.is_empty() && !text.starts_with(['<', '{', '[']);
            other(plain.then(|| text.to_owned()))
        }
    }
}

fn read_error(error: &Value) -> Words {
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    match error {
        Value::String(message) => Words { shape: Shape::Text, kind: None, message: Some(message.clone()) },
        Value::Object(_) => Words { shape: Shape::Object, kind: text("type"), message: text("message") },
        _ => other(None),
    }
}

/// FastAPI's `detail`: a text, or complaints of which only place and message are told; `input` is the client's prompt.
fn read_detail(detail: &Value) -> Option<String> {
    let items = match detail {
        Value::String(text) => return Some(text.clone()),
        Value::Array(items) => items,
        _ => return None,
    };
    let told: Vec<String> = items.iter().take(MAX_DETAILS).filter_map(read_complaint).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn read_complaint(item: &Value) -> Option<String> {
    let message = item.get("msg")?.as_str()?;
    let place = item.get("loc").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let place: Vec<String> = place
        .iter()
        .filter_map(|step| step.as_str().map(str::to_owned).or_else(|| step.as_u64().map(|step| step.to_string())))
        .collect();
    Some(if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) })
}

fn other(message: Option<String>) -> Words {
    Words { shape: Shape::Other, kind: None, message }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failure(status: u16, media_type: &str, body: &str) -> ApiError {
        let names = Names::new("tiny", "/Users/ada/tiny");
        read(&Failure { status, media_type, body: body.as_bytes(), retry_after: None }, &names)
    }

    #[test]
    fn every_measured_shape_becomes_one_error() {
        // exo 0.3.70, mlx_lm 0.32.2 and llama.cpp 11434, 22 Nov 2026.
        for (status, body, expected, message) in [
            (
                404,
                r#"{"error":{"message":"No instance found for model /Users/ada/tiny","type":"Not Found","param":null,"code":404}}"#,
                (503, "model_not_loaded"),
                "The engine does not have the model loaded now. It said: No instance found for model tiny",
            ),
            (
                422,
                r#"{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required","input":{"messages":[{"content":"secret"}]}}]}"#,
                (422, "engine_rejected"),
                "body.model: Field required",
            ),
            (
                405,
                r#"{"detail":"Method Not Allowed"}"#,
                (502, "engine_route_missing"),
                "The engine does not know this route. It said: Method Not Allowed",
            ),
            (500, "Internal Server Error", (500, "engine_failed"), "Internal Server Error"),
            (
                400,
                r#"{"error": "max_tokens must be of type int"}"#,
                (400, "engine_rejected"),
                "max_tokens must be of type int",
            ),
            (
                404,
                r#"{"error": "Only 'text' content type is supported."}"#,
                (400, "engine_rejected"),
                "Only 'text' content type is supported.",
            ),
            (
                404,
                "Not Found",
                (502, "engine_route_missing"),
                "The engine does not know this route. It said: Not Found",
            ),
            (
                503,
                r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
                (503, "engine_unavailable"),
                "Loading model",
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#,
                (400, "context_length_exceeded"),
                "too long",
            ),
            (
                401,
                r#"{"code":401,"message":"Invalid authentication"}"#,
                (502, "engine_refused"),
                "The engine does not let this node in. It said: Invalid authentication",
            ),
            (500, "", (500, "engine_failed"), "The engine answered 500 without saying why."),
            (302, "", (502, "engine_redirect"), "The engine answered with a redirect."),
            (204, "", (502, "engine_answer_unreadable"), "The engine gave an answer that cannot be read."),
        ] {
            let error = failure(status, "application/json", body);
            assert_eq!(((error.status, error.code), error.message.as_str()), (expected, message), "{status} {body}");
        }
    }

    #[test]
    fn what_is_not_words_is_not_repeated() {
        for (media_type, body) in
            [("text/html", "<html>nginx"), ("text/plain", "<b>x"), ("application/json", "{oops"), ("", "\u{0}")]
        {
            assert_eq!(failure(502, media_type, body).message, "The engine answered 502 without saying why.");
        }
        let body = b"\xff\xfe";
        let error = read(&Failure { status: 500, media_type: "", body, retry_after: None }, &Names::new("a", "b"));
        assert_eq!(error.message, "The engine answered 500 without saying why.");
    }

    #[test]
    fn a_wait_is_passed_on_and_says_whether_another_node_may_help() {
        let names = Names::new("a", "b");
        let busy = read(&Failure { status: 429, media_type: "", body: b"", retry_after: Some(9) }, &names);
        assert_eq!((busy.status, busy.retry_after), (429, Some(9)));
        assert_eq!(failure(503, "", "").retry_after, Some(ENGINE_RETRY));
        assert!(may_go_elsewhere(&busy) && may_go_elsewhere(&failure(404, "", "Not Found")));
        assert!(!may_go_elsewhere(&failure(400, "", "")) && !may_go_elsewhere(&failure(500, "", "")));
    }

    #[test]
    fn an_error_in_a_stream_is_judged_like_one_outside() {
        // exo 0.3.70 after its runner was killed, 22 Nov 2026.
        let killed = r#"{"message":"Runner shutdown before completing command (signal=9 (Killed))","type":"InternalServerError","code":500}"#;
        let error = read_value(killed, &Names::new("a", "b"));
        assert_eq!((error.status, error.code), (500, "engine_failed"));
        assert_eq!(error.message, "Runner shutdown before completing command (signal=9 (Killed))");
        let text = read_value("\"CUDA error in /root/x\"", &Names::new("a", "b"));
        assert_eq!((text.status, text.message.as_str()), (500, "CUDA error in …"));
        assert_eq!(read_value("3", &Names::new("a", "b")).status, 500);
        assert_eq!(read_value(r#"{"code":99999}"#, &Names::new("a", "b")).status, 500);
    }

    proptest! {
        #[test]
        fn no_failure_is_ever_a_success(status: u16, body in "\\PC{0,80}") {
            let error = failure(status, "application/json", &body);
            prop_assert!((400..600).contains(&error.status));
            prop_assert!(!error.message.is_empty());
        }
    }
}
