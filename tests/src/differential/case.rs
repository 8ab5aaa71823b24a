//! One request and what its engine is to say: all drawn from a seed.

use serde_json::{Value, json};

use crate::engine::{Dialect, ErrorShape};
use crate::luck::Luck;

/// What the engine calls the model that the Hub calls `tiny`.
pub const ENGINE_ID: &str = "mlx-community/Tiny-4bit";
/// Words of texts: plain, of several bytes a character, and what JSON or event streams could stumble over.
const WORDS: [&str; 16] = [
    "Hello",
    " world",
    ".",
    "\n",
    "é",
    "漢字",
    "🦀",
    "\"quoted\"",
    "\\",
    "\t",
    "{\"a\":1}",
    "data: x\n\n",
    "\u{2028}",
    "[DONE]",
    "<b>",
    " ",
];

/// A request, with the answer it is to get.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its number, which the request carries to the engine.
    pub number: u64,
    /// Whose wording.
    pub dialect: Dialect,
    /// Chat, or text.
    pub is_chat: bool,
    /// The client streams.
    pub stream: bool,
    /// It asked for usage.
    pub include_usage: bool,
    /// What the model says, by choice.
    pub choices: Vec<Said>,
    /// How the answer ends.
    pub ending: Ending,
    /// HTTP/1.0: the end of the connection is the end of the body.
    pub closes: bool,
    /// For where the engine cuts its bytes.
    pub cuts: u64,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Pieces of what it thought.
    pub reasoning: Vec<String>,
    /// Pieces of what it said.
    pub content: Vec<String>,
    /// Calls: id, name, pieces of the arguments.
    pub calls: Vec<(String, String, Vec<String>)>,
    /// Why it stopped.
    pub finish: &'static str,
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// The engine says no before it begins.
    Refused(ErrorShape),
    /// An error event after so many others.
    ErrorEvent(usize),
    /// No more after so many events, as if that was all.
    Cut(usize),
    /// The connection breaks in the middle of an event.
    Torn(usize),
}

impl Case {
    /// The case of this number in this run.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        let mut luck = Luck::new(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
        let dialect = luck.pick(&[Dialect::Mlx, Dialect::Llama, Dialect::Exo]);
        let is_chat = luck.percent(75);
        let count = if luck.percent(80) { 1 } else { 1 + luck.below(3) };
        let choices = (0..count).map(|_| Said::draw(&mut luck, is_chat)).collect();
        let ending = match luck.below(100) {
            0..78 => Ending::Whole,
            78..88 => Ending::Refused(luck.pick(&ErrorShape::ALL)),
            88..92 => Ending::ErrorEvent(luck.below(4)),
            92..96 => Ending::Cut(luck.below(4)),
            _ => Ending::Torn(luck.below(4)),
        };
        Self {
            number,
            dialect,
            is_chat,
            stream: luck.percent(60),
            include_usage: luck.percent(40),
            choices,
            ending,
            closes: dialect == Dialect::Mlx && luck.percent(30),
            cuts: luck.draw(),
        }
    }

    /// Where it is asked.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        if self.is_chat { "/v1/chat/completions" } else { "/v1/completions" }
    }

    /// What is asked, under this name of the model.
    #[must_use]
    pub fn body(&self, model: &str) -> Value {
        let text = format!("case {}", self.number);
        let mut body = if self.is_chat {
            json!({"model": model, "messages": [{"role": "user", "content": text}]})
        } else {
            json!({"model": model, "prompt": text})
        };
        if self.stream {
            body["stream"] = true.into();
        }
        if self.include_usage && self.stream {
            body["stream_options"] = json!({"include_usage": true});
        }
        if self.choices.len() > 1 {
            body["n"] = self.choices.len().into();
        }
        if self.choices.iter().any(|said| !said.calls.is_empty()) {
            body["tools"] =
                json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
        }
        body
    }

    /// What the engine counts.
    #[must_use]
    pub fn usage(&self) -> Value {
        let made: usize = self.choices.iter().map(|said| said.content.len() + said.reasoning.len()).sum();
        json!({"prompt_tokens": 7, "completion_tokens": made, "total_tokens": 7 + made})
    }
}

impl Said {
    fn draw(luck: &mut Luck, is_chat: bool) -> Self {
        let texts = |luck: &mut Luck, most: usize| -> Vec<String> {
            let count = luck.below(most);
            (0..count).map(|_| (0..=luck.below(3)).map(|_| luck.pick(&WORDS)).collect()).collect()
        };
        let reasoning = if is_chat && luck.percent(25) { texts(luck, 5) } else { Vec::new() };
        let mut calls = Vec::new();
        if is_chat && luck.percent(20) {
            for number in 0..=luck.below(2) {
                let arguments = json!({"where": texts(luck, 4).concat(), "n": luck.below(9)}).to_string();
                let at = luck.below(arguments.len());
                let (one, other) = arguments.split_at(arguments.floor_char_boundary(at));
                let pieces = vec![one.to_owned(), other.to_owned()];
                calls.push((format!("call_{number}_{}", luck.below(1000)), "look".to_owned(), pieces));
            }
        }
        let finish = if calls.is_empty() { luck.pick(&["stop", "length"]) } else { "tool_calls" };
        let mut content = texts(luck, 12);
        if content.is_empty() && calls.is_empty() && reasoning.is_empty() {
            content.push("x".to_owned());
        }
        Self { reasoning, content, calls, finish }
    }
}
