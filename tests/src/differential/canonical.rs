//! What an answer says, whoever gives it and in whatever form: a small reader that shares nothing with the product's.

use std::collections::BTreeMap;

use serde_json::Value;

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Canonical {
    /// Each choice by its number.
    pub choices: BTreeMap<u64, Choice>,
    /// What was counted, if it was told.
    pub usage: Option<Value>,
    /// The names of the model that stand in it.
    pub models: Vec<String>,
    /// The message of an error in it.
    pub error: Option<String>,
    /// It is all there, as far as a client can tell.
    pub is_whole: bool,
}

/// One choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What was said.
    pub content: String,
    /// What was thought.
    pub reasoning: String,
    /// Calls by their number: id, name, arguments.
    pub calls: BTreeMap<u64, (String, String, String)>,
    /// Why it stopped.
    pub finish: Option<String>,
}

/// Reads an answer to a request for `choices`. `ended`: the body came to its end.
#[must_use]
pub fn read(status: u16, is_stream: bool, body: &[u8], ended: bool, choices: usize) -> Canonical {
    let mut read = Canonical::default();
    let mut done = false;
    if is_stream && status == 200 {
        let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
        // What stands behind the last blank line is no event.
        let events = text.rsplit_once("\n\n").map_or("", |(events, _)| events);
        for line in events.split('\n') {
            match line.strip_prefix("data:").map(str::trim) {
                Some("[DONE]") => done = true,
                Some(data) => read.take(&serde_json::from_str(data).unwrap_or(Value::Null)),
                None => {}
            }
        }
    } else {
        let document = serde_json::from_slice(body).unwrap_or(Value::Null);
        done = !document.is_null();
        read.take(&document);
    }
    let finished = read.choices.values().filter(|choice| choice.finish.is_some()).count();
    read.is_whole = status == 200 && ended && done && read.error.is_none() && finished == choices;
    read.models.sort_unstable();
    read.models.dedup();
    read
}

impl Canonical {
    /// A chunk, or a document: their choices differ in a name only.
    fn take(&mut self, value: &Value) {
        if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
            let message = error.as_str().or_else(|| error["message"].as_str());
            self.error = Some(message.unwrap_or_default().to_owned());
        }
        if let Some(usage) = value.get("usage").filter(|usage| !usage.is_null()) {
            self.usage = Some(usage.clone());
        }
        self.models.extend(value["model"].as_str().map(str::to_owned));
        for choice in value["choices"].as_array().into_iter().flatten() {
            let kept = self.choices.entry(choice["index"].as_u64().unwrap_or_default()).or_default();
            kept.take(choice);
        }
    }
}

impl Choice {
    fn take(&mut self, choice: &Value) {
        let said = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
        for text in [&choice["text"], &said["content"]] {
            self.content += text.as_str().unwrap_or_default();
        }
        for text in [&said["reasoning"], &said["reasoning_content"]] {
            self.reasoning += text.as_str().unwrap_or_default();
        }
        for (at, call) in said["tool_calls"].as_array().into_iter().flatten().enumerate() {
            // In a document their order numbers them.
            let number = call["index"].as_u64().unwrap_or(at as u64);
            let (id, name, arguments) = self.calls.entry(number).or_default();
            *id += call["id"].as_str().unwrap_or_default();
            *name += call["function"]["name"].as_str().unwrap_or_default();
            *arguments += call["function"]["arguments"].as_str().unwrap_or_default();
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finish = Some(finish.to_owned());
        }
    }
}

/// The status that a client of the Hub reads where an engine refused with this one (protocol.md, 6).
#[must_use]
pub fn expected_status(status: u16, body: &[u8]) -> u16 {
    let error = serde_json::from_slice::<Value>(body).map(|body| body["error"].clone()).unwrap_or_default();
    match status {
        401 | 403 | 405 | 407 | 501 | 300..=399 => 502,
        404 if error.is_object() => 503,
        404 if error.is_string() => 400,
        404 => 502,
        408 => 504,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_and_a_document_that_say_the_same_read_the_same() {
        let stream = b"data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n: x\n\n\
            data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        let document = br#"{"model":"m","choices":[{"index":0,"message":{"content":"ab"},"finish_reason":"stop"}]}"#;
        let streamed = read(200, true, stream, true, 1);
        assert_eq!(streamed, read(200, false, document, true, 1));
        assert!(streamed.is_whole);
        for (what, cut) in [("no done", &stream[..stream.len() - 14]), ("half an event", &stream[..90])] {
            assert!(!read(200, true, cut, true, 1).is_whole, "{what}");
        }
        assert!(!read(200, true, stream, false, 1).is_whole && !read(200, true, stream, true, 2).is_whole);
        assert!(!read(500, false, document, true, 1).is_whole);
    }
}
