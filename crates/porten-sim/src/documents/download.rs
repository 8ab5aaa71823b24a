//! How far a model's files are on one node.

use serde::Serialize;

use super::card::Memory;
use super::instance::ShardMetadata;
use super::table::Table;

/// An entry of `downloads`: exo has one for each card and node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "exo's tags")]
pub(crate) enum Download {
    DownloadPending {
        node_id: String,
        shard_metadata: ShardMetadata,
        model_directory: String,
        downloaded: Memory,
        total: Memory,
    },
    DownloadOngoing {
        node_id: String,
        shard_metadata: ShardMetadata,
        model_directory: String,
        download_progress: Progress,
    },
    DownloadCompleted {
        node_id: String,
        shard_metadata: ShardMetadata,
        model_directory: String,
        total: Memory,
        read_only: bool,
    },
    DownloadFailed {
        node_id: String,
        shard_metadata: ShardMetadata,
        model_directory: String,
        error_message: &'static str,
    },
}

/// How far a download is; of a file, `files` is empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    pub(crate) total: Memory,
    pub(crate) downloaded: Memory,
    pub(crate) downloaded_this_session: Memory,
    pub(crate) completed_files: u32,
    pub(crate) total_files: u32,
    /// Bytes a second.
    pub(crate) speed: f64,
    /// Milliseconds.
    pub(crate) eta_ms: u64,
    pub(crate) files: Table<Progress>,
}
