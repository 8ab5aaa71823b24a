//! Switches troubles on while the simulator runs. Not a part of exo.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::routes::answer;
use crate::sim::Sim;
use crate::trouble;

/// Where they are switched.
pub(crate) const PATH: &str = "/sim/trouble";
const FORM: &str = "send JSON like {\"trouble\": \"frozen\"}";

/// Takes one trouble, or says in one sentence why not.
pub(crate) async fn turn(State(sim): State<Arc<Sim>>, body: Bytes) -> Response {
    let sent: Option<Value> = serde_json::from_slice(&body).ok();
    let text = sent.as_ref().and_then(|sent| sent.get("trouble")?.as_str());
    let ordered = text.ok_or_else(|| FORM.to_owned()).and_then(|text| {
        sim.with(|world| {
            let order = trouble::read(text, &world.known()).map_err(|error| error.to_string())?;
            world.order(order);
            Ok(())
        })
    });
    match ordered {
        Ok(()) => answer::ok(&json!({})),
        Err(sentence) => answer::json(StatusCode::BAD_REQUEST, &json!({"error": sentence})),
    }
}
