//! Serves the people's side: OpenAI-shaped routes, opened by an API key.

use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::response::Response;
use hyper::body::Incoming;
use porten_core::api_error::ApiError;
use porten_core::relay::headers::REQUEST_ID_NAME;
use porten_core::route::Route;
use tracing::Instrument as _;

use crate::answer;
use crate::bearer;
use crate::hub::Hub;
use crate::relay::{self, Job, Pass};
use crate::secret::{self, Digest};
use crate::strangers::Connection;

pub(crate) mod intake;
pub(crate) mod models;

/// The longest request id that is taken over from a client (bytes).
const MAX_REQUEST_ID: usize = 64;

/// The most of an unknown model's id that an error repeats (characters).
const MAX_SHOWN: usize = 100;

/// `POST` on one of the relayed routes.
pub(crate) async fn relayed(hub: &Hub, who: &Connection, route: Route, request: Request<Incoming>) -> Response {
    let id = request_id(request.headers());
    let span = tracing::debug_span!("request", id = id.to_str().unwrap_or_default(), route = route.path());
    let mut response = serve(hub, who, route, request, id.clone())
        .instrument(span)
        .await
        .unwrap_or_else(|error| answer::error(&error));
    response.headers_mut().insert(REQUEST_ID_NAME, id);
    response
}

async fn serve(
    hub: &Hub,
    who: &Connection,
    route: Route,
    request: Request<Incoming>,
    id: HeaderValue,
) -> Result<Response, ApiError> {
    let digest = bearer::read(request.headers()).ok_or_else(no_good_key)?;
    // Before it is looked up: a key that ends in between is not missed.
    let key = hub.keys.begin(digest);
    let account = key_account(hub, who, digest).await?;
    let seat = hub.quotas.request(account).ok_or_else(|| intake::account_busy(hub))?;
    let end = key.end();
    tokio::select! {
        biased;
        answer = ask(hub, route, request, id, Pass { account, key, seat }) => answer,
        () = end.wait() => Err(relay::key_ended()),
    }
}

async fn ask(
    hub: &Hub,
    route: Route,
    request: Request<Incoming>,
    id: HeaderValue,
    pass: Pass,
) -> Result<Response, ApiError> {
    if hub.nodes.is_stopping() {
        return Err(relay::stopping());
    }
    let taken = intake::read(hub, pass.account, request).await?;
    let offer = hub.catalog.borrow().offer(&taken.ask.model).cloned();
    let Some(offer) = offer else {
        let text = format!("This Hub has no model {:?}. GET /v1/models lists what it has.", shown(&taken.ask.model));
        return Err(ApiError::new(404, "invalid_request_error", "model_not_found", text));
    };
    if !offer.routes.contains(&route) {
        let text = format!("The model {:?} is not offered on {}.", offer.id, route.path());
        return Err(ApiError::invalid("route_not_offered", text));
    }
    let patience = if taken.ask.stream { hub.timing.stream_patience } else { hub.timing.document_patience };
    relay::run(hub, Job { pass, route, offer, id, patience, body: taken.body, room: taken.room }).await
}

/// So much of a client's own text as an error may repeat.
fn shown(model: &str) -> &str {
    model.char_indices().nth(MAX_SHOWN).map_or(model, |(end, _)| &model[..end])
}

/// Whose key a request carries.
pub(crate) async fn account(hub: &Hub, who: &Connection, headers: &HeaderMap) -> Result<i64, ApiError> {
    key_account(hub, who, bearer::read(headers).ok_or_else(no_good_key)?).await
}

async fn key_account(hub: &Hub, who: &Connection, key: Digest) -> Result<i64, ApiError> {
    let found = hub.store.key_account(key).await.map_err(|error| {
        hub.broken(&error);
        answer::broken()
    })?;
    let account = found.ok_or_else(no_good_key)?;
    who.shows_key(&hub.quotas, account);
    Ok(account)
}

fn no_good_key() -> ApiError {
    let text = "This API key is not good. Make one on the Hub's machine with `porten-hub key add`.";
    ApiError::new(401, "invalid_request_error", "invalid_api_key", text)
}

/// The client's own request id if it can stand in a log, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let sane = |id: &&HeaderValue| (1..=MAX_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(plain);
    match headers.get(REQUEST_ID_NAME).filter(sane) {
        Some(id) => id.clone(),
        // Hex digits are always a header value.
        None => HeaderValue::try_from(["req-", &secret::hex(&rand::random::<[u8; 12]>())].concat())
            .unwrap_or(HeaderValue::from_static("req-0")),
    }
}

/// A JSON answer.
fn json(body: String) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use porten_core::wire::REQUEST_ID;

    use super::*;

    #[test]
    fn a_request_id_is_taken_over_only_if_it_can_stand_in_a_log() {
        let with = |id| HeaderMap::from_iter([(header::HeaderName::from_static(REQUEST_ID), id)]);
        let sane = HeaderValue::from_static("trace_7.a-B");
        assert_eq!(request_id(&with(sane.clone())), sane);
        for strange in ["", "a b", "a\tb", "é", &"x".repeat(65)] {
            let id = HeaderValue::from_bytes(strange.as_bytes()).unwrap();
            assert!(request_id(&with(id)).to_str().unwrap().starts_with("req-"), "{strange:?}");
        }
    }
}
