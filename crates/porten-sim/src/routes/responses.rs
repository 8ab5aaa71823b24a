//! `/v1/responses`, OpenAI's newer dialect.

use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};

use super::ear::{self, Dialect, Speech, named};
use super::{Answered, Shared};
use crate::chat::answer::Usage;
use crate::chat::ask::Ask;
use crate::world::Event;

pub(super) async fn complete(State(sim): Shared, body: Bytes) -> Answered {
    let (ask, ear) = ear::ask(sim, &body, Ask::responses)?;
    if ask.is_stream {
        let speech = ear.speech.clone();
        return Ok(ear::stream(ear, Responses { speech, said: String::new(), number: 0 }));
    }
    Ok(ear::document(ear, |speech, whole| serde_json::to_vec(&response(speech, Some((&whole.text, whole.usage))))))
}

/// The whole response; without an end it is in progress.
fn response(speech: &Speech, end: Option<(&str, Usage)>) -> Value {
    let mut response = json!({
        "id": format!("resp_{}", speech.id),
        "object": "response",
        "created_at": speech.created,
        "status": "in_progress",
        "model": speech.model,
        "output": [],
        "output_text": "",
    });
    if let (Some((text, usage)), Some(object)) = (end, response.as_object_mut()) {
        object.insert("status".into(), json!(COMPLETED));
        object.insert("output".into(), json!([item(speech, text, COMPLETED)]));
        object.insert("output_text".into(), json!(text));
        object.insert("usage".into(), token_use(usage));
    }
    response
}

/// Of every answer that ended by itself: exo calls one complete that was cut at the client's limit, too.
const COMPLETED: &str = "completed";

fn item_id(speech: &Speech) -> String {
    format!("item_{}", speech.id)
}

fn item(speech: &Speech, text: &str, status: &str) -> Value {
    let (id, content) = (item_id(speech), [part(text)]);
    json!({"type": "message", "id": id, "role": "assistant", "content": content, "status": status})
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn token_use(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.prompt + usage.completion,
    })
}

/// The stream of responses.
struct Responses {
    speech: Speech,
    said: String,
    /// The number of the event before.
    number: u32,
}

impl Responses {
    fn event(&mut self, name: &str, mut document: Value) -> String {
        self.number += 1;
        if let Some(object) = document.as_object_mut() {
            object.insert("type".into(), json!(name));
            object.insert("sequence_number".into(), json!(self.number));
        }
        named(name, &document)
    }

    /// An event about the one part of the one item.
    fn part_event(&mut self, name: &str, field: &str, value: &Value) -> String {
        let document = json!({"item_id": item_id(&self.speech), "output_index": 0, "content_index": 0, field: value});
        self.event(name, document)
    }

    fn text(&mut self, text: &str) -> String {
        let mut told = String::new();
        if self.said.is_empty() {
            let item = item(&self.speech, "", "in_progress");
            told += &self.event("response.output_item.added", json!({"output_index": 0, "item": item}));
            told += &self.part_event("response.content_part.added", "part", &part(""));
        }
        self.said += text;
        told + &self.part_event("response.output_text.delta", "delta", &json!(text))
    }
}

impl Dialect for Responses {
    fn begin(&mut self) -> String {
        let response = response(&self.speech, None);
        self.event("response.created", json!({"response": response}))
            + &self.event("response.in_progress", json!({"response": response}))
    }

    fn tell(&mut self, event: &Event) -> String {
        match event {
            // What exo says of an error here was not recorded; the stream just ends.
            Event::Prefill { .. } | Event::Failed(_) => String::new(),
            Event::Token(text) => self.text(text),
            Event::Last { text, usage, .. } => {
                let mut told = self.text(text);
                let said = std::mem::take(&mut self.said);
                told += &self.part_event("response.output_text.done", "text", &json!(said));
                told += &self.part_event("response.content_part.done", "part", &part(&said));
                let item = item(&self.speech, &said, COMPLETED);
                told += &self.event("response.output_item.done", json!({"output_index": 0, "item": item}));
                let whole = response(&self.speech, Some((&said, *usage)));
                told + &self.event("response.completed", json!({"response": whole}))
            }
        }
    }
}
