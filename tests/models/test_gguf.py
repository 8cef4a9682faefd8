"""GGUF files become bases that give the same answers; a bad file is refused before it is read."""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.quants import dequantize, quantize

from afina.errors import ModelError
from afina.models import gguf, gguf_families
from afina.models.gguf_tokenizer import CUTS, recover_merges
from afina.models.sources import resolve

Fields = dict[str, Any]
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
HEADS, KV_HEADS, HEAD_DIM, WIDTH = 4, 2, 16, 64


# ---------------------------------------------------------------------------- making files


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


# ---------------------------------------------------------------------------- bad files


def head(version: int = 3, tensors: int = 0, fields: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + rest


def name(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def field(key: str, kind: int, value: bytes) -> bytes:
    return name(key) + struct.pack("<I", kind) + value


def tensor(key: str, shape: list[int], kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return name(key) + sizes + struct.pack("<IQ", kind, offset)


ARRAY_OF_ARRAYS = struct.pack("<IQ", 9, 1)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "too short"),
    "another file": (b"PK\3\4" + bytes(40), "begins with"),
    "version 1": (head(version=1), "version 1"),
    "big endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version"),
    "endless tensors": (head(tensors=2**63), "tensors"),
    "endless fields": (head(fields=2**40), "fields"),
    "cut in a field": (head(fields=1, rest=name("general.name")), "cut off"),
    "endless text": (head(fields=1, rest=struct.pack("<Q", 2**62) + b"x"), "bytes of text"),
    "text beyond the end": (head(fields=1, rest=struct.pack("<Q", 1000) + b"x" * 10), "cut off"),
    "unknown kind": (head(fields=1, rest=field("a", 99, b"")), "unknown kind 99"),
    "list of lists": (head(fields=1, rest=field("a", 9, ARRAY_OF_ARRAYS)), "unknown kind 9"),
    "endless list": (
        head(fields=1, rest=field("a", 9, struct.pack("<IQ", 4, 2**50))),
        "items in a list",
    ),
    "list beyond the end": (
        head(fields=1, rest=field("a", 9, struct.pack("<IQ", 4, 1_000_000))),
        "cut off",
    ),
    "a field twice": (
        head(fields=2, rest=field("a", 0, b"\1") * 2),
        "'a' appears twice",
    ),
    "not UTF-8": (
        head(fields=1, rest=field("a", 8, struct.pack("<Q", 2) + b"\xff\xfe")),
        "not UTF-8",
    ),
    "nine dimensions": (head(tensors=1, rest=tensor("w", [1] * 9)), "9 dimensions"),
    "unknown numbers": (head(tensors=1, rest=tensor("w", [32], kind=4000)), "number type 4000"),
    "row that is no block": (head(tensors=1, rest=tensor("w", [33], kind=2)), "shape"),
    "empty tensor": (head(tensors=1, rest=tensor("w", [0])), "shape"),
    "endless tensor": (head(tensors=1, rest=tensor("w", [2**39, 2**39])), "cut off"),
    "tensor beyond the end": (head(tensors=1, rest=tensor("w", [8], offset=64)), "cut off"),
    "tensor twice": (
        head(tensors=2, rest=tensor("w", [8]) * 2 + bytes(100)),
        "'w' appears twice",
    ),
    "tensors overlap": (
        head(tensors=2, rest=tensor("v", [8]) + tensor("w", [8], offset=4) + bytes(100)),
        "overlaps",
    ),
    "absurd alignment": (
        head(
            tensors=1,
            fields=1,
            rest=field("general.alignment", 4, struct.pack("<I", 0)) + tensor("w", [1]),
        ),
        "alignment",
    ),
    "no tensors": (head(rest=bytes(8)), "no tensors"),
    "no architecture": (head(tensors=1, rest=tensor("w", [1]) + bytes(100)), "architecture"),
}


@pytest.mark.parametrize("case", BAD, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_file_is_refused_at_once(case: str, tmp_path: Path) -> None:
    content, said = BAD[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(ModelError) as caught:
        resolve(str(path), cache=tmp_path / "cache")
    assert time.process_time() - begun < 1
    assert said in caught.value.what
    assert str(path) in caught.value.where
    assert caught.value.do
    assert not list((tmp_path / "cache").glob("bases/*"))


def test_a_file_cut_off_in_its_weights_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cut off: tensor"):
        resolve(str(path), cache=tmp_path / "cache")


def refuse(tmp_path: Path, said: str, drop: str = "", **changed: Any) -> ModelError:
    tensors = stored(network("llama"), "llama") | changed.pop("tensors", {})
    tensors.pop(drop, None)
    tokenizer = changed.pop("tokenizer", add_byte_tokenizer)
    architecture = changed.pop("architecture", "llama")
    path = write(tmp_path / "x.gguf", architecture, tensors, tokenizer, **OWN["llama"], **changed)
    with pytest.raises(ModelError) as caught:
        resolve(str(path), cache=tmp_path / "cache")
    assert said in f"{caught.value.what} {caught.value.do}"
    assert not [p for p in (tmp_path / "cache").glob("bases/*") if not drop]
    return caught.value


def test_an_unknown_architecture_lists_the_known_ones(tmp_path: Path) -> None:
    error = refuse(tmp_path, "'grok' is not supported", architecture="grok")
    assert "gemma3" in error.do


def test_experts_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path, "with experts", expert_count=8)


def test_an_unknown_cut_is_refused_and_not_guessed(tmp_path: Path) -> None:
    refuse(
        tmp_path, "('martian') is not known", tokenizer=lambda w: add_byte_tokenizer(w, "martian")
    )


def test_a_tensor_without_a_place_is_refused_and_not_dropped(tmp_path: Path) -> None:
    extra = {"blk.0.attn_sinks.weight": np.ones((4, 4), np.float32)}
    refuse(tmp_path, "blk.0.attn_sinks.weight", tensors=extra)


def test_a_missing_tensor_is_refused_and_not_drawn_at_random(tmp_path: Path) -> None:
    refuse(tmp_path, "model.layers.1.mlp.up_proj.weight", drop="blk.1.ffn_up.weight")


def test_one_part_of_a_split_file_is_refused(tmp_path: Path) -> None:
    def split(writer: GGUFWriter) -> None:
        add_byte_tokenizer(writer)
        writer.add_uint16("split.count", 3)

    refuse(tmp_path, "one of 3 parts", tokenizer=split)


def test_a_file_without_vocabulary_is_refused(tmp_path: Path) -> None:
    def none(writer: GGUFWriter) -> None:
        writer.add_tokenizer_model("gpt2")

    refuse(tmp_path, "no vocabulary", tokenizer=none)


def test_another_kind_of_tokenizer_is_refused(tmp_path: Path) -> None:
    def other(writer: GGUFWriter) -> None:
        tokens, kinds, _ = byte_vocabulary()
        writer.add_tokenizer_model("rwkv")
        writer.add_token_list(tokens)
        writer.add_token_types(kinds)

    refuse(tmp_path, "'rwkv' is not supported", tokenizer=other)
