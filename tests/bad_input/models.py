"""Bad bases (M), and knobs and rows that only the base can refuse."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input.cases import RECIPE, Case, Change, chat, knob, recipe


def in_base(name: str, content: bytes | str | None) -> Change:
    """One file of the base folder is this, or is not there."""

    def change(room: Path) -> None:
        path = room / "base" / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))

    return change


def config(**changes: Any) -> Change:
    """The base's config.json with other values; None takes a key out."""

    def change(room: Path) -> None:
        path = room / "base" / "config.json"
        value = {**json.loads(path.read_text(encoding="utf-8")), **changes}
        kept = {k: v for k, v in value.items() if v is not None}
        path.write_text(json.dumps(kept), encoding="utf-8")

    return change


def weights(change_bytes: Callable[[bytes], bytes]) -> Change:
    def change(room: Path) -> None:
        path = room / "base" / "model.safetensors"
        path.write_bytes(change_bytes(path.read_bytes()))

    return change


def header(change_header: Callable[[dict[str, Any]], object]) -> Change:
    """The safetensors header rewritten; the numbers after it stay."""

    def change_bytes(content: bytes) -> bytes:
        size = struct.unpack("<Q", content[:8])[0]
        value = json.loads(content[8 : 8 + size])
        change_header(value)
        text = json.dumps(value).encode()
        return struct.pack("<Q", len(text)) + text + content[8 + size :]

    return weights(change_bytes)


def first(value: dict[str, Any]) -> dict[str, Any]:
    """The first tensor of a header."""
    return next(v for k, v in value.items() if k != "__metadata__")


def renamed(old: str, new: str) -> Change:
    return lambda room: (room / "base" / old).rename(room / "base" / new)


def infinite(content: bytes) -> bytes:
    return content[:-4] + struct.pack("<f", float("inf"))


SHOW = ("models", "show", "./base")
PLAN = ("plan", "recipe.yaml")
WEIGHTS = "model.safetensors"
LONG = [json.dumps({"prompt": f"{i} go on " * 400, "completion": "yes"}) for i in range(9)]
LONG_ANSWER = [json.dumps({"prompt": f"q{i}", "completion": "yes " * 900}) for i in range(9)]
INDEX = json.dumps({"metadata": {}, "weight_map": {"a.weight": "model-00001-of-00002.safetensors"}})

MODELS = [
    Case("M1 path", lambda r: shutil.rmtree(r / "base"), ("base", "no folder"), words=SHOW),
    Case(
        "M1 hub id",
        recipe(RECIPE.replace("./base", "org/no-such-model")),
        ("org/no-such-model",),
        3,
    ),
    Case("M1 a word", recipe(RECIPE.replace("./base", "MiniLM")), ("MiniLM",), 3),
    Case(
        "M2 pickle only", renamed(WEIGHTS, "pytorch_model.bin"), ("safetensors", ".bin"), words=SHOW
    ),
    Case("M4 auto_map", config(auto_map={"AutoModel": "m.M"}), ("auto_map",), words=SHOW),
    Case("M4 python", in_base("modeling_x.py", "print(1)"), ("modeling_x.py",), words=SHOW),
    Case("M5 broken", in_base("config.json", "{"), ("config.json",), words=SHOW),
    Case("M5 none", in_base("config.json", None), ("config.json",), words=SHOW),
    Case("M5 no type", config(model_type=None), ("model_type",), words=SHOW),
    Case(
        "M5 unknown", config(model_type="nosuch", architectures=["NoSuch"]), ("nosuch",), words=SHOW
    ),
    Case("M6 newline", config(model_type="bert\nimport os"), ("model_type",), words=SHOW),
    Case("M6 layers", config(num_hidden_layers=10**9), ("num_hidden_layers",), words=SHOW),
    Case("M6 negative", config(hidden_size=-1), ("hidden_size",), words=SHOW),
    Case("M7 one byte", weights(lambda b: b[:-1]), (WEIGHTS,), words=SHOW),
    Case("M7 length", weights(lambda b: struct.pack("<Q", 2**63) + b[8:]), (WEIGHTS,), words=SHOW),
    Case("M7 dtype", header(lambda h: first(h).update(dtype="F7")), (WEIGHTS, "F7"), words=SHOW),
    Case(
        "M7 overlap", header(lambda h: first(h).update(data_offsets=[0, 8])), (WEIGHTS,), words=SHOW
    ),
    Case(
        "M7 tensors",
        header(
            lambda h: h.update(
                {
                    f"x{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                    for i in range(100_001)
                }
            )
        ),
        (WEIGHTS,),
        words=SHOW,
    ),
    Case("M7 not JSON", weights(lambda b: b[:8] + b"}" + b[9:]), (WEIGHTS,), words=SHOW),
    Case("M7 empty", in_base(WEIGHTS, b""), (WEIGHTS,), words=SHOW),
    Case(
        "M8 shard",
        lambda r: (
            renamed(WEIGHTS, "x.safetensors")(r),
            in_base("model.safetensors.index.json", INDEX)(r),
        ),
        ("model-00001-of-00002.safetensors",),
        words=SHOW,
    ),
    Case(
        "M9 shape",
        config(vocab_size=17),
        ("embeddings.word_embeddings.weight", "[17, 32]"),
        words=SHOW,
    ),
    Case("M12 tokenizer", in_base("tokenizer.json", None), ("tokenizer",), words=SHOW),
    Case("M22 encoder", chat(), ("base", "encoder"), words=PLAN),
    Case(
        "GGUF",
        lambda r: (
            recipe(RECIPE.replace("./base", "x.gguf"))(r),
            (r / "x.gguf").write_bytes(b"GGUFnot"),
        ),
        ("x.gguf",),
        words=PLAN,
    ),
    Case("C10 rank", knob("method: {name: lora, rank: 4096}"), ("method.rank",), words=PLAN),
    Case(
        "C11 targets",
        knob("method: {name: lora, targets: [nosuch]}"),
        ("method.targets", "nosuch"),
        words=PLAN,
    ),
    Case(
        "C12 regex", knob("method: {name: partial, freeze: ['(']}"), ("method.freeze",), words=PLAN
    ),
    Case(
        "C12 no match",
        knob("method: {name: partial, freeze: ['nosuch']}"),
        ("method.freeze", "nosuch"),
        words=PLAN,
    ),
    Case(
        "max_length", knob("train: {max_length: 9999}"), ("train.max_length", "at most"), words=PLAN
    ),
    Case(
        "micro batch",
        knob("train: {batch_size: 4, micro_batch_size: 8}"),
        ("micro_batch_size",),
        words=PLAN,
    ),
    Case("scorer", knob("evaluate: {scorers: [acuracy]}"), ("acuracy", "accuracy"), words=PLAN),
    Case("baseline", knob("evaluate: {baselines: [majorty]}"), ("majorty", "majority"), words=PLAN),
    Case("metric", knob("goal: {metric: f2}"), ("goal.metric", "f2"), words=PLAN),
    Case("GPU", knob("train: {device: cuda}"), ("no CUDA GPU", "train.device"), 3, PLAN),
    Case(
        "show-loss",
        lambda r: None,
        ("a task that writes no text",),
        words=("check", "recipe.yaml", "--show-loss"),
    ),
]
DECODER = [
    Case("D28 prompt", chat(*LONG), ("rows.jsonl: row 3", "tokens"), words=PLAN),
    Case("D29 answer", chat(*LONG_ANSWER), ("rows.jsonl: row 3", "tokens"), words=PLAN),
    Case(
        "max_length",
        lambda r: (
            chat(*LONG)(r),
            (r / "recipe.yaml").write_text(
                (r / "recipe.yaml").read_text() + "train: {max_length: 8}\n"
            ),
        ),
        ("rows.jsonl", "tokens"),
        words=PLAN,
    ),
]
