//! Tells an agent where to sign in (RFC 8414), and that this Hub speaks its tunnel's protocol.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use porten_core::wire::SUBPROTOCOL;
use serde::Serialize;

use super::DEVICE_CODE;
use crate::hub::Hub;

/// Where RFC 8414 puts it.
pub(crate) const PATH: &str = "/.well-known/oauth-authorization-server";

#[derive(Serialize)]
pub(crate) struct Metadata {
    issuer: String,
    device_authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    grant_types_supported: [&'static str; 2],
    /// None: a device grant redirects nobody. RFC 8414 requires the field.
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    /// Our own field: the tunnel protocols this Hub speaks. An agent that does not find its own here has found a
    /// Hub that cannot use it, before anybody signs in.
    porten_protocols: [&'static str; 1],
}

pub(crate) async fn show(State(hub): State<Arc<Hub>>, headers: HeaderMap) -> Json<Metadata> {
    let issuer = hub.origin.seen_by(&headers);
    let at = |path: &str| format!("{issuer}{path}");
    Json(Metadata {
        device_authorization_endpoint: at(super::device::PATH),
        token_endpoint: at(super::token::PATH),
        revocation_endpoint: at(super::revoke::PATH),
        issuer,
        grant_types_supported: [DEVICE_CODE, "refresh_token"],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        porten_protocols: [SUBPROTOCOL],
    })
}
