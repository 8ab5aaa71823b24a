//! Asks the engine and sends back what it says, through `core`'s answer machine; ends in exactly one way.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use porten_core::api_error::ApiError;
use porten_core::relay::answer::{MAX_ENGINE_DOCUMENT, member_lost};
use porten_core::relay::engine_error::{self, Failure, MAX_ERROR_BODY, may_go_elsewhere};
use porten_core::relay::{Answer, AnswerShape, End, Ended, Flow, Opening, RequestId, Tokens, headers};
use reqwest::Response;

use super::back::{Back, Body, Left};
use super::receive::{Job, Prompt};
use super::{Limits, Relay};
use crate::engine::EngineError;
use crate::ledger::{Entry, Outcome};

/// For the body of an engine's refusal: it was decided already, and its words are few.
const ERROR_PATIENCE: Duration = Duration::from_secs(10);

/// What is read from the engine before it is sent on, if so much is there already (bytes).
const TOGETHER: usize = 8 * 1024;

/// Answers one job. Dropping this future at any point closes the engine's connection.
pub(super) async fn answer(relay: &Relay, job: &Job, prompt: Prompt, mut back: Back) {
    let entry = relay.ledger.begin(job.names.hub_id(), &job.engine_id);
    let begun = Instant::now();
    let id = back.id().clone();
    let asked = tokio::select! {
        () = back.left() => None,
        () = relay.broken(&job.engine_id) => Some(Err(member_lost())),
        asked = ask(relay, job, prompt, &id) => Some(asked),
    };
    let outcome = match asked {
        Some(Ok(response)) => respond(relay, job, response, back).await,
        Some(Err(error)) => refuse(back, error, true).await,
        None => Outcome::Cancelled,
    };
    finish(entry, job.names.hub_id(), &id, outcome, begun);
}

/// What went as it should is no news.
fn finish(entry: Entry, model: &str, id: &RequestId, outcome: Outcome, begun: Instant) {
    let ms = begun.elapsed().as_millis();
    if outcome == Outcome::Failed {
        tracing::info!(id = id.as_str(), model, ms, "failed");
    } else {
        tracing::debug!(model, ms, ?outcome, "done");
    }
    entry.end(outcome);
}

/// Posts, and once more if nothing at all came back: most often a pooled connection that the engine had just closed.
/// The prompt is let go as soon as the engine has it.
async fn ask(relay: &Relay, job: &Job, prompt: Prompt, id: &RequestId) -> Result<Response, ApiError> {
    let post = || {
        let headers = headers::for_engine(id);
        relay.engine.post(&job.engine, job.route, headers, prompt.bytes.clone(), relay.limits.head)
    };
    let mut answer = post().await;
    if let Err(EngineError::Unreachable(_)) = answer {
        answer = post().await;
    }
    answer.map_err(|error| match error {
        EngineError::Unreachable(_) => super::unreachable(),
        EngineError::Unreadable(_) => engine_error::unreadable(),
        EngineError::Late(_) => {
            ApiError::unavailable(504, "engine_timeout", "The engine behind this node did not begin to answer.")
        }
    })
}

/// `untouched`: the engine produced nothing of an answer, so another node may be asked, if it could do better.
async fn refuse(back: Back, error: ApiError, untouched: bool) -> Outcome {
    let outcome = if error.status >= 500 { Outcome::Failed } else { Outcome::Declined };
    back.refuse(&error, untouched && may_go_elsewhere(&error)).await;
    outcome
}

async fn respond(relay: &Relay, job: &Job, response: Response, back: Back) -> Outcome {
    let status = response.status().as_u16();
    let opening = Opening {
        dialect: job.route.dialect(),
        names: job.names.clone(),
        wants: job.wants,
        request_id: back.id().clone(),
        created: Timestamp::now().as_second(),
    };
    let mut way =
        Way { limits: relay.limits, answer: Answer::new(opening), head: Some(back), body: None, rest: Vec::new() };
    match AnswerShape::read(status, response.headers()) {
        AnswerShape::Failure => fail(way, job, response).await,
        AnswerShape::Document => document(way, job.wants.stream, response).await,
        AnswerShape::Stream => match way.stream(response, relay.broken(&job.engine_id)).await {
            Ok((ended, since)) => way.end(ended, since, job.wants.stream).await,
            Err(Left) => Outcome::Cancelled,
        },
    }
}

/// The engine said no: its words in one shape, its status kept.
async fn fail(way: Way, job: &Job, mut response: Response) -> Outcome {
    let Some(mut back) = way.head else { return Outcome::Cancelled };
    let status = response.status().as_u16();
    let head = response.headers().clone();
    let patience = way.limits.silence.min(ERROR_PATIENCE);
    let body = tokio::select! {
        () = back.left() => return Outcome::Cancelled,
        body = read_up_to(&mut response, MAX_ERROR_BODY, patience) => body.unwrap_or_else(|partial| partial),
    };
    let retry_after = headers::retry_after(&head);
    let failure = Failure { status, media_type: headers::essence(&head), body: &body, retry_after };
    refuse(back, engine_error::read(&failure, &job.names), true).await
}

/// An engine that ignores `stream` sent a whole document.
async fn document(way: Way, stream: bool, mut response: Response) -> Outcome {
    let Some(mut back) = way.head else { return Outcome::Cancelled };
    let since = Instant::now();
    let body = tokio::select! {
        () = back.left() => return Outcome::Cancelled,
        body = read_up_to(&mut response, MAX_ENGINE_DOCUMENT, way.limits.silence) => body,
    };
    // What is cut or too long does not read as a document, and is answered as such.
    let body = body.unwrap_or_default();
    let mut out = Vec::new();
    let end = way.answer.take_document(&body, &mut out);
    whole(back, end, out, Sent { stream, since, untouched: true }).await
}

/// What there is to know of an answer of which nothing was sent yet.
struct Sent {
    stream: bool,
    since: Instant,
    untouched: bool,
}

/// Sends an answer that is complete before its head was sent, or its error with a status of its own.
async fn whole(back: Back, end: End, out: Vec<u8>, sent: Sent) -> Outcome {
    match end {
        End::Complete(tokens) => {
            let Ok(mut body) = back.begin(sent.stream) else { return Outcome::Cancelled };
            if body.send(Bytes::from(out)).await.is_err() {
                return Outcome::Cancelled;
            }
            body.complete();
            complete(tokens, sent.since)
        }
        End::Error(error) => refuse(back, error, sent.untouched).await,
    }
}

fn complete(tokens: Tokens, since: Instant) -> Outcome {
    Outcome::Complete { tokens: tokens.completion_tokens, took: since.elapsed() }
}

/// The body up to a limit; what was read so far if it is longer or was cut.
async fn read_up_to(response: &mut Response, limit: usize, patience: Duration) -> Result<Vec<u8>, Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match tokio::time::timeout(patience, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
            Ok(Ok(None)) => return Ok(body),
            Ok(Ok(Some(_)) | Err(_)) | Err(_) => return Err(body),
        }
    }
}

/// One answer on its way: either its head or its body is there.
struct Way {
    limits: Limits,
    answer: Answer,
    head: Option<Back>,
    body: Option<Body>,
    /// What came with the end, and was not sent before it.
    rest: Vec<u8>,
}

/// The next piece, if it is there. The connection to the engine is a task of its own that hands over piece by piece, so
/// it gets one turn to do so.
async fn there_already(response: &mut Response) -> Option<reqwest::Result<Option<Bytes>>> {
    if let Some(piece) = response.chunk().now_or_never() {
        return Some(piece);
    }
    tokio::task::yield_now().await;
    response.chunk().now_or_never()
}

impl Way {
    /// Moves the engine's bytes through the answer machine until they end, sending what comes out of it at once.
    /// `broken` ends when nothing more can come, though the engine may go on sending comments.
    async fn stream(
        &mut self,
        mut response: Response,
        broken: impl Future<Output = ()>,
    ) -> Result<(Ended, Instant), Left> {
        let mut broken = std::pin::pin!(broken);
        let mut first = None;
        loop {
            let chunk = tokio::select! {
                // A client that leaves must not wait for the engine's next token.
                biased;
                () = Self::left(&mut self.head, &mut self.body) => return Err(Left),
                () = &mut broken => return Ok((Ended::Broke, first.unwrap_or_else(Instant::now))),
                chunk = tokio::time::timeout(self.limits.silence, response.chunk()) => chunk,
            };
            let since = *first.get_or_insert_with(Instant::now);
            let chunk = match chunk {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok((Ended::Eof, since)),
                Ok(Err(_)) => return Ok((Ended::Broken, since)),
                Err(_) => return Ok((Ended::Silent, since)),
            };
            let mut out = Vec::new();
            let mut flow = self.answer.take(&chunk, &mut out);
            let mut ended = None;
            // What is there already travels together; nothing is waited for.
            while flow == Flow::More && ended.is_none() && out.len() < TOGETHER {
                match there_already(&mut response).await {
                    Some(Ok(Some(chunk))) => flow = self.answer.take(&chunk, &mut out),
                    Some(Ok(None)) => ended = Some(Ended::Eof),
                    Some(Err(_)) => ended = Some(Ended::Broken),
                    None => break,
                }
            }
            if flow == Flow::Over {
                ended = Some(Ended::Eof);
            }
            if let Some(ended) = ended {
                // What is left to send goes out with the end.
                self.rest = out;
                return Ok((ended, since));
            }
            self.send(out).await?;
        }
    }

    async fn left(head: &mut Option<Back>, body: &mut Option<Body>) {
        match (head, body) {
            (_, Some(body)) => body.left().await,
            (Some(head), None) => head.left().await,
            (None, None) => {}
        }
    }

    /// Sends bytes, after the head if they are the first: until then an error can still have a status of its own.
    async fn send(&mut self, out: Vec<u8>) -> Result<(), Left> {
        if out.is_empty() {
            return Ok(());
        }
        self.open()?.send(Bytes::from(out)).await
    }

    /// The body; its head is sent if it was not yet.
    fn open(&mut self) -> Result<&mut Body, Left> {
        let body = match self.body.take() {
            Some(body) => body,
            None => self.head.take().ok_or(Left)?.begin(true)?,
        };
        Ok(self.body.insert(body))
    }

    /// Ends the answer: after what was streamed already, or whole if nothing was sent yet.
    async fn end(mut self, ended: Ended, since: Instant, stream: bool) -> Outcome {
        let mut out = std::mem::take(&mut self.rest);
        // A part of the answer came: it is sent, however it ended.
        if !out.is_empty() && self.open().is_err() {
            return Outcome::Cancelled;
        }
        let untouched = !self.answer.has_begun();
        let end = self.answer.finish(ended, &mut out);
        let Some(mut body) = self.body.take() else {
            let Some(back) = self.head else { return Outcome::Cancelled };
            return whole(back, end, out, Sent { stream, since, untouched }).await;
        };
        if body.send(Bytes::from(out)).await.is_err() {
            return Outcome::Cancelled;
        }
        match end {
            End::Complete(tokens) => {
                body.complete();
                complete(tokens, since)
            }
            End::Error(error) => {
                tracing::info!(code = error.code, "ended in an error event");
                body.failed();
                Outcome::Failed
            }
        }
    }
}
