//! Gives out tokens: the first pair once a person has said yes (RFC 8628, 3.4), and a new pair for a refresh token.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Form, Json};
use porten_core::secret::Secret;
use serde::{Deserialize, Serialize};

use super::poll::Reply;
use super::{DEVICE_CODE, OAuthError, check_client, form};
use crate::clock;
use crate::hub::Hub;
use crate::secret::{self, Kind};
use crate::store::{Pair, Polled, Renewed};

/// Where tokens are given out.
pub(crate) const PATH: &str = "/oauth/token";

#[derive(Deserialize)]
pub(crate) struct Ask {
    client_id: Option<String>,
    grant_type: Option<String>,
    device_code: Option<String>,
    refresh_token: Option<String>,
}

#[derive(Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: String,
}

pub(crate) async fn give(
    State(hub): State<Arc<Hub>>,
    ask: Result<Form<Ask>, FormRejection>,
) -> Result<Response, OAuthError> {
    let ask = form(ask)?;
    check_client(ask.client_id.as_deref())?;
    match ask.grant_type.as_deref() {
        Some(DEVICE_CODE) => first(&hub, &ask.device_code.unwrap_or_default()).await,
        Some("refresh_token") => next(&hub, &ask.refresh_token.unwrap_or_default()).await,
        _ => Err(OAuthError::new("unsupported_grant_type", "This Hub knows the device_code and refresh_token grants.")),
    }
}

async fn first(hub: &Hub, device_code: &str) -> Result<Response, OAuthError> {
    let (pair, tokens) = make(hub);
    let polled = hub.store.poll_device(secret::digest(device_code), pair, clock::now()).await;
    match polled.map_err(|error| hub.broken(&error))? {
        Polled::Known(Reply::Grant(_)) => {
            tracing::info!("a node signed in");
            Ok(tokens)
        }
        Polled::Known(Reply::Pending) => {
            Err(OAuthError::new("authorization_pending", "Nobody has answered on the page yet."))
        }
        Polled::Known(Reply::SlowDown(_)) => {
            Err(OAuthError::new("slow_down", "Asked too soon: wait 5 seconds longer between two tries."))
        }
        Polled::Known(Reply::Denied) => Err(OAuthError::new("access_denied", "The person said: don't connect.")),
        Polled::Known(Reply::Expired) => {
            Err(OAuthError::new("expired_token", "The code has run out. Start the sign-in again."))
        }
        Polled::Unknown => Err(OAuthError::new("invalid_grant", "This device code is unknown or was used already.")),
    }
}

async fn next(hub: &Hub, refresh_token: &str) -> Result<Response, OAuthError> {
    let (pair, tokens) = make(hub);
    let renewed = hub.store.renew(secret::digest(refresh_token), pair, clock::now()).await;
    match renewed.map_err(|error| hub.broken(&error))? {
        Renewed::Issued => Ok(tokens),
        Renewed::Unknown => Err(OAuthError::new("invalid_grant", "This sign-in has ended. Sign in again.")),
        Renewed::Reused(grant) => {
            tracing::warn!(grant, "a refresh token was used twice: its grant has ended");
            hub.nodes.revoke(&[grant]);
            let text = "This refresh token was used before, so the sign-in has ended for safety. Sign in again.";
            Err(OAuthError::new("invalid_grant", text))
        }
    }
}

/// A new pair: what is stored of it, and the answer that carries it.
fn make(hub: &Hub) -> (Pair, Response) {
    let (access, refresh): (Secret, Secret) = (secret::make(Kind::Access), secret::make(Kind::Refresh));
    let expires = clock::now() + clock::millis(hub.timing.access_lifetime);
    let tokens = Tokens {
        access_token: access.expose().to_owned(),
        token_type: "Bearer",
        expires_in: hub.timing.access_lifetime.as_secs(),
        refresh_token: refresh.expose().to_owned(),
    };
    let answer = ([(header::CACHE_CONTROL, "no-store")], Json(tokens)).into_response();
    (Pair { access: secret::digest(access.expose()), refresh: secret::digest(refresh.expose()), expires }, answer)
}
