"""Our own look at a model's folder before any library opens it.

Safetensors only, no code of the folder, every size bounded before anything is allocated. Reads
JSON and headers; runs nothing and loads no weights, except that ``check_finite`` scans them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import MachineError, ModelError
from afina.models import tensors as safetensors
from afina.models.safe_config import CONFIG, read_config, read_json
from afina.models.tensors import StoredTensor, names

FLOORS = {"transformers": (5, 3, 0), "torch": (2, 10, 0)}
"""Below these a model's files can run code (CVE-2026-4372, CVE-2026-24747)."""
PICKLES = frozenset(
    {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".mdl", ".joblib", ".npy", ".npz", ".h5"}
)
TOKENIZER, SINGLE, INDEX = "tokenizer.json", "model.safetensors", "model.safetensors.index.json"
MAX_TOKENIZER_BYTES = 256 * 1024 * 1024
_SHARD = re.compile(r"[A-Za-z0-9._-]{1,200}\.safetensors")
_EMBEDDINGS = (
    "embed_tokens.weight", "word_embeddings.weight", "wte.weight", "tok_embeddings.weight",
    "embed_in.weight", "embeddings.tok_embeddings.weight",
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """A folder that passed: its config, its weights by name and file, what was left unopened."""

    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, StoredTensor]
    files: Mapping[str, tuple[str, ...]]
    """Names of the tensors in each weights file."""
    tokens: int
    """One more than the highest token id of the tokenizer."""
    unopened: tuple[str, ...] = ()
    """Pickle files that lie beside the weights; never opened."""

    @property
    def rows(self) -> int | None:
        """Rows of the embedding, None where no tensor is known to be it."""
        name = embedding_name(self.tensors)
        return self.tensors[name].shape[0] if name else None


def check_folder(folder: Path) -> Checked:
    """Everything that can be told without opening a weight. Raises ModelError, MachineError.

    Order: library versions, code, pickles, config, weights' headers, tokenizer; each names file
    and remedy.
    """
    check_floors()
    if not folder.is_dir():
        raise ModelError("there is no such folder", where=str(folder), do="check the path")
    unopened = _check_files(folder)
    config = read_config(folder / CONFIG)
    stored, files = read_weights(folder)
    _check_embedding(folder, config, stored)
    tokens = read_tokenizer(folder, stored, config)
    return Checked(folder, config, stored, files, tokens, unopened)


def check_floors() -> None:
    """Raise MachineError if Transformers or torch is a version with a known hole."""
    from importlib.metadata import version

    for package, floor in FLOORS.items():
        found = version(package)
        if tuple(int(n) for n in re.findall(r"\d+", found)[:3]) < floor:
            wanted = ".".join(map(str, floor))
            raise MachineError(
                f"{package} {found} can be made to run code by a model's files",
                where="the Python environment",
                do=f"pip install '{package}>={wanted}'",
            )


def _check_files(folder: Path) -> tuple[str, ...]:
    paths = [*folder.iterdir(), *folder.glob("*/*")]
    inside = sorted(p.relative_to(folder).as_posix() for p in paths if p.is_file())
    code = [n for n in inside if n.endswith((".py", ".pyc", ".so", ".dll"))]
    if code:
        raise ModelError(
            f"the folder holds code of its own ({names(code)}), which is never run",
            where=str(folder),
            do="take a model that Transformers knows without remote code, "
            "or move the files out if they do not belong to it",
        )
    pickles = tuple(n for n in inside if Path(n).suffix.lower() in PICKLES)
    if not any(n in (SINGLE, INDEX) for n in inside):
        raise _no_weights(folder, inside, pickles)
    return pickles


def _no_weights(folder: Path, inside: list[str], pickles: tuple[str, ...]) -> ModelError:
    if "adapter_config.json" in inside:
        return ModelError(
            "this is an adapter, not a base model",
            where=str(folder),
            do="name the model that it was trained on; an adapter is used through its run",
        )
    if pickles:
        return ModelError(
            f"the weights are pickles ({names(pickles)}), which can run code: safetensors only",
            where=str(folder),
            do="convert them where you trust them: "
            "AutoModel.from_pretrained(FOLDER).save_pretrained(NEW, safe_serialization=True)",
        )
    return ModelError(
        f"there are no weights here: neither {SINGLE} nor {INDEX}",
        where=str(folder),
        do="name the folder of a model in Transformers' format, or a .gguf file",
    )


# ---------------------------------------------------------------------------- weights


def read_weights(folder: Path) -> tuple[dict[str, StoredTensor], dict[str, tuple[str, ...]]]:
    """The tensors of all weights files of a folder, and which file holds which. Raises ModelError.

    One file ``model.safetensors``, or the shards that the index names: all there, each name in the
    file that the index says, none besides.
    """
    if (folder / SINGLE).is_file():
        found = safetensors.read_header(folder / SINGLE)
        if not found:
            raise ModelError(
                "there are no tensors", where=str(folder / SINGLE), do="fetch it again"
            )
        return found, {SINGLE: tuple(found)}
    index = read_json(folder / INDEX, most_bytes=64 * 1024 * 1024)
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ModelError("weight_map is missing", where=str(folder / INDEX), do="fetch it again")
    stored: dict[str, StoredTensor] = {}
    files: dict[str, tuple[str, ...]] = {}
    for shard in sorted(set(map(str, places.values()))):
        inside = _read_shard(folder, shard)
        wanted = {name for name, place in places.items() if place == shard}
        _same_tensors(folder, shard, wanted, set(inside))
        stored |= inside
        files[shard] = tuple(inside)
    extra = {p.name for p in folder.glob("model-*-of-*.safetensors")} - set(files)
    if extra:
        raise ModelError(
            f"the shard {names(sorted(extra))} is not in the index",
            where=str(folder / INDEX),
            do="fetch index and shards together",
        )
    return stored, files


def _read_shard(folder: Path, shard: str) -> dict[str, StoredTensor]:
    if not _SHARD.fullmatch(shard):
        raise ModelError(
            f"{shard[:80]!r} is not the name of a file in this folder",
            where=str(folder / INDEX),
            do="fetch it again from where it came from",
        )
    if not (folder / shard).is_file():
        raise ModelError(
            f"the shard {shard} is missing",
            where=str(folder),
            do="fetch the missing file: the index names it",
        )
    return safetensors.read_header(folder / shard)


def _same_tensors(folder: Path, shard: str, wanted: set[str], inside: set[str]) -> None:
    if wanted - inside:
        raise ModelError(
            f"the index names tensors that {shard} does not hold: {names(sorted(wanted - inside))}",
            where=str(folder / INDEX),
            do="fetch index and shards together",
        )
    if inside - wanted:
        raise ModelError(
            f"{shard} holds tensors that the index does not name there: "
            f"{names(sorted(inside - wanted))}",
            where=str(folder / INDEX),
            do="fetch index and shards together",
        )


def embedding_name(stored: Mapping[str, StoredTensor]) -> str | None:
    """The tensor of the input embedding, where its name is one of the usual ones."""
    found = [n for n, t in stored.items() if n.endswith(_EMBEDDINGS) and len(t.shape) == 2]
    return min(found, key=len, default=None)


def _check_embedding(
    folder: Path, config: Mapping[str, Any], stored: Mapping[str, StoredTensor]
) -> None:
    name = embedding_name(stored)
    text = config.get("text_config")
    sizes = text if isinstance(text, dict) else config
    rows = sizes.get("vocab_size")
    width = next((sizes[k] for k in ("embedding_size", "word_embed_proj_dim", "hidden_size",
                                     "n_embd", "dim", "d_model") if k in sizes), None)  # fmt: skip
    if name is None or rows is None or width is None:
        return
    if stored[name].shape != (rows, width):
        raise ModelError(
            f"{name} has shape {list(stored[name].shape)}, the config says {[rows, width]}",
            where=str(folder),
            do="config and weights are of different models: fetch both again",
        )


def check_finite(folder: Path) -> list[str]:
    """Names of the tensors that hold NaN or infinity, over all weights files. Reads them whole."""
    stored, files = read_weights(folder)
    bad: list[str] = []
    for file, inside in files.items():
        bad += safetensors.not_finite(folder / file, {n: stored[n] for n in inside})
    return sorted(bad)


# ---------------------------------------------------------------------------- tokenizer


def read_tokenizer(
    folder: Path, stored: Mapping[str, StoredTensor], config: Mapping[str, Any]
) -> int:
    """One more than the highest token id; raises ModelError if the tokenizer does not fit."""
    path = folder / TOKENIZER
    if not path.is_file():
        raise ModelError(
            f"there is no {TOKENIZER}",
            where=str(folder),
            do="AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes it",
        )
    vocabulary = _vocabulary(path)
    tokens = max(vocabulary.values(), default=-1) + 1
    name = embedding_name(stored)
    if name and tokens > stored[name].shape[0]:
        raise ModelError(
            f"the tokenizer has ids up to {tokens - 1} and the model {stored[name].shape[0]} "
            f"embeddings ({name})",
            where=str(path),
            do="the tokenizer belongs to another model: fetch the one of this model",
        )
    _check_special(folder, vocabulary, stored, config)
    return tokens


def _vocabulary(path: Path) -> dict[str, int]:
    file = read_json(path, MAX_TOKENIZER_BYTES)
    model = file.get("model")
    pieces = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(pieces, dict):
        found = dict(pieces)
    elif isinstance(pieces, list) and all(isinstance(p, list) and p for p in pieces):
        found = {str(piece[0]): number for number, piece in enumerate(pieces)}
    else:
        raise ModelError("it has no vocabulary", where=str(path), do="fetch it again")
    added = file.get("added_tokens") or []
    for token in added if isinstance(added, list) else []:
        if isinstance(token, dict):
            found[str(token.get("content"))] = token.get("id", -1)
    if not found or not all(type(n) is int and n >= 0 for n in found.values()):
        raise ModelError("a token has no sane id", where=str(path), do="fetch it again")
    return found


def _check_special(
    folder: Path,
    vocabulary: Mapping[str, int],
    stored: Mapping[str, StoredTensor],
    config: Mapping[str, Any],
) -> None:
    name = embedding_name(stored)
    most = stored[name].shape[0] if name else max(vocabulary.values()) + 1
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        ids = config.get(key)
        for number in ids if isinstance(ids, list) else [ids]:
            # A few published configs say -1 for "none".
            if type(number) is int and number >= most:
                raise ModelError(
                    f"{number} is beyond the {most} tokens of the model",
                    where=f"{folder / CONFIG}: {key}",
                    do="config and tokenizer are of different models: fetch both again",
                )
    path = folder / "tokenizer_config.json"
    settings = read_json(path) if path.is_file() else {}
    for key in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = settings.get(key)
        text = value.get("content") if isinstance(value, dict) else value
        if (
            isinstance(text, str)
            and text not in vocabulary
            and "added_tokens_decoder" not in settings
        ):
            raise ModelError(
                f"{text[:40]!r} is not in the vocabulary of {TOKENIZER}",
                where=f"{path}: {key}",
                do="the tokenizer's files belong to different models: fetch them together",
            )
