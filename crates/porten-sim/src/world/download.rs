//! Which model's files are where, and how far those are that are on their way.

use std::time::Duration;

use super::life::share;
use super::{Now, pace};
use crate::documents::card::Memory;
use crate::documents::download::{Download, Progress};
use crate::documents::instance::ShardMetadata;

/// Where exo keeps models, under a home that no real person has.
const MODELS: &str = "/Users/porten/.exo/models";
/// The small files of a model and their bytes, as of one that was recorded; the weights are the rest.
const SMALL_FILES: [(&str, u64); 4] = [
    ("config.json", 419),
    ("model.safetensors.index.json", 2_486),
    ("tokenizer.json", 53_707),
    ("tokenizer_config.json", 820),
];
const WEIGHTS: &str = "model.safetensors";

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
            How::Ongoing { .. } | How::Held { .. } | How::Completed => None,
        }
    }

    /// Bytes that are there.
    fn bytes(&self, now: Now) -> u64 {
        match self.how {
            How::Held { bytes } => bytes,
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
}

impl Downloads {
    /// Begins one, unless it is under way or done; whether it began.
    pub(super) fn begin(&mut self, node: &str, shard: &ShardMetadata, now: Now) -> bool {
        let model = &shard.shard().model_card.model_id;
        let had = match self.find(node, model).map(|entry| entry.how) {
            Some(How::Ongoing { .. } | How::Completed) => return false,
            Some(How::Held { bytes }) => bytes,
            None => 0,
        };
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

    /// A disk that has a new node's id: what was there is there.
    pub(super) fn inherit(&mut self, from: &str, to: &str, now: Now) {
        let of_node = self.entries.iter().filter(|entry| entry.node == from);
        let inherited = of_node.map(|entry| {
            let how = if entry.how == How::Completed { How::Completed } else { How::Held { bytes: entry.bytes(now) } };
            Entry { node: to.to_owned(), how, ..entry.clone() }
        });
        let inherited: Vec<_> = inherited.collect();
        self.entries.extend(inherited);
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

    /// Completes what is due; how many.
    pub(super) fn step(&mut self, now: Now) -> usize {
        let due = self.entries.iter_mut().filter(|entry| entry.ends().is_some_and(|end| end <= now));
        due.map(|entry| entry.how = How::Completed).count()
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

/// A model's download with its files: small ones come first.
fn progress(total: u64, downloaded: u64, had: u64, past: Duration) -> Progress {
    let small: u64 = SMALL_FILES.iter().map(|(_, bytes)| bytes).sum();
    let mut left = downloaded;
    let sizes = SMALL_FILES.into_iter().chain([(WEIGHTS, total.saturating_sub(small))]);
    let files: Vec<_> = sizes
        .map(|(name, size)| {
            let there = left.min(size);
            left -= there;
            (name.to_owned(), file(size, there, had, past))
        })
        .collect();
    let completed_files = files.iter().map(|(_, file)| file.completed_files).sum();
    let total_files = files.iter().map(|(_, file)| file.total_files).sum();
    let whole = file(total, downloaded, had, past);
    Progress { completed_files, total_files, files: files.into_iter().collect(), ..whole }
}

fn file(total: u64, downloaded: u64, had: u64, past: Duration) -> Progress {
    let session = downloaded.saturating_sub(had);
    let seconds = past.as_secs_f64();
    let speed = if seconds > 0.0 { ratio(session, 1) / seconds } else { 0.0 };
    let eta_ms = if speed > 0.0 { part(1_000, ratio(total - downloaded, 1) / speed) } else { 0 };
    Progress {
        total: total.into(),
        downloaded: downloaded.into(),
        downloaded_this_session: session.into(),
        completed_files: u32::from(downloaded == total),
        total_files: 1,
        speed,
        eta_ms,
        files: [].into_iter().collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a model are far below 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes and milliseconds are far below 2^53, and no share is negative"
)]
fn part(whole: u64, share: f64) -> u64 {
    (whole as f64 * share) as u64
}
