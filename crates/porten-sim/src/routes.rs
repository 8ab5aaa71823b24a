//! exo's addresses and headers. Each answers with what the world says, and decides nothing.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};

use crate::requests;
use crate::sim::Sim;
use crate::switch;
use crate::world::Turn;

pub(crate) mod answer;
mod chat;
mod download;
mod ear;
mod instance;
mod messages;
mod models;
mod query;
mod ready;
mod responses;
mod small;
mod state;

/// The largest body (bytes): exo has no limit, and prompts are long.
const MAX_BODY: usize = 64 * 1024 * 1024;

type Shared = State<Arc<Sim>>;
type Answered = Result<Response, answer::Refusal>;

/// All routes.
pub(crate) fn router(sim: Arc<Sim>) -> Router {
    let exo = Router::new()
        .route("/node_id", get(state::node_id))
        .route("/state", get(state::whole))
        .route("/state/", get(state::whole))
        .route("/state/{*path}", get(state::part))
        .route("/models", get(models::list))
        .route("/v1/models", get(models::list))
        .route("/instance", post(instance::create))
        .route("/place_instance", post(instance::place))
        .route("/instance/previews", get(instance::previews))
        .route("/instance/placement", get(instance::placement))
        .route("/instance/await", get(ready::wait))
        .route("/instance/{id}", get(instance::show).delete(instance::delete))
        .route("/download/start", post(download::start))
        .route("/download/cancel", post(download::cancel))
        .route("/download/{node}/{*model}", delete(download::delete))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/ollama/v1/chat/completions", post(chat::complete))
        .route("/v1/messages", post(messages::complete))
        .route("/v1/responses", post(responses::complete))
        .route("/v1/cancel/{command}", post(chat::cancel))
        .route("/onboarding", get(small::onboarding))
        .route("/v1/feature-flags", get(small::feature_flags))
        .method_not_allowed_fallback(elsewhere)
        .fallback(elsewhere)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::map_response(as_exo))
        .layer(from_fn_with_state(Arc::clone(&sim), wait_turn))
        .layer(from_fn_with_state(Arc::clone(&sim), requests::note));
    Router::new()
        .route(requests::PATH, get(requests::list))
        .route(switch::PATH, post(switch::turn))
        .fallback_service(exo.with_state(Arc::clone(&sim)))
        .with_state(sim)
}

/// Lets a request wait while exo answers nobody, or has no master that would hear a command.
async fn wait_turn(State(sim): Shared, request: Request, next: Next) -> Response {
    let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
    let turn = match request.uri().path() {
        path if path == "/state" || path.starts_with("/state/") => Turn::State,
        _ if is_look => Turn::Look,
        _ => Turn::Command,
    };
    if let Some(until) = sim.with(|world| world.turn(turn)) {
        tokio::select! {
            () = sim.stop.cancelled() => {}
            () = tokio::time::sleep(sim.until(until)) => {}
        }
    }
    next.run(request).await
}

/// Behind all routes stands a folder of files, which has only GET and HEAD, and not this file.
async fn elsewhere(method: Method) -> Response {
    if matches!(method, Method::GET | Method::HEAD) { answer::nothing_here() } else { answer::wrong_method() }
}

/// The headers that every answer of exo's has.
async fn as_exo(mut response: Response) -> Response {
    let is_unforeseen = response.status() == StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("hypercorn-h11"));
    if !is_unforeseen {
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}
