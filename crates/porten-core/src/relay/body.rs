//! Reads a client's request body and writes the one the engine gets: known fields only, our model id, always a stream.
//!
//! Values are never copied before they are written out; a prompt of 30 MiB stays where it was received.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::admit::body_too_large;
use super::allowed::known;
use super::content::check_messages;
use super::fields::{each_field, each_item, quoted};
use crate::api_error::ApiError;
use crate::route::{Dialect, Route};
use crate::wire::MAX_BODY;

/// The most answers (`n`) to one prompt; each of them holds a place in the engine's batch.
pub const MAX_N: u32 = 8;
/// The most prompts in one text completion.
pub const MAX_PROMPTS: u32 = 32;
/// The deepest nesting of a body. Python's JSON reader gives up at about 1000; tool schemas need some 30.
pub const MAX_DEPTH: usize = 128;

/// More fields than most bodies have.
const USUAL_FIELDS: usize = 8;
/// Room for the fields that are written anew (bytes).
const OURS: usize = 80;

/// What the client asked to get back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// A stream, not one document.
    pub stream: bool,
    /// A usage chunk at the end of the stream. A document always carries its usage.
    pub include_usage: bool,
    /// How many choices a whole answer has: `n` for each prompt.
    pub choices: u32,
}

/// A request body that reads.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The model, by the Hub's id.
    pub model: Cow<'a, str>,
    /// What the client asked to get back.
    pub wants: Wants,
    kept: Vec<(&'static str, &'a RawValue)>,
}

/// Reads a whole request body.
///
/// # Errors
/// 413 when it is too large, else 400 with one sentence that names the field. The body itself is never repeated.
pub fn read(route: Route, body: &[u8]) -> Result<Ask<'_>, ApiError> {
    if body.len() > MAX_BODY {
        return Err(body_too_large());
    }
    let dialect = route.dialect();
    let kept = read_fields(dialect, body)?;
    let find = |name: &str| kept.iter().find(|(kept, _)| *kept == name).map(|(_, value)| *value);
    let model = read_model(find("model"))?;
    let stream = read_flag("stream", find("stream"))?;
    let include_usage = read_stream_options(find("stream_options"))?;
    let n = read_n(find("n"))?;
    let prompts = match dialect {
        Dialect::Chat => {
            check_messages(find("messages").ok_or_else(|| missing("messages"))?)?;
            1
        }
        Dialect::Text => count_prompts(find("prompt").ok_or_else(|| missing("prompt"))?)?,
    };
    let wants = Wants { stream, include_usage, choices: n * prompts };
    Ok(Ask { model, wants, kept })
}

impl<'a> Ask<'a> {
    /// The fields that reach the engine, as they were written.
    pub(super) fn kept(&self) -> &[(&'static str, &'a RawValue)] {
        &self.kept
    }

    /// The body for the engine: the kept fields as they were, with the engine's id of the model, and always a stream
    /// with usage, because only a stream stops when the client leaves (mlx_lm computes a whole document to its end).
    #[must_use]
    pub fn for_engine(&self, engine_id: &str) -> Vec<u8> {
        let engine_id = quoted(engine_id);
        let rest: usize = self.kept.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum();
        let mut body = Vec::with_capacity(OURS + engine_id.len() + rest);
        for part in ["{\"model\":", &engine_id, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}"] {
            body.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &self.kept {
            if matches!(*name, "model" | "stream" | "stream_options") {
                continue;
            }
            body.extend_from_slice(b",\"");
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
            body.extend_from_slice(value.get().as_bytes());
        }
        body.push(b'}');
        body
    }
}

fn read_fields(dialect: Dialect, body: &[u8]) -> Result<Vec<(&'static str, &RawValue)>, ApiError> {
    if deeper_than(MAX_DEPTH, body) {
        let text = format!("The request body is nested deeper than {MAX_DEPTH} levels.");
        return Err(ApiError::invalid("invalid_json", text));
    }
    let text = std::str::from_utf8(body)
        .map_err(|_| ApiError::invalid("invalid_json", "The request body is not valid UTF-8."))?;
    let mut kept = Vec::with_capacity(USUAL_FIELDS);
    let mut twice = None;
    each_field(text, |key, value| {
        let Some(name) = known(dialect, &key) else { return };
        if kept.iter().any(|(kept, _)| *kept == name) {
            twice = Some(name);
        }
        kept.push((name, value));
    })
    .map_err(|error| {
        // Only the place: the reader's own words may repeat the prompt.
        let (line, column) = (error.line(), error.column());
        let text = format!("The request body is not one JSON object (line {line}, column {column}).");
        ApiError::invalid("invalid_json", text)
    })?;
    match twice {
        Some(name) => Err(ApiError::invalid("duplicate_field", format!("`{name}` is given twice."))),
        None => Ok(kept),
    }
}

fn read_model<'a>(raw: Option<&'a RawValue>) -> Result<Cow<'a, str>, ApiError> {
    let raw = raw.ok_or_else(|| missing("model"))?;
    // Not `Cow` itself, whose own reader always copies.
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    match serde_json::from_str(raw.get()) {
        Ok(Text(model)) if !model.is_empty() => Ok(model),
        _ => Err(ApiError::invalid("invalid_model", "`model` must be a string that names a model.")),
    }
}

fn read_flag(name: &str, raw: Option<&RawValue>) -> Result<bool, ApiError> {
    match raw.map_or("null", RawValue::get) {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(ApiError::invalid("invalid_field", format!("`{name}` must be true or false."))),
    }
}

fn read_stream_options(raw: Option<&RawValue>) -> Result<bool, ApiError> {
    let raw = match raw {
        Some(raw) if raw.get() != "null" => raw,
        _ => return Ok(false),
    };
    let mut include_usage = None;
    each_field(raw.get(), |key, value| {
        if key == "include_usage" {
            include_usage = Some(value);
        }
    })
    .map_err(|_| ApiError::invalid("invalid_field", "`stream_options` must be an object."))?;
    read_flag("stream_options.include_usage", include_usage)
}

fn read_n(raw: Option<&RawValue>) -> Result<u32, ApiError> {
    match raw.map_or("null", RawValue::get) {
        "null" => Ok(1),
        digits => match digits.parse() {
            Ok(n @ 1..=MAX_N) => Ok(n),
            _ => Err(ApiError::invalid("invalid_field", format!("`n` must be a whole number from 1 to {MAX_N}."))),
        },
    }
}

/// A prompt is a text or an array of token numbers; an array of either kind is several prompts.
fn count_prompts(raw: &RawValue) -> Result<u32, ApiError> {
    let wrong =
        || ApiError::invalid("invalid_field", "`prompt` must be a text, or an array of texts or of token numbers.");
    match raw.get().as_bytes().first() {
        Some(b'"') => return Ok(1),
        Some(b'[') => {}
        _ => return Err(wrong()),
    }
    let (mut prompts, mut tokens, mut others) = (0_u32, 0_u32, 0_u32);
    let walked = each_item(raw.get(), |item: &RawValue| {
        let kind = match item.get().as_bytes().first() {
            Some(b'"' | b'[') => &mut prompts,
            Some(b'0'..=b'9') => &mut tokens,
            _ => &mut others,
        };
        *kind = kind.saturating_add(1);
    });
    match (prompts, tokens) {
        _ if walked.is_err() || others > 0 => Err(wrong()),
        (0, 1..) => Ok(1),
        (1..=MAX_PROMPTS, 0) => Ok(prompts),
        (1.., 0) => {
            Err(ApiError::invalid("invalid_field", format!("`prompt` may hold {MAX_PROMPTS} prompts at most.")))
        }
        _ => Err(wrong()),
    }
}

/// Whether brackets nest deeper than `limit`. serde_json skips over raw values without a limit, engines do not.
fn deeper_than(limit: usize, json: &[u8]) -> bool {
    // Most bodies have not even so many brackets that open.
    if memchr::memchr2_iter(b'{', b'[', json).nth(limit).is_none() {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn missing(name: &str) -> ApiError {
    ApiError::invalid("missing_field", format!("`{name}` is missing."))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const CHAT_BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

    fn chat(extra: &str) -> Result<String, String> {
        let body = CHAT_BODY.replace("{\"model\"", &format!("{{{extra}\"model\""));
        let ask = read(Route::ChatCompletions, body.as_bytes()).map_err(|error| {
            assert_eq!(error.status, 400);
            error.message
        })?;
        String::from_utf8(ask.for_engine("/Users/ada/m")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_engine_is_asked_for_its_own_model_and_always_for_a_stream_with_usage() {
        let body =
            chat(r#""stream":false,"stream_options":{"include_usage":false,"x":1},"temperature":0.10,"#).unwrap();
        assert_eq!(
            body,
            r#"{"model":"/Users/ada/m","stream":true,"stream_options":{"include_usage":true},"temperature":0.10,"messages":[{"role":"user","content":"hi"}]}"#
        );
    }

    #[test]
    fn what_the_client_wants_is_remembered() {
        let body = br#"{"model":"m","prompt":["a","b"],"n":3,"stream":true,"stream_options":{"include_usage":true}}"#;
        let wants = read(Route::Completions, body).unwrap().wants;
        assert_eq!(wants, Wants { stream: true, include_usage: true, choices: 6 });
        let quiet = read(Route::ChatCompletions, CHAT_BODY.as_bytes()).unwrap().wants;
        assert_eq!(quiet, Wants { stream: false, include_usage: false, choices: 1 });
    }

    /// Fault C10: such fields are dropped, and never reach the engine.
    #[test]
    fn fields_that_reach_beyond_the_request_are_dropped() {
        let dangerous = r#""adapters":"/etc","draft_model":"org/x","lora":[{"id":0}],"id_slot":1,"slot_id":1,"unheard_of":{"model":1},"#;
        assert_eq!(chat(dangerous), chat(""));
        let kept =
            chat(r#""top_k":4,"min_p":0.1,"enable_thinking":true,"chat_template_kwargs":{"a":[1]},"seed":7,"#).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["chat_template_kwargs"], json!({"a": [1]}));
        assert_eq!((&kept["top_k"], &kept["seed"]), (&json!(4), &json!(7)));
    }

    #[test]
    fn a_wrong_field_is_named_in_one_sentence() {
        for (extra, message) in [
            (r#""stream":"yes","#, "`stream` must be true or false."),
            (r#""stream":1,"#, "`stream` must be true or false."),
            (r#""stream_options":true,"#, "`stream_options` must be an object."),
            (r#""stream_options":{"include_usage":1},"#, "`stream_options.include_usage` must be true or false."),
            (r#""n":9,"#, "`n` must be a whole number from 1 to 8."),
            (r#""n":0,"#, "`n` must be a whole number from 1 to 8."),
            (r#""n":1.5,"#, "`n` must be a whole number from 1 to 8."),
            (r#""mod\u0065l":"x","#, "`model` is given twice."),
            (r#""temperature":1,"temperature":2,"#, "`temperature` is given twice."),
        ] {
            assert_eq!(chat(extra), Err(message.to_owned()));
        }
        for (body, message) in [
            (r#"{"messages":[{}]}"#, "`model` is missing."),
            (r#"{"model":3,"messages":[{}]}"#, "`model` must be a string that names a model."),
            (r#"{"model":"","messages":[{}]}"#, "`model` must be a string that names a model."),
            (r#"{"model":"m"}"#, "`messages` is missing."),
            (r#"{"model":"m","prompt":"x"}"#, "`messages` is missing."),
        ] {
            assert_eq!(read(Route::ChatCompletions, body.as_bytes()).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_prompt_is_text_or_tokens_or_several_of_them() {
        let count = |prompt: &str| {
            let body = format!(r#"{{"model":"m","prompt":{prompt}}}"#);
            read(Route::Completions, body.as_bytes()).map(|ask| ask.wants.choices).ok()
        };
        assert_eq!(
            [count("\"x\""), count("[1,2,3]"), count("[[1],[2]]"), count("[\"a\"]")],
            [Some(1), Some(1), Some(2), Some(1)]
        );
        let many = format!("[{}\"x\"]", "\"x\",".repeat(32));
        for wrong in ["null", "3", "{}", "[]", "[null]", "[\"a\",1]", "true", many.as_str()] {
            assert_eq!(count(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_not_one_json_object_is_refused_without_repeating_it() {
        for body in ["", "[]", "null", "\"secret\"", "{\"secret\":}", "{}{}", "{\"model\":\"secret\"", "\u{feff}{}"] {
            let error = read(Route::ChatCompletions, body.as_bytes()).unwrap_err();
            assert_eq!((error.status, error.code), (400, "invalid_json"), "{body}");
            assert!(!error.message.contains("secret"));
        }
        assert_eq!(read(Route::ChatCompletions, b"{\"model\":\"\xff\"}").unwrap_err().code, "invalid_json");
        let deep = format!(r#"{{"model":"m","tools":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(Route::ChatCompletions, deep.as_bytes()).unwrap_err().code, "invalid_json");
        assert_eq!(read(Route::ChatCompletions, &vec![b' '; MAX_BODY + 1]).unwrap_err().status, 413);
        let brackets = format!(r#""user":"\"{}","#, "[{".repeat(500));
        assert!(chat(&brackets).is_ok(), "brackets in a text do not nest");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_but_never_breaks_the_reader(body in "\\PC{0,200}") {
            let _ = read(Route::Completions, body.as_bytes());
        }

        #[test]
        fn a_text_reaches_the_engine_as_it_was(text in "\\PC*", engine_id in "\\PC+") {
            let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string();
            let sent = read(Route::ChatCompletions, body.as_bytes()).unwrap().for_engine(&engine_id);
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            prop_assert_eq!(&sent["messages"][0]["content"], &json!(text));
            prop_assert_eq!(&sent["model"], &json!(engine_id));
        }
    }
}
