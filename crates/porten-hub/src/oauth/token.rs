//! Gives out tokens: the first pair once a person has said yes (RFC 8628, 3.4), and a new pair for a refresh token.

use std::sync::Arc;

use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form, Json};
use porten_core::secret::Secret;
use serde::{Deserialize, Serialize};

use super::pending::Yes;
use super::poll::Reply;
use super::{DEVICE_CODE, OAuthError, check_client, form};
use crate::client_address::ClientAddress;
use crate::clock;
use crate::hub::Hub;
use crate::secret::{self, Kind};
use crate::store::{Issued, NewGrant, Pair, Renewed};

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
    Extension(from): Extension<ClientAddress>,
    ask: Result<Form<Ask>, FormRejection>,
) -> Result<Response, OAuthError> {
    let ask = form(ask)?;
    check_client(ask.client_id.as_deref())?;
    match ask.grant_type.as_deref() {
        Some(DEVICE_CODE) => first(&hub, &ask.device_code.unwrap_or_default(), from).await,
        Some("refresh_token") => next(&hub, &ask.refresh_token.unwrap_or_default()).await,
        _ => Err(OAuthError::new("unsupported_grant_type", "This Hub knows the device_code and refresh_token grants.")),
    }
}

async fn first(hub: &Hub, device_code: &str, from: ClientAddress) -> Result<Response, OAuthError> {
    match hub.pending.poll(device_code, from, clock::now()) {
        Some(Reply::Grant(yes)) => collect(hub, yes).await,
        Some(Reply::Pending) => Err(OAuthError::new("authorization_pending", "Nobody has answered on the page yet.")),
        Some(Reply::SlowDown(_)) => {
            Err(OAuthError::new("slow_down", "Asked too soon: wait 5 seconds longer between two tries."))
        }
        Some(Reply::Denied) => Err(OAuthError::new("access_denied", "The person said: don't connect.")),
        Some(Reply::Expired) => {
            let text = "The code has run out, or the Hub was restarted since. Start the sign-in again.";
            Err(OAuthError::new("expired_token", text))
        }
        None => Err(OAuthError::new("invalid_grant", "This device code is unknown or was used already.")),
    }
}

/// Makes the grant that a person said yes to.
async fn collect(hub: &Hub, yes: Yes) -> Result<Response, OAuthError> {
    let (pair, tokens) = make(hub);
    let new = NewGrant { account: yes.account, epoch: yes.epoch, node: yes.node.clone(), name: yes.name.clone() };
    let issued = hub.store.issue_grant(new, pair, clock::now()).await.map_err(|error| {
        hub.pending.give_back(&yes);
        hub.broken(&error)
    })?;
    match issued {
        Issued::Granted { ended } => {
            tracing::info!(node = yes.node, replaced = ended.len(), "a node signed in");
            hub.nodes.supersede(&ended);
            Ok(tokens)
        }
        Issued::Void => {
            let text = "The answer on the page has become void: the account has a new passphrase, or was removed. \
                        Start the sign-in again.";
            Err(OAuthError::new("expired_token", text))
        }
        Issued::Full => {
            let text = "The account has as many nodes as it may have. Sign one out, then start the sign-in again.";
            Err(OAuthError::new("access_denied", text))
        }
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
