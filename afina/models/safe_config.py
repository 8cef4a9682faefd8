"""A model's config.json, and any JSON of its folder, read with bounds and without trust.

A config is text that somebody wrote: its names pick classes and its sizes allocate memory, so each
is checked before any library sees it (in CVE-2026-93348 a line break in a name became code).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afina.errors import ModelError, nearest
from afina.models.tensors import unique_names

CONFIG = "config.json"
MAX_CONFIG_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 24
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_LIMITS = {
    "hidden_size": 1 << 17, "n_embd": 1 << 17, "d_model": 1 << 17, "dim": 1 << 17,
    "embedding_size": 1 << 17, "intermediate_size": 1 << 20, "n_inner": 1 << 20,
    "hidden_dim": 1 << 20, "num_hidden_layers": 1000, "n_layer": 1000, "n_layers": 1000,
    "num_layers": 1000, "num_attention_heads": 4096, "n_head": 4096, "n_heads": 4096,
    "num_key_value_heads": 4096, "head_dim": 1 << 16, "vocab_size": 10_000_000,
    "type_vocab_size": 10_000, "max_position_embeddings": 1 << 31, "n_positions": 1 << 31,
    "num_experts": 10_000, "num_local_experts": 10_000,
}  # fmt: skip
"""Largest believable value of each size in a config.json."""
_MAY_BE_NULL = frozenset({"n_inner", "head_dim", "num_key_value_heads", "intermediate_size"})


def read_json(path: Path, most_bytes: int = MAX_CONFIG_BYTES) -> dict[str, Any]:
    """A JSON object from a model's folder, bounded in size; each name once. Raises ModelError."""
    if not path.is_file():
        raise ModelError(
            "the file is missing", where=str(path), do="fetch the whole folder of the model"
        )
    if path.stat().st_size > most_bytes:
        raise ModelError(
            f"the file has {path.stat().st_size} bytes, more than {most_bytes}",
            where=str(path),
            do="fetch it again from where it came from",
        )
    try:
        value = json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=unique_names)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"not valid JSON: {error}",
            where=str(path),
            do="fetch it again from where it came from",
        ) from None
    if not isinstance(value, dict):
        raise ModelError("not a JSON object", where=str(path), do="fetch it again")
    return value


def read_config(path: Path) -> dict[str, Any]:
    """A checked config.json: a known family, sane names and sizes, nothing that asks for code."""
    config = read_json(path)
    for key, value in _walk(config, path):
        _check_value(path, key, value)
    for other in ("tokenizer_config.json", "generation_config.json", "processor_config.json"):
        beside = path.parent / other
        if beside.is_file() and "auto_map" in read_json(beside):
            raise _remote_code(beside)
    family = config.get("model_type")
    if not isinstance(family, str):
        raise ModelError(
            "model_type is missing: nothing says which architecture this is",
            where=str(path),
            do=f"supported families: {', '.join(families())}, and all others of Transformers",
        )
    _check_family(path, family)
    return config


def _walk(value: Any, path: Path, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        raise ModelError(
            f"nested deeper than {MAX_DEPTH} levels", where=f"{path}: {key}", do="fetch it again"
        )
    if isinstance(value, dict):
        for name, inner in value.items():
            here = f"{key}.{name}" if key else name
            yield here, inner
            yield from _walk(inner, path, here, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield f"{key}[{number}]", inner
            yield from _walk(inner, path, f"{key}[{number}]", depth + 1)


def _check_value(path: Path, key: str, value: Any) -> None:
    name = key.rsplit(".", 1)[-1]
    if name == "auto_map":
        raise _remote_code(path)
    if isinstance(value, str) and any(ord(c) < 32 or ord(c) == 127 for c in key + value):
        raise ModelError(
            f"the text {value[:60]!r} has a line break or control character",
            where=f"{path}: {key!r}",
            do="take the model from another source: no real config has one",
        )
    if name == "model_type" and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise ModelError(
            f"{str(value)[:80]!r} is not the name of an architecture",
            where=f"{path}: {key}",
            do=f"supported families: {', '.join(families())}, and all others of Transformers",
        )
    if name in _LIMITS and not (value is None and name in _MAY_BE_NULL):
        _check_size(path, key, value, _LIMITS[name])


def _check_size(path: Path, key: str, value: Any, most: int) -> None:
    for number in value if isinstance(value, list) else [value]:
        if type(number) is not int or not 0 < number <= most:
            raise ModelError(
                f"{str(number)[:40]} is not a size between 1 and {most}",
                where=f"{path}: {key}",
                do="fetch it again from where it came from",
            )


def _remote_code(path: Path) -> ModelError:
    return ModelError(
        "the model asks to run code of its own (auto_map): remote code is never run",
        where=str(path),
        do="take a model of an architecture that Transformers has built in",
    )


def families() -> tuple[str, ...]:
    """The families that Afina is tested with, for messages."""
    return ("llama", "mistral", "qwen2", "qwen3", "gemma3_text", "phi3", "gpt2", "bert", "roberta",
            "xlm-roberta", "distilbert", "modernbert")  # fmt: skip


def _check_family(path: Path, family: str) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if family not in CONFIG_MAPPING_NAMES:
        raise ModelError(
            f"the architecture {family!r} is unknown to the installed Transformers",
            where=f"{path}: model_type",
            do=f"{nearest(family, CONFIG_MAPPING_NAMES)}; or upgrade transformers. "
            f"Tested families: {', '.join(families())}",
        )
