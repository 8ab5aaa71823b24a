//! Asks one node and waits for the first byte of its answer.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Uri, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use porten_core::api_error::ApiError;
use porten_core::relay::headers::{END_NAME, REFUSAL_NAME, REQUEST_ID_NAME};
use porten_core::route::Route;
use porten_core::wire::{END_COMPLETE, END_ERROR};
use tokio::time::Instant;

use super::answer_body::AnswerBody;
use super::kind::Kind;
use super::refusal::{self, Refusal};
use super::{Job, Pass};
use crate::nodes::{Outcome, Place};

/// The longest refusal that is read (bytes); ours have some 300.
const MAX_REFUSAL: usize = 64 * 1024;
/// Asks proxies in front of a Hub to send each token on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Where requests go in a tunnel. The authority names nothing: the agent ignores it.
static ADDRESSES: LazyLock<Vec<(Route, Uri)>> = LazyLock::new(|| {
    let address = |route: Route| Uri::builder().scheme("http").authority("porten").path_and_query(route.path()).build();
    // Three constants are always an address.
    Route::ALL.into_iter().filter_map(|route| Some((route, address(route).ok()?))).collect()
});

/// What came of asking one node.
#[derive(Debug)]
pub(super) enum Called {
    /// It answers.
    Answered(Box<Answered>),
    /// It refused before its engine produced anything.
    Refused(Refusal),
    /// It was lost before it began to answer.
    Lost(h2::Error),
    /// It began and failed: no other node is asked.
    Failed(ApiError),
}

/// An answer that has begun.
#[derive(Debug)]
pub(super) struct Answered {
    head: http::response::Parts,
    kind: Kind,
    first: Bytes,
    rest: RecvStream,
    place: Place,
}

impl Answered {
    /// The client's answer, whose body is still on its way.
    pub(super) fn response(self, pass: Pass) -> Response {
        let Self { head, kind, first, rest, place } = self;
        let mut response = Response::new(Body::new(AnswerBody::new(kind, first, rest, place, pass)));
        *response.status_mut() = head.status;
        let headers = response.headers_mut();
        kind.head(&head.headers, headers);
        if kind == Kind::Events {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
        }
        response
    }
}

/// Asks the node at `place`.
pub(super) async fn call(job: &Job, mut place: Place, deadline: Instant) -> Called {
    let answer = match tokio::time::timeout_at(deadline, ask(job, &place)).await {
        Err(_) => {
            place.ended(Outcome::Failed);
            return Called::Failed(refusal::upstream_timeout());
        }
        Ok(Err(error)) => {
            place.ended(of_loss(&error));
            return Called::Lost(error);
        }
        Ok(Ok(answer)) => answer,
    };
    let (head, body) = answer.into_parts();
    if head.headers.contains_key(REFUSAL_NAME) {
        let said = tokio::time::timeout_at(deadline, short(body)).await;
        let body = said.ok().flatten();
        let refusal =
            body.map_or(Refusal::Lost, |body| Refusal::Said { status: head.status, headers: head.headers, body });
        place.ended(if refusal.is_fault() { Outcome::Failed } else { Outcome::Nothing });
        return Called::Refused(refusal);
    }
    let Some(kind) = Kind::of(head.status, &head.headers) else {
        tracing::info!(
            node = &*place.node,
            status = head.status.as_u16(),
            "the node gave an answer that does not pass"
        );
        place.ended(Outcome::Failed);
        return Called::Failed(refusal::upstream_unusable());
    };
    let first = match tokio::time::timeout(job.patience, first(body)).await {
        Err(_) => {
            place.ended(Outcome::Failed);
            return Called::Failed(refusal::upstream_timeout());
        }
        Ok(first) => first,
    };
    let Some((first, rest)) = first else {
        place.ended(Outcome::Failed);
        return Called::Failed(refusal::upstream_cut());
    };
    if !head.status.is_success() {
        // Of a 4xx the request was at fault, which says nothing about the node.
        place.ended(if head.status.is_server_error() { Outcome::Failed } else { Outcome::Nothing });
    }
    tracing::debug!(node = &*place.node, status = head.status.as_u16(), ?kind, "the node answers");
    Called::Answered(Box::new(Answered { head, kind, first, rest, place }))
}

/// A stream that the node refused unread (it ends its link in order) says nothing about how well it answers.
fn of_loss(error: &h2::Error) -> Outcome {
    let refused = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if refused { Outcome::Nothing } else { Outcome::Failed }
}

/// Sends the request and waits for the head of the answer; an answer that comes before the whole body is sent counts.
/// The body goes as the agent's window opens: until then it waits in HTTP/2, which takes no copy.
async fn ask(job: &Job, place: &Place) -> Result<http::Response<RecvStream>, h2::Error> {
    let mut calls = place.calls.clone().ready().await?;
    let (answer, mut upload) = calls.send_request(request(job), job.body.is_empty())?;
    if !job.body.is_empty() {
        // If the upload fails, the answer knows why.
        let _ = upload.send_data(job.body.clone(), true);
    }
    answer.await
}

fn request(job: &Job) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = job.route.method();
    let address = ADDRESSES.iter().find(|(route, _)| *route == job.route);
    *request.uri_mut() = address.map(|(_, uri)| uri.clone()).unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(job.body.len()));
    let mut id = job.id.clone();
    // No id comes twice: in the tables that both ends keep of headers it would only drive out what does.
    id.set_sensitive(true);
    headers.insert(REQUEST_ID_NAME, id);
    request
}

/// The first bytes of an answer, or its whole end; none if it was cut before.
async fn first(mut body: RecvStream) -> Option<(Bytes, RecvStream)> {
    loop {
        match body.data().await {
            Some(Ok(bytes)) if bytes.is_empty() => {}
            Some(Ok(bytes)) => return Some((bytes, body)),
            Some(Err(_)) => return None,
            None => {
                let ended = body.trailers().await.ok().flatten();
                return ended.and_then(|trailers| end(&trailers)).map(|_| (Bytes::new(), body));
            }
        }
    }
}

/// A short body, whole.
async fn short(mut body: RecvStream) -> Option<Bytes> {
    let mut all = BytesMut::new();
    while let Some(part) = body.data().await {
        let part = part.ok()?;
        if all.len() + part.len() > MAX_REFUSAL {
            return None;
        }
        // Within the first window: nothing needs to be given back.
        all.extend_from_slice(&part);
    }
    Some(all.freeze())
}

/// What the trailers of a whole answer say about the node: an error event ends an answer that its engine did not finish.
/// None: the answer was cut.
pub(super) fn end(trailers: &http::HeaderMap) -> Option<Outcome> {
    match trailers.get(END_NAME)?.as_bytes() {
        end if end == END_COMPLETE.as_bytes() => Some(Outcome::Whole),
        end if end == END_ERROR.as_bytes() => Some(Outcome::Failed),
        _ => None,
    }
}
