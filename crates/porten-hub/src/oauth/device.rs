//! Begins a sign-in: gives an agent a code to poll with and a person a code to type (RFC 8628, 3.1 and 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use porten_core::machine_name::sanitize_machine_name;
use serde::{Deserialize, Serialize};

use super::device_code::Request;
use super::{OAuthError, check_client, form};
use crate::client_address::ClientAddress;
use crate::clock;
use crate::hub::Hub;
use crate::{page, secret};

/// Where a sign-in begins.
pub(crate) const PATH: &str = "/oauth/device_authorization";
/// The longest node id (bytes).
const MAX_NODE: usize = 64;
/// How often a user code that is taken is made anew; with some thousands waiting of 20⁸ once is already unlikely.
const CODE_TRIES: usize = 3;

#[derive(Deserialize)]
pub(crate) struct Ask {
    client_id: Option<String>,
    node: Option<String>,
    name: Option<String>,
}

#[derive(Serialize)]
struct Codes {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

pub(crate) async fn begin(
    State(hub): State<Arc<Hub>>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    ask: Result<Form<Ask>, FormRejection>,
) -> Result<Response, OAuthError> {
    let ask = form(ask)?;
    check_client(ask.client_id.as_deref())?;
    let Some(name) = ask.name else { return Err(OAuthError::invalid_request("`name` is missing.")) };
    let node = ask.node.unwrap_or_default();
    if !is_node_id(&node) {
        return Err(OAuthError::invalid_request("`node` must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"));
    }
    // Whatever a machine is called, a person can read and judge what is shown of it.
    let name = sanitize_machine_name(&name);
    let now = clock::now();
    let timing = &hub.timing;
    for _ in 0..CODE_TRIES {
        let user_code = secret::user_code();
        let expires = now + clock::millis(timing.device_lifetime);
        let request =
            Request { user_code: user_code.clone(), node: node.clone(), name: name.clone(), asked: now, expires };
        let Some(device_code) = hub.pending.begin(request, from, now) else { continue };
        let page = format!("{}{}", hub.origin.seen_by(&headers), page::PATH);
        let shown = secret::show_user_code(&user_code);
        let codes = Codes {
            device_code: device_code.expose().to_owned(),
            verification_uri_complete: format!("{page}?user_code={shown}"),
            verification_uri: page,
            user_code: shown,
            expires_in: timing.device_lifetime.as_secs(),
            interval: timing.device_interval.as_secs(),
        };
        tracing::info!(node, %from, "a node asks to sign in");
        return Ok(([(header::CACHE_CONTROL, "no-store")], Json(codes)).into_response());
    }
    Err(OAuthError::busy())
}

fn is_node_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NODE).contains(&id.len()) && id.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_is_plain() {
        assert!(is_node_id("n-01.a_B") && is_node_id(&"x".repeat(64)));
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_node_id(bad), "{bad:?}");
        }
    }
}
