//! Sign-in: how an agent gets, renews and gives up its right to connect (RFC 8414, 8628, 6749, 7009).

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(crate) mod device;
mod device_code;
pub(crate) mod metadata;
pub(crate) mod pending;
mod poll;
pub(crate) mod revoke;
pub(crate) mod rotation;
pub(crate) mod token;

/// The one client there is: the agent. It is public, it has no secret.
pub(crate) const CLIENT_ID: &str = "porten";
/// The grant type of RFC 8628.
pub(crate) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An error as RFC 6749 (5.2) words it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    text: &'static str,
}

impl OAuthError {
    pub(crate) const fn new(code: &'static str, text: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, text }
    }

    /// The request lacks something, or says it twice or wrongly.
    pub(crate) const fn invalid_request(text: &'static str) -> Self {
        Self::new("invalid_request", text)
    }

    /// The Hub itself failed.
    pub(crate) const fn broken() -> Self {
        let text = "The Hub could not use its state file. Try again later.";
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "server_error", text }
    }

    /// The Hub takes no more for now.
    pub(crate) const fn busy() -> Self {
        let text = "Too many sign-ins wait for an answer. Try again in a minute.";
        Self { status: StatusCode::TOO_MANY_REQUESTS, code: "temporarily_unavailable", text }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: &'static str,
        }
        let body = axum::Json(Body { error: self.code, error_description: self.text });
        let mut response = (self.status, [(header::CACHE_CONTROL, "no-store")], body).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        response
    }
}

/// The form of a request, if it reads.
fn form<T>(form: Result<Form<T>, FormRejection>) -> Result<T, OAuthError> {
    let wrong = OAuthError::invalid_request("The form does not read: a field is missing, twice, or too long.");
    form.map(|Form(form)| form).map_err(|_| wrong)
}

/// That the request comes from the client there is.
fn check_client(client_id: Option<&str>) -> Result<(), OAuthError> {
    if client_id == Some(CLIENT_ID) {
        return Ok(());
    }
    let text = "Unknown client: send client_id=porten.";
    Err(OAuthError { status: StatusCode::UNAUTHORIZED, ..OAuthError::new("invalid_client", text) })
}
