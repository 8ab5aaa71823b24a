//! Draws what an engine says: lists, documents and the events of a stream, in the wording of each real engine.

use serde_json::{Value, json};

use super::manner::{Dialect, Manner};
use super::request::Seen;

/// The end of every stream that is whole.
pub(super) const DONE: &str = "data: [DONE]\n\n";
const CREATED: u64 = 1_795_374_395;

/// One generation, as far as its request decides it.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) dialect: Dialect,
    pub(super) is_chat: bool,
    pub(super) is_stream: bool,
    pub(super) model: String,
    /// `None` never ends.
    pub(super) chunks: Option<u32>,
    /// `stop`, or `length` if `max_tokens` was reached first.
    pub(super) finish: &'static str,
    wants_usage: bool,
}

impl Generation {
    pub(super) fn plan(seen: &Seen, manner: &Manner) -> Self {
        let body = seen.json();
        let most = seen.max_tokens();
        let is_cut_short = most.is_some_and(|most| manner.chunks.is_none_or(|chunks| most < chunks));
        Self {
            dialect: manner.dialect,
            is_chat: seen.target.ends_with("/chat/completions"),
            is_stream: body["stream"] == true,
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            chunks: if is_cut_short { most } else { manner.chunks },
            finish: if is_cut_short { "length" } else { "stop" },
            // exo always tells, the others when they are asked.
            wants_usage: manner.dialect == Dialect::Exo || body["stream_options"]["include_usage"] == true,
        }
    }

    /// The comment in a prefill.
    pub(super) const fn comment(&self) -> &'static str {
        match self.dialect {
            Dialect::Mlx => ": keepalive 31/32\n\n",
            Dialect::Llama => ":\n\n",
            Dialect::Exo => ": keep-alive\n\n",
        }
    }

    /// What comes before the first content.
    pub(super) fn opening(&self) -> Option<String> {
        let delta = json!({"role": "assistant", "content": null});
        (self.dialect == Dialect::Llama && self.is_chat).then(|| self.event(&self.choice(&delta, Value::Null), None))
    }

    /// One chunk of content; the last one finishes.
    pub(super) fn chunk(&self, text: &str, index: u32) -> String {
        let is_last = self.chunks == Some(index + 1);
        let finishes_here = is_last && self.dialect != Dialect::Llama;
        let delta = match self.dialect {
            Dialect::Llama => json!({"content": text}),
            Dialect::Mlx | Dialect::Exo => json!({"role": "assistant", "content": text}),
        };
        let part = if self.is_chat { delta } else { Value::from(text) };
        let finish = if finishes_here { Value::from(self.finish) } else { Value::Null };
        let usage = (is_last && self.dialect == Dialect::Exo).then(|| self.usage());
        self.event(&self.choice(&part, finish), usage)
    }

    /// What comes after the last content of a stream that is whole.
    pub(super) fn closing(&self) -> String {
        let mut text = String::new();
        if self.dialect == Dialect::Llama {
            let part = if self.is_chat { json!({}) } else { Value::from("") };
            text += &self.event(&self.choice(&part, self.finish.into()), None);
        }
        if self.wants_usage && self.dialect != Dialect::Exo {
            text += &self.event(&Value::Null, Some(self.usage()));
        }
        if self.dialect == Dialect::Exo {
            text += ": generation_stats {\"prompt_tps\":438.3,\"generation_tps\":108.6}\n\n";
        }
        text + DONE
    }

    /// The answer to a request that did not ask to stream.
    pub(super) fn document(&self, text: &str) -> String {
        let choice = if self.is_chat {
            json!({"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": self.finish})
        } else {
            json!({"index": 0, "text": text, "finish_reason": self.finish})
        };
        let object = if self.is_chat { "chat.completion" } else { "text_completion" };
        json!({"id": "chatcmpl-1", "object": object, "created": CREATED, "model": self.model, "choices": [choice],
            "usage": self.usage()})
        .to_string()
    }

    /// An error inside the stream, as exo words it.
    pub(super) const fn error_event(&self) -> &'static str {
        "data: {\"error\":{\"message\":\"Runner shutdown before completing command (signal=9 (Killed))\",\"type\":\"InternalServerError\",\"code\":500}}\n\ndata: [DONE]\n\n"
    }

    fn choice(&self, part: &Value, finish: Value) -> Value {
        let key = if self.is_chat { "delta" } else { "text" };
        let mut choice = json!({"index": 0, key: part});
        // exo leaves out what is null.
        if self.dialect != Dialect::Exo || !finish.is_null() {
            choice["finish_reason"] = finish;
        }
        choice
    }

    fn event(&self, choice: &Value, usage: Option<Value>) -> String {
        let object = match (self.is_chat, self.dialect, choice.is_null()) {
            (false, ..) => "text_completion",
            (true, Dialect::Exo, _) | (true, Dialect::Mlx, true) => "chat.completion",
            (true, ..) => "chat.completion.chunk",
        };
        let choices = if choice.is_null() { json!([]) } else { json!([choice]) };
        let mut event = json!({"id": "chatcmpl-1", "object": object, "created": CREATED, "model": self.model,
            "choices": choices});
        if let Some(usage) = usage {
            event["usage"] = usage;
            if self.dialect == Dialect::Llama {
                event["timings"] = json!({"prompt_n": 7, "predicted_per_second": 108.6});
            }
        }
        format!("data: {event}\n\n")
    }

    fn usage(&self) -> Value {
        let made = self.chunks.unwrap_or(0);
        json!({"prompt_tokens": 7, "completion_tokens": made, "total_tokens": 7 + made})
    }
}

/// The answer to `/v1/models`.
pub(super) fn list(manner: &Manner) -> String {
    let model = |id: &String| json!({"id": id, "object": "model", "created": CREATED});
    json!({"object": "list", "data": manner.models.iter().map(model).collect::<Vec<_>>()}).to_string()
}
