//! Says which address is answered by whom.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use hyper::body::Incoming;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use porten_core::api_error::ApiError;
use porten_core::route::Route;
use porten_core::wire::TUNNEL_PATH;

use crate::client_address::ClientAddress;
use crate::clients::{self, models};
use crate::hub::Hub;
use crate::oauth::{device, metadata, revoke, token};
use crate::strangers::Connection;
use crate::{answer, approve, page, tunnel};

/// The largest form (bytes).
const MAX_FORM: usize = 8 * 1024;
/// For a year browsers come back by https alone, whatever a link says (RFC 6797).
const HTTPS_ONLY: &str = "max-age=31536000";
/// How long a form and its answer may take; checking a passphrase may have to wait for its turn.
const FORM_PATIENCE: Duration = Duration::from_secs(20);

/// Answers one request.
pub(crate) async fn respond(
    hub: Arc<Hub>,
    others: Router,
    who: Arc<Connection>,
    request: http::Request<Incoming>,
) -> Result<Response, Infallible> {
    who.begins();
    let mut response = route(&hub, others, &who, request).await?;
    who.ends();
    // Nobody who answers here may have what it says taken for something else.
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if hub.origin.is_https() {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    Ok(response)
}

/// Nearly all requests are to be relayed: they have no need of the router, which was a twenty-fifth of what the Hub does for
/// a short answer.
async fn route(
    hub: &Arc<Hub>,
    others: Router,
    who: &Arc<Connection>,
    mut request: http::Request<Incoming>,
) -> Result<Response, Infallible> {
    match Route::read(request.uri().path()) {
        Some(route) if *request.method() == route.method() => Ok(clients::relayed(hub, who, route, request).await),
        Some(_) => {
            let mut refusal = answer::error(&answer::wrong_method());
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            Ok(refusal)
        }
        None => {
            let from = ClientAddress::of(who.peer, request.headers(), &hub.trusted_proxies);
            request.extensions_mut().insert(from);
            request.extensions_mut().insert(Arc::clone(who));
            TowerToHyperService::new(others).call(request.map(Body::new)).await
        }
    }
}

/// All routes of a Hub but the relayed ones.
pub(crate) fn others(hub: Arc<Hub>) -> Router {
    Router::new()
        .route(metadata::PATH, get(metadata::show))
        .route(device::PATH, post(device::begin))
        .route(token::PATH, post(token::give))
        .route(revoke::PATH, post(revoke::end))
        .route(page::PATH, get(approve::show).post(approve::decide))
        .route(page::SIGN_IN_PATH, post(approve::begin_visit))
        .route(TUNNEL_PATH, get(tunnel::open))
        .route("/v1/models", get(models::list))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(in_time))
        .method_not_allowed_fallback(|| async { answer::error(&answer::wrong_method()) })
        .fallback(|| async { answer::error(&answer::unknown_route()) })
        .with_state(hub)
}

async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(FORM_PATIENCE, next.run(request)).await.unwrap_or_else(|_| {
        let error = ApiError::invalid("too_slow", "The request came too slowly.");
        answer::error(&ApiError { status: 408, ..error })
    })
}
