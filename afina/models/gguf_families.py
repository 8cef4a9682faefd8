"""The architectures that a GGUF file may hold: their config and the names of their tensors.

Facts of the format (names of fields and tensors, the order of rows in Llama's queries and keys, the
one added to Gemma's norms) are those that llama.cpp's converter writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]

ROPE = "rope_freqs.weight"
_BLOCK = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}  # fmt: skip
_FOUR_NORMS = {
    "ffn_norm": "pre_feedforward_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_FUSED = {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
_TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


@dataclass(frozen=True)
class Family:
    """One architecture. ``kind``: model_type of Transformers; ``model``: its class."""

    architecture: str
    kind: str
    model: str
    names: Mapping[str, str]
    permuted: bool = False
    """Queries' and keys' rows lie in GGML's order for rotary embeddings."""
    norm_plus_one: bool = False
    """Norms are stored with one added."""
    special: tuple[str, ...] = ()
    """Tensors that belong to the config, not to the weights."""

    def change(self, name: str, config: Mapping[str, Any]) -> Change | None:
        """What must be done to a tensor of the file to be Transformers', if anything."""
        if self.norm_plus_one and name.endswith("norm.weight"):
            return lambda values: values - 1
        found = re.fullmatch(r"blk\.\d+\.attn_([qk])\.(weight|bias)", name)
        if not (self.permuted and found):
            return None
        key = "num_attention_heads" if found[1] == "q" else "num_key_value_heads"
        heads = int(config[key])
        return lambda values: _unpermute(values, heads)


def _unpermute(values: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    half = values.shape[0] // heads // 2
    cut = values.reshape(heads, half, 2, *values.shape[1:])
    return cut.swapaxes(1, 2).reshape(values.shape)


FAMILIES = {
    family.architecture: family
    for family in (
        Family("llama", "llama", "LlamaForCausalLM", _BLOCK, permuted=True, special=(ROPE,)),
        Family("qwen2", "qwen2", "Qwen2ForCausalLM", _BLOCK),
        Family("qwen3", "qwen3", "Qwen3ForCausalLM", _BLOCK),
        Family("gemma", "gemma", "GemmaForCausalLM", _BLOCK, norm_plus_one=True),
        Family("gemma2", "gemma2", "Gemma2ForCausalLM", _BLOCK | _FOUR_NORMS, norm_plus_one=True),
        Family("gemma3", "gemma3_text", "Gemma3ForCausalLM", _BLOCK | _FOUR_NORMS,
               norm_plus_one=True),
        Family("phi3", "phi3", "Phi3ForCausalLM", _BLOCK | _FUSED),
    )
}  # fmt: skip
"""Mistral's files say ``llama``: without experts the two compute the same."""


def family_of(fields: Mapping[str, Any], path: Path) -> Family:
    """The family of a file, or a ModelError that lists them."""
    name = str(fields.get("general.architecture"))
    if name not in FAMILIES or int(fields.get(f"{name}.expert_count") or 0):
        what = f"{name!r} with experts" if name in FAMILIES else repr(name[:40])
        raise ModelError(
            f"the GGUF architecture {what} is not supported",
            where=str(path),
            do=f"supported: {', '.join(FAMILIES)}; or take the model in safetensors format",
        )
    return FAMILIES[name]


def target_name(family: Family, name: str) -> str | None:
    """The name in Transformers of a tensor of the file, None where it has none."""
    stem, _, suffix = name.rpartition(".")
    if suffix not in ("weight", "bias"):
        return None
    if stem in _TOP:
        return f"{_TOP[stem]}.{suffix}"
    found = re.fullmatch(r"blk\.(\d{1,4})\.(\w+)", stem)
    if found is None or found[2] not in family.names:
        return None
    return f"model.layers.{int(found[1])}.{family.names[found[2]]}.{suffix}"


# ---------------------------------------------------------------------------- config


class _Fields:
    """Reads the fields of one architecture, each with its type; what is missing is named."""

    def __init__(self, family: Family, fields: Mapping[str, Any], path: Path) -> None:
        self.family, self.fields, self.path = family, fields, path

    def number(self, key: str, default: float | None = None) -> float:
        value = self.fields.get(f"{self.family.architecture}.{key}", default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
            raise ModelError(
                f"{self.family.architecture}.{key} is {str(value)[:40]}, not a number above zero",
                where=str(self.path),
                do="fetch the file again, or take another conversion of the model",
            )
        # Stored in float32: 1e-5 comes back as 9.99999974737875e-06.
        return float(f"{value:.7g}") if isinstance(value, float) else value

    def whole(self, key: str, default: int | None = None) -> int:
        return int(self.number(key, default))

    def has(self, key: str) -> bool:
        return f"{self.family.architecture}.{key}" in self.fields


def config_of(
    family: Family,
    fields: Mapping[str, Any],
    shapes: Mapping[str, tuple[int, ...]],
    special: Mapping[str, NDArray[np.float32]],
    path: Path,
) -> dict[str, Any]:
    """A config.json for the tensors of a file, with every derived key written out.

    Raises ModelError for a setting that this family would compute differently.
    """
    read = _Fields(family, fields, path)
    if "token_embd.weight" not in shapes:
        raise ModelError("token_embd.weight is missing", where=str(path), do="fetch it again")
    heads = read.whole("attention.head_count")
    hidden = read.whole("embedding_length")
    config: dict[str, Any] = {
        "architectures": [family.model],
        "model_type": family.kind,
        "hidden_size": hidden,
        "intermediate_size": read.whole("feed_forward_length"),
        "num_hidden_layers": read.whole("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": read.whole("attention.head_count_kv", heads),
        "head_dim": read.whole("attention.key_length", max(1, hidden // heads)),
        "max_position_embeddings": read.whole("context_length"),
        "rms_norm_eps": read.number("attention.layer_norm_rms_epsilon"),
        "rope_theta": read.number("rope.freq_base", 10000.0),
        "vocab_size": shapes["token_embd.weight"][0],
        "tie_word_embeddings": "output.weight" not in shapes,
    }
    config |= _special_ids(fields)
    config |= _rope(read, config, special)
    config |= _own(family, read, shapes, config)
    return config


def _special_ids(fields: Mapping[str, Any]) -> dict[str, int]:
    named = {"bos": "bos", "eos": "eos", "pad": "padding"}
    found = {k: fields.get(f"tokenizer.ggml.{v}_token_id") for k, v in named.items()}
    return {f"{k}_token_id": v for k, v in found.items() if isinstance(v, int)}


def _rope(
    read: _Fields, config: Mapping[str, Any], special: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    if ROPE in special:
        return {"rope_scaling": _llama3_scaling(read, config, special[ROPE])}
    kind = read.fields.get(f"{read.family.architecture}.rope.scaling.type")
    if kind in (None, "none"):
        # Gemma 3 writes its factor without a kind where it scales.
        kind = "linear" if read.has("rope.scaling.factor") else None
    if kind is None:
        return {}
    if kind == "linear":
        return {
            "rope_scaling": {"rope_type": "linear", "factor": read.number("rope.scaling.factor")}
        }
    if kind == "yarn":
        return {
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": read.number("rope.scaling.factor"),
                "original_max_position_embeddings": read.whole(
                    "rope.scaling.original_context_length"
                ),
            }
        }
    raise ModelError(
        f"its position scaling {str(kind)[:40]!r} is not supported",
        where=str(read.path),
        do="take the model in safetensors format instead",
    )


def _llama3_scaling(
    read: _Fields, config: Mapping[str, Any], stored: NDArray[np.float32]
) -> dict[str, Any]:
    """Llama 3.1's scaling, found from the factors that the file holds for each frequency."""
    import numpy as np

    original, low, high = 8192, 1.0, 4.0
    factor = float(stored.max())
    size = int(config["head_dim"])
    wave = 2 * np.pi * float(config["rope_theta"]) ** (np.arange(0, size, 2) / size)
    smooth = np.clip((original / wave - low) / (high - low), 0, 1)
    expected = 1 / ((1 - smooth) / factor + smooth)
    if stored.shape != expected.shape or not np.allclose(stored, expected, rtol=1e-3):
        raise ModelError(
            "its position scaling (rope_freqs.weight) is not that of Llama 3",
            where=str(read.path),
            do="take the model in safetensors format instead",
        )
    return {
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": original,
    }


def _own(
    family: Family,
    read: _Fields,
    shapes: Mapping[str, tuple[int, ...]],
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """What only this family's config has."""
    kind = family.kind
    if kind == "llama":
        return {
            "hidden_act": "silu",
            "attention_bias": "blk.0.attn_q.bias" in shapes,
            "mlp_bias": "blk.0.ffn_up.bias" in shapes,
        }
    if kind in ("qwen2", "qwen3"):
        return {"hidden_act": "silu"} | ({"attention_bias": False} if kind == "qwen3" else {})
    if kind == "phi3":
        return _phi3(read, config)
    own: dict[str, Any] = {"hidden_activation": "gelu_pytorch_tanh"}
    if kind == "gemma":
        return own | {"hidden_act": "gelu_pytorch_tanh"}
    return own | _gemma_attention(kind, read, config)


def _gemma_attention(kind: str, read: _Fields, config: Mapping[str, Any]) -> dict[str, Any]:
    layers, every = config["num_hidden_layers"], 2 if kind == "gemma2" else 6
    # The 27-billion models divide by the width of a head of the hidden size, the others by head_dim
    # (llama.cpp tells them by their depth too; no field says it).
    large = layers == (46 if kind == "gemma2" else 62)
    scalar = config["hidden_size"] // config["num_attention_heads"] if large else config["head_dim"]
    own: dict[str, Any] = {
        "query_pre_attn_scalar": scalar,
        "sliding_window": read.whole("attention.sliding_window"),
        "layer_types": [
            "full_attention" if (n + 1) % every == 0 else "sliding_attention" for n in range(layers)
        ],
    }
    if kind == "gemma2":
        own["attn_logit_softcapping"] = read.number("attn_logit_softcapping", 50.0)
        own["final_logit_softcapping"] = read.number("final_logit_softcapping", 30.0)
        return own
    own["rope_local_base_freq"] = 10000.0
    if read.has("final_logit_softcapping"):
        own["final_logit_softcapping"] = read.number("final_logit_softcapping")
    return own


def _phi3(read: _Fields, config: Mapping[str, Any]) -> dict[str, Any]:
    turned = read.whole("rope.dimension_count", config["head_dim"])
    own: dict[str, Any] = {
        "hidden_act": "silu",
        "partial_rotary_factor": turned / config["head_dim"],
        "original_max_position_embeddings": read.whole(
            "rope.scaling.original_context_length", config["max_position_embeddings"]
        ),
        "pad_token_id": config.get("pad_token_id", config.get("eos_token_id")),
    }
    if read.has("attention.sliding_window"):
        own["sliding_window"] = read.whole("attention.sliding_window")
    return own
