//! Turns an [`ApiError`] into the HTTP answer that carries it.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use porten_core::api_error::ApiError;

/// The answer for an error.
pub(crate) fn error(error: &ApiError) -> Response {
    let mut response = Response::new(Body::from(error.body()));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// No route has this path.
pub(crate) fn unknown_route() -> ApiError {
    let text = "There is nothing here. This Hub answers /v1/models, /v1/chat/completions and /v1/completions.";
    ApiError::new(404, "invalid_request_error", "unknown_route", text)
}

/// The route exists, but not with this method.
pub(crate) fn wrong_method() -> ApiError {
    ApiError::new(405, "invalid_request_error", "method_not_allowed", "This address takes another method.")
}

/// The Hub itself failed.
pub(crate) fn broken() -> ApiError {
    ApiError::unavailable(500, "hub_failed", "The Hub could not use its state file. Try again later.")
}
