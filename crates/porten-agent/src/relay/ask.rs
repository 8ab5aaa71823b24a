//! Asks the engine and sends back what it says, through `core`'s answer machine; ends in exactly one way.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use porten_core::api_error::ApiError;
use porten_core::relay::engine_error;
use porten_core::relay::repeat::superseded;
use porten_core::relay::{Answer, AnswerShape, End, Ended, Flow, KEEP_ALIVE, Opening, RequestId, Tokens, headers};
use tokio::sync::oneshot;

use super::back::{Back, Body, Left};
use super::once::Gone;
use super::piece::{document, fail};
use super::queue::seat;
use super::receive::{Job, Prompt};
use super::{Limits, Relay, Stop, is_refusal};
use crate::engine::{EngineAnswer, EngineError};
use crate::ledger::{Entry, Outcome};

/// What is read from the engine before it is sent on, if so much is there already (bytes).
const TOGETHER: usize = 4 * 1024;

/// Room for a further event (bytes).
const EVENT: usize = 512;

/// What comes so soon after what was last sent waits for what follows, and no longer: each piece is a frame for both ends of the
/// tunnel and a chunk for the client (docs/performance.md). Models take 5 ms and more for a token: one that comes alone is
/// sent at once.
const BURST: Duration = Duration::from_millis(2);

/// An answer whose machines are lost, as far as is known, is given up once it has not come on for this long: what goes on
/// coming is not lost.
const LOST_PATIENCE: Duration = Duration::from_secs(3);

/// Answers one job. Dropping this future at any point closes the engine's connection.
pub(super) async fn answer(relay: &Relay, job: &Job, prompt: Prompt, back: Back) {
    let id = back.id().clone();
    let (mut running, replaced) = relay.once.begin(&id, &prompt.bytes);
    running.has_place().await;
    // On the heap: it is handed on by value, and what is large in it would be copied each time.
    let mut way = Box::new(Way::new(relay, job, back, replaced));
    let mut seat = match seat(relay, job, running.again, &mut way).await {
        Ok(seat) => seat,
        Err(Stop::Refused(error)) => {
            relay.turned_away(&id, &error);
            way.refuse(error, true).await;
            return;
        }
        Err(Stop::Left) => {
            way.gone().await;
            return;
        }
    };
    let entry = relay.ledger.begin(job.names.hub_id(), &job.engine_id);
    let begun = Instant::now();
    let asked = {
        let asked = pin!(ask(relay, job, prompt, &id));
        way.wait(asked, pin!(relay.broken(&job.engine_id))).await
    };
    let outcome = match asked {
        Ok(Some(Ok(response))) => respond(relay, job, response, way).await,
        Ok(Some(Err(error))) => way.refuse(error, true).await,
        Ok(None) => way.refuse(relay.why_broken(), true).await,
        Err(Left) => way.gone().await,
    };
    if let Outcome::Complete { .. } = outcome {
        seat.took(begun.elapsed());
    }
    if outcome != Outcome::Cancelled {
        running.told();
    }
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
async fn ask(relay: &Relay, job: &Job, prompt: Prompt, id: &RequestId) -> Result<EngineAnswer, ApiError> {
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

async fn respond(relay: &Relay, job: &Job, response: EngineAnswer, mut way: Box<Way>) -> Outcome {
    let status = response.status().as_u16();
    match AnswerShape::read(status, response.headers()) {
        // What is rare does not make every request's task larger.
        AnswerShape::Failure => Box::pin(fail(way, job, response)).await,
        AnswerShape::Document => Box::pin(document(way, response)).await,
        AnswerShape::Stream => match way.stream(response, relay, &job.engine_id).await {
            Ok((ended, since)) => way.end(ended, since).await,
            Err(Left) => way.gone().await,
        },
    }
}

fn complete(tokens: Tokens, since: Instant) -> Outcome {
    Outcome::Complete { tokens: tokens.completion_tokens, took: since.elapsed() }
}

/// One answer on its way: either its head or its body is there.
pub(super) struct Way {
    pub(super) limits: Limits,
    /// Whether the client streams.
    streams: bool,
    /// Until it is finished.
    pub(super) answer: Option<Answer>,
    head: Option<Back>,
    body: Option<Body>,
    /// When the client last got a byte.
    said: tokio::time::Instant,
    /// What was read and is not sent yet: in a burst for [`BURST`], else what came with the end.
    rest: Vec<u8>,
    /// Tells when the same request came again.
    replaced: oneshot::Receiver<Gone>,
    /// It did: held until this one has let go of the engine.
    made_way: Option<Gone>,
}

/// Ends at a moment, or never.
async fn sleep_until(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Way {
    fn new(relay: &Relay, job: &Job, back: Back, replaced: oneshot::Receiver<Gone>) -> Self {
        let opening = Opening {
            dialect: job.route.dialect(),
            names: job.names.clone(),
            wants: job.wants,
            request_id: back.id().clone(),
            created: Timestamp::now().as_second(),
        };
        Self {
            limits: relay.limits,
            streams: job.wants.stream,
            answer: Some(Answer::new(opening)),
            head: Some(back),
            body: None,
            said: tokio::time::Instant::now(),
            rest: Vec::new(),
            replaced,
            made_way: None,
        }
    }

    /// Waits for the engine, and keeps a client that streams from taking the silence for an end. `None`: `broken` ended
    /// first, and nothing can come any more. Both are pinned where they were made: a copy of them would be in each task.
    pub(super) async fn wait<T>(
        &mut self,
        mut engine: impl Future<Output = T> + Unpin,
        mut broken: impl Future<Output = ()> + Unpin,
    ) -> Result<Option<T>, Left> {
        loop {
            let quiet = sleep_until(self.quiet_at());
            tokio::select! {
                // A client that leaves must not wait for the engine.
                biased;
                () = self.left() => return Err(Left),
                () = &mut broken => return Ok(None),
                done = &mut engine => return Ok(Some(done)),
                () = quiet => self.keep_alive().await?,
            }
        }
    }

    /// When the client has heard nothing for too long; never for one that does not stream.
    fn quiet_at(&self) -> Option<tokio::time::Instant> {
        self.streams.then(|| self.said + self.limits.quiet)
    }

    async fn keep_alive(&mut self) -> Result<(), Left> {
        self.send(KEEP_ALIVE.to_vec()).await
    }

    /// Moves the engine's bytes through the answer machine until they end, sending what comes out of it at once, but for a
    /// moment in bursts. What is not sent yet goes out with the end.
    async fn stream(
        &mut self,
        mut response: EngineAnswer,
        relay: &Relay,
        engine_id: &str,
    ) -> Result<(Ended, Instant), Left> {
        let mut broken = pin!(relay.broken(engine_id));
        let mut is_broken = false;
        let mut first = None;
        // When the engine last came on: comments that only keep the connection open do not count.
        let mut heard = tokio::time::Instant::now();
        loop {
            let patience = if is_broken { self.limits.silence.min(LOST_PATIENCE) } else { self.limits.silence };
            let silent = heard + patience;
            let due = self.quiet_at().map_or(silent, |quiet| quiet.min(silent));
            let due = if self.rest.is_empty() { due } else { due.min(self.said + BURST) };
            let chunk = tokio::select! {
                // A client that leaves must not wait for the engine's next token.
                biased;
                () = self.left() => return Err(Left),
                () = &mut broken, if !is_broken => {
                    if relay.is_cut() {
                        return Ok((Ended::Stopped, *first.get_or_insert_with(Instant::now)));
                    }
                    is_broken = true;
                    continue;
                }
                chunk = tokio::time::timeout_at(due, response.chunk()) => chunk,
            };
            let since = *first.get_or_insert_with(Instant::now);
            let chunk = match chunk {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok((Ended::Eof, since)),
                Ok(Err(_)) => return Ok((Ended::Broken, since)),
                Err(_) if !self.rest.is_empty() => {
                    self.send_rest().await?;
                    continue;
                }
                Err(_) if due == silent && is_broken => {
                    if relay.is_broken(engine_id) {
                        return Ok((Ended::Broke, since));
                    }
                    is_broken = false;
                    broken.set(relay.broken(engine_id));
                    continue;
                }
                Err(_) if due == silent => return Ok((Ended::Silent, since)),
                Err(_) => {
                    self.keep_alive().await?;
                    continue;
                }
            };
            // What is sent for an event is about as long as the event.
            self.rest.reserve(chunk.len().min(TOGETHER) + EVENT);
            let Self { answer: Some(answer), rest, .. } = self else { return Err(Left) };
            let before = answer.progress();
            let mut flow = answer.take(chunk, rest);
            let mut ended = None;
            // What is there already travels together.
            while flow == Flow::More && ended.is_none() && rest.len() < TOGETHER {
                match response.chunk().now_or_never() {
                    Some(Ok(Some(chunk))) => flow = answer.take(chunk, rest),
                    Some(Ok(None)) => ended = Some(Ended::Eof),
                    Some(Err(_)) => ended = Some(Ended::Broken),
                    None => break,
                }
            }
            let now = tokio::time::Instant::now();
            if answer.progress() != before {
                heard = now;
            }
            if flow == Flow::Over {
                ended = Some(Ended::Eof);
            }
            if let Some(ended) = ended {
                return Ok((ended, since));
            }
            // The first waits for nothing.
            if self.body.is_none() || self.rest.len() >= TOGETHER || now >= self.said + BURST {
                self.send_rest().await?;
            }
        }
    }

    async fn send_rest(&mut self) -> Result<(), Left> {
        let rest = std::mem::take(&mut self.rest);
        self.send(rest).await
    }

    /// Ends when the client leaves, or has asked again; otherwise never.
    pub(super) async fn left(&mut self) {
        let Self { head, body, replaced, made_way, .. } = self;
        let reset = async {
            match (head, body) {
                (_, Some(body)) => body.left().await,
                (Some(head), None) => head.left().await,
                (None, None) => {}
            }
        };
        tokio::select! {
            biased;
            () = reset => {}
            Ok(gone) = &mut *replaced, if made_way.is_none() => *made_way = Some(gone),
        }
    }

    /// Nobody waits for this answer any more. If its client has asked again, that must not look like a cut, after which a
    /// Hub would ask once more.
    pub(super) async fn gone(self: Box<Self>) -> Outcome {
        if self.made_way.is_some() {
            self.refuse(superseded(), false).await;
            return Outcome::Superseded;
        }
        Outcome::Cancelled
    }

    /// Sends bytes, after the head if they are the first: until then an error can still have a status of its own.
    async fn send(&mut self, out: Vec<u8>) -> Result<(), Left> {
        if out.is_empty() {
            return Ok(());
        }
        self.open()?;
        let Self { body: Some(body), replaced, made_way, .. } = self else { return Err(Left) };
        tokio::select! {
            biased;
            sent = body.send(Bytes::from(out)) => sent?,
            Ok(gone) = &mut *replaced, if made_way.is_none() => {
                *made_way = Some(gone);
                return Err(Left);
            }
        }
        self.said = tokio::time::Instant::now();
        Ok(())
    }

    /// The body; its head is sent if it was not yet.
    fn open(&mut self) -> Result<&mut Body, Left> {
        let body = match self.body.take() {
            Some(body) => body,
            None => self.head.take().ok_or(Left)?.begin(self.streams)?,
        };
        Ok(self.body.insert(body))
    }

    /// Ends the answer: after what was streamed already, or whole if nothing was sent yet.
    async fn end(mut self: Box<Self>, ended: Ended, since: Instant) -> Outcome {
        let mut out = std::mem::take(&mut self.rest);
        // A part of the answer came: it is sent, however it ended.
        if !out.is_empty() && self.open().is_err() {
            return Outcome::Cancelled;
        }
        let Some(answer) = self.answer.take() else { return Outcome::Cancelled };
        let untouched = !answer.has_begun();
        let end = answer.finish(ended, &mut out);
        self.close(end, out, since, untouched).await
    }

    /// Sends what is left of an answer that is over. `untouched`: the engine produced nothing of it.
    pub(super) async fn close(mut self: Box<Self>, end: End, out: Vec<u8>, since: Instant, untouched: bool) -> Outcome {
        match end {
            End::Error(error) if self.body.is_none() => self.refuse(error, untouched).await,
            // The error event is among what is left to send, where the client streams.
            End::Error(error) => self.cut(error, out).await,
            End::Complete(tokens) => {
                if self.open().is_err() || self.send(out).await.is_err() {
                    return Outcome::Cancelled;
                }
                if let Some(body) = self.body {
                    body.complete();
                }
                complete(tokens, since)
            }
        }
    }

    /// Answers with an error: with its own status if nothing was sent yet, else as the stream's last event.
    /// `untouched`: the engine produced nothing of an answer, so another node may be asked, if it could do better.
    pub(super) async fn refuse(mut self: Box<Self>, error: ApiError, untouched: bool) -> Outcome {
        let Some(back) = self.head.take() else {
            let event = error.event().into_bytes();
            return self.cut(error, event).await;
        };
        let outcome = if error.status >= 500 { Outcome::Failed } else { Outcome::Declined };
        back.refuse(&error, untouched && is_refusal(&error)).await;
        outcome
    }

    /// Ends a stream with its error event.
    async fn cut(mut self: Box<Self>, error: ApiError, event: Vec<u8>) -> Outcome {
        if self.send(event).await.is_err() {
            return Outcome::Cancelled;
        }
        tracing::info!(code = error.code, "ended in an error event");
        if let Some(body) = self.body {
            body.failed();
        }
        Outcome::Failed
    }
}
