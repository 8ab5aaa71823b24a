//! Reads a stream of server-sent events as a client does, and remembers what came when and how it ended.

use std::time::Instant;

use serde_json::Value;

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As HTTP says that a body ends.
    Clean,
    /// The connection broke before the body's end.
    Cut,
}

/// A whole streamed answer.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// HTTP status.
    pub status: u16,
    /// The request's id, if the answer carries one.
    pub request_id: Option<String>,
    /// The body as it came.
    pub body: String,
    /// The JSON of each `data:` line but `[DONE]`, with the moment when its line was whole.
    pub events: Vec<(Instant, Value)>,
    /// `[DONE]` came, as the last event.
    pub done: bool,
    /// How the body ended.
    pub end: End,
}

impl Transcript {
    pub(crate) const fn new(status: u16, request_id: Option<String>) -> Self {
        Self { status, request_id, body: String::new(), events: Vec::new(), done: false, end: End::Cut }
    }

    /// Takes in what came; `unread` holds the beginning of a line.
    pub(crate) fn take(&mut self, bytes: &[u8], unread: &mut Vec<u8>) {
        unread.extend_from_slice(bytes);
        while let Some(end) = unread.iter().position(|&byte| byte == b'\n') {
            let rest = unread.split_off(end + 1);
            let line = String::from_utf8_lossy(&std::mem::replace(unread, rest)).into_owned();
            if let Some(data) = line.trim_end().strip_prefix("data:") {
                self.done = data.trim() == "[DONE]";
                if let Ok(event) = serde_json::from_str(data) {
                    self.events.push((Instant::now(), event));
                }
            }
            self.body += &line;
        }
    }

    /// All content of the first choice, of either route.
    #[must_use]
    pub fn content(&self) -> String {
        let part = |event: &Value| {
            let choice = &event["choices"][0];
            choice["delta"]["content"].as_str().or_else(|| choice["text"].as_str()).unwrap_or_default().to_owned()
        };
        self.events.iter().map(|(_, event)| part(event)).collect()
    }

    /// The last `finish_reason` that is not null.
    #[must_use]
    pub fn finish_reason(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|(_, event)| event["choices"][0]["finish_reason"].as_str())
    }

    /// The error event, if one came: what is in its `error`.
    #[must_use]
    pub fn error(&self) -> Option<&Value> {
        self.events.iter().find_map(|(_, event)| event.get("error")).filter(|error| !error.is_null())
    }

    /// The usage, if one came.
    #[must_use]
    pub fn usage(&self) -> Option<&Value> {
        self.events.iter().rev().find_map(|(_, event)| event.get("usage")).filter(|usage| !usage.is_null())
    }

    /// Every `model` that the events name, each once.
    #[must_use]
    pub fn models(&self) -> Vec<&str> {
        let mut models: Vec<_> = self.events.iter().filter_map(|(_, event)| event["model"].as_str()).collect();
        models.sort_unstable();
        models.dedup();
        models
    }

    /// Whether this looks like a success to a client: it must be so exactly when the engine's answer was whole.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == 200
            && self.end == End::Clean
            && self.done
            && self.error().is_none()
            && self.finish_reason().is_some()
    }
}
