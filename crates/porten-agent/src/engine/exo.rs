//! Asks exo about its cluster, and orders places for models: the agent's own questions, on exact routes of its own.

use std::time::Duration;

use http::Method;
use porten_core::config::EngineUrl;
use porten_core::display_text::sanitize;
use porten_core::exo::{Answer, Document, INSTANCE, InstanceId, PREVIEWS, Preview, PreviewError, read_previews};
use porten_core::reply::Reply;
use porten_core::wire::MAX_TEXT;

use super::client::EngineClient;
use crate::heavy;

/// For one document: 10–50 ms a node are usual (measured); a Mac that loads a model is slower.
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(5);
/// For previews and orders: during an election of a new leader exo lets commands wait (3 s, measured).
const ORDER_DEADLINE: Duration = Duration::from_secs(15);
/// Previews hold a whole model card for each part of each placement: 12 kB for three nodes (measured).
const MAX_PREVIEWS: usize = 4 * 1024 * 1024;
/// Any other answer is a line (bytes).
const MAX_ANSWER: usize = 1024 * 1024;

/// One of exo's documents, read.
pub async fn fetch(engine: &EngineClient, at: &EngineUrl, document: Document) -> Answer {
    let reply = engine.get(at, document.path(), DOCUMENT_DEADLINE, document.limit()).await;
    let bytes = reply.body().len();
    heavy::run(bytes, move || Answer::read(document, &reply))
        .await
        .unwrap_or_else(|| Answer::read(document, &Reply::Lost))
}

/// The places that exo offers for a model.
///
/// # Errors
/// None; one sentence says why.
pub async fn fetch_places(engine: &EngineClient, at: &EngineUrl, model: &str) -> Result<Vec<Preview>, String> {
    let mut url = at.at(PREVIEWS);
    url.query_pairs_mut().append_pair("model_id", model);
    match engine.ask(Method::GET, url, None, ORDER_DEADLINE, MAX_PREVIEWS).await {
        Reply::Answer { status: 200, body, .. } => {
            let read = heavy::run(body.len(), move || read_previews(&body)).await;
            read.unwrap_or(Err(PreviewError::Unreadable)).map_err(|why| why.to_string())
        }
        Reply::Answer { status, .. } => Err(format!("exo answers {status} when asked for a place")),
        Reply::Lost => Err("exo did not say in time where it could go".to_owned()),
    }
}

/// Orders a place. That exo takes the order does not mean that anything comes of it.
///
/// # Errors
/// It was not taken; one sentence says why.
pub async fn order(engine: &EngineClient, at: &EngineUrl, place: &Preview) -> Result<(), String> {
    match engine.ask(Method::POST, at.at(INSTANCE), Some(&place.body), ORDER_DEADLINE, MAX_ANSWER).await {
        Reply::Answer { status: 200, .. } => Ok(()),
        Reply::Answer { body, status, .. } => Err(refusal(status, &body)),
        Reply::Lost => Err("exo did not take the order in time".to_owned()),
    }
}

/// Deletes an instance. What exo answers does not matter: its next list of instances says what became of it.
pub async fn delete(engine: &EngineClient, at: &EngineUrl, instance: &InstanceId) {
    let mut url = at.at(INSTANCE);
    if let Ok(mut path) = url.path_segments_mut() {
        // Escapes whatever is no part of one segment.
        path.push(instance);
    }
    engine.ask(Method::DELETE, url, None, ORDER_DEADLINE, MAX_ANSWER).await;
}

/// exo's own words, such as how much memory is missing.
fn refusal(status: u16, body: &[u8]) -> String {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match body["error"]["message"].as_str() {
        Some(message) => format!("exo says: {}", sanitize(message, MAX_TEXT)),
        None => format!("exo refuses the order ({status})"),
    }
}
