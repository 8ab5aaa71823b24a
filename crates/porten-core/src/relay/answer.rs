//! Drives one answer from the engine's bytes to the client's: scanner, terminal table, and normaliser or assembler.
//!
//! The agent feeds what it reads and sends what comes out. Every answer ends in exactly one [`End`].

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::assemble::{AssembleError, Document};
use super::body::Wants;
use super::chunk::{self, Choice, Chunk, Finish, Said};
use super::document;
use super::engine_error;
use super::headers::RequestId;
use super::names::Names;
use super::normalise::{Identity, Stream};
use super::sse::{Piece, Scanner};
use super::terminal::{Terminal, Verdict};
use crate::api_error::ApiError;
use crate::route::Dialect;

/// The largest document that is read from an engine that ignores `stream` (bytes).
pub const MAX_ENGINE_DOCUMENT: usize = super::assemble::MAX_DOCUMENT;

/// What an answer has to know before it begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// How its end is recognised.
    pub dialect: Dialect,
    /// The model's two names.
    pub names: Names,
    /// What the client asked for.
    pub wants: Wants,
    /// The request's id, for an engine that gives its answers none.
    pub request_id: RequestId,
    /// Now (Unix seconds), for an engine that does not date its answers.
    pub created: i64,
}

/// Whether the engine need be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Read on.
    More,
    /// Nothing that follows counts: call [`Answer::finish`], and leave the engine.
    Over,
}

/// Why there are no more bytes from the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The engine ended its answer, or [`Flow::Over`].
    Eof,
    /// The connection broke.
    Broken,
    /// The engine was silent beyond its deadline.
    Silent,
    /// A machine that holds a part of the model is gone: nothing more will come.
    Broke,
    /// This node ends before the answer does.
    Stopped,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is whole.
    Complete(Tokens),
    /// It is not. In a stream the error event is among the bytes to send; if nothing was sent yet, it can be answered
    /// with its status instead.
    Error(ApiError),
}

/// What the engine counted, if it did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub completion_tokens: Option<u64>,
}

/// One answer in the making.
#[derive(Debug)]
pub struct Answer {
    scanner: Scanner,
    reading: Reading,
}

/// All of an answer but the scanner, whose events are lent out while this changes.
#[derive(Debug)]
struct Reading {
    who: Identity,
    terminal: Terminal,
    shape: Shape,
    tokens: Tokens,
    begun: bool,
    /// Counts what shows that the engine comes on: a keep-alive does not.
    progress: u64,
    /// The last comment that said something.
    comment: Vec<u8>,
    done: bool,
    failure: Option<ApiError>,
}

#[derive(Debug)]
enum Shape {
    Stream(Stream),
    Document(Document),
}

impl Answer {
    /// An answer of which nothing has come yet.
    #[must_use]
    pub fn new(opening: Opening) -> Self {
        let Opening { dialect, names, wants, request_id, created } = opening;
        let shape = if wants.stream {
            Shape::Stream(Stream::new(wants.include_usage))
        } else {
            Shape::Document(Document::new(wants.choices))
        };
        let reading = Reading {
            who: Identity { dialect, names, request_id, created },
            terminal: Terminal::new(wants.choices),
            shape,
            tokens: Tokens::default(),
            begun: false,
            progress: 0,
            comment: Vec::new(),
            done: false,
            failure: None,
        };
        Self { scanner: Scanner::default(), reading }
    }

    /// Takes bytes of the engine's stream, cut anywhere. What the client gets for them is appended to `out`; for a
    /// client that did not ask to stream that is nothing until [`Self::finish`].
    pub fn take(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Flow {
        let Self { scanner, reading } = self;
        while !reading.is_over() {
            match scanner.next(&mut bytes) {
                Ok(Some(Piece::Event(data))) => reading.event(data, out),
                Ok(Some(Piece::Comment(text))) => {
                    reading.comment(text);
                    if matches!(reading.shape, Shape::Stream(_)) {
                        Stream::comment(&reading.who, text, out);
                    }
                }
                Ok(None) => return Flow::More,
                Err(_too_big) => reading.fail(too_large()),
            }
        }
        Flow::Over
    }

    /// Takes the whole document of an engine that ignores `stream`, and finishes.
    #[must_use]
    pub fn take_document(self, document: &[u8], out: &mut Vec<u8>) -> End {
        let mut reading = self.reading;
        let chunk = std::str::from_utf8(document).ok().and_then(|text| document::as_chunk(text).ok());
        match chunk {
            _ if document.len() > MAX_ENGINE_DOCUMENT => reading.fail(too_large()),
            Some(chunk) => reading.event(&chunk, out),
            None => reading.fail(engine_error::unreadable()),
        }
        if !reading.begun && reading.failure.is_none() {
            reading.fail(engine_error::unreadable());
        }
        reading.done = true;
        reading.finish(Ended::Eof, out)
    }

    /// Whether a part of the answer came, not only comments. Until then another node may be asked.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.reading.begun
    }

    /// Grows with all that shows that the engine comes on: events, and comments that say something new, such as how much of
    /// a prompt was read. What it sends to keep a connection open does not count: exo does so for the dead as well.
    #[must_use]
    pub const fn progress(&self) -> u64 {
        self.reading.progress
    }

    /// The model's two names, to read an engine's failure with.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.reading.who.names
    }

    /// Ends the answer, and appends what is still to be sent: the document; or `[DONE]`, or the error event without it.
    #[must_use]
    pub fn finish(self, ended: Ended, out: &mut Vec<u8>) -> End {
        self.reading.finish(ended, out)
    }
}

impl Reading {
    fn is_over(&self) -> bool {
        self.done || self.failure.is_some()
    }

    fn fail(&mut self, error: ApiError) {
        self.failure.get_or_insert(error);
    }

    fn comment(&mut self, text: &[u8]) {
        if super::normalise::is_telling(text) && self.comment != text {
            self.comment = text.to_vec();
            self.progress += 1;
        }
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) {
        self.progress += 1;
        if let Shape::Stream(stream) = &mut self.shape
            && stream.again(data, out)
        {
            return;
        }
        // Data of several lines is JSON with line breaks between its tokens; on our one line they become spaces.
        let data = if data.contains(&b'\n') {
            Cow::Owned(data.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect())
        } else {
            Cow::Borrowed(data)
        };
        match chunk::read(&data) {
            Ok(Said::Done) => self.done = true,
            Ok(Said::Error(error)) => self.fail(engine_error::read_value(error.get(), &self.who.names)),
            Ok(Said::Chunk(chunk)) => self.chunk(&chunk, out),
            Err(_unreadable) => self.fail(engine_error::unreadable()),
        }
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, out: &mut Vec<u8>) {
        let (mut failed, mut count, mut last) = (false, 0_u32, None);
        let read = chunk.each_choice(|choice| {
            let finish = choice.finish();
            count += 1;
            failed |= finish == Finish::Failed;
            self.terminal.on_choice(choice.index(), finish == Finish::Yes);
            last = Some(choice);
        });
        if read.is_err() {
            return self.fail(engine_error::unreadable());
        }
        if failed {
            let text = "The engine broke off while it was answering.";
            return self.fail(ApiError::unavailable(500, "engine_failed", text));
        }
        if let Some(tokens) = chunk.usage.and_then(read_tokens) {
            self.tokens = tokens;
        }
        self.begun |= !chunk.is_empty();
        // Then the next that is like it changes nothing here.
        let is_text = |choice: &Choice<'_>| count == 1 && chunk.usage.is_none() && choice.finish() == Finish::No;
        match &mut self.shape {
            Shape::Stream(stream) => stream.chunk(&self.who, chunk, last.filter(is_text).as_ref(), out),
            Shape::Document(document) => match document.chunk(&self.who, chunk) {
                Ok(()) => {}
                Err(AssembleError::TooLarge) => self.fail(too_large()),
                Err(AssembleError::Unreadable(_) | AssembleError::Choice(_)) => self.fail(engine_error::unreadable()),
            },
        }
    }

    fn finish(mut self, ended: Ended, out: &mut Vec<u8>) -> End {
        let failure = self.failure.take().or_else(|| match self.terminal.verdict(self.done) {
            Verdict::Complete => None,
            Verdict::Fewer { finished, asked } => Some(fewer(finished, asked)),
            Verdict::Truncated => Some(cut(ended)),
        });
        match (failure, self.shape) {
            (Some(error), Shape::Stream(_)) => {
                out.extend_from_slice(error.event().as_bytes());
                End::Error(error)
            }
            (Some(error), Shape::Document(_)) => End::Error(error),
            (None, Shape::Stream(stream)) => {
                stream.done(out);
                End::Complete(self.tokens)
            }
            (None, Shape::Document(document)) => {
                document.write(&self.who, out);
                End::Complete(self.tokens)
            }
        }
    }
}

fn read_tokens(usage: &RawValue) -> Option<Tokens> {
    serde_json::from_str(usage.get()).ok()
}

fn cut(ended: Ended) -> ApiError {
    match ended {
        Ended::Eof | Ended::Broken => {
            ApiError::unavailable(502, "upstream_truncated", "The engine stopped before its answer was whole.")
        }
        Ended::Broke => member_lost(),
        Ended::Stopped => node_stopped(),
        Ended::Silent => {
            ApiError::unavailable(504, "engine_timeout", "The engine fell silent before its answer was whole.")
        }
    }
}

/// The time that running answers were given is up: this node goes offline.
#[must_use]
pub fn node_stopped() -> ApiError {
    let text = "This node went offline before the answer was whole. Try again.";
    ApiError::unavailable(503, "node_stopped", text)
}

/// The model cannot answer any more, nor can it begin to: a machine that holds a part of it is gone.
#[must_use]
pub fn member_lost() -> ApiError {
    let text = "The machines behind this model were lost, or do not come on. Try again.";
    ApiError::unavailable(502, "member_lost", text)
}

fn fewer(finished: usize, asked: usize) -> ApiError {
    let text = format!("The engine gave {finished} of {asked} answers; ask for one at a time.");
    ApiError::unavailable(502, "engine_choices_missing", text)
}

fn too_large() -> ApiError {
    ApiError::unavailable(502, "engine_answer_too_large", "The engine's answer is larger than this node can carry.")
}

#[cfg(test)]
mod canonical;
#[cfg(test)]
mod tests;
