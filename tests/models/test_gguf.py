"""GGUF files become bases that give the same answers as the models they were made from."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize

from afina.errors import ModelError
from afina.models import gguf, gguf_families
from afina.models.gguf_tokenizer import CUTS, recover_merges
from afina.models.sources import resolve
from tests.models.tiny_gguf import (
    HEAD_DIM,
    OWN,
    add_byte_tokenizer,
    add_piece_tokenizer,
    network,
    piece_vocabulary,
    stored,
    tokenizer_of,
    write,
)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in F32."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    tensors = stored(network("llama"), "llama")
    return write(path, "llama", tensors, add_byte_tokenizer, **OWN["llama"])


def logits(model: Any, length: int = 40) -> torch.Tensor:
    ids = torch.arange(3, 3 + length)[None] % 250
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=ids).logits
    return found


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    model, report = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    return model


# ---------------------------------------------------------------------------- round trip


@pytest.mark.parametrize("architecture", gguf_families.FAMILIES)
def test_every_family_gives_the_logits_it_had(architecture: str, tmp_path: Path) -> None:
    built = network(architecture)
    if architecture == "phi3":
        built.config.rms_norm_eps = 1e-6
        for part in built.modules():
            if hasattr(part, "variance_epsilon"):
                part.variance_epsilon = 1e-6
    path = write(
        tmp_path / "tiny.gguf",
        architecture,
        stored(built, architecture),
        tokenizer_of(architecture),
        **OWN[architecture],
    )
    base = resolve(str(path), cache=tmp_path / "cache")
    assert base.kind == "decoder"
    assert base.architecture == type(built).__name__
    assert base.parameters == sum(p.numel() for p in built.parameters())
    assert base.context_length == 256
    assert base.licence == "apache-2.0"
    assert base.dtype == "float32"
    found = load(base.folder)
    assert "quantization_config" not in json.loads((base.folder / "config.json").read_text())
    tied = found.get_output_embeddings().weight is found.get_input_embeddings().weight
    assert tied == bool(built.config.tie_word_embeddings)
    torch.testing.assert_close(logits(found), logits(built), rtol=1e-4, atol=1e-5)


def test_llama_3_scaling_is_recovered_from_its_factors(tmp_path: Path) -> None:
    import transformers as tf

    scaling = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}  # fmt: skip
    plain = network("llama")
    config = plain.config.to_dict() | {"rope_scaling": scaling, "rope_theta": 500000.0}
    config.pop("rope_parameters", None)
    built = tf.LlamaForCausalLM(tf.LlamaConfig(**config)).eval()
    built.load_state_dict(plain.state_dict())
    assert not torch.allclose(logits(built), logits(plain), atol=1e-4), "the scaling does nothing"
    usual = 500000.0 ** -(torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    factors = (usual / built.model.rotary_emb.inv_freq).numpy()
    tensors = stored(built, "llama") | {"rope_freqs.weight": factors}
    path = write(tmp_path / "a.gguf", "llama", tensors, add_byte_tokenizer, **OWN["llama"])
    base = resolve(str(path), cache=tmp_path / "cache")
    torch.testing.assert_close(logits(load(base.folder)), logits(built), rtol=1e-4, atol=1e-5)
    tensors["rope_freqs.weight"] = factors[::-1].copy()
    path = write(tmp_path / "b.gguf", "llama", tensors, add_byte_tokenizer, **OWN["llama"])
    with pytest.raises(ModelError, match="not that of Llama 3"):
        resolve(str(path), cache=tmp_path / "cache")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_packed_weights_come_out_as_they_are_defined(kind: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    wanted = GGMLQuantizationType[kind]
    tensors = stored(network("qwen2"), "qwen2")

    def choose(name: str, values: np.ndarray) -> GGMLQuantizationType:
        return wanted if values.ndim == 2 else GGMLQuantizationType.F32

    path = write(tmp_path / "a.gguf", "qwen2", tensors, add_byte_tokenizer, choose)
    assert gguf.read_container(path).packing == kind
    base = resolve(str(path), cache=tmp_path / "cache")
    assert base.dtype == ("float32" if kind == "F16" else "bfloat16")
    found = load_file(base.folder / "model.safetensors")
    for name, target in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
    ):
        unpacked = torch.from_numpy(dequantize(quantize(tensors[name], wanted), wanted).copy())
        assert torch.equal(found[target], unpacked.to(found[target].dtype))


def test_the_public_loader_gives_the_same_logits(tiny_gguf: Path, tmp_path: Path) -> None:
    """Transformers' own way into GGUF is the oracle of ours."""
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(
        tiny_gguf.parent, gguf_file=tiny_gguf.name, dtype=torch.float32
    )
    ours = load(resolve(str(tiny_gguf), cache=tmp_path / "cache").folder)
    torch.testing.assert_close(logits(ours), logits(theirs), rtol=1e-5, atol=1e-6)


# ---------------------------------------------------------------------------- tokenizers


def test_a_byte_level_tokenizer_is_rebuilt_with_its_template(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    base = resolve(str(tiny_gguf), cache=tmp_path / "cache")
    assert base.chat_template
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    assert tokenizer.tokenize("hello world 123") == [
        "hello", "Ġwor", "l", "d", "Ġ", "1", "2", "3",
    ]  # fmt: skip
    assert tokenizer.tokenize("a<tool>b<|im_end|>") == ["a", "<tool>", "b", "<|im_end|>"]
    assert tokenizer.decode(tokenizer("¿Qué? 日本 \n\n x")["input_ids"]) == "¿Qué? 日本 \n\n x"
    ids = tokenizer("<|im_end|>hello<tool>")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "hello<tool>"
    turn = [{"role": "user", "content": "hello"}]
    written = tokenizer.apply_chat_template(turn, tokenize=False)
    assert written == "<|im_start|>user\nhello<|im_end|>\n"
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert tokenizer.pad_token == "<|endoftext|>"
    assert tokenizer.model_max_length == 256


@pytest.mark.parametrize(
    ("cut", "pieces"),
    [
        ("smollm", ["Ġ", "1", "2", "3"]),
        ("gpt-2", ["Ġ1", "2", "3"]),
        ("llama-bpe", ["Ġ", "123"]),
        ("qwen2", ["Ġ", "1", "2", "3"]),
    ],
)
def test_text_is_cut_as_the_file_says(cut: str, pieces: list[str], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    path = write(
        tmp_path / "a.gguf",
        "llama",
        stored(network("llama"), "llama"),
        lambda writer: add_byte_tokenizer(writer, cut),
        **OWN["llama"],
    )
    base = resolve(str(path), cache=tmp_path / "cache")
    assert AutoTokenizer.from_pretrained(base.folder).tokenize(" 123") == pieces


def test_every_known_cut_compiles_and_loses_nothing() -> None:
    from tokenizers import Regex, pre_tokenizers

    text = "It's 12345 déjà-vu:\r\n\n\tΔx  ≠ 'S 東京!!  "
    patterns = {cut for cut in CUTS.values() if "\\p" in cut}
    assert len(patterns) == 4
    for pattern in patterns:
        split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        assert "".join(piece for piece, _ in split.pre_tokenize_str(text)) == text


def as_sentencepiece(text: str, scores: Mapping[str, float]) -> list[str]:
    """The rule of SentencePiece's BPE: again and again join the best pair, the leftmost first."""
    pieces = list(text.replace(" ", "▁"))
    while True:
        pairs = [
            (-scores[a + b], n) for n, (a, b) in enumerate(pairwise(pieces)) if a + b in scores
        ]
        if not pairs:
            return pieces
        _, at = min(pairs)
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


@pytest.mark.parametrize("prefix", [True, False])
def test_a_sentencepiece_tokenizer_cuts_as_sentencepiece(prefix: bool, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    def tokenizer_of_file(writer: GGUFWriter) -> None:
        add_piece_tokenizer(writer)
        writer.add_add_space_prefix(prefix)

    tensors = stored(network("gemma"), "gemma")
    path = write(tmp_path / "a.gguf", "gemma", tensors, tokenizer_of_file, **OWN["gemma"])
    tokenizer = AutoTokenizer.from_pretrained(resolve(str(path), cache=tmp_path / "c").folder)
    tokens, _, numbers = piece_vocabulary()
    scores = dict(zip(tokens[259:], numbers[259:], strict=True))
    rng = random.Random(4)
    texts = ["hello world", *("".join(rng.choices("helowrd ", k=12)) for _ in range(200))]
    for text in texts:
        assert tokenizer.tokenize(text) == as_sentencepiece(" " * prefix + text, scores)
    assert tokenizer("hello")["input_ids"][0] == tokenizer.bos_token_id == 1
    for text in ("hello ñ world", "hello  world", "日本"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_merges_are_the_best_pieces_first() -> None:
    tokens = ["a", "b", "c", "ab", "bc", "abc"]
    assert recover_merges(tokens, [0, 0, 0, -2.0, -1.0, -3.0]) == [
        ("b", "c"),
        ("a", "b"),
        ("ab", "c"),
        ("a", "bc"),
    ]
