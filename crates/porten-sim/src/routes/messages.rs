//! `/v1/messages`, Anthropic's dialect.

use axum::body::Bytes;
use axum::extract::State;
use serde::Serialize;

use super::ear::{self, Dialect, Speech, named};
use super::{Answered, Shared};
use crate::chat::answer::Finish;
use crate::chat::ask::Ask;
use crate::world::Event;

pub(super) async fn complete(State(sim): Shared, body: Bytes) -> Answered {
    let (ask, ear) = ear::ask(sim, &body, Ask::messages)?;
    if ask.is_stream {
        let speech = ear.speech.clone();
        return Ok(ear::stream(ear, Messages { speech, has_block: false }));
    }
    Ok(ear::document(ear, |speech, whole| {
        let usage = TokenUse { input_tokens: whole.usage.prompt, output_tokens: whole.usage.completion };
        let text = [Block::text(&whole.text)];
        serde_json::to_vec(&message(&id(speech), speech, &text, Some(reason(whole.finish)), usage))
    }))
}

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    content: &'a [Block<'a>],
    model: &'a str,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
    usage: TokenUse,
}

#[derive(Serialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

impl<'a> Block<'a> {
    const fn text(text: &'a str) -> Self {
        Self { kind: "text", text }
    }

    const fn delta(text: &'a str) -> Self {
        Self { kind: "text_delta", text }
    }
}

#[derive(Serialize)]
struct TokenUse {
    input_tokens: u32,
    output_tokens: u32,
}

#[derive(Serialize)]
struct OutputUse {
    output_tokens: u32,
}

#[derive(Serialize)]
struct Stop {
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
}

/// The events of a stream; each carries its own name.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told<'a> {
    MessageStart { message: Message<'a> },
    ContentBlockStart { index: u32, content_block: Block<'a> },
    ContentBlockDelta { index: u32, delta: Block<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: Stop, usage: OutputUse },
    MessageStop,
}

impl Told<'_> {
    fn event(&self) -> String {
        let name = match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
        };
        named(name, self)
    }
}

fn id(speech: &Speech) -> String {
    format!("msg_{}", speech.id)
}

const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
    }
}

fn message<'a>(
    id: &'a str,
    speech: &'a Speech,
    content: &'a [Block<'a>],
    stop_reason: Option<&'static str>,
    usage: TokenUse,
) -> Message<'a> {
    let (kind, role, model) = ("message", "assistant", &speech.model);
    Message { id, kind, role, content, model, stop_reason, stop_sequence: None, usage }
}

/// The stream of messages.
struct Messages {
    speech: Speech,
    has_block: bool,
}

impl Messages {
    fn text(&mut self, text: &str) -> String {
        let delta = Told::ContentBlockDelta { index: 0, delta: Block::delta(text) }.event();
        if std::mem::replace(&mut self.has_block, true) {
            return delta;
        }
        Told::ContentBlockStart { index: 0, content_block: Block::text("") }.event() + &delta
    }
}

impl Dialect for Messages {
    fn begin(&mut self) -> String {
        let (id, nothing) = (id(&self.speech), TokenUse { input_tokens: 0, output_tokens: 0 });
        Told::MessageStart { message: message(&id, &self.speech, &[], None, nothing) }.event()
    }

    fn tell(&mut self, event: &Event) -> String {
        match event {
            Event::Prefill { .. } => String::new(),
            Event::Token(text) => self.text(text),
            // In this dialect exo swallows errors: only the reason is missing.
            Event::Failed(_) => {
                let delta = Stop { stop_reason: None, stop_sequence: None };
                Told::MessageDelta { delta, usage: OutputUse { output_tokens: 0 } }.event() + &Told::MessageStop.event()
            }
            Event::Last { text, finish, usage, .. } => {
                let delta = Stop { stop_reason: Some(reason(*finish)), stop_sequence: None };
                let usage = OutputUse { output_tokens: usage.completion };
                self.text(text)
                    + &Told::ContentBlockStop { index: 0 }.event()
                    + &Told::MessageDelta { delta, usage }.event()
                    + &Told::MessageStop.event()
            }
        }
    }
}
