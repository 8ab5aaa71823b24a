//! The pictures of an agent that is watched, one after the other.

use anyhow::Result;
use porten_agent::local::Lines;
use porten_core::snapshot::Snapshot;

use crate::exit::Exit;
use crate::printer::complain;

/// The next one; or how the command ends, when a person has seen enough or the agent has stopped.
pub(crate) async fn next(pictures: &mut Lines) -> Result<Result<Snapshot, Exit>> {
    let picture = tokio::select! {
        picture = pictures.next() => picture?,
        _ = tokio::signal::ctrl_c() => return Ok(Err(Exit::Done)),
    };
    Ok(picture.ok_or_else(|| {
        complain("the agent has stopped");
        Exit::Broken
    }))
}
