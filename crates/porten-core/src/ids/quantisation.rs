//! Takes the quantisation off the end of a model's name, so that `Qwen3.5-27B-4bit` is found as `qwen3.5-27b`.

/// How many separators back a quantisation may begin: `IQ4_K_M` and `3.5-bit` hold some themselves.
const SEPARATORS_BACK: usize = 4;

/// The name in lower case, without file ending and without trailing quantisation, format and group-size words. What
/// the words are was read off the names that exo, MLX, llama.cpp and vLLM models carry.
#[must_use]
pub fn without_quantisation(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let mut rest = without_file_ending(&lower);
    while let Some(shorter) = without_last_word(rest) {
        rest = shorter;
    }
    rest.to_owned()
}

/// Without `.gguf` and a split file's `-00001-of-00003`.
fn without_file_ending(name: &str) -> &str {
    let Some(stem) = name.strip_suffix(".gguf").filter(|stem| !stem.is_empty()) else { return name };
    let Some((rest, count)) = stem.rsplit_once("-of-") else { return stem };
    let Some((rest, index)) = rest.rsplit_once('-') else { return stem };
    let five_digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    if five_digits(count) && five_digits(index) && !rest.is_empty() { rest } else { stem }
}

/// Without the longest quantisation word at the end, if there is one and something stands before it.
fn without_last_word(name: &str) -> Option<&str> {
    let separators = name.rmatch_indices(['-', '_', '.']).map(|(at, _)| at).take(SEPARATORS_BACK);
    let begins = separators.filter(|&at| at > 0 && is_word(&name[at + 1..])).min()?;
    Some(&name[..begins])
}

/// Whether this (in lower case) says only how the weights are stored.
fn is_word(word: &str) -> bool {
    const WORDS: [&str; 11] =
        ["bf16", "bfloat16", "float16", "mlx", "gguf", "awq", "gptq", "dwq", "hqq", "exl2", "autoround"];
    WORDS.contains(&word)
        || is_bits(word)
        || is_group_size(word)
        || is_number_format(word)
        || is_llama_cpp(word)
        || is_weights_and_activations(word)
}

/// `4bit`, `4bits`, `4-bit`, `3.5bit`.
fn is_bits(word: &str) -> bool {
    let number = word.strip_suffix("bits").or_else(|| word.strip_suffix("bit"));
    number.is_some_and(|number| {
        let number = number.strip_suffix('-').unwrap_or(number);
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        is_number(whole, 2) && is_number(part, 2)
    })
}

/// `gs32`.
fn is_group_size(word: &str) -> bool {
    word.strip_prefix("gs").is_some_and(|size| is_number(size, 3))
}

/// `fp16`, `f16`, `int4`, `mxfp4`, `nvfp4`.
fn is_number_format(word: &str) -> bool {
    let bare = word.strip_prefix("mx").or_else(|| word.strip_prefix("nv")).unwrap_or(word);
    ["fp", "int", "f"].iter().any(|kind| bare.strip_prefix(kind).is_some_and(|bits| is_number(bits, 2)))
}

/// `q8`, `q4_1`, `q4_k_m`, `iq4_xs`, `tq1_0`, and MLX's mixed `dq3_k_m`, `dq4plus`.
fn is_llama_cpp(word: &str) -> bool {
    const SIZES: [&str; 11] = ["0", "1", "k", "xxs", "xs", "s", "m", "l", "xl", "nl", "p"];
    let mut parts = word.split('_');
    let first = parts.next().unwrap_or_default();
    let bits = ["q", "iq", "tq", "dq"].iter().find_map(|kind| first.strip_prefix(kind));
    let bits = bits.map(|bits| bits.strip_suffix("plus").unwrap_or(bits));
    bits.is_some_and(|bits| is_number(bits, 1)) && parts.all(|size| SIZES.contains(&size))
}

/// `w4a16`.
fn is_weights_and_activations(word: &str) -> bool {
    let both = word.strip_prefix('w').and_then(|rest| rest.split_once('a'));
    both.is_some_and(|(weights, activations)| is_number(weights, 2) && is_number(activations, 2))
}

fn is_number(text: &str, most_digits: usize) -> bool {
    (1..=most_digits).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::real_ids::REAL;
    use proptest::prelude::*;

    #[test]
    fn every_model_exo_knows_is_found_under_its_plain_name() {
        for (plain, ids) in REAL {
            for id in *ids {
                let last = id.rsplit('/').next().unwrap();
                assert_eq!(without_quantisation(last), *plain, "{id}");
            }
        }
    }

    #[test]
    fn llama_cpp_and_vllm_names_lose_their_quantisation_too() {
        for name in [
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            "SmolLM2-135M-Instruct_Q4_1.gguf",
            "smollm2-135m-instruct-q4_k_m-00001-of-00003.gguf",
            "SmolLM2-135M-Instruct-GGUF",
            "SmolLM2-135M-Instruct-IQ4_XS",
            "SmolLM2-135M-Instruct-4-bit",
            "SmolLM2-135M-Instruct-3.5bit",
            "SmolLM2-135M-Instruct-AWQ",
            "SmolLM2-135M-Instruct-GPTQ-Int4",
            "SmolLM2-135M-Instruct-w4a16",
            "SmolLM2-135M-Instruct-4bit-DWQ",
            "SmolLM2-135M-Instruct-F16.gguf",
        ] {
            assert_eq!(without_quantisation(name), "smollm2-135m-instruct", "{name}");
        }
    }

    #[test]
    fn sizes_versions_and_variants_are_no_quantisation() {
        for name in ["phi-4", "qwen3-0.6b", "kimi-k2", "mixtral-8x7b", "gemma-3-27b-it-qat", "llama-3.1", "q8", "4bit"]
        {
            assert_eq!(without_quantisation(name), name);
        }
    }

    proptest! {
        #[test]
        fn what_is_left_begins_the_name_and_is_left_alone(name in "[a-zA-Z0-9._é-]{1,40}") {
            let once = without_quantisation(&name);
            prop_assert!(!once.is_empty());
            prop_assert!(name.to_ascii_lowercase().starts_with(&once));
            let twice = without_quantisation(&once);
            prop_assert_eq!(twice, once);
        }
    }
}
