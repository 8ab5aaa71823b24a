//! Remembers which addresses were asked, so that a test can count what an agent costs. Not a part of exo.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::routes::answer;
use crate::sim::Sim;

/// Where they are told.
pub(crate) const PATH: &str = "/sim/requests";
/// How many are remembered; the oldest go first.
const MAX: usize = 10_000;

/// Method and path of each request, oldest first; never a query or a body.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<VecDeque<String>>);

impl Requests {
    fn add(&self, request: &Request) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX {
            seen.pop_front();
        }
        seen.push_back(format!("{} {}", request.method(), request.uri().path()));
    }

    fn seen(&self) -> VecDeque<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Notes a request on its way to exo's routes.
pub(crate) async fn note(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    tracing::debug!(method = %request.method(), path = request.uri().path(), "asked");
    sim.requests.add(&request);
    next.run(request).await
}

/// All that are remembered.
pub(crate) async fn list(State(sim): State<Arc<Sim>>) -> Response {
    answer::ok(&sim.requests.seen())
}
