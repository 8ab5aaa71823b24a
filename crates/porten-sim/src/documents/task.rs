//! exo's tasks. They hold whole prompts, as the real ones do: whoever asks for them must know.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::instance::{Instance, ShardMetadata};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum TaskStatus {
    Pending,
    Running,
    Complete,
    Cancelled,
}

/// The runner that a task is for, with its instance.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoundInstance {
    pub(crate) instance: Arc<Instance>,
    pub(crate) bound_runner_id: String,
    pub(crate) bound_node_id: String,
}

/// What every task has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskHead {
    pub(crate) task_id: String,
    pub(crate) task_status: TaskStatus,
    pub(crate) instance_id: String,
}

/// What a task is about.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all_fields = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "exo's tags")]
pub(crate) enum Task {
    CreateRunner {
        #[serde(flatten)]
        head: TaskHead,
        bound_instance: BoundInstance,
    },
    DownloadModel {
        #[serde(flatten)]
        head: TaskHead,
        shard_metadata: ShardMetadata,
    },
    LoadModel {
        #[serde(flatten)]
        head: TaskHead,
    },
    StartWarmup {
        #[serde(flatten)]
        head: TaskHead,
    },
    TextGeneration {
        #[serde(flatten)]
        head: TaskHead,
        command_id: String,
        task_params: Value,
        error_type: Option<String>,
        error_message: Option<String>,
    },
    CancelTask {
        #[serde(flatten)]
        head: TaskHead,
        cancelled_task_id: String,
        runner_id: String,
    },
    Shutdown {
        #[serde(flatten)]
        head: TaskHead,
        runner_id: String,
    },
}

impl Task {
    pub(crate) const fn head(&self) -> &TaskHead {
        match self {
            Self::CreateRunner { head, .. }
            | Self::DownloadModel { head, .. }
            | Self::LoadModel { head }
            | Self::StartWarmup { head }
            | Self::TextGeneration { head, .. }
            | Self::CancelTask { head, .. }
            | Self::Shutdown { head, .. } => head,
        }
    }

    pub(crate) const fn head_mut(&mut self) -> &mut TaskHead {
        match self {
            Self::CreateRunner { head, .. }
            | Self::DownloadModel { head, .. }
            | Self::LoadModel { head }
            | Self::StartWarmup { head }
            | Self::TextGeneration { head, .. }
            | Self::CancelTask { head, .. }
            | Self::Shutdown { head, .. } => head,
        }
    }
}
