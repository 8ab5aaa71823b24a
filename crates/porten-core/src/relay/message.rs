//! Puts one choice together from its parts. Texts are joined as the escaped bytes they came in, never decoded.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::Choice;
use super::fields::{each_field, each_item, quoted, string_inside};
use crate::route::Dialect;

/// The most different fields of one kind, and the most tool calls, that are put together.
const MAX_PARTS: usize = 128;
/// Fields of a delta that come in pieces.
const JOINED: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];

/// One choice of a document in the making.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// Texts by field, escaped, without quotes.
    texts: Vec<(String, String)>,
    /// Fields that are no texts in pieces: the last value stands.
    others: Vec<(String, String)>,
    calls: Vec<Call>,
    /// Arrays by field, without brackets.
    logprobs: Vec<(String, String)>,
    finish_reason: Option<String>,
    size: usize,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u32>,
    id: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    arguments: String,
}

#[derive(Deserialize)]
struct CallPart<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    #[serde(borrow)]
    function: Option<FunctionPart<'a>>,
}

#[derive(Deserialize)]
struct FunctionPart<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl Message {
    /// Adds a part.
    ///
    /// # Errors
    /// A part that does not read.
    pub(super) fn add(&mut self, choice: &Choice<'_>) -> Result<(), serde_json::Error> {
        if let Some(delta) = choice.delta {
            let mut calls = None;
            each_field(delta.get(), |key, value| match key.as_ref() {
                "role" => {}
                _ if value.get() == "null" => {}
                "tool_calls" => calls = Some(value),
                joined if JOINED.contains(&joined) => self.add_text(joined, value),
                other => self.set_other(other, value),
            })?;
            if let Some(calls) = calls {
                each_item(calls.get(), |part| self.add_call(&part))?;
            }
        }
        if let Some(text) = choice.text {
            self.add_text("text", text);
        }
        if let Some(logprobs) = choice.logprobs {
            each_field(logprobs.get(), |key, value| self.add_items(&key, value))?;
        }
        if let Some(reason) = choice.finish_reason {
            self.finish_reason = Some(reason.get().to_owned());
        }
        Ok(())
    }

    /// How much it holds (bytes, roughly).
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Writes the choice as a document has it.
    pub(super) fn write(&self, dialect: Dialect, index: usize, out: &mut String) {
        out.push_str(&format!("{{\"index\":{index},"));
        match dialect {
            Dialect::Chat => {
                out.push_str("\"message\":{\"role\":\"assistant\",\"content\":");
                write_text(find(&self.texts, "content"), out);
                for (key, text) in self.texts.iter().filter(|(key, _)| key != "content") {
                    write_field(key, out);
                    write_text(Some(text), out);
                }
                for (key, value) in &self.others {
                    write_field(key, out);
                    out.push_str(value);
                }
                self.write_calls(out);
                out.push('}');
            }
            Dialect::Text => {
                out.push_str("\"text\":");
                write_text(Some(find(&self.texts, "text").unwrap_or_default()), out);
            }
        }
        out.push_str(",\"logprobs\":");
        self.write_logprobs(out);
        out.push_str(",\"finish_reason\":");
        out.push_str(self.finish_reason.as_deref().unwrap_or("null"));
        out.push('}');
    }

    fn add_text(&mut self, field: &str, value: &RawValue) {
        let Some(inside) = string_inside(value) else { return };
        if let Some(text) = entry(&mut self.texts, field) {
            text.push_str(inside);
            self.size += inside.len();
        }
    }

    fn set_other(&mut self, field: &str, value: &RawValue) {
        if let Some(other) = entry(&mut self.others, field) {
            self.size = self.size.saturating_sub(other.len()) + value.get().len();
            value.get().clone_into(other);
        }
    }

    fn add_items(&mut self, field: &str, value: &RawValue) {
        let inside = value.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim_ascii);
        let Some(items) = inside.and_then(|inside| Some((inside, entry(&mut self.logprobs, field)?))) else { return };
        let (inside, joined) = items;
        if !joined.is_empty() && !inside.is_empty() {
            joined.push(',');
        }
        joined.push_str(inside);
        self.size += inside.len() + 1;
    }

    /// Parts of one call share its index; without an index, a new id begins a new call.
    fn add_call(&mut self, part: &CallPart<'_>) {
        let id = part.id.map(RawValue::get);
        let same = |call: &Call| match part.index {
            Some(_) => call.index == part.index,
            None => id.is_none() || call.id.as_deref() == id,
        };
        let at = match self.calls.iter().rposition(same) {
            Some(at) => at,
            None if self.calls.len() < MAX_PARTS => {
                self.calls.push(Call { index: part.index, ..Call::default() });
                self.calls.len() - 1
            }
            None => return,
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        let function = part.function.as_ref();
        let name = function.and_then(|function| function.name).filter(|name| name.get() != "\"\"");
        for (slot, value) in [(&mut call.id, part.id), (&mut call.kind, part.r#type), (&mut call.name, name)] {
            if let (None, Some(value)) = (&slot, value) {
                self.size += value.get().len();
                *slot = Some(value.get().to_owned());
            }
        }
        if let Some(arguments) = function.and_then(|function| function.arguments) {
            let before = call.arguments.len();
            match string_inside(arguments) {
                Some(inside) => call.arguments.push_str(inside),
                // Some engines give the object itself; OpenAI's is its text.
                None => {
                    let text = quoted(arguments.get());
                    let inside = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                    call.arguments.push_str(inside.unwrap_or_default());
                }
            }
            self.size += call.arguments.len() - before;
        }
    }

    fn write_calls(&self, out: &mut String) {
        if self.calls.is_empty() {
            return;
        }
        out.push_str(",\"tool_calls\":[");
        for (at, call) in self.calls.iter().enumerate() {
            let text = |value: &Option<String>, otherwise: &str| value.as_deref().unwrap_or(otherwise).to_owned();
            let kind = text(&call.kind, "\"function\"");
            let (id, name) = (text(&call.id, "null"), text(&call.name, "\"\""));
            let comma = if at == 0 { "" } else { "," };
            out.push_str(&format!(r#"{comma}{{"id":{id},"type":{kind},"function":{{"name":{name},"arguments":""#));
            out.push_str(&call.arguments);
            out.push_str("\"}}");
        }
        out.push(']');
    }

    fn write_logprobs(&self, out: &mut String) {
        if self.logprobs.is_empty() {
            out.push_str("null");
            return;
        }
        for (at, (key, items)) in self.logprobs.iter().enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            out.push_str(&quoted(key));
            out.push_str(":[");
            out.push_str(items);
            out.push(']');
        }
        out.push('}');
    }
}

fn find<'a>(fields: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
}

/// The value of a field, made empty if it is new; none when there are too many.
pub(super) fn entry<'a>(fields: &'a mut Vec<(String, String)>, wanted: &str) -> Option<&'a mut String> {
    let at = match fields.iter().position(|(key, _)| key == wanted) {
        Some(at) => at,
        None if fields.len() < MAX_PARTS => {
            fields.push((wanted.to_owned(), String::new()));
            fields.len() - 1
        }
        None => return None,
    };
    fields.get_mut(at).map(|(_, value)| value)
}

fn write_field(key: &str, out: &mut String) {
    out.push(',');
    out.push_str(&quoted(key));
    out.push(':');
}

fn write_text(inside: Option<&str>, out: &mut String) {
    match inside {
        Some(inside) => {
            out.push('"');
            out.push_str(inside);
            out.push('"');
        }
        None => out.push_str("null"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn put_together(dialect: Dialect, parts: &[&str]) -> Value {
        let mut message = Message::default();
        for part in parts {
            message.add(&serde_json::from_str(part).unwrap()).unwrap();
        }
        let mut out = String::new();
        message.write(dialect, 0, &mut out);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn texts_are_joined_even_inside_a_surrogate_pair() {
        let choice = put_together(
            Dialect::Chat,
            &[
                r#"{"delta":{"role":"assistant","content":null,"reasoning_content":"h\u006d"}}"#,
                r#"{"delta":{"content":"a\ud83d","reasoning_content":"m"}}"#,
                r#"{"delta":{"content":"\ude00\"b"},"finish_reason":"stop"}"#,
            ],
        );
        assert_eq!(choice["message"], json!({"role": "assistant", "content": "a😀\"b", "reasoning_content": "hmm"}));
        assert_eq!((&choice["finish_reason"], &choice["logprobs"]), (&json!("stop"), &Value::Null));
    }

    #[test]
    fn tool_calls_come_whole_or_in_pieces() {
        // exo gives them whole (an extra id in the function), OpenAI and llama.cpp in pieces.
        let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
        let whole = put_together(
            Dialect::Chat,
            &[
                r#"{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"id":"a","name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}"#,
            ],
        );
        assert_eq!(
            whole["message"],
            json!({"role": "assistant", "content": null, "tool_calls": [call("a", "f", "{\"x\":1}")]})
        );
        let pieces = put_together(
            Dialect::Chat,
            &[
                r#"{"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}}"#,
                r#"{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{"}},{"index":0,"function":{"arguments":"{\"x\""}}]}}"#,
                r#"{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":":1}"}}]}}"#,
            ],
        );
        assert_eq!(pieces["message"]["tool_calls"], json!([call("a", "f", "{\"x\":1}"), call("b", "g", "{}")]));
        let unnumbered = put_together(
            Dialect::Chat,
            &[
                r#"{"delta":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x": "y"}}}]}}"#,
                r#"{"delta":{"tool_calls":[{"id":"b","function":{"name":"g","arguments":"1"}},{"function":{"arguments":"2"}}]}}"#,
            ],
        );
        assert_eq!(
            unnumbered["message"]["tool_calls"],
            json!([call("a", "f", "{\"x\": \"y\"}"), call("b", "g", "12")])
        );
    }

    #[test]
    fn logprobs_are_joined_list_by_list() {
        let chat = put_together(
            Dialect::Chat,
            &[
                r#"{"delta":{"content":"a"},"logprobs":{"content":[{"token":"a"}],"refusal":null}}"#,
                r#"{"delta":{"content":"b"},"logprobs":{"content":[ ]}}"#,
                r#"{"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}]}}"#,
            ],
        );
        assert_eq!(chat["logprobs"], json!({"content": [{"token": "a"}, {"token": "b"}]}));
        let text = put_together(
            Dialect::Text,
            &[
                r#"{"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-1.50]}}"#,
                r#"{"text":"b","logprobs":{"tokens":["b"],"token_logprobs":[null]},"finish_reason":"length"}"#,
            ],
        );
        let logprobs = json!({"tokens": ["a", "b"], "token_logprobs": [-1.5, null]});
        assert_eq!(text, json!({"index": 0, "text": "ab", "logprobs": logprobs, "finish_reason": "length"}));
    }

    #[test]
    fn unknown_fields_keep_their_last_value_and_broken_parts_are_errors() {
        let choice =
            put_together(Dialect::Chat, &[r#"{"delta":{"annotations":[1]}}"#, r#"{"delta":{"annotations":[2]}}"#]);
        assert_eq!(choice["message"]["annotations"], json!([2]));
        for wrong in [
            r#"{"delta":[]}"#,
            r#"{"delta":{"tool_calls":{}}}"#,
            r#"{"delta":{"tool_calls":[1]}}"#,
            r#"{"logprobs":3}"#,
        ] {
            assert!(Message::default().add(&serde_json::from_str(wrong).unwrap()).is_err(), "{wrong}");
        }
    }
}
