//! The model cards that exo is shipped with.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The 123 text cards built into exo 0.3.70, as one of its nodes reported them on 22 November 2026, one a line.
const BUILT_IN: &str = include_str!("../../cards-2026-11-22.json");

/// An amount of memory as exo writes it, always in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Memory {
    pub(crate) in_bytes: u64,
}

impl From<u64> for Memory {
    fn from(in_bytes: u64) -> Self {
        Self { in_bytes }
    }
}

/// What exo knows of a model before it is anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Card {
    /// The whole Hugging Face id; exo matches it exactly.
    pub(crate) model_id: String,
    pub(crate) storage_size: Memory,
    pub(crate) n_layers: u32,
    pub(crate) hidden_size: u32,
    pub(crate) supports_tensor: bool,
    pub(crate) num_key_value_heads: Option<u32>,
    pub(crate) tasks: Vec<String>,
    components: Value,
    pub(crate) family: String,
    pub(crate) quantization: String,
    pub(crate) base_model: String,
    pub(crate) capabilities: Vec<String>,
    backends: Vec<String>,
    pub(crate) reasoning_dialect: String,
    /// Tokens.
    pub(crate) context_length: u32,
    uses_cfg: bool,
    trust_remote_code: bool,
    pub(crate) is_custom: bool,
    vision: Value,
    sampling_defaults: Value,
}

impl Card {
    /// The id's last part, which exo gives as the model's name.
    pub(crate) fn name(&self) -> &str {
        self.model_id.rsplit('/').next().unwrap_or(&self.model_id)
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.storage_size.in_bytes
    }

    /// Bytes of so many of its layers.
    pub(crate) fn bytes_of(&self, layers: u32) -> u64 {
        let bytes = u128::from(self.bytes()) * u128::from(layers) / u128::from(self.n_layers.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// All cards, in the order of exo's list.
///
/// # Errors
/// The file in this crate is not what it should be.
pub(crate) fn built_in() -> Result<Vec<Arc<Card>>, serde_json::Error> {
    serde_json::from_str(BUILT_IN)
}

/// An entry of `/v1/models`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since 1970: the time of the call, not of the model.
    created: i64,
    owned_by: &'static str,
    hugging_face_id: &'a str,
    name: &'a str,
    description: &'static str,
    context_length: u32,
    tags: [&'static str; 0],
    /// MiB, rounded.
    storage_size_megabytes: u64,
    supports_tensor: bool,
    tasks: &'a [String],
    is_custom: bool,
    family: &'a str,
    quantization: &'a str,
    base_model: &'a str,
    capabilities: &'a [String],
    reasoning_dialect: &'a str,
}

impl<'a> Listed<'a> {
    pub(crate) fn of(card: &'a Card, created: i64) -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            id: &card.model_id,
            object: "model",
            created,
            owned_by: "exo",
            hugging_face_id: &card.model_id,
            name: card.name(),
            description: "",
            context_length: card.context_length,
            tags: [],
            storage_size_megabytes: (card.bytes() + MIB / 2) / MIB,
            supports_tensor: card.supports_tensor,
            tasks: &card.tasks,
            is_custom: card.is_custom,
            family: &card.family,
            quantization: &card.quantization,
            base_model: &card.base_model,
            capabilities: &card.capabilities,
            reasoning_dialect: &card.reasoning_dialect,
        }
    }
}
