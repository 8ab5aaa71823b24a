"""Makes a tiny llama with random weights, so that the real engine can be tested without downloading a model.

Usage: tiny_model.py FOLDER

It talks nonsense, and always the same nonsense: the seed is fixed, one token is one printable ASCII character, and at
temperature 0 the text depends on the whole prompt. It never stops by itself before `max_tokens`, because the rows of
the special tokens in the output matrix are zero: their score is 0, and of 95 random scores the best is above that.
"""

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map_with_path
from mlx_lm.models import llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SEED = 7
SPECIAL = ["<unk>", "<s>", "</s>", "\n"]  # read, never written: a newline ends nothing and only makes logs ugly
PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
# Makes about 120 tokens a second on two cores: slow enough to watch a stream, fast enough to wait for its end.
SHAPE = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "vocab_size": len(SPECIAL) + len(PRINTABLE),
}
CHAT_TEMPLATE = (
    "{% for message in messages %}<s>{{ message['role'] }}: {{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


def write_tokenizer(folder: Path) -> None:
    """One character, one token; what is not ASCII is <unk>."""
    vocab = {text: number for number, text in enumerate(SPECIAL + PRINTABLE)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": SHAPE["max_position_embeddings"],
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(words, indent=1))


def draw_weights() -> dict[str, mx.array]:
    """Random matrices, wide enough apart that the text wanders instead of repeating one character."""
    mx.random.seed(SEED)
    model = llama.Model(llama.ModelArgs.from_dict(SHAPE))

    def draw(path: str, weight: mx.array) -> mx.array:
        if weight.ndim == 1:
            return weight  # the norms stay at one
        drawn = mx.random.normal(weight.shape) * (1.5 / weight.shape[-1] ** 0.5)
        if path.startswith("lm_head"):
            drawn[: len(SPECIAL)] = 0
        return drawn

    return dict(tree_flatten(tree_map_with_path(draw, model.parameters())))


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    mx.save_safetensors(str(folder / "model.safetensors"), draw_weights(), {"format": "mlx"})
    # Written last: a folder with a config.json is a whole model.
    eos = SPECIAL.index("</s>")
    (folder / "config.json").write_text(json.dumps({**SHAPE, "bos_token_id": eos - 1, "eos_token_id": eos}, indent=1))


if __name__ == "__main__":
    main()
