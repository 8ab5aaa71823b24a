//! Begins a sign-in: gives an agent a code to poll with and a person a code to type (RFC 8628, 3.1 and 3.2).

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use serde::{Deserialize, Serialize};

use super::{OAuthError, check_client, form};
use crate::clock;
use crate::hub::Hub;
use crate::page;
use crate::secret::{self, Kind};
use crate::store::NewDevice;

/// Where a sign-in begins.
pub(crate) const PATH: &str = "/oauth/device_authorization";
/// The longest node id (bytes).
const MAX_NODE: usize = 64;
/// The longest machine name (characters).
const MAX_NAME: usize = 64;
/// How often a user code that is taken is made anew; with 1,000 waiting of 20⁸ once is already unlikely.
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
    headers: HeaderMap,
    ask: Result<Form<Ask>, FormRejection>,
) -> Result<Response, OAuthError> {
    let ask = form(ask)?;
    check_client(ask.client_id.as_deref())?;
    let (node, name) = (ask.node.unwrap_or_default(), ask.name.unwrap_or_default());
    if !is_node_id(&node) {
        return Err(OAuthError::invalid_request("`node` must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"));
    }
    if !is_machine_name(&name) {
        return Err(OAuthError::invalid_request("`name` must be 1 to 64 characters that can be seen."));
    }
    let now = clock::now();
    let timing = &hub.timing;
    for _ in 0..CODE_TRIES {
        let (device_code, user_code) = (secret::make(Kind::Device), secret::user_code());
        let new = NewDevice {
            hash: secret::digest(device_code.expose()),
            user_code: user_code.clone(),
            node: node.clone(),
            name: name.clone(),
            expires: now + clock::millis(timing.device_lifetime),
            interval: clock::millis(timing.device_interval),
        };
        if !hub.store.add_device(new, now).await.map_err(|error| hub.broken(&error))? {
            continue;
        }
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
        tracing::info!(node, "a node asks to sign in");
        return Ok(([(header::CACHE_CONTROL, "no-store")], Json(codes)).into_response());
    }
    Err(OAuthError::busy())
}

fn is_node_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NODE).contains(&id.len()) && id.bytes().all(plain)
}

/// A name that a person can judge: nothing invisible, nothing that turns the reading direction.
fn is_machine_name(name: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    (1..=MAX_NAME).contains(&name.chars().count()) && !name.trim().is_empty() && !name.chars().any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault E9: a machine whose name could deceive a person gets no code.
    #[test]
    fn a_name_that_could_deceive_a_person_is_refused() {
        for good in ["studio-1", "Anna’s Mac Studio", "工作室", "<b>"] {
            assert!(is_machine_name(good), "{good:?}");
        }
        for bad in ["", "  ", "a\nb", "abc\u{202e}def", "a\u{200b}b", "\u{feff}", &"x".repeat(65)] {
            assert!(!is_machine_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_node_id_is_plain() {
        assert!(is_node_id("n-01.a_B") && is_node_id(&"x".repeat(64)));
        for bad in ["", "a b", "a/b", "ä", &"x".repeat(65)] {
            assert!(!is_node_id(bad), "{bad:?}");
        }
    }
}
