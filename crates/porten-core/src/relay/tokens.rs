//! Estimates how many tokens a request may hold, and says so when that is more than its model was promised.
//!
//! Only the engine can count; until it does, three bytes of text make at most one token: English has four to a token, code
//! and other languages less than four, and what has less than three (long numbers, rare scripts) is made up for by words
//! around it. What only carries text in JSON (keys of messages, escapes) is not counted, nor are images and sound: what they
//! take only the engine knows.

use serde_json::value::RawValue;

use super::body::Ask;
use super::bounds::Bound;
use super::fields::each_item;
use crate::api_error::ApiError;

/// Bytes of text that make one token, at the least.
const BYTES_A_TOKEN: u64 = 3;
/// What a chat template puts around each message, in bytes of text: its markers are about four tokens.
const AROUND_A_MESSAGE: u64 = 12;
/// What an answer is taken to hold where its request does not bound it (tokens): most are shorter.
const USUAL_ANSWER: u64 = 1024;
/// The keys whose text is no text but an image or sound.
const MEDIA: [&str; 3] = ["url", "image_url", "data"];

/// What a request may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Tokens of its longest prompt.
    pub prompt: u64,
    /// Bytes of text that was estimated from.
    bytes: u64,
    /// Tokens of all that it may come to hold at a time: prompts and answers.
    pub all: u64,
}

/// Estimates a request, as far as there is a bound to compare it with: it takes a look at each byte of the prompt.
///
/// # Errors
/// 400 `context_length_exceeded`: its prompt is longer than what its model was promised.
pub fn admit(ask: &Ask<'_>, bound: Bound) -> Result<Load, ApiError> {
    if bound.context.is_none() && bound.together.is_none() {
        return Ok(Load::default());
    }
    let load = estimate(ask, bound.context);
    match bound.context {
        Some(context) if load.prompt > context => Err(too_long(&load, context)),
        _ => Ok(load),
    }
}

fn too_long(load: &Load, context: u64) -> ApiError {
    let Load { prompt, bytes, .. } = load;
    let text = format!(
        "This prompt has up to {prompt} tokens ({bytes} bytes of text, at least {BYTES_A_TOKEN} to a token) and this node \
         holds {context} for one request of this model; send a shorter one."
    );
    ApiError::invalid("context_length_exceeded", text)
}

fn estimate(ask: &Ask<'_>, context: Option<u64>) -> Load {
    let mut beside = 0_u64;
    let mut prompts = Vec::new();
    let mut most_answer = None;
    for (name, value) in ask.kept() {
        match *name {
            "messages" => prompts.push(messages(value)),
            "prompt" => prompts = texts(value),
            // The template writes them out as JSON.
            "tools" | "functions" | "response_format" => beside += value.get().len() as u64,
            "max_tokens" | "max_completion_tokens" => most_answer = value.get().parse::<u64>().ok().or(most_answer),
            _ => {}
        }
    }
    let tokens = |text: &Text| (text.bytes + beside).div_ceil(BYTES_A_TOKEN) + text.numbers;
    let longest = prompts.iter().max_by_key(|text| tokens(text)).copied().unwrap_or_default();
    let answer = most_answer.unwrap_or(USUAL_ANSWER);
    let each = prompts.len().max(1) as u64;
    let copies = u64::from(ask.wants.choices).max(1) / each;
    let grown = |text: &Text| {
        let whole = tokens(text).saturating_add(answer);
        context.map_or(whole, |context| whole.min(context))
    };
    let sum = prompts.iter().map(grown).fold(0_u64, u64::saturating_add);
    Load { prompt: tokens(&longest), bytes: longest.bytes + beside, all: sum.saturating_mul(copies.max(1)) }
}

/// What a piece of JSON has in text, once it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Text {
    bytes: u64,
    /// Whole numbers, which in a prompt are tokens already.
    numbers: u64,
}

fn messages(raw: &RawValue) -> Text {
    let mut count = 0_u64;
    // It was read as messages before; what does not read counts for nothing.
    let _ = each_item(raw.get(), |_: &RawValue| count += 1);
    let text = scan(raw.get());
    Text { bytes: text.bytes + count * AROUND_A_MESSAGE, numbers: 0 }
}

/// The prompts of a text completion: one, or each of several.
fn texts(raw: &RawValue) -> Vec<Text> {
    let is_list = raw.get().starts_with('[');
    let mut items = Vec::new();
    if is_list {
        let _ = each_item(raw.get(), |item: &RawValue| items.push(item.get()));
    }
    let several = items.iter().any(|item| item.starts_with(['"', '[']));
    if several { items.into_iter().map(scan).collect() } else { vec![scan(raw.get())] }
}

/// Counts the texts in a piece of JSON that is known to be valid, but for keys and media, and the numbers.
fn scan(json: &str) -> Text {
    let mut text = Text::default();
    let (mut key, mut rest) = ("", json);
    while let Some(open) = rest.find(['"', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
        let (_, from) = rest.split_at(open);
        if let Some(inside) = from.strip_prefix('"') {
            let (string, after) = split_string(inside);
            rest = after;
            if after.trim_ascii_start().starts_with(':') {
                key = string;
            } else if !is_media(key, string) {
                text.bytes += read_len(string);
            }
        } else {
            text.numbers += 1;
            rest = from.trim_start_matches(|c: char| c.is_ascii_digit());
        }
    }
    text
}

/// The inside of a string, and what stands behind its end.
fn split_string(from: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = from.bytes().position(|byte| match (escaped, byte) {
        (true, _) => {
            escaped = false;
            false
        }
        (false, b'\\') => {
            escaped = true;
            false
        }
        (false, byte) => byte == b'"',
    });
    // Quotes are ASCII, so this is never inside a character.
    let end = end.unwrap_or(from.len());
    (from.get(..end).unwrap_or_default(), from.get(end + 1..).unwrap_or_default())
}

fn is_media(key: &str, string: &str) -> bool {
    MEDIA.contains(&key) && (key == "data" || string.starts_with("data:"))
}

/// How long an escaped text is once it is read (bytes): some libraries escape all that is not ASCII.
fn read_len(inside: &str) -> u64 {
    let mut parts = inside.split('\\');
    let mut len = parts.next().map_or(0, str::len);
    let mut after_escape = false;
    for part in parts {
        // `\\` leaves an empty part: the next one begins with what was escaped, literally.
        if after_escape {
            after_escape = false;
            len += part.len();
            continue;
        }
        match part.as_bytes().first() {
            None => {
                len += 1;
                after_escape = true;
            }
            // Four digits become two or three bytes; of a pair each half makes two.
            Some(b'u') => len += 3 + part.len().saturating_sub(5),
            Some(_) => len += part.len(),
        }
    }
    len as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::body;
    use super::*;
    use crate::route::Route;

    fn load(route: Route, request: &serde_json::Value, bound: Bound) -> Result<Load, String> {
        let body = request.to_string();
        admit(&body::read(route, body.as_bytes()).unwrap(), bound).map_err(|error| {
            assert_eq!((error.status, error.code), (400, "context_length_exceeded"));
            error.message
        })
    }

    const fn context(tokens: u64) -> Bound {
        Bound { context: Some(tokens), at_once: None, together: None }
    }

    fn chat(content: &serde_json::Value) -> serde_json::Value {
        json!({ "model": "m", "messages": [{ "role": "user", "content": content }] })
    }

    #[test]
    fn three_bytes_of_text_are_a_token_and_the_sentence_has_the_numbers() {
        let ask = chat(&json!("x".repeat(2984)));
        // 2,984 bytes, the word "user", and a message's markers.
        assert_eq!(load(Route::ChatCompletions, &ask, context(1000)).unwrap().prompt, 1000);
        let why = load(Route::ChatCompletions, &ask, context(999)).unwrap_err();
        assert_eq!(
            why,
            "This prompt has up to 1000 tokens (3000 bytes of text, at least 3 to a token) and this node holds 999 for one \
             request of this model; send a shorter one."
        );
        assert_eq!(load(Route::ChatCompletions, &ask, Bound::default()), Ok(Load::default()), "nothing is promised");
    }

    #[test]
    fn a_picture_is_not_text_and_neither_is_sound() {
        let data = "A".repeat(300_000);
        let picture = json!([{ "type": "text", "text": "What is it?" },
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}"), "detail": "low" } },
            { "type": "image_url", "image_url": format!("data:image/png;base64,{data}") },
            { "type": "input_audio", "input_audio": { "data": data, "format": "wav" } }]);
        let load_of = |content| load(Route::ChatCompletions, &chat(content), context(1000));
        assert!(load_of(&picture).unwrap().prompt < 50);
        let said = json!([{ "type": "text", "text": format!("data:image/png;base64,{data}") }]);
        assert!(load_of(&said).is_err(), "in a text it is text");
    }

    #[test]
    fn tools_and_former_calls_count_too() {
        let tools = json!([{ "type": "function", "function": { "name": "f", "description": "d".repeat(3000) } }]);
        let mut ask = chat(&json!("hi"));
        ask["tools"] = tools;
        assert!(load(Route::ChatCompletions, &ask, context(1000)).is_err());
        let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "x".repeat(3000) } });
        let mut ask = chat(&json!("hi"));
        ask["messages"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
        assert!(load(Route::ChatCompletions, &ask, context(1000)).is_err());
    }

    #[test]
    fn of_several_prompts_the_longest_must_fit_and_numbers_are_tokens() {
        let text = |prompt| json!({ "model": "m", "prompt": prompt, "max_tokens": 10 });
        let load = |prompt| load(Route::Completions, &text(prompt), context(100));
        assert_eq!(load(json!("x".repeat(300))).unwrap(), Load { prompt: 100, bytes: 300, all: 100 });
        assert_eq!(load(json!(["x".repeat(30), "x".repeat(60)])).unwrap(), Load { prompt: 20, bytes: 60, all: 50 });
        assert_eq!(load(json!((0..100).collect::<Vec<u32>>())).unwrap().prompt, 100);
        assert_eq!(load(json!([[1, 2, 3], [4]])).unwrap().prompt, 3);
        assert!(load(json!((0..101).collect::<Vec<u32>>())).is_err());
    }

    #[test]
    fn what_a_request_may_come_to_hold_is_its_prompt_and_its_answer_for_each_choice() {
        let ask = |extra: serde_json::Value| {
            let mut ask = chat(&json!("x".repeat(284)));
            ask.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            load(Route::ChatCompletions, &ask, context(5000)).unwrap().all
        };
        assert_eq!(ask(json!({})), 100 + USUAL_ANSWER);
        assert_eq!(ask(json!({ "max_tokens": 50 })), 150);
        assert_eq!(ask(json!({ "max_completion_tokens": 50, "n": 2 })), 300);
        assert_eq!(ask(json!({ "max_tokens": 1_000_000 })), 5000, "no sequence grows beyond its context");
    }

    proptest! {
        #[test]
        fn a_text_counts_as_many_bytes_as_it_has_however_it_is_written(text in "\\PC{0,60}") {
            let plain = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(scan(&plain).bytes, text.len() as u64);
            let ascii: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = scan(&format!("\"{ascii}\"")).bytes;
            // Escaped it counts three bytes to a unit: never less than it has.
            prop_assert!(escaped >= text.len() as u64 && escaped <= 3 * text.len() as u64);
        }

        #[test]
        fn backslashes_and_quotes_do_not_confuse_the_count(text in "[a\\\\\"\n\t]{0,40}") {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(scan(&written).bytes, text.len() as u64);
            let (inside, rest) = split_string(&written[1..]);
            prop_assert_eq!((inside.len() + 2, rest), (written.len(), ""));
        }
    }
}
