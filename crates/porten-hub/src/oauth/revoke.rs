//! Ends a sign-in: whichever of its tokens is revoked, the whole grant ends and its tunnel closes (RFC 7009).

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use serde::Deserialize;

use super::{OAuthError, check_client, form};
use crate::hub::Hub;
use crate::secret;

/// Where a sign-in ends.
pub(crate) const PATH: &str = "/oauth/revoke";

#[derive(Deserialize)]
pub(crate) struct Ask {
    client_id: Option<String>,
    token: Option<String>,
}

/// A token that is unknown is as good as revoked (RFC 7009, 2.2): the answer is 200 all the same.
pub(crate) async fn end(
    State(hub): State<Arc<Hub>>,
    ask: Result<Form<Ask>, FormRejection>,
) -> Result<StatusCode, OAuthError> {
    let ask = form(ask)?;
    check_client(ask.client_id.as_deref())?;
    let Some(token) = ask.token else { return Err(OAuthError::invalid_request("`token` is missing.")) };
    let ended = hub.store.end_by_token(secret::digest(&token)).await.map_err(|error| hub.broken(&error))?;
    if let Some(grant) = ended {
        tracing::info!(grant, "a node signed out");
        hub.nodes.revoke(&[grant]);
    }
    Ok(StatusCode::OK)
}
