//! Which model's files are where, and how far those are that are on their way.

mod progress;

use super::life::share;
use super::{Now, pace};
use crate::documents::card::Memory;
use crate::documents::download::Download;
use crate::documents::instance::ShardMetadata;
use progress::{part, progress, ratio};

/// Where exo keeps models, under a home that no real person has.
const MODELS: &str = "/Users/porten/.exo/models";
/// What Python says when a disk is full.
const NO_SPACE: &str = "[Errno 28] No space left on device";

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    /// Cancelled with so many bytes there, or just announced.
    Held {
        bytes: u64,
    },
    Ongoing {
        since: Now,
        had: u64,
        /// Since when nothing more has come.
        stalled: Option<Now>,
    },
    /// It tries again when it has looked at what is there.
    Failed {
        since: Now,
        bytes: u64,
    },
    Completed,
}

/// A download that is not merely possible.
#[derive(Debug, Clone)]
struct Entry {
    node: String,
    shard: ShardMetadata,
    how: How,
}

impl Entry {
    fn is_of(&self, node: &str, model: &str) -> bool {
        self.node == node && self.shard.shard().model_card.model_id == model
    }

    fn total(&self) -> u64 {
        self.shard.shard().model_card.bytes()
    }

    fn ends(&self) -> Option<Now> {
        match self.how {
            How::Ongoing { since, stalled: None, .. } => Some(since + pace::PENDING + pace::DOWNLOAD),
            How::Failed { since, .. } => Some(since + pace::RESCAN),
            How::Ongoing { .. } | How::Held { .. } | How::Completed => None,
        }
    }

    /// Bytes that are there.
    fn bytes(&self, now: Now) -> u64 {
        match self.how {
            How::Held { bytes } | How::Failed { bytes, .. } => bytes,
            How::Completed => self.total(),
            How::Ongoing { since, had, stalled } => {
                let rest = self.total().saturating_sub(had);
                let now = stalled.map_or(now, |stalled| now.min(stalled));
                had + part(rest, share(now.saturating_sub(since + pace::PENDING), pace::DOWNLOAD))
            }
        }
    }
}

/// All downloads of a cluster.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    entries: Vec<Entry>,
    /// Nodes to which nothing comes.
    stalled: Vec<String>,
    /// Nodes that have no place for more.
    full: Vec<String>,
}

impl Downloads {
    /// Begins one, unless it is under way or done; whether it began.
    pub(super) fn begin(&mut self, node: &str, shard: &ShardMetadata, now: Now) -> bool {
        let model = &shard.shard().model_card.model_id;
        let had = match self.find(node, model).map(|entry| entry.how) {
            Some(How::Ongoing { .. } | How::Failed { .. } | How::Completed) => return false,
            Some(How::Held { bytes }) => bytes,
            None => 0,
        };
        if self.full.iter().any(|full| full == node) {
            self.put(node, shard, How::Failed { since: now, bytes: had });
            return true;
        }
        let stalled = self.stalled.iter().any(|stalled| stalled == node).then_some(now);
        self.put(node, shard, How::Ongoing { since: now, had, stalled });
        true
    }

    /// Has the files there from the start.
    pub(super) fn complete(&mut self, node: &str, shard: &ShardMetadata) {
        self.put(node, shard, How::Completed);
    }

    /// Stops one that is under way; what it brought stays.
    pub(super) fn cancel(&mut self, node: &str, model: &str, now: Now) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.is_of(node, model)) else { return false };
        let is_ongoing = matches!(entry.how, How::Ongoing { .. });
        if is_ongoing {
            entry.how = How::Held { bytes: entry.bytes(now) };
        }
        is_ongoing
    }

    /// Removes a model's files.
    pub(super) fn delete(&mut self, node: &str, model: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| !entry.is_of(node, model));
        self.entries.len() < before
    }

    /// Lets nothing more come to a node.
    pub(super) fn stall(&mut self, node: &str, now: Now) {
        self.stalled.push(node.to_owned());
        for entry in self.entries.iter_mut().filter(|entry| entry.node == node) {
            if let How::Ongoing { stalled, .. } = &mut entry.how {
                stalled.get_or_insert(now);
            }
        }
    }

    /// Lets it come again, from where it stopped.
    pub(super) fn go_on(&mut self, node: &str, now: Now) {
        self.stalled.retain(|stalled| stalled != node);
        for entry in self.entries.iter_mut().filter(|entry| entry.node == node) {
            if let How::Ongoing { since, stalled, .. } = &mut entry.how
                && let Some(stalled) = stalled.take()
            {
                *since += now.saturating_sub(stalled);
            }
        }
    }

    /// Leaves no place on a node: what is on its way there fails.
    pub(super) fn fill(&mut self, node: &str, now: Now) {
        self.full.push(node.to_owned());
        for entry in self.entries.iter_mut().filter(|entry| entry.node == node) {
            if matches!(entry.how, How::Ongoing { .. }) {
                entry.how = How::Failed { since: now, bytes: entry.bytes(now) };
            }
        }
    }

    /// Makes place on all nodes, and lets come what was stalled.
    pub(super) fn clear(&mut self, now: Now) {
        self.full.clear();
        for node in std::mem::take(&mut self.stalled) {
            self.go_on(&node, now);
        }
    }

    /// A disk that has a new node's id: what was there is there.
    pub(super) fn inherit(&mut self, from: &str, to: &str, now: Now) {
        let of_node = self.entries.iter().filter(|entry| entry.node == from);
        let inherited = of_node.map(|entry| {
            let how = if entry.how == How::Completed { How::Completed } else { How::Held { bytes: entry.bytes(now) } };
            Entry { node: to.to_owned(), how, ..entry.clone() }
        });
        let inherited: Vec<_> = inherited.collect();
        self.entries.extend(inherited);
        if self.full.iter().any(|full| full == from) {
            self.full.push(to.to_owned());
        }
    }

    pub(super) fn is_complete(&self, node: &str, model: &str) -> bool {
        self.find(node, model).is_some_and(|entry| entry.how == How::Completed)
    }

    /// Whether some node has the model's files.
    pub(super) fn is_anywhere(&self, model: &str) -> bool {
        let mut of_model = self.entries.iter().filter(|entry| entry.shard.shard().model_card.model_id == model);
        of_model.any(|entry| entry.how == How::Completed)
    }

    /// How much of a model a node has, 0 to 1.
    pub(super) fn share(&self, node: &str, model: &str, now: Now) -> f64 {
        self.find(node, model).map_or(0.0, |entry| ratio(entry.bytes(now), entry.total()))
    }

    /// Bytes of all models on a node.
    pub(super) fn stored(&self, node: &str, now: Now) -> u64 {
        self.entries.iter().filter(|entry| entry.node == node).map(|entry| entry.bytes(now)).sum()
    }

    /// When the next one is done.
    pub(super) fn deadline(&self) -> Option<Now> {
        self.entries.iter().filter_map(Entry::ends).min()
    }

    /// Completes what is due, or lets it be tried again; how many.
    pub(super) fn step(&mut self, now: Now) -> usize {
        let due = self.entries.iter_mut().filter(|entry| entry.ends().is_some_and(|end| end <= now));
        due.map(|entry| {
            entry.how = match entry.how {
                How::Failed { bytes, .. } => How::Held { bytes },
                _ => How::Completed,
            };
        })
        .count()
    }

    /// A node's entry for a model, as `/state` writes it.
    pub(super) fn document(&self, node: &str, shard: &ShardMetadata, now: Now) -> Download {
        let model = &shard.shard().model_card.model_id;
        let node_id = node.to_owned();
        let model_directory = format!("{MODELS}/{}", model.replace('/', "--"));
        let Some(entry) = self.find(node, model) else {
            let none = Memory::default();
            let shard_metadata = shard.clone();
            return Download::DownloadPending {
                node_id,
                shard_metadata,
                model_directory,
                downloaded: none,
                total: none,
            };
        };
        let (shard_metadata, total) = (entry.shard.clone(), Memory::from(entry.total()));
        match entry.how {
            How::Completed => {
                Download::DownloadCompleted { node_id, shard_metadata, model_directory, total, read_only: false }
            }
            How::Ongoing { since, had, .. } if now >= since + pace::PENDING => {
                let past = now.saturating_sub(since + pace::PENDING);
                let download_progress = progress(entry.total(), entry.bytes(now), had, past);
                Download::DownloadOngoing { node_id, shard_metadata, model_directory, download_progress }
            }
            How::Failed { .. } => {
                Download::DownloadFailed { node_id, shard_metadata, model_directory, error_message: NO_SPACE }
            }
            How::Held { .. } | How::Ongoing { .. } => {
                let downloaded = Memory::from(entry.bytes(now));
                Download::DownloadPending { node_id, shard_metadata, model_directory, downloaded, total }
            }
        }
    }

    fn find(&self, node: &str, model: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_of(node, model))
    }

    fn put(&mut self, node: &str, shard: &ShardMetadata, how: How) {
        self.delete(node, &shard.shard().model_card.model_id);
        self.entries.push(Entry { node: node.to_owned(), shard: shard.clone(), how });
    }
}
