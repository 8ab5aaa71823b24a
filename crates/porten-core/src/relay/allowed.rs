//! The fields of a request body that reach the engine. Anything else is dropped.

use crate::route::Dialect;

/// OpenAI's fields of both routes, and sampling settings that exo, mlx_lm or llama.cpp read beside them.
///
/// Left out on purpose, because they reach beyond one request: `adapters`, `draft_model`, `num_draft_tokens`, `lora`,
/// `id_slot`, `cache_prompt`, `chat_template`, `role_mapping`, `grammar`, `samplers`, `n_predict`.
const COMMON: &[&str] = &[
    "model",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "user",
    "frequency_context_size",
    "min_p",
    "presence_context_size",
    "repeat_last_n",
    "repeat_penalty",
    "repetition_context_size",
    "repetition_penalty",
    "top_k",
    "typical_p",
    "xtc_probability",
    "xtc_threshold",
];
const CHAT: &[&str] = &[
    "messages",
    "audio",
    "function_call",
    "functions",
    "max_completion_tokens",
    "metadata",
    "modalities",
    "parallel_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "service_tier",
    "store",
    "tool_choice",
    "tools",
    "top_logprobs",
    "verbosity",
    "web_search_options",
    "chat_template_kwargs",
    "enable_thinking",
];
const TEXT: &[&str] = &["prompt", "best_of", "echo", "suffix"];

/// The field, if it may reach the engine.
pub(super) fn known(dialect: Dialect, key: &str) -> Option<&'static str> {
    let own = match dialect {
        Dialect::Chat => CHAT,
        Dialect::Text => TEXT,
    };
    let find = |names: &[&'static str]| names.iter().copied().find(|name| *name == key);
    find(COMMON).or_else(|| find(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_known_exactly_and_in_its_dialect() {
        assert_eq!(known(Dialect::Chat, "messages"), Some("messages"));
        assert_eq!(known(Dialect::Text, "messages"), None);
        assert_eq!(known(Dialect::Text, "prompt"), Some("prompt"));
        for unknown in
            ["Model", "model ", "", "adapters", "draft_model", "lora", "id_slot", "chat_template", "role_mapping"]
        {
            assert_eq!((known(Dialect::Chat, unknown), known(Dialect::Text, unknown)), (None, None), "{unknown}");
        }
    }
}
