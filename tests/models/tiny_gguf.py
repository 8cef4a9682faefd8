"""Tiny random GGUF files for tests, written with the public writer as llama.cpp's converter does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import quantize

from afina.models import gguf_families

Fields = dict[str, Any]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
HEADS, KV_HEADS, HEAD_DIM, WIDTH = 4, 2, 16, 64


def byte_vocabulary() -> tuple[list[str], list[int], list[str]]:
    """Tokens, kinds and merges of a small byte-level vocabulary."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "o r", "Ġw or", "Ġ 1", "1 2", "12 3"]
    controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [*controls, *bytes_to_unicode().values(), *(m.replace(" ", "") for m in merges)]
    tokens.append("<tool>")
    kinds = [TokenType.CONTROL] * 3 + [TokenType.NORMAL] * (len(tokens) - 4)
    return tokens, [*map(int, kinds), int(TokenType.USER_DEFINED)], merges


def piece_vocabulary() -> tuple[list[str], list[int], list[float]]:
    """Tokens, kinds and scores of a small SentencePiece vocabulary with byte fallback."""
    specials = ["<unk>", "<s>", "</s>"]
    byte_tokens = [f"<0x{n:02X}>" for n in range(256)]
    pieces = ["▁h", "he", "el", "ll", "lo", "▁he", "llo", "▁hello", "or", "▁w", "▁wor", "ld",
              "▁world"]  # fmt: skip
    letters = ["▁", *"helowrd"]
    tokens = [*specials, *byte_tokens, *pieces, *letters]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * (len(pieces) + len(letters))
    scores = [0.0] * 259 + [-float(n) for n in range(len(pieces) + len(letters))]
    return tokens, [int(k) for k in kinds], scores


def add_byte_tokenizer(writer: GGUFWriter, cut: str = "smollm") -> None:
    tokens, kinds, merges = byte_vocabulary()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(cut)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHATML)


def add_piece_tokenizer(writer: GGUFWriter) -> None:
    tokens, kinds, scores = piece_vocabulary()
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)


def network(architecture: str) -> Any:
    """A tiny random network of an architecture, as Transformers builds it."""
    import transformers as tf

    common: dict[str, Any] = {
        "vocab_size": 270 if architecture in ("llama", "qwen2", "qwen3") else 280,
        "hidden_size": WIDTH,
        "intermediate_size": 96,
        "num_hidden_layers": 7 if architecture == "gemma3" else 2,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 256,
        "initializer_range": 0.15,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }
    window = {"head_dim": HEAD_DIM, "query_pre_attn_scalar": HEAD_DIM, "sliding_window": 8}
    made: dict[str, Callable[[], Any]] = {
        "llama": lambda: tf.LlamaForCausalLM(
            tf.LlamaConfig(**common, rope_theta=500000.0, tie_word_embeddings=False)
        ),
        "qwen2": lambda: tf.Qwen2ForCausalLM(tf.Qwen2Config(**common, tie_word_embeddings=True)),
        "qwen3": lambda: tf.Qwen3ForCausalLM(
            tf.Qwen3Config(**common, head_dim=32, tie_word_embeddings=True)
        ),
        "gemma": lambda: tf.GemmaForCausalLM(tf.GemmaConfig(**common, head_dim=HEAD_DIM)),
        "gemma2": lambda: tf.Gemma2ForCausalLM(tf.Gemma2Config(**common, **window)),
        "gemma3": lambda: tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(**common, **window)),
        "phi3": lambda: tf.Phi3ForCausalLM(tf.Phi3Config(**common, tie_word_embeddings=False)),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(17)
        built = made[architecture]().eval()
        for name, weight in built.named_parameters():
            if weight.ndim == 1:  # norms and biases begin as ones and zeros: they would hide errors
                weight.data = torch.randn_like(weight) * 0.2 + float("norm" in name)
    return built


def stored(built: Any, architecture: str) -> dict[str, np.ndarray]:
    """A network's weights as llama.cpp's converter stores them, by GGUF name."""
    family = gguf_families.FAMILIES[architecture]
    back = {target: source for source, target in family.names.items()}
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    found = {}
    for name, weight in built.named_parameters():
        stem, _, suffix = name.rpartition(".")
        values = weight.detach().float().numpy().copy()
        if stem in top:
            key = top[stem]
        else:
            _, _, layer, inner = stem.split(".", 3)
            key = f"blk.{layer}.{back[inner]}"
        if architecture == "llama" and key.endswith(("attn_q", "attn_k")):
            heads = HEADS if key.endswith("q") else KV_HEADS
            half = values.shape[0] // heads // 2
            values = values.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(values.shape)
        if architecture.startswith("gemma") and key.endswith("norm"):
            values = values + 1
        found[f"{key}.{suffix}"] = values
    return found


def write(
    path: Path,
    architecture: str,
    tensors: Mapping[str, np.ndarray],
    tokenizer: Callable[[GGUFWriter], None],
    kinds: Callable[[str, np.ndarray], GGMLQuantizationType] | None = None,
    **extra: Any,
) -> Path:
    """A GGUF file of the tiny network, with the public writer."""
    writer = GGUFWriter(path, architecture)
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(7 if architecture == "gemma3" else 2)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_license("apache-2.0")
    for key, value in extra.items():
        getattr(writer, f"add_{key}")(value)
    tokenizer(writer)
    for name, values in tensors.items():
        kind = kinds(name, values) if kinds else GGMLQuantizationType.F32
        if kind is GGMLQuantizationType.F32:
            writer.add_tensor(name, values.astype(np.float32))
        else:
            writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


OWN: dict[str, Fields] = {
    "llama": {"rope_freq_base": 500000.0, "rope_dimension_count": HEAD_DIM},
    "qwen2": {},
    "qwen3": {"key_length": 32},
    "gemma": {"key_length": HEAD_DIM},
    "gemma2": {"key_length": HEAD_DIM, "sliding_window": 8, "attn_logit_softcapping": 50.0,
               "final_logit_softcapping": 30.0},
    "gemma3": {"key_length": HEAD_DIM, "sliding_window": 8, "rope_freq_base": 1000000.0},
    "phi3": {"rope_dimension_count": HEAD_DIM},
}  # fmt: skip


def tokenizer_of(architecture: str) -> Callable[[GGUFWriter], None]:
    is_bytes = architecture in ("llama", "qwen2", "qwen3")
    return add_byte_tokenizer if is_bytes else add_piece_tokenizer
