//! Reads what a client asks of a model, as leniently as exo does: it knows its fields and leaves the others alone.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use crate::invalid::{Fields, Invalid};

/// The roles that a message of chat/completions may have, as exo lists them.
const ROLES: [&str; 6] = ["system", "user", "assistant", "developer", "tool", "function"];

/// A request for text, whatever its dialect. It holds the prompt: nobody may log it.
pub(crate) struct Ask {
    pub(crate) model: String,
    pub(crate) is_stream: bool,
    messages: Vec<Message>,
    limit: Option<u32>,
    /// The request's own settings, under the names that exo's tasks give them.
    settings: Map<String, Value>,
}

struct Message {
    role: String,
    text: String,
}

impl Ask {
    /// A request of `/v1/chat/completions`.
    pub(crate) fn chat(body: &Value) -> Result<Self, Invalid> {
        let fields = Fields::of_body(body)?;
        let (model, messages) = fields.both(fields.text("model"), fields.list("messages"))?;
        let messages = messages.iter().enumerate().map(|(place, message)| read_message(place, message));
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let limit = ["max_completion_tokens", "max_tokens"].into_iter().find_map(|name| number(body, name));
        Ok(Self::new(model, body, messages, limit))
    }

    /// A request of `/v1/messages`.
    pub(crate) fn messages(body: &Value) -> Result<Self, Invalid> {
        let fields = Fields::of_body(body)?;
        let (model, messages) = fields.both(fields.text("model"), fields.list("messages"))?;
        fields.number("max_tokens")?;
        let system = body.get("system").map(|system| Message { role: "system".into(), text: text_of(system) });
        let said = messages.iter().map(lenient_message);
        Ok(Self::new(model, body, system.into_iter().chain(said).collect(), number(body, "max_tokens")))
    }

    /// A request of `/v1/responses`.
    pub(crate) fn responses(body: &Value) -> Result<Self, Invalid> {
        let fields = Fields::of_body(body)?;
        let (model, input) = fields.both(fields.text("model"), fields.any("input"))?;
        let instructions = body.get("instructions").filter(|text| !text.is_null());
        let system = instructions.map(|text| Message { role: "system".into(), text: text_of(text) });
        let said = match input {
            Value::Array(items) => items.iter().map(lenient_message).collect(),
            one => vec![Message { role: "user".into(), text: text_of(one) }],
        };
        Ok(Self::new(model, body, system.into_iter().chain(said).collect(), number(body, "max_output_tokens")))
    }

    fn new(model: &str, body: &Value, messages: Vec<Message>, limit: Option<u32>) -> Self {
        const SETTINGS: [&str; 14] = [
            "temperature",
            "top_p",
            "top_k",
            "min_p",
            "stop",
            "seed",
            "tools",
            "reasoning_effort",
            "enable_thinking",
            "top_logprobs",
            "repetition_penalty",
            "repetition_context_size",
            "presence_penalty",
            "frequency_penalty",
        ];
        let settings = SETTINGS.map(|name| (name.to_owned(), body.get(name).cloned().unwrap_or_default()));
        Self {
            model: model.to_owned(),
            is_stream: body.get("stream").and_then(Value::as_bool).unwrap_or_default(),
            messages,
            limit,
            settings: settings.into_iter().collect(),
        }
    }

    /// What the model says to it.
    pub(crate) fn answer(&self) -> Answer {
        let said: Vec<&str> = self.messages.iter().map(|message| message.text.as_str()).collect();
        Answer::draw(&said.join("\n"), self.limit)
    }

    /// `taskParams` as `/state` shows them, the whole prompt among them.
    pub(crate) fn task_params(&self) -> Value {
        let written = |message: &Message| json!({"role": message.role, "content": message.text});
        let (system, said): (Vec<_>, Vec<_>) =
            self.messages.iter().partition(|message| matches!(message.role.as_str(), "system" | "developer"));
        let mut params = self.settings.clone();
        params.extend([
            ("model".to_owned(), json!(self.model)),
            ("input".to_owned(), said.into_iter().map(written).collect()),
            ("instructions".to_owned(), system.first().map(|message| json!(message.text)).unwrap_or_default()),
            ("max_output_tokens".to_owned(), json!(self.limit)),
            ("stream".to_owned(), json!(self.is_stream)),
            ("bench".to_owned(), json!(false)),
            ("use_prefix_cache".to_owned(), json!(false)),
            ("chat_template_messages".to_owned(), self.messages.iter().map(written).collect()),
            ("logprobs".to_owned(), json!(false)),
            ("images".to_owned(), json!([])),
            ("image_hashes".to_owned(), json!({})),
            ("prefill_endpoint".to_owned(), Value::Null),
        ]);
        Value::Object(params)
    }
}

fn read_message(place: usize, message: &Value) -> Result<Message, Invalid> {
    let role = message.get("role").unwrap_or(&Value::Null);
    match role.as_str() {
        Some(known) if ROLES.contains(&known) => Ok(lenient_message(message)),
        _ => {
            let loc = json!(["body", "messages", place, "role"]);
            Err(if role.is_null() { Invalid::missing(loc, message) } else { Invalid::literal(loc, &ROLES, role) })
        }
    }
}

fn lenient_message(message: &Value) -> Message {
    let role = message.get("role").and_then(Value::as_str).unwrap_or("user").to_owned();
    Message { role, text: message.get("content").map(text_of).unwrap_or_default() }
}

/// The text of a content: a string, or the texts of its parts.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn number(body: &Value, name: &str) -> Option<u32> {
    body.get(name)?.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
