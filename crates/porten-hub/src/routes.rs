//! Says which address is answered by whom.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use porten_core::api_error::ApiError;
use porten_core::route::Route;
use porten_core::wire::TUNNEL_PATH;

use crate::clients::{self, models};
use crate::hub::Hub;
use crate::oauth::{device, metadata, revoke, token};
use crate::{answer, approve, page, tunnel};

/// The largest form (bytes).
const MAX_FORM: usize = 8 * 1024;
/// How long a form and its answer may take; checking a passphrase may have to wait for its turn.
const FORM_PATIENCE: Duration = Duration::from_secs(20);

/// All routes of a Hub.
pub(crate) fn router(hub: Arc<Hub>) -> Router {
    let forms = Router::new()
        .route(metadata::PATH, get(metadata::show))
        .route(device::PATH, post(device::begin))
        .route(token::PATH, post(token::give))
        .route(revoke::PATH, post(revoke::end))
        .route(page::PATH, get(approve::show).post(approve::decide))
        .route(page::SIGN_IN_PATH, post(approve::begin_visit))
        .route(TUNNEL_PATH, get(tunnel::open))
        .route("/v1/models", get(models::list))
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(middleware::from_fn(in_time));
    let relayed = Route::ALL.into_iter().fold(Router::new(), |routes, route| {
        let answer = move |hub: State<Arc<Hub>>, request: Request| clients::relayed(hub, route, request);
        routes.route(route.path(), post(answer))
    });
    forms
        .merge(relayed)
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
