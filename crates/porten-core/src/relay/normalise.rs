//! Writes the client's stream in the one canonical form, whatever the engine's own looks like.
//!
//! Owned: `id` and `created` (the first ones seen, for every chunk), `object`, `model`, and `usage`, which comes in one
//! chunk of its own just before `[DONE]`, and only when it was asked for. Every other field keeps its bytes and order.

use serde_json::value::RawValue;

use super::alike::Alike;
use super::chunk::{Choice, Chunk, Field};
use super::fields::{quoted, string_inside, write_key};
use super::headers::RequestId;
use super::names::Names;
use crate::route::Dialect;

/// A comment shorter than this says nothing that ": keep-alive" does not (bytes).
const MIN_COMMENT: usize = KEEP_ALIVE.len() - 3;
/// The longest comment that is passed on (bytes).
const MAX_COMMENT: usize = 8 * 1024;
/// The longest id of an engine that is passed on (bytes).
const MAX_ENGINE_ID: usize = 256;
/// What keeps a connection open and says nothing: a comment, which no client shows.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Whether a comment says more than that the connection is open.
pub(super) fn is_telling(text: &[u8]) -> bool {
    (MIN_COMMENT + 1..=MAX_COMMENT).contains(&text.len())
}

/// Who an answer is from: what stands in front of every chunk and of the document.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) dialect: Dialect,
    pub(super) names: Names,
    pub(super) request_id: RequestId,
    /// When the answer began (Unix seconds), for an engine that does not say.
    pub(super) created: i64,
}

impl Identity {
    /// `{"id":…,"object":…,"created":…,"model":…`, without the closing brace.
    pub(super) fn head(&self, object: &str, id: Option<&RawValue>, created: Option<&RawValue>) -> Vec<u8> {
        let own_id = || {
            let prefix = match self.dialect {
                Dialect::Chat => "chatcmpl",
                Dialect::Text => "cmpl",
            };
            quoted(&format!("{prefix}-{}", self.request_id.as_str()))
        };
        let id = id
            .filter(|id| string_inside(id).is_some_and(|inside| (1..=MAX_ENGINE_ID).contains(&inside.len())))
            .map_or_else(|| own_id().into(), |id| self.names.rename_json(id.get()));
        let created: i64 = created.and_then(|created| created.get().parse().ok()).unwrap_or(self.created);
        let (created, model) = (created.to_string(), self.names.hub_json());
        ["{\"id\":", &id, ",\"object\":\"", object, "\",\"created\":", &created, ",\"model\":", model]
            .concat()
            .into_bytes()
    }

    /// The `object` of a chunk.
    pub(super) fn chunk_object(&self) -> &'static str {
        match self.dialect {
            Dialect::Chat => "chat.completion.chunk",
            Dialect::Text => "text_completion",
        }
    }

    /// The `object` of a document.
    pub(super) fn document_object(&self) -> &'static str {
        match self.dialect {
            Dialect::Chat => "chat.completion",
            Dialect::Text => "text_completion",
        }
    }
}

/// The client's stream being written.
#[derive(Debug, Default)]
pub(super) struct Stream {
    include_usage: bool,
    /// [`Identity::head`], once the first chunk has come.
    head: Vec<u8>,
    usage: Option<Box<RawValue>>,
    /// What came beside the usage in a chunk of its own (llama.cpp's `timings`), written as fields.
    beside_usage: Vec<u8>,
    /// The last chunk around its text.
    alike: Alike,
}

impl Stream {
    pub(super) fn new(include_usage: bool) -> Self {
        Self { include_usage, ..Self::default() }
    }

    /// Writes an event that says the same as the chunk before, but for its text; whether it is one.
    pub(super) fn again(&mut self, event: &[u8], out: &mut Vec<u8>) -> bool {
        self.alike.again(event, out)
    }

    /// Writes one chunk. `only`: its one choice, if all that it does is to add text.
    pub(super) fn chunk(&mut self, who: &Identity, chunk: &Chunk<'_>, only: Option<&Choice<'_>>, out: &mut Vec<u8>) {
        if self.head.is_empty() {
            self.head = who.head(who.chunk_object(), chunk.id, chunk.created);
        }
        if let Some(usage) = chunk.usage.filter(|_| self.include_usage) {
            self.usage = Some(usage.to_owned());
        }
        let (before, behind) = chunk.others();
        if chunk.usage.is_some() && chunk.is_empty() {
            self.beside_usage.clear();
            write_fields(who, before, &mut self.beside_usage);
            write_fields(who, behind, &mut self.beside_usage);
            return;
        }
        let begun = out.len();
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&self.head);
        write_fields(who, before, out);
        out.extend_from_slice(b",\"choices\":");
        let at = out.len() - begun;
        // What the model said is in there and stays untouched.
        let choices = chunk.choices.map_or("[]", RawValue::get);
        out.extend_from_slice(choices.as_bytes());
        write_fields(who, behind, out);
        out.extend_from_slice(b"}\n\n");
        if self.alike.learns()
            && let Some(text) = only.and_then(Choice::text_inside)
        {
            let into = text.as_ptr().addr() - choices.as_ptr().addr();
            self.alike.learn(chunk.event, text, &out[begun..], at + into);
        }
    }

    /// Writes the end of a whole answer.
    pub(super) fn done(&self, out: &mut Vec<u8>) {
        if let Some(usage) = &self.usage {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(&self.head);
            out.extend_from_slice(b",\"choices\":[]");
            out.extend_from_slice(&self.beside_usage);
            out.extend_from_slice(b",\"usage\":");
            out.extend_from_slice(usage.get().as_bytes());
            out.extend_from_slice(b"}\n\n");
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// Writes a comment: the engine's progress, in the Hub's words. An empty one (llama.cpp sends a bare `:`) gets its
    /// meaning spelled out, so that no event is smaller than the link's arithmetic takes for granted.
    pub(super) fn comment(who: &Identity, text: &[u8], out: &mut Vec<u8>) {
        match std::str::from_utf8(text) {
            Ok(text) if (MIN_COMMENT..=MAX_COMMENT).contains(&text.len()) => {
                out.push(b':');
                out.extend_from_slice(who.names.veil(text).as_bytes());
                out.extend_from_slice(b"\n\n");
            }
            _ => out.extend_from_slice(KEEP_ALIVE),
        }
    }
}

/// Writes `,"key":value` for fields that are not ours.
fn write_fields(who: &Identity, fields: &[Field<'_>], out: &mut Vec<u8>) {
    for (key, value) in fields {
        out.push(b',');
        write_key(key, out);
        out.extend_from_slice(who.names.rename_json(value.get()).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::chunk::{Said, read};
    use super::*;

    fn who(dialect: Dialect) -> Identity {
        Identity {
            dialect,
            names: Names::new("tiny", "/Users/ada/tiny"),
            request_id: RequestId::read("req-1").unwrap(),
            created: 1_795_000_000,
        }
    }

    fn write(who: &Identity, include_usage: bool, chunks: &[&str]) -> Vec<String> {
        let mut stream = Stream::new(include_usage);
        let mut out = Vec::new();
        for chunk in chunks {
            match read(chunk.as_bytes()) {
                Ok(Said::Chunk(chunk)) => stream.chunk(who, &chunk, None, &mut out),
                _ => panic!("{chunk}"),
            }
        }
        stream.done(&mut out);
        let text = String::from_utf8(out).unwrap();
        text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect()
    }

    // exo 0.3.70, 22 Nov 2026: usage rides on the last content chunk, `object` is wrong.
    const EXO: [&str; 2] = [
        r#"{"id":"eb2c","object":"chat.completion","created":1795374395,"model":"/Users/ada/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"c\u006c"}}]}"#,
        r#"{"id":"eb2c","object":"chat.completion","created":1795374395,"model":"/Users/ada/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":"length"}],"usage":{"prompt_tokens":28,"completion_tokens":24}}"#,
    ];

    #[test]
    fn usage_comes_once_in_its_own_chunk_before_done_and_only_when_asked() {
        let head = r#"{"id":"eb2c","object":"chat.completion.chunk","created":1795374395,"model":"tiny","choices":["#;
        let first = format!(r#"{head}{{"index":0,"delta":{{"role":"assistant","content":"c\u006c"}}}}]}}"#);
        let last =
            format!(r#"{head}{{"index":0,"delta":{{"role":"assistant","content":"x"}},"finish_reason":"length"}}]}}"#);
        let usage = format!(r#"{head}],"usage":{{"prompt_tokens":28,"completion_tokens":24}}}}"#);
        assert_eq!(write(&who(Dialect::Chat), true, &EXO), [&first, &last, &usage, "[DONE]"]);
        assert_eq!(write(&who(Dialect::Chat), false, &EXO), [&first, &last, "[DONE]"]);
    }

    #[test]
    fn an_engines_own_usage_chunk_is_held_back_with_what_came_beside_it() {
        // mlx_lm 0.32.2, 22 Nov 2026, `object` wrong again; `timings` as llama.cpp 11434 has it.
        let chunks = [
            r#"{"id": "cmpl-8", "system_fingerprint": "0.32.2", "object": "text_completion", "model": "/Users/ada/tiny", "created": 1795382608, "choices": [{"index": 0, "finish_reason": "length", "text": ""}]}"#,
            r#"{"id": "cmpl-8", "object": "chat.completion", "model": "/Users/ada/tiny", "created": 1795382608, "choices": [ ], "usage": {"prompt_tokens": 2}, "timings":{"m":"/Users/ada/tiny"}}"#,
        ];
        let head = r#"{"id":"cmpl-8","object":"text_completion","created":1795382608,"model":"tiny""#;
        let text = format!(
            r#"{head},"system_fingerprint":"0.32.2","choices":[{{"index": 0, "finish_reason": "length", "text": ""}}]}}"#
        );
        let usage = format!(r#"{head},"choices":[],"timings":{{"m":"tiny"}},"usage":{{"prompt_tokens": 2}}}}"#);
        assert_eq!(write(&who(Dialect::Text), true, &chunks), [&text, &usage, "[DONE]"]);
        assert_eq!(write(&who(Dialect::Text), false, &chunks), [&text, "[DONE]"]);
    }

    #[test]
    fn id_and_time_stay_those_of_the_first_chunk() {
        let chunks = [r#"{"choices":[]}"#, r#"{"id":"late","created":5,"choices":[]}"#, r#"{"x":null}"#];
        let head = r#"{"id":"chatcmpl-req-1","object":"chat.completion.chunk","created":1795000000,"model":"tiny","#;
        let plain = format!(r#"{head}"choices":[]}}"#);
        let x = format!(r#"{head}"x":null,"choices":[]}}"#);
        assert_eq!(write(&who(Dialect::Chat), false, &chunks), [&plain, &plain, &x, "[DONE]"]);
        let odd = [r#"{"id":7,"created":"now","choices":[]}"#];
        assert_eq!(write(&who(Dialect::Chat), false, &odd), [&plain, "[DONE]"]);
    }

    #[test]
    fn a_comment_names_the_hubs_model_and_no_path() {
        let write = |text: &[u8]| {
            let mut out = Vec::new();
            Stream::comment(&who(Dialect::Chat), text, &mut out);
            String::from_utf8(out).unwrap()
        };
        // exo 0.3.70, 22 Nov 2026.
        let progress = br#" prefill_progress {"PrefillProgressChunk":{"model":"/Users/ada/tiny","processed_tokens":0,"total_tokens":26}}"#;
        let told = ": prefill_progress {\"PrefillProgressChunk\":{\"model\":\"tiny\",\"processed_tokens\":0,\"total_tokens\":26}}\n\n";
        assert_eq!(write(progress), told);
        assert_eq!(write(b" loaded /private/tmp/x"), ": loaded …\n\n");
        assert_eq!(write(b""), ": keep-alive\n\n");
        assert_eq!(write(b" \xff"), ": keep-alive\n\n");
        assert_eq!(write(&vec![b'x'; MAX_COMMENT + 1]), ": keep-alive\n\n");
    }
}
