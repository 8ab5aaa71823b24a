//! The answers to `/v1/chat/completions`, in exo's own shapes: each piece says `chat.completion` and its role.

use serde::Serialize;

use crate::chat::answer::Usage;

/// A piece of a stream, or with `message` the whole.
#[derive(Debug, Serialize)]
pub(crate) struct Completion<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    /// Seconds since 1970.
    pub(crate) created: i64,
    pub(crate) model: &'a str,
    pub(crate) choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<TokenUse>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delta: Option<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<Said<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Said<'a> {
    role: &'static str,
    content: &'a str,
}

impl<'a> Said<'a> {
    pub(crate) const fn by_assistant(content: &'a str) -> Self {
        Self { role: "assistant", content }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct TokenUse {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u32,
    audio_tokens: u32,
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u32,
    audio_tokens: u32,
    accepted_prediction_tokens: u32,
    rejected_prediction_tokens: u32,
}

impl From<Usage> for TokenUse {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.prompt + usage.completion,
            prompt_tokens_details: PromptDetails { cached_tokens: 0, audio_tokens: 0 },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: 0,
                audio_tokens: 0,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}

/// The comment `: prefill_progress`.
#[derive(Debug, Serialize)]
pub(crate) struct PrefillProgress<'a> {
    #[serde(rename = "PrefillProgressChunk")]
    pub(crate) chunk: PrefillChunk<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PrefillChunk<'a> {
    pub(crate) model: &'a str,
    pub(crate) processed_tokens: u32,
    pub(crate) total_tokens: u32,
}

/// The comment `: generation_stats`.
#[derive(Debug, Serialize)]
pub(crate) struct GenerationStats {
    pub(crate) prompt_tps: f64,
    pub(crate) generation_tps: f64,
    pub(crate) prompt_tokens: u32,
    pub(crate) generation_tokens: u32,
    pub(crate) peak_memory_usage: PeakMemory,
    pub(crate) prefix_cache_hit: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct PeakMemory {
    pub(crate) in_bytes: u64,
}
