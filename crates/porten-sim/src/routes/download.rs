//! `/download*`: files of a model on one node.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use super::{Answered, Shared, answer};
use crate::documents::instance::ShardMetadata;
use crate::documents::spelling;
use crate::invalid::{Fields, Invalid};
use crate::sim::Sim;
use crate::world::World;

pub(super) async fn start(State(sim): Shared, body: Bytes) -> Answered {
    let (node, shard) = read(&body, read_start)?;
    Ok(received(&sim, |world| world.start_download(&node, &shard)))
}

pub(super) async fn cancel(State(sim): Shared, body: Bytes) -> Answered {
    let (node, model) = read(&body, read_cancel)?;
    Ok(received(&sim, |world| world.cancel_download(&node, &model)))
}

pub(super) async fn delete(State(sim): Shared, Path((node, model)): Path<(String, String)>) -> Response {
    received(&sim, |world| world.delete_download(&node, &model))
}

/// Reads fields in either of exo's spellings; an error shows what was sent.
fn read<T>(body: &Bytes, of: impl FnOnce(&Fields<'_>) -> Result<T, Invalid>) -> Result<T, Invalid> {
    let sent = answer::read(body)?;
    let spelled = spelling::camel(sent.clone());
    of(&Fields::of_body(&spelled)?.shown_as(&sent))
}

fn read_start(fields: &Fields<'_>) -> Result<(String, ShardMetadata), Invalid> {
    let (node, shard) = fields.both(fields.text("targetNodeId"), fields.any("shardMetadata"))?;
    let read = serde_json::from_value::<ShardMetadata>(shard.clone());
    let shard = read.map_err(|_| Invalid::shape(json!(["body", "shardMetadata"]), shard))?;
    Ok((node.to_owned(), shard))
}

fn read_cancel(fields: &Fields<'_>) -> Result<(String, String), Invalid> {
    let (node, model) = fields.both(fields.text("targetNodeId"), fields.text("modelId"))?;
    Ok((node.to_owned(), model.to_owned()))
}

/// The same answer for what makes sense and what does not.
fn received(sim: &Sim, act: impl FnOnce(&mut World)) -> Response {
    let command = sim.with(|world| {
        act(world);
        world.command_id()
    });
    answer::ok(&json!({ "commandId": command }))
}
