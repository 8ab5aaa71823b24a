//! What every front end holds: watch the picture, send commands. The same whether the agent is in this process or not.

use std::sync::Arc;

use futures_util::{Stream, stream};
use porten_core::command::{Answered, Command, Declined, DeclinedCode};
use porten_core::snapshot::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};

/// One command and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// The command.
    pub command: Command,
    /// Answered when the wish is on disk, or the command was declined.
    pub answer: oneshot::Sender<Result<Answered, Declined>>,
}

/// Says that somebody looks, as long as it lives: what changes by the second is then asked for more often.
#[derive(Debug)]
pub struct Look(Arc<watch::Sender<u32>>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.send_modify(|lookers| *lookers -= 1);
    }
}

/// A front end's hold on an agent in this process.
#[derive(Debug, Clone)]
pub struct Client {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    lookers: Arc<watch::Sender<u32>>,
    // Unbounded: a person's commands are few, and none may be lost.
    commands: mpsc::UnboundedSender<Asked>,
}

impl Client {
    pub(crate) fn new(snapshots: watch::Receiver<Arc<Snapshot>>, commands: mpsc::UnboundedSender<Asked>) -> Self {
        Self { snapshots, lookers: Arc::new(watch::Sender::new(0)), commands }
    }

    /// How many look.
    pub(crate) fn lookers(&self) -> watch::Receiver<u32> {
        self.lookers.subscribe()
    }

    /// From now on somebody looks, until the answer is dropped. Following [`Client::watch`] alone is not looking: the
    /// menu bar follows all day.
    #[must_use]
    pub fn look(&self) -> Look {
        self.lookers.send_modify(|lookers| *lookers += 1);
        Look(Arc::clone(&self.lookers))
    }

    /// The picture now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// The picture now, and each that differs from then on; a slow watcher skips those in between.
    pub fn watch(&self) -> impl Stream<Item = Arc<Snapshot>> + Send + use<> {
        let mut snapshots = self.snapshots.clone();
        snapshots.mark_changed();
        stream::unfold(snapshots, |mut snapshots| async move {
            snapshots.changed().await.ok()?;
            let snapshot = Arc::clone(&snapshots.borrow_and_update());
            Some((snapshot, snapshots))
        })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// It was declined, in words for a person.
    pub async fn send(&self, command: Command) -> Result<(), Declined> {
        self.ask(command).await.map(drop)
    }

    /// The same, with what came of it.
    ///
    /// # Errors
    /// It was declined, in words for a person.
    pub async fn ask(&self, command: Command) -> Result<Answered, Declined> {
        let stopping = || Declined { code: DeclinedCode::Stopping, text: "The agent is stopping.".into() };
        let (answer, answered) = oneshot::channel();
        self.commands.send(Asked { command, answer }).map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }
}
