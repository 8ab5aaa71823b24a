//! A hold on an agent in another process that is used just like one on an agent in this process.

use std::path::Path;
use std::sync::Arc;

use porten_core::command::{Declined, DeclinedCode};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Lines, Local, LocalError};
use crate::client::{Asked, Client};

/// Attaches to the agent whose socket is at `path`. The second part carries pictures and commands, and ends when that
/// agent does, or when all holds on it are dropped.
///
/// # Errors
/// No agent runs, or it does not answer.
pub async fn attach(path: &Path) -> Result<(Client, impl Future<Output = ()> + use<>), LocalError> {
    let local = Local::at(path)?;
    let mut lines = local.watch().await?;
    let first = lines.next().await?.ok_or(LocalError::NotRunning)?;
    let (snapshots, seen) = watch::channel(Arc::new(first));
    let (commands, asked) = mpsc::unbounded_channel();
    let client = Client::new(seen, commands);
    let lookers = client.lookers();
    Ok((client, carry(local, lines, snapshots, asked, lookers)))
}

async fn carry(
    local: Local,
    mut lines: Lines,
    snapshots: watch::Sender<Arc<porten_core::snapshot::Snapshot>>,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    mut lookers: watch::Receiver<u32>,
) {
    let mut answers = JoinSet::new();
    let mut looking = false;
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(snapshot)) => {
                    snapshots.send_replace(Arc::new(snapshot));
                }
                Ok(None) | Err(_) => return,
            },
            Some(asked) = asked.recv() => {
                answers.spawn(answer(local.clone(), asked));
            }
            Ok(()) = lookers.changed() => {
                let looks = *lookers.borrow_and_update() > 0;
                if looks != looking {
                    let again = if looks { local.look().await } else { local.watch().await };
                    let Ok(again) = again else { return };
                    (lines, looking) = (again, looks);
                }
            }
            Some(_) = answers.join_next() => {}
            () = snapshots.closed() => return,
        }
    }
}

async fn answer(local: Local, Asked { command, answer }: Asked) {
    let answered = local.ask(&command).await.map_err(|error| match error {
        LocalError::Declined(declined) => declined,
        LocalError::NotRunning => Declined { code: DeclinedCode::Stopping, text: "The agent has stopped.".into() },
        LocalError::Version(_) | LocalError::NoAnswer(_) => Declined {
            code: DeclinedCode::NoAnswer,
            text: "The agent in the other process does not answer; stop and start it.".into(),
        },
    });
    // Whoever asked may have gone.
    let _ = answer.send(answered);
}
