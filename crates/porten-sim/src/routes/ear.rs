//! Listens to a request in the world for its client, and tells what it hears in the client's dialect.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::watch;

use super::answer::{self, Refusal};
use crate::chat::answer::{Finish, Usage};
use crate::chat::ask::Ask;
use crate::invalid::Invalid;
use crate::sim::Sim;
use crate::world::{Event, Next, Now};

/// What exo sends at once, and again after each silence.
pub(super) const KEEP_ALIVE: &str = ": keep-alive\n\n";
/// How long a stream is silent before it says so, by the cluster's clock.
const SILENCE: Now = Duration::from_secs(10);

/// A client's ear at a request. Dropping it means that the client has left.
pub(super) struct Ear {
    sim: Arc<Sim>,
    bell: watch::Receiver<u64>,
    pub(super) speech: Speech,
}

/// What every piece of an answer repeats.
#[derive(Debug, Clone)]
pub(super) struct Speech {
    /// The command's id.
    pub(super) id: String,
    pub(super) model: String,
    /// Seconds since 1970.
    pub(super) created: i64,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.sim.with(|world| world.hang_up(&self.speech.id));
    }
}

impl Ear {
    /// What is new; nothing when the request is over. Giving up waiting loses nothing.
    async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            self.bell.mark_unchanged();
            let (heard, deadline) = self.sim.with(|world| (world.listen(&self.speech.id), world.deadline()));
            if !heard.events.is_empty() {
                return Some(heard.events);
            }
            let until = match heard.next {
                Next::Over => return None,
                Next::At(then) => Some(then),
                Next::Change => deadline,
            };
            tokio::select! {
                () = self.sim.stop.cancelled() => return None,
                () = rest(&self.sim, until, &mut self.bell) => {}
            }
        }
    }

    /// The next piece of a stream, or that there is none yet.
    async fn piece(&mut self) -> Piece {
        let patience = self.sim.real(SILENCE);
        match tokio::time::timeout(patience, self.next()).await {
            Ok(Some(events)) => Piece::Events(events),
            Ok(None) => Piece::Over,
            Err(_) => Piece::Silence,
        }
    }
}

enum Piece {
    Events(Vec<Event>),
    Silence,
    Over,
}

/// Waits for a moment of the cluster's time, or for something to happen.
pub(super) async fn rest(sim: &Sim, until: Option<Now>, bell: &mut watch::Receiver<u64>) {
    let moment = async {
        match until {
            Some(until) => tokio::time::sleep(sim.until(until)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // An error would say that the simulator is gone.
        _ = bell.changed() => {}
        () = moment => {}
    }
}

/// Reads a request and puts it to the world, as every dialect does.
pub(super) fn ask(
    sim: Arc<Sim>,
    body: &Bytes,
    read: impl FnOnce(&serde_json::Value) -> Result<Ask, Invalid>,
) -> Result<(Ask, Ear), Refusal> {
    let ask = read(&answer::read(body)?)?;
    let bell = sim.bell();
    let (id, created) =
        sim.with(|world| (world.ask(&ask.model, ask.is_stream, ask.answer(), ask.task_params()), world.created()));
    let id = id.ok_or_else(|| Refusal::not_found(format!("No instance found for model {}", ask.model)))?;
    let speech = Speech { id, model: ask.model.clone(), created };
    Ok((ask, Ear { sim, bell, speech }))
}

/// How a client is told.
pub(super) trait Dialect: Send + 'static {
    /// Before anything is known.
    fn begin(&mut self) -> String;
    /// One event, the last one with all that closes the answer.
    fn tell(&mut self, event: &Event) -> String;
}

/// A stream in a dialect. If the request is cut, it just ends, as exo's does.
pub(super) fn stream(ear: Ear, dialect: impl Dialect) -> Response {
    struct Telling<D> {
        ear: Ear,
        dialect: D,
        has_begun: bool,
    }
    let telling = Telling { ear, dialect, has_begun: false };
    let pieces = stream::unfold(telling, |mut telling| async {
        if !telling.has_begun {
            telling.has_begun = true;
            let first = KEEP_ALIVE.to_owned() + &telling.dialect.begin();
            return Some((Ok::<_, Infallible>(Bytes::from(first)), telling));
        }
        loop {
            let piece: String = match telling.ear.piece().await {
                Piece::Over => return None,
                Piece::Silence => KEEP_ALIVE.to_owned(),
                Piece::Events(events) => events.iter().map(|event| telling.dialect.tell(event)).collect(),
            };
            // A dialect may have no words for an event.
            if !piece.is_empty() {
                return Some((Ok(Bytes::from(piece)), telling));
            }
        }
    });
    answer::events(Body::from_stream(pieces))
}

/// A whole answer.
pub(super) struct Whole {
    pub(super) text: String,
    pub(super) finish: Finish,
    pub(super) usage: Usage,
}

/// A document that is sent when the answer is whole. If it never is, nothing is sent, with the same good status: exo
/// has sent its head by then.
pub(super) fn document(
    ear: Ear,
    write: impl FnOnce(&Speech, &Whole) -> serde_json::Result<Vec<u8>> + Send + 'static,
) -> Response {
    let body = async move {
        let mut ear = ear;
        let whole = collect(&mut ear).await;
        let bytes = whole.and_then(|whole| write(&ear.speech, &whole).ok()).unwrap_or_default();
        Ok::<_, Infallible>(Bytes::from(bytes))
    };
    answer::later(Body::from_stream(stream::once(body)))
}

async fn collect(ear: &mut Ear) -> Option<Whole> {
    let mut text = String::new();
    loop {
        for event in ear.next().await? {
            match event {
                Event::Prefill { .. } => {}
                Event::Failed(_) => return None,
                Event::Token(token) => text.push_str(&token),
                Event::Last { text: last, finish, usage, .. } => {
                    text.push_str(&last);
                    return Some(Whole { text, finish, usage });
                }
            }
        }
    }
}

/// One server-sent event without a name; a document that cannot be written says nothing.
pub(super) fn data(document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).map(|text| format!("data: {text}\n\n")).unwrap_or_default()
}

/// One with its type as name.
pub(super) fn named(name: &str, document: &impl serde::Serialize) -> String {
    format!("event: {name}\n{}", data(document))
}

/// A comment that carries a document.
pub(super) fn comment(name: &str, document: &impl serde::Serialize) -> String {
    serde_json::to_string(document).map(|text| format!(": {name} {text}\n\n")).unwrap_or_default()
}
