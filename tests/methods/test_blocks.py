"""The parts of a block are found whatever a family calls them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers as tf

from afina.errors import RecipeError
from afina.methods.blocks import find_blocks

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 100,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OLD_SIZES: dict[str, Any] = {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES: list[tuple[Any, int, list[str]]] = [
    (tf.BertConfig(**SIZES), 2, ["attention.output.dense", "output.dense"]),
    (tf.RobertaConfig(**SIZES), 2, ["attention.output.dense", "output.dense"]),
    (tf.DebertaV2Config(**SIZES), 2, ["attention.output.dense", "output.dense"]),
    (tf.MPNetConfig(**SIZES), 2, ["attention.attn.o", "output.dense"]),
    (
        tf.DistilBertConfig(dim=32, hidden_dim=64, n_layers=2, n_heads=2, vocab_size=100),
        2,
        ["attention.out_lin", "ffn.lin2"],
    ),
    (
        tf.ModernBertConfig(**SIZES, cls_token_id=1, sep_token_id=2),
        2,
        ["attn.Wo", "mlp.Wo"],
    ),
    (tf.LlamaConfig(**SIZES), 2, ["self_attn.o_proj", "mlp.down_proj"]),
    (tf.Qwen3Config(**SIZES, num_key_value_heads=1), 2, ["self_attn.o_proj", "mlp.down_proj"]),
    (tf.Gemma3TextConfig(**SIZES, head_dim=8), 2, ["self_attn.o_proj", "mlp.down_proj"]),
    (tf.Phi3Config(**SIZES), 2, ["self_attn.o_proj", "mlp.down_proj"]),
    (
        tf.GPT2Config(n_embd=32, n_layer=2, n_head=2, **OLD_SIZES),
        2,
        ["attn.c_proj", "mlp.c_proj"],
    ),
    (tf.GPTNeoXConfig(**SIZES), 2, ["attention.dense", "mlp.dense_4h_to_h"]),
    (
        tf.OPTConfig(
            hidden_size=32,
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            word_embed_proj_dim=32,
            **OLD_SIZES,
        ),
        2,
        ["self_attn.out_proj", "fc2"],
    ),
    (
        tf.BloomConfig(hidden_size=32, n_layer=2, n_head=2, **OLD_SIZES),
        2,
        ["self_attention.dense", "mlp.dense_4h_to_h"],
    ),
    (
        tf.T5Config(d_model=32, d_ff=64, num_layers=2, num_heads=2, d_kv=16, vocab_size=100),
        4,
        ["layer.0.SelfAttention.o", "layer.1.EncDecAttention.o", "layer.2.DenseReluDense.wo"],
    ),
]


def built(config: Any) -> Any:
    with torch.device("meta"):
        return tf.AutoModel.from_config(config)


@pytest.mark.parametrize(
    ("config", "count", "ends"), FAMILIES, ids=lambda v: getattr(v, "model_type", None)
)
def test_a_family(config: Any, count: int, ends: list[str]) -> None:
    blocks = find_blocks(built(config))
    assert len(blocks) == count
    last = blocks[-1]
    found = [*last.attention, last.feed_forward]
    assert [name.removeprefix(last.name + ".") for name in found] == ends
    assert last.keys_values, "keys and values are made somewhere"
    assert all(not set(b.keys_values) & {*b.attention, b.feed_forward} for b in blocks)


@pytest.mark.parametrize(
    "config",
    [
        tf.MambaConfig(hidden_size=32, num_hidden_layers=2, vocab_size=100, state_size=4),
        tf.MixtralConfig(**SIZES, num_local_experts=2),
    ],
    ids=lambda c: c.model_type,
)
def test_another_kind_of_block_is_refused(config: Any) -> None:
    with pytest.raises(RecipeError, match="does not know") as caught:
        find_blocks(built(config))
    assert caught.value.do
