//! Which ids are recognised, and that the file of facts is in order.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_embedded_facts_read_and_say_where_everything_comes_from() {
    let all = read(include_str!("../models.toml")).unwrap();
    assert_eq!(all, families());
    for facts in &all {
        let sources = facts.cache.iter().map(|term| &term.source);
        let sources = sources.chain(facts.builds.iter().map(|build| &build.source)).chain([&facts.source]);
        assert!(sources.into_iter().all(|source| source.len() > 5), "{}", facts.name);
        assert!(!facts.builds.is_empty() && facts.native_context >= 131_072, "{}", facts.name);
        assert!(facts.cache.iter().all(|term| term.layers <= facts.layers), "{}", facts.name);
    }
    let needles: Vec<&String> = all.iter().flat_map(|facts| &facts.needles).collect();
    assert_eq!(needles.iter().collect::<BTreeSet<_>>().len(), needles.len(), "one needle, one family");
    assert!(needles.iter().all(|needle| **needle == needle.to_ascii_lowercase()));
}

#[test]
fn facts_with_an_unknown_or_a_missing_key_do_not_read() {
    let text = include_str!("../models.toml");
    assert!(read(&text.replacen("layers = 43", "layers = 43\nhead_size = 1", 1)).is_err());
    assert!(read(&text.replacen("hidden_size = 4096\n", "", 1)).is_err());
    assert!(read(&text.replacen("ratio = 4", "ratio = 0", 1)).is_err());
    assert!(read(&text.replacen("kind.sliding = { bytes", "kind.sliding = { window = 1, bytes", 1)).is_err());
}

#[test]
fn a_family_is_found_by_the_last_segment_of_an_id_and_by_a_hubs_short_one() {
    for (id, name) in [
        ("mlx-community/DeepSeek-V4-Flash", "DeepSeek V4-Flash"),
        ("mlx-community/DeepSeek-V4-Flash-4bit", "DeepSeek V4-Flash"),
        ("deepseek-v4-flash", "DeepSeek V4-Flash"),
        ("mlx-community/DeepSeek-V4-Pro", "DeepSeek V4-Pro"),
        ("mlx-community/MiniMax-M3-4bit", "MiniMax M3"),
        ("mlx-community/MiniMax-M2.1-3bit", "MiniMax M2.x"),
        ("mlx-community/MiniMax-M2.7-4bit-mxfp4", "MiniMax M2.x"),
        ("mlx-community/Qwen3-235B-A22B-Instruct-2507-4bit", "Qwen3-235B-A22B-2507"),
        ("Qwen/Qwen3-235B-A22B-Thinking-2507", "Qwen3-235B-A22B-2507"),
        ("mlx-community/Qwen3-Coder-Next-8bit", "Qwen3-Coder-Next"),
        ("moonshotai/Kimi-K2.6", "Kimi K2.x"),
        ("mlx-community/Kimi-K2.6-mlx-DQ3_K_M-q8", "Kimi K2.x"),
        ("moonshotai/Kimi-K2.7-Code", "Kimi K2.x"),
        ("mlx-community/Kimi-K2-Thinking", "Kimi K2.x"),
        ("mlx-community/Kimi-K2-Instruct-4bit", "Kimi K2-Instruct"),
        ("mlx-community/GLM-5-MXFP4-Q8", "GLM-5 and 5.1"),
        ("mlx-community/GLM-5.1-DQ4plus-q8", "GLM-5 and 5.1"),
        ("glm-5.2", "GLM-5.2"),
        ("mlx-community/gpt-oss-120b-MXFP4-Q8", "gpt-oss-120b"),
        ("mlx-community/llama-3.3-70b-instruct-fp16", "Llama-3.3-70B"),
    ] {
        assert_eq!(facts(id).name, name, "{id}");
    }
}

#[test]
fn neither_a_relative_nor_a_later_version_is_taken_for_a_known_one() {
    for id in [
        "mlx-community/Kimi-Linear-48B-A3B-Instruct-4bit",
        "mlx-community/Qwen3-Coder-480B-A35B-Instruct-4bit",
        "mlx-community/gpt-oss-20b-MXFP4-Q8",
        "mlx-community/Qwen3-Next-80B-A3B-Instruct-4bit",
        "mlx-community/Qwen3-235B-A22B-4bit",
        "mlx-community/Meta-Llama-3.1-70B-Instruct-4bit",
        "mlx-community/GLM-4.7-Flash-4bit",
        "mlx-community/DeepSeek-V3.2-4bit",
        "DeepSeek-V4.1-Flash",
        "MiniMax-M3.1",
        "Kimi-K2.8",
        "Kimi-K3",
        "GLM-5.3",
        "GLM-5V",
        "ChatGLM-5",
        "kimi-k2.6/another-model",
        "",
        "/",
    ] {
        assert_eq!(Facts::of(id), None, "{id}");
    }
}

#[test]
fn the_weights_are_as_published() {
    let build = |id: &str, name: &str| facts(id).builds.iter().find(|build| build.name == name).unwrap().bytes;
    assert_eq!(build("deepseek-v4-flash", "8bit"), 155_095_760_030);
    assert_eq!(build("deepseek-v4-pro", "8bit"), 849_681_803_879);
    for (id, name, tenths) in [
        ("deepseek-v4-flash", "4bit", 1_515),
        ("deepseek-v4-flash", "2bit-DQ", 965),
        ("minimax-m3", "4bit", 2_400),
        ("minimax-m2.7", "M2.7 4bit", 1_287),
        ("minimax-m2.7", "M2.7 8bit", 2_430),
        ("minimax-m2.7", "M2.1 3bit", 1_001),
        ("qwen3-235b-2507", "8bit", 2_684),
        ("qwen3-coder-next", "8bit", 894),
        ("kimi-k2.6", "K2.6 INT4", 5_951),
        ("kimi-k2.6", "K2.5", 6_625),
        ("kimi-k2-instruct", "4bit", 6_206),
        ("glm-5", "5 MXFP4-Q8", 4_055),
        ("glm-5", "5.1 bf16", 14_878),
        ("glm-5.2", "3.5 bpw", 3_280),
        ("gpt-oss-120b", "MXFP4-Q8", 707),
        ("llama-3.3-70b", "8bit", 768),
    ] {
        assert_eq!((build(id, name) + GB / 20) / (GB / 10), tenths, "{id} {name}");
    }
    let four = build("deepseek-v4-flash", "4bit");
    assert!(four * 100 / build("deepseek-v4-flash", "8bit") >= 97, "4 bits save nothing: the experts are FP4 already");
}
