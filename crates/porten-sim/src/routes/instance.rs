//! `/instance*` and `/place_instance`: where a model could go, putting it there, and taking it away.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Refusal;
use super::query::{self, Pairs};
use super::{Answered, Shared, answer};
use crate::documents::card::Card;
use crate::documents::instance::{Instance, Meta, Sharding};
use crate::documents::spelling;
use crate::invalid::{Fields, Invalid};
use crate::sim::Sim;
use crate::world::Wish;

const RECEIVED: &str = "Command received.";
const SHARDINGS: [&str; 2] = ["Tensor", "Pipeline"];
const METAS: [&str; 2] = ["MlxRing", "MlxJaccl"];
/// exo looks for a card that it does not know at Hugging Face, and the simulated one is never online.
const UNKNOWN_CARD: &str = "Failed to load model card: Cannot connect to host huggingface.co:443 ssl:default \
                            [Temporary failure in name resolution]";

/// What `/instance` and `/place_instance` answer.
#[derive(Serialize)]
struct Received<'a> {
    message: &'static str,
    command_id: String,
    model_card: &'a Card,
}

/// What deleting an instance answers.
#[derive(Serialize)]
struct Deleted {
    message: &'static str,
    command_id: String,
    instance_id: String,
}

pub(super) async fn previews(State(sim): Shared, Query(pairs): Pairs) -> Answered {
    let model = query::required(&pairs, "model_id")?;
    let required: Vec<String> = pairs.iter().filter(|(name, _)| name == "node_ids").map(|(_, id)| id.clone()).collect();
    let card = sim.with(|world| world.card(model)).ok_or_else(|| Refusal::bad(UNKNOWN_CARD))?;
    Ok(answer::ok(&json!({"previews": sim.with(|world| world.previews(&card, &required))})))
}

pub(super) async fn placement(State(sim): Shared, Query(pairs): Pairs) -> Answered {
    let model = query::required(&pairs, "model_id")?;
    let named = |name: &str| query::optional(&pairs, name).map(|text| json!(text));
    let sharding = read_sharding("query", named("sharding").as_ref())?;
    let meta = read_meta("query", named("instance_meta").as_ref())?;
    let min_nodes = query::optional(&pairs, "min_nodes").map_or(Ok(1), |text| {
        text.parse().map_err(|_| Invalid::integer(json!(["query", "min_nodes"]), &json!(text)))
    })?;
    let wish = Wish { card: card(&sim, model)?, sharding, meta, min_nodes, required: Vec::new() };
    let placed = sim.with(|world| world.placement(&wish));
    placed.map(|instance| answer::ok(&instance)).map_err(|reason| Refusal::bad(reason.to_string()))
}

pub(super) async fn place(State(sim): Shared, body: Bytes) -> Answered {
    let body = answer::read(&body)?;
    let fields = Fields::of_body(&body)?;
    let (model, sharding) = fields.both(fields.text("model_id"), read_sharding("body", body.get("sharding")))?;
    let meta = read_meta("body", body.get("instance_meta"))?;
    let min_nodes = body.get("min_nodes").map_or(Ok(1), |_| fields.number("min_nodes"))?;
    let min_nodes = usize::try_from(min_nodes).unwrap_or(usize::MAX);
    let wish = Wish { card: card(&sim, model)?, sharding, meta, min_nodes, required: Vec::new() };
    let command_id = sim.with(|world| {
        world.place(&wish);
        world.command_id()
    });
    Ok(answer::ok(&Received { message: RECEIVED, command_id, model_card: &wish.card }))
}

pub(super) async fn create(State(sim): Shared, body: Bytes) -> Answered {
    let body = answer::read(&body)?;
    let sent = Fields::of_body(&body)?.any("instance")?;
    let read = serde_json::from_value::<Instance>(spelling::camel(sent.clone()));
    let instance = read.map_err(|_| Invalid::shape(json!(["body", "instance"]), sent))?;
    let card = card(&sim, instance.model())?;
    let (required, free) = (card.bytes(), sim.with(|world| world.free()));
    if required > free {
        let (required, free) = (gigabytes(required), gigabytes(free));
        let message = format!("Insufficient memory to create instance. Required: {required}GB, Available: {free}GB");
        return Err(Refusal::bad(message));
    }
    let command_id = sim.with(|world| {
        world.create(instance);
        world.command_id()
    });
    Ok(answer::ok(&Received { message: RECEIVED, command_id, model_card: &card }))
}

pub(super) async fn show(State(sim): Shared, Path(id): Path<String>) -> Answered {
    let found = sim.with(|world| world.instance(&id).map(answer::ok));
    found.ok_or_else(missing)
}

pub(super) async fn delete(State(sim): Shared, Path(id): Path<String>) -> Answered {
    let command = sim.with(|world| world.delete(&id).then(|| world.command_id()));
    let command_id = command.ok_or_else(missing)?;
    Ok(answer::ok(&Deleted { message: RECEIVED, command_id, instance_id: id }))
}

fn missing() -> Refusal {
    Refusal::not_found("Instance not found")
}

/// A card; exo, which cannot fetch one that it has not, breaks over it.
fn card(sim: &Sim, model: &str) -> Result<Arc<Card>, Refusal> {
    sim.with(|world| world.card(model)).ok_or(Refusal::Unforeseen)
}

fn read_sharding(place: &str, sent: Option<&Value>) -> Result<Sharding, Invalid> {
    match sent.map(|value| (value, value.as_str())) {
        None | Some((_, Some("Pipeline"))) => Ok(Sharding::Pipeline),
        Some((_, Some("Tensor"))) => Ok(Sharding::Tensor),
        Some((other, _)) => Err(Invalid::name(json!([place, "sharding"]), &SHARDINGS, other)),
    }
}

fn read_meta(place: &str, sent: Option<&Value>) -> Result<Meta, Invalid> {
    match sent.map(|value| (value, value.as_str())) {
        None | Some((_, Some("MlxRing"))) => Ok(Meta::MlxRing),
        Some((_, Some("MlxJaccl"))) => Ok(Meta::MlxJaccl),
        Some((other, _)) => Err(Invalid::name(json!([place, "instance_meta"]), &METAS, other)),
    }
}

/// Decimal gigabytes with one digit.
fn gigabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000_000) / 100_000_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}
