//! `/v1/chat/completions` and `/v1/cancel`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Serialize;

use super::answer::Refusal;
use super::ear::{self, Dialect, Speech, comment, data};
use super::{Answered, Shared, answer};
use crate::chat::answer::{Finish, Usage};
use crate::chat::ask::Ask;
use crate::documents::chat::{
    Choice, Completion, GenerationStats, PeakMemory, PrefillChunk, PrefillProgress, Said, TokenUse,
};
use crate::world::{Event, Rates};

pub(super) async fn complete(State(sim): Shared, body: Bytes) -> Answered {
    let (ask, ear) = ear::ask(sim, &body, Ask::chat)?;
    if ask.is_stream {
        let speech = ear.speech.clone();
        return Ok(ear::stream(ear, Chat(speech)));
    }
    Ok(ear::document(ear, |speech, whole| {
        let message = Some(Said::by_assistant(&whole.text));
        let choice = Choice { index: 0, delta: None, message, finish_reason: Some(reason(whole.finish)) };
        serde_json::to_vec(&completion(speech, choice, Some(whole.usage)))
    }))
}

/// What `/v1/cancel` answers.
#[derive(Serialize)]
struct Cancelled {
    message: &'static str,
    command_id: String,
}

pub(super) async fn cancel(State(sim): Shared, Path(command_id): Path<String>) -> Answered {
    if !sim.with(|world| world.cancel(&command_id)) {
        return Err(Refusal::not_found("Command not found or already completed"));
    }
    Ok(answer::ok(&Cancelled { message: "Command cancelled.", command_id }))
}

const fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

fn completion<'a>(speech: &'a Speech, choice: Choice<'a>, usage: Option<Usage>) -> Completion<'a> {
    let (id, model) = (&speech.id, &speech.model);
    let usage = usage.map(TokenUse::from);
    Completion { id, object: "chat.completion", created: speech.created, model, choices: [choice], usage }
}

/// The last event of a stream that ends by itself.
const DONE: &str = "data: [DONE]\n\n";

/// An error where a piece was expected; the status was sent long ago.
#[derive(Serialize)]
struct Failed {
    error: Failure,
}

#[derive(Serialize)]
struct Failure {
    message: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    code: u16,
}

impl Failed {
    const fn new(message: &'static str) -> Self {
        Self { error: Failure { message, kind: "InternalServerError", code: 500 } }
    }
}

/// The stream of chat/completions.
struct Chat(Speech);

impl Chat {
    fn piece(&self, text: &str, finish: Option<Finish>, usage: Option<Usage>) -> String {
        let delta = Some(Said::by_assistant(text));
        let choice = Choice { index: 0, delta, message: None, finish_reason: finish.map(reason) };
        data(&completion(&self.0, choice, usage))
    }
}

impl Dialect for Chat {
    fn begin(&mut self) -> String {
        String::new()
    }

    fn tell(&mut self, event: &Event) -> String {
        match event {
            Event::Prefill { processed, total } => {
                let chunk = PrefillChunk { model: &self.0.model, processed_tokens: *processed, total_tokens: *total };
                comment("prefill_progress", &PrefillProgress { chunk })
            }
            Event::Token(text) => self.piece(text, None, None),
            Event::Failed(why) => data(&Failed::new(why)) + DONE,
            Event::Last { text, finish, usage, rates } => {
                let last = self.piece(text, Some(*finish), Some(*usage));
                last + &comment("generation_stats", &stats(*usage, *rates)) + DONE
            }
        }
    }
}

fn stats(usage: Usage, rates: Rates) -> GenerationStats {
    // What one that was recorded took beside its weights, per token.
    const PEAK_PER_TOKEN: u64 = 145_720;
    GenerationStats {
        prompt_tps: rates.prompt,
        generation_tps: rates.generation,
        prompt_tokens: usage.prompt,
        generation_tokens: usage.completion,
        peak_memory_usage: PeakMemory { in_bytes: u64::from(usage.prompt + usage.completion) * PEAK_PER_TOKEN },
        prefix_cache_hit: "none",
    }
}
