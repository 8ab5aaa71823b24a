//! exo's answers: documents, and its several shapes of error.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::invalid::Invalid;

/// A JSON document.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    match serde_json::to_vec(document) {
        Ok(body) => with_type(status, "application/json", Body::from(body)),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a document could not be written");
            Refusal::Unforeseen.into_response()
        }
    }
}

/// A JSON document that is what was asked for.
pub(crate) fn ok(document: &impl Serialize) -> Response {
    json(StatusCode::OK, document)
}

/// Why a request gets no good answer, in the shapes of exo's errors.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be read.
    Invalid(Invalid),
    /// exo foresaw it: a status, and a sentence.
    Foreseen(StatusCode, String),
    /// exo did not foresee it.
    Unforeseen,
}

impl Refusal {
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::Foreseen(StatusCode::NOT_FOUND, message.into())
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::Foreseen(StatusCode::BAD_REQUEST, message.into())
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(invalid) => json(StatusCode::UNPROCESSABLE_ENTITY, &invalid),
            Self::Foreseen(status, message) => {
                let kind = status.canonical_reason().unwrap_or_default();
                let error = Error { message: &message, kind, param: None, code: status.as_u16() };
                json(status, &Failed { error })
            }
            Self::Unforeseen => {
                let words = Body::from("Internal Server Error");
                with_type(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", words)
            }
        }
    }
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Error<'a>,
}

#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    /// The status in words.
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: u16,
}

/// No route: exo's dashboard answers, which has no such file.
pub(crate) fn nothing_here() -> Response {
    json(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"}))
}

/// No route, and the dashboard can only be read.
pub(crate) fn wrong_method() -> Response {
    let mut response = json(StatusCode::METHOD_NOT_ALLOWED, &json!({"detail": "Method Not Allowed"}));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// A stream of server-sent events.
pub(crate) fn events(body: Body) -> Response {
    let mut response = with_type(StatusCode::OK, "text/event-stream; charset=utf-8", body);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A JSON document that comes later than its head.
pub(crate) fn later(body: Body) -> Response {
    with_type(StatusCode::OK, "application/json", body)
}

/// The JSON that was sent; anything goes, if it is JSON.
pub(crate) fn read(body: &Bytes) -> Result<Value, Invalid> {
    // FastAPI counts characters from the beginning, and bodies that err are mostly one line.
    serde_json::from_slice(body).map_err(|error| Invalid::no_json(error.column().saturating_sub(1)))
}

fn with_type(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
