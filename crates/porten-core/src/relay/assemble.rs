//! Builds the one document for a client that did not ask to stream, out of the stream that the engine was asked for.

use serde_json::value::RawValue;

use super::chunk::{Chunk, Unreadable};
use super::fields::quoted;
use super::message::{Message, entry};
use super::normalise::Identity;

/// The largest document (bytes); as much as the largest request.
pub(super) const MAX_DOCUMENT: usize = 32 * 1024 * 1024;

/// A document in the making.
#[derive(Debug)]
pub(super) struct Document {
    choices: Vec<Message>,
    head: Vec<u8>,
    /// Top-level fields that are not ours: the last value stands.
    others: Vec<(String, String)>,
    usage: Option<Box<RawValue>>,
}

/// Why a chunk could not be added.
#[derive(Debug, thiserror::Error)]
pub(super) enum AssembleError {
    #[error("a chunk that does not read")]
    Unreadable(#[from] Unreadable),
    #[error("a choice that does not read")]
    Choice(#[source] serde_json::Error),
    #[error("an answer of more than {MAX_DOCUMENT} bytes")]
    TooLarge,
}

impl Document {
    /// For so many choices; others that come are not carried.
    pub(super) fn new(choices: u32) -> Self {
        let choices = (0..choices.max(1)).map(|_| Message::default()).collect();
        Self { choices, head: Vec::new(), others: Vec::new(), usage: None }
    }

    /// Adds one chunk.
    pub(super) fn chunk(&mut self, who: &Identity, chunk: &Chunk<'_>) -> Result<(), AssembleError> {
        if self.head.is_empty() {
            self.head = who.head(who.document_object(), chunk.id, chunk.created);
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.to_owned());
        }
        let mut wrong = Ok(());
        chunk.each_choice(|choice| {
            let message = usize::try_from(choice.index()).ok().and_then(|index| self.choices.get_mut(index));
            if let (Some(message), Ok(())) = (message, &wrong) {
                wrong = message.add(&choice);
            }
        })?;
        wrong.map_err(AssembleError::Choice)?;
        let (before, behind) = chunk.others();
        for (key, value) in before.iter().chain(behind) {
            let value = who.names.rename_json(value.get()).into_owned();
            if let Some(other) = entry(&mut self.others, key) {
                *other = value;
            }
        }
        let size = self.choices.iter().map(Message::size).sum::<usize>()
            + self.others.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if size > MAX_DOCUMENT { Err(AssembleError::TooLarge) } else { Ok(()) }
    }

    /// Writes the document.
    pub(super) fn write(&self, who: &Identity, out: &mut Vec<u8>) {
        let mut text = String::from(",\"choices\":[");
        for (index, choice) in self.choices.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            choice.write(who.dialect, index, &mut text);
        }
        text.push(']');
        if let Some(usage) = &self.usage {
            text.push_str(",\"usage\":");
            text.push_str(usage.get());
        }
        for (key, value) in &self.others {
            text.push(',');
            text.push_str(&quoted(key));
            text.push(':');
            text.push_str(value);
        }
        text.push('}');
        out.extend_from_slice(&self.head);
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::chunk::{Said, read};
    use super::super::headers::RequestId;
    use super::super::names::Names;
    use super::*;
    use crate::route::Dialect;

    fn who(dialect: Dialect) -> Identity {
        Identity {
            dialect,
            names: Names::new("tiny", "/tmp/relay/smollm2"),
            request_id: RequestId::read("req-1").unwrap(),
            created: 1,
        }
    }

    fn add(document: &mut Document, who: &Identity, data: &str) -> Result<(), AssembleError> {
        match read(data.as_bytes())? {
            Said::Chunk(chunk) => document.chunk(who, &chunk),
            _ => panic!("{data}"),
        }
    }

    #[test]
    fn a_document_is_what_the_engine_would_have_given() {
        // mlx_lm 0.32.2 with SmolLM2-135M, 22 Nov 2026; its own document said the same.
        let chunk = |rest: &str| {
            format!(
                r#"{{"id": "chatcmpl-49b5", "system_fingerprint": "0.32.2-0.32.4", "object": "chat.completion.chunk", "model": "/tmp/relay/smollm2", "created": 1795382600, {rest}}}"#
            )
        };
        let who = who(Dialect::Chat);
        let mut document = Document::new(1);
        for rest in [
            r#""choices": [{"index": 0, "finish_reason": null, "delta": {"role": "assistant", "content": "I"}}]"#,
            r#""choices": [{"index": 0, "finish_reason": null, "delta": {"role": "assistant", "content": "'m"}}]"#,
            r#""choices": [{"index": 0, "finish_reason": "length", "delta": {"role": "assistant"}}]"#,
            r#""choices": [], "usage": {"prompt_tokens": 32, "completion_tokens": 3, "total_tokens": 35}"#,
        ] {
            add(&mut document, &who, &chunk(rest)).unwrap();
        }
        let mut out = Vec::new();
        document.write(&who, &mut out);
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            document,
            json!({
                "id": "chatcmpl-49b5", "object": "chat.completion", "created": 1795382600, "model": "tiny",
                "choices": [{
                    "index": 0, "message": {"role": "assistant", "content": "I'm"}, "logprobs": null, "finish_reason": "length",
                }],
                "usage": {"prompt_tokens": 32, "completion_tokens": 3, "total_tokens": 35},
                "system_fingerprint": "0.32.2-0.32.4",
            })
        );
    }

    #[test]
    fn choices_are_kept_apart_and_uninvited_ones_left_out() {
        let who = who(Dialect::Text);
        let mut document = Document::new(2);
        for (index, text) in [(1, "b"), (0, "a"), (1, "B"), (2, "c")] {
            add(&mut document, &who, &format!(r#"{{"choices":[{{"index":{index},"text":"{text}"}}]}}"#)).unwrap();
        }
        let mut out = Vec::new();
        document.write(&who, &mut out);
        let document: Value = serde_json::from_slice(&out).unwrap();
        let texts: Vec<&Value> = document["choices"].as_array().unwrap().iter().map(|choice| &choice["text"]).collect();
        assert_eq!(texts, [&json!("a"), &json!("bB")]);
        assert_eq!((&document["object"], &document["id"]), (&json!("text_completion"), &json!("cmpl-req-1")));
    }

    #[test]
    fn a_document_is_bounded() {
        let who = who(Dialect::Text);
        let mut document = Document::new(1);
        let chunk = format!(r#"{{"choices":[{{"text":"{}"}}]}}"#, "x".repeat(4 * 1024 * 1024));
        let taken = (0..20).take_while(|_| add(&mut document, &who, &chunk).is_ok()).count();
        assert_eq!(taken, 8);
    }
}
