//! `/instance/await`: waits until an instance is in the state, which does not mean that it is loaded.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use serde_json::{Value, json};

use super::ear::{KEEP_ALIVE, data, rest};
use super::query::{self, Pairs};
use super::{Answered, Shared, answer};
use crate::documents::spelling;
use crate::invalid::Invalid;
use crate::sim::Sim;
use crate::world::Now;

/// The longest wait that may be asked for (seconds); none is for ever.
const LONGEST: f64 = 300.0;

pub(super) async fn wait(State(sim): Shared, Query(pairs): Pairs) -> Answered {
    let model = query::required(&pairs, "model_id")?.to_owned();
    let seconds = query::optional(&pairs, "timeout_seconds").map_or(Ok(0.0), read_seconds)?;
    let until = (seconds > 0.0).then(|| sim.now() + Now::from_secs_f64(seconds));
    let told = stream::once(async move { tell(sim, model, until).await });
    let parts = stream::iter([Bytes::from_static(KEEP_ALIVE.as_bytes())]).chain(told);
    Ok(answer::events(Body::from_stream(parts.map(Ok::<_, Infallible>))))
}

fn read_seconds(text: &str) -> Result<f64, Invalid> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.0..=LONGEST).contains(seconds));
    seconds.ok_or_else(|| Invalid::number(json!(["query", "timeout_seconds"]), "a number from 0 to 300", text))
}

/// The one event; nothing if the simulator stops.
async fn tell(sim: Arc<Sim>, model: String, until: Option<Now>) -> Bytes {
    let mut bell = sim.bell();
    loop {
        bell.mark_unchanged();
        let (found, deadline) = sim.with(|world| (world.instance_of(&model).map(Arc::clone), world.deadline()));
        if let Some(instance) = found {
            let instance = serde_json::to_value(&*instance).map(spelling::snake).unwrap_or_default();
            return data(&Told::Ready { instance }).into();
        }
        if until.is_some_and(|until| until <= sim.now()) {
            return data(&Told::Timeout { message: format!("No instance found for model {model}") }).into();
        }
        let next = deadline.into_iter().chain(until).min();
        tokio::select! {
            () = sim.stop.cancelled() => return Bytes::new(),
            () = rest(&sim, next, &mut bell) => {}
        }
    }
}

/// What is told.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    Ready { instance: Value },
    Timeout { message: String },
}
