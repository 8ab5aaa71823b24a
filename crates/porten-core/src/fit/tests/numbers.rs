//! Every published number about the caches.

use super::*;

const K: u64 = 1_024;

/// As a table prints it: decimal GB, rounded to so many digits.
fn printed(bytes: u64, digits: usize) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for printing")]
    let gb = bytes as f64 / 1e9;
    format!("{gb:.digits$}")
}

#[test]
fn the_bytes_of_a_token_are_those_of_the_formulae() {
    // (model, without the index's keys, with them)
    for (id, without, with) in [
        ("deepseek-v4-flash", 6_880, 6_880),
        ("deepseek-v4-pro", 9_848, 9_848),
        ("minimax-m3", 122_880, 137_472),
        ("minimax-m2.7", 253_952, 253_952),
        ("qwen3-235b-a22b-instruct-2507", 192_512, 192_512),
        ("qwen3-coder-next", 24_576, 24_576),
        ("kimi-k2.6", 70_272, 70_272),
        ("kimi-k2-instruct", 70_272, 70_272),
        ("glm-5", 89_856, 109_824),
        // How large 5.2's shared index is was not found; it is planned with as if it were not shared.
        ("glm-5.2", 89_856, 109_824),
        ("gpt-oss-120b", 36_864, 36_864),
        ("llama-3.3-70b", 327_680, 327_680),
    ] {
        let facts = facts(id);
        assert_eq!((facts.bytes_per_token_without_index(), facts.bytes_per_token()), (without, with), "{id}");
    }
}

#[test]
fn what_does_not_grow_is_counted_once_for_each_sequence() {
    for (id, bytes) in [
        ("deepseek-v4-flash", 24_000_000),
        ("qwen3-coder-next", 38_000_000),
        ("gpt-oss-120b", 4_718_592),
        ("deepseek-v4-pro", 0),
        ("kimi-k2.6", 0),
    ] {
        assert_eq!(facts(id).fixed_bytes(), bytes, "{id}");
    }
    let flash = facts("deepseek-v4-flash");
    assert_eq!(flash.cache_bytes(1_000, 3), 3 * (6_880_000 + 24_000_000));
    assert_eq!(flash.cache_bytes(0, 1), 24_000_000);
}

#[test]
fn the_gigabytes_at_common_lengths_are_those_that_are_printed() {
    // Printed without the index's keys and without what does not grow.
    for (id, at_32k, at_128k, at_256k, at_1m) in [
        ("deepseek-v4-flash", "0.23", "0.90", "1.80", "7.2"),
        ("deepseek-v4-pro", "0.32", "1.29", "2.58", "10.3"),
        ("minimax-m3", "4.0", "16.1", "32.2", "128.8"),
        ("minimax-m2.7", "8.3", "33.3", "", ""),
        ("qwen3-235b-2507", "6.3", "25.2", "50.5", ""),
        ("qwen3-coder-next", "0.8", "3.2", "6.4", ""),
        ("kimi-k2.6", "2.3", "9.2", "18.4", ""),
        ("glm-5", "2.9", "11.8", "", ""),
        ("glm-5.2", "2.9", "11.8", "23.6", "94.2"),
        ("gpt-oss-120b", "1.2", "4.8", "", ""),
        ("llama-3.3-70b", "10.7", "42.9", "", ""),
    ] {
        let facts = facts(id);
        for (tokens, text) in [(32 * K, at_32k), (128 * K, at_128k), (256 * K, at_256k), (K * K, at_1m)] {
            let digits = text.split_once('.').map_or(0, |(_, digits)| digits.len());
            if text.is_empty() {
                assert!(facts.native_context < tokens, "{id} was not made for {tokens}");
            } else {
                assert_eq!(printed(tokens * facts.bytes_per_token_without_index(), digits), text, "{id} at {tokens}");
            }
        }
    }
    assert_eq!(printed(196_608 * facts("minimax-m2.7").bytes_per_token(), 0), "50");
    assert_eq!(printed(202_752 * facts("glm-5").bytes_per_token_without_index(), 1), "18.2");
}

#[test]
fn with_the_index_they_are_those_that_are_printed_for_that() {
    let with = |id: &str, tokens, digits| printed(facts(id).cache_bytes(tokens, 1), digits);
    assert_eq!(with("minimax-m3", 128 * K, 1), "18.0");
    assert_eq!(with("minimax-m3", K * K, 0), "144");
    assert_eq!(with("glm-5", 32 * K, 1), "3.6");
    assert_eq!(with("glm-5", 128 * K, 1), "14.4");
}

#[test]
fn exos_card_would_say_far_more_for_latent_attention() {
    // 64 heads on the card, as if each kept a key and a value of the usual 128 numbers.
    let naive = |layers: u64| 2 * layers * 64 * 128 * 2;
    assert_eq!(naive(61) / facts("kimi-k2.6").bytes_per_token(), 28);
    assert_eq!(naive(78) / facts("glm-5").bytes_per_token_without_index(), 28);
    assert_eq!(naive(78) / facts("glm-5").bytes_per_token(), 23);
}

#[test]
fn by_tensor_heads_are_shared_out_and_what_all_heads_read_is_not() {
    let at_128k = |id: &str, ranks| facts(id).cache_bytes_by_tensor(128 * K, 1, ranks);
    for id in ["kimi-k2.6", "glm-5.2", "deepseek-v4-flash", "deepseek-v4-pro"] {
        assert_eq!(at_128k(id, 4), at_128k(id, 1), "{id}");
    }
    assert_eq!(at_128k("llama-3.3-70b", 4) * 4, at_128k("llama-3.3-70b", 1));
    assert_eq!(at_128k("llama-3.3-70b", 16), at_128k("llama-3.3-70b", 1), "more Macs than heads");
    assert_eq!(at_128k("llama-3.3-70b", 3) * 8, at_128k("llama-3.3-70b", 1) * 3, "heads are whole");
    let m3 = 128 * K * (122_880 / 2 + 14_592);
    assert_eq!(at_128k("minimax-m3", 2), m3, "the index's one key is whole everywhere");
    assert_eq!(at_128k("qwen3-coder-next", 2), 128 * K * 12_288 + 38_000_000);
}
