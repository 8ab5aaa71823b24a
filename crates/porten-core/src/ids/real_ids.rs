//! Every model id that exo 0.3.70 knows (its built-in cards), under the name that a Hub would use for it.

/// (plain name, the ids that carry it)
pub(super) const REAL: &[(&str, &[&str])] = &[
    ("deepseek-v3.1", &["mlx-community/DeepSeek-V3.1-4bit", "mlx-community/DeepSeek-V3.1-8bit"]),
    ("deepseek-v3.2", &["mlx-community/DeepSeek-V3.2-4bit", "mlx-community/DeepSeek-V3.2-8bit"]),
    ("deepseek-v4-flash", &["mlx-community/DeepSeek-V4-Flash"]),
    ("deepseek-v4-pro", &["mlx-community/DeepSeek-V4-Pro"]),
    (
        "flux.1-kontext-dev",
        &["exolabs/FLUX.1-Kontext-dev", "exolabs/FLUX.1-Kontext-dev-4bit", "exolabs/FLUX.1-Kontext-dev-8bit"],
    ),
    ("flux.1-krea-dev", &["exolabs/FLUX.1-Krea-dev", "exolabs/FLUX.1-Krea-dev-4bit", "exolabs/FLUX.1-Krea-dev-8bit"]),
    ("flux.1-dev", &["exolabs/FLUX.1-dev", "exolabs/FLUX.1-dev-4bit", "exolabs/FLUX.1-dev-8bit"]),
    ("flux.1-schnell", &["exolabs/FLUX.1-schnell", "exolabs/FLUX.1-schnell-4bit", "exolabs/FLUX.1-schnell-8bit"]),
    (
        "gemma-4-26b-a4b-it",
        &[
            "mlx-community/gemma-4-26b-a4b-it-4bit",
            "mlx-community/gemma-4-26b-a4b-it-6bit",
            "mlx-community/gemma-4-26b-a4b-it-8bit",
            "mlx-community/gemma-4-26b-a4b-it-bf16",
        ],
    ),
    (
        "gemma-4-31b-it",
        &[
            "mlx-community/gemma-4-31b-it-4bit",
            "mlx-community/gemma-4-31b-it-6bit",
            "mlx-community/gemma-4-31b-it-8bit",
            "mlx-community/gemma-4-31b-it-bf16",
        ],
    ),
    (
        "gemma-4-e2b-it",
        &[
            "mlx-community/gemma-4-e2b-it-4bit",
            "mlx-community/gemma-4-e2b-it-6bit",
            "mlx-community/gemma-4-e2b-it-8bit",
            "mlx-community/gemma-4-e2b-it-bf16",
        ],
    ),
    (
        "gemma-4-e4b-it",
        &[
            "mlx-community/gemma-4-e4b-it-4bit",
            "mlx-community/gemma-4-e4b-it-6bit",
            "mlx-community/gemma-4-e4b-it-8bit",
            "mlx-community/gemma-4-e4b-it-bf16",
        ],
    ),
    ("glm-4.5-air", &["mlx-community/GLM-4.5-Air-8bit", "mlx-community/GLM-4.5-Air-bf16"]),
    ("glm-4.7", &["mlx-community/GLM-4.7-4bit", "mlx-community/GLM-4.7-6bit", "mlx-community/GLM-4.7-8bit-gs32"]),
    (
        "glm-4.7-flash",
        &[
            "mlx-community/GLM-4.7-Flash-4bit",
            "mlx-community/GLM-4.7-Flash-5bit",
            "mlx-community/GLM-4.7-Flash-6bit",
            "mlx-community/GLM-4.7-Flash-8bit",
        ],
    ),
    ("glm-5", &["mlx-community/GLM-5", "mlx-community/GLM-5-8bit-MXFP8", "mlx-community/GLM-5-MXFP4-Q8"]),
    ("glm-5.1", &["mlx-community/GLM-5.1", "mlx-community/GLM-5.1-DQ4plus-q8", "mlx-community/GLM-5.1-MXFP4-Q8"]),
    ("gpt-oss-120b", &["mlx-community/gpt-oss-120b-MXFP4-Q8"]),
    ("gpt-oss-20b", &["mlx-community/gpt-oss-20b-MXFP4-Q8"]),
    ("kimi-k2-instruct", &["mlx-community/Kimi-K2-Instruct-4bit"]),
    ("kimi-k2-thinking", &["mlx-community/Kimi-K2-Thinking"]),
    ("kimi-k2.5", &["mlx-community/Kimi-K2.5"]),
    ("kimi-k2.6", &["mlx-community/Kimi-K2.6-mlx-DQ3_K_M-q8", "moonshotai/Kimi-K2.6"]),
    ("kimi-k2.7-code", &["moonshotai/Kimi-K2.7-Code"]),
    (
        "llama-3.1-nemotron-70b-instruct-hf",
        &[
            "mlx-community/Llama-3.1-Nemotron-70B-Instruct-HF-4bit",
            "mlx-community/Llama-3.1-Nemotron-70B-Instruct-HF-8bit",
            "mlx-community/Llama-3.1-Nemotron-70B-Instruct-HF-bf16",
        ],
    ),
    (
        "llama-3.1-nemotron-nano-4b-v1.1",
        &[
            "mlx-community/Llama-3.1-Nemotron-Nano-4B-v1.1-4bit",
            "mlx-community/Llama-3.1-Nemotron-Nano-4B-v1.1-8bit",
            "mlx-community/Llama-3.1-Nemotron-Nano-4B-v1.1-bf16",
        ],
    ),
    ("llama-3.2-1b-instruct", &["mlx-community/Llama-3.2-1B-Instruct-4bit"]),
    (
        "llama-3.2-3b-instruct",
        &["mlx-community/Llama-3.2-3B-Instruct-4bit", "mlx-community/Llama-3.2-3B-Instruct-8bit"],
    ),
    (
        "llama-3.3-70b-instruct",
        &[
            "mlx-community/Llama-3.3-70B-Instruct-4bit",
            "mlx-community/Llama-3.3-70B-Instruct-8bit",
            "mlx-community/llama-3.3-70b-instruct-fp16",
        ],
    ),
    ("meta-llama-3.1-70b-instruct", &["mlx-community/Meta-Llama-3.1-70B-Instruct-4bit"]),
    (
        "meta-llama-3.1-8b-instruct",
        &[
            "mlx-community/Meta-Llama-3.1-8B-Instruct-4bit",
            "mlx-community/Meta-Llama-3.1-8B-Instruct-8bit",
            "mlx-community/Meta-Llama-3.1-8B-Instruct-bf16",
        ],
    ),
    ("minimax-m2.1", &["mlx-community/MiniMax-M2.1-3bit", "mlx-community/MiniMax-M2.1-8bit"]),
    (
        "minimax-m2.5",
        &["mlx-community/MiniMax-M2.5-4bit", "mlx-community/MiniMax-M2.5-6bit", "mlx-community/MiniMax-M2.5-8bit"],
    ),
    (
        "minimax-m2.7",
        &[
            "mlx-community/MiniMax-M2.7",
            "mlx-community/MiniMax-M2.7-4bit",
            "mlx-community/MiniMax-M2.7-4bit-mxfp4",
            "mlx-community/MiniMax-M2.7-5bit",
            "mlx-community/MiniMax-M2.7-6bit",
            "mlx-community/MiniMax-M2.7-8bit",
        ],
    ),
    (
        "nvidia-nemotron-3-nano-30b-a3b",
        &[
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-4Bit",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-5Bit",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-6Bit",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-8Bit",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-BF16",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-MLX-MXFP4",
            "mlx-community/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
        ],
    ),
    (
        "nvidia-nemotron-nano-9b-v2",
        &["mlx-community/NVIDIA-Nemotron-Nano-9B-v2-4bits", "mlx-community/NVIDIA-Nemotron-Nano-9B-v2-6bit"],
    ),
    ("qwen3-0.6b", &["mlx-community/Qwen3-0.6B-4bit", "mlx-community/Qwen3-0.6B-8bit"]),
    (
        "qwen3-235b-a22b-instruct-2507",
        &["mlx-community/Qwen3-235B-A22B-Instruct-2507-4bit", "mlx-community/Qwen3-235B-A22B-Instruct-2507-8bit"],
    ),
    ("qwen3-30b-a3b", &["mlx-community/Qwen3-30B-A3B-4bit", "mlx-community/Qwen3-30B-A3B-8bit"]),
    (
        "qwen3-coder-480b-a35b-instruct",
        &["mlx-community/Qwen3-Coder-480B-A35B-Instruct-4bit", "mlx-community/Qwen3-Coder-480B-A35B-Instruct-8bit"],
    ),
    (
        "qwen3-coder-next",
        &[
            "mlx-community/Qwen3-Coder-Next-4bit",
            "mlx-community/Qwen3-Coder-Next-5bit",
            "mlx-community/Qwen3-Coder-Next-6bit",
            "mlx-community/Qwen3-Coder-Next-8bit",
            "mlx-community/Qwen3-Coder-Next-bf16",
        ],
    ),
    (
        "qwen3-next-80b-a3b-instruct",
        &["mlx-community/Qwen3-Next-80B-A3B-Instruct-4bit", "mlx-community/Qwen3-Next-80B-A3B-Instruct-8bit"],
    ),
    (
        "qwen3-next-80b-a3b-thinking",
        &["mlx-community/Qwen3-Next-80B-A3B-Thinking-4bit", "mlx-community/Qwen3-Next-80B-A3B-Thinking-8bit"],
    ),
    ("qwen3-vl-4b-instruct", &["mlx-community/Qwen3-VL-4B-Instruct-4bit"]),
    (
        "qwen3.5-122b-a10b",
        &[
            "mlx-community/Qwen3.5-122B-A10B-4bit",
            "mlx-community/Qwen3.5-122B-A10B-6bit",
            "mlx-community/Qwen3.5-122B-A10B-8bit",
            "mlx-community/Qwen3.5-122B-A10B-bf16",
        ],
    ),
    ("qwen3.5-27b", &["mlx-community/Qwen3.5-27B-4bit", "mlx-community/Qwen3.5-27B-8bit"]),
    ("qwen3.5-2b", &["mlx-community/Qwen3.5-2B-MLX-8bit"]),
    ("qwen3.5-35b-a3b", &["mlx-community/Qwen3.5-35B-A3B-4bit", "mlx-community/Qwen3.5-35B-A3B-8bit"]),
    (
        "qwen3.5-397b-a17b",
        &[
            "mlx-community/Qwen3.5-397B-A17B-4bit",
            "mlx-community/Qwen3.5-397B-A17B-6bit",
            "mlx-community/Qwen3.5-397B-A17B-8bit",
        ],
    ),
    ("qwen3.5-9b", &["mlx-community/Qwen3.5-9B-4bit", "mlx-community/Qwen3.5-9B-8bit"]),
    (
        "qwen3.6-27b",
        &["mlx-community/Qwen3.6-27B-4bit", "mlx-community/Qwen3.6-27B-8bit", "mlx-community/Qwen3.6-27B-bf16"],
    ),
    (
        "qwen3.6-35b-a3b",
        &[
            "mlx-community/Qwen3.6-35B-A3B-4bit",
            "mlx-community/Qwen3.6-35B-A3B-5bit",
            "mlx-community/Qwen3.6-35B-A3B-8bit",
            "mlx-community/Qwen3.6-35B-A3B-bf16",
        ],
    ),
    ("qwen-image", &["exolabs/Qwen-Image", "exolabs/Qwen-Image-4bit", "exolabs/Qwen-Image-8bit"]),
    (
        "qwen-image-edit-2509",
        &["exolabs/Qwen-Image-Edit-2509", "exolabs/Qwen-Image-Edit-2509-4bit", "exolabs/Qwen-Image-Edit-2509-8bit"],
    ),
    (
        "step-3.5-flash",
        &[
            "mlx-community/Step-3.5-Flash-4bit",
            "mlx-community/Step-3.5-Flash-6bit",
            "mlx-community/Step-3.5-Flash-8Bit",
        ],
    ),
];
