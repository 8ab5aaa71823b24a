//! The pictures of an agent that is watched, one after the other.

use anyhow::Result;
use porten_agent::local::Lines;
use porten_core::snapshot::Snapshot;

use crate::exit::{Exit, Fail};

/// The next one; `None` when a person has seen enough.
///
/// # Errors
/// The agent has stopped, or what came is no picture.
pub(crate) async fn next(pictures: &mut Lines) -> Result<Option<Snapshot>> {
    let picture = tokio::select! {
        picture = pictures.next() => picture?,
        _ = tokio::signal::ctrl_c() => return Ok(None),
    };
    Ok(Some(picture.ok_or_else(|| Fail::new(Exit::Broken, "stopped", "the agent has stopped"))?))
}
