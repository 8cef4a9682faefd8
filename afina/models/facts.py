"""The facts of a base's folder, worked out from its files: the cold path of ``sources``.

Everything is checked on the way: files, headers, structure, NaN. Reads the weights for their hash
and for the search of NaN; loads none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from afina.errors import ModelError
from afina.models import structure
from afina.models.base_cache import sha256_of
from afina.models.safe import Checked, check_finite, check_folder
from afina.models.safe_config import read_json
from afina.models.sources import Base, Pooling
from afina.models.tensors import BITS, FLOATING, names

_VOLATILE = frozenset({"_name_or_path", "transformers_version", "torch_dtype", "dtype"})
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_UNBOUNDED = 1 << 20
"""Context length of an architecture that has none (a state-space model with no stated limit)."""


def work_out(folder: Path, card: Mapping[str, Any]) -> Base:
    """Check a folder and describe it. ``card``: what the cache noted when it made the folder.

    Raises ModelError, each with file and remedy; the name is left empty.
    """
    checked = check_folder(folder)
    kind = structure.kind_of(checked.config, folder)
    config = structure.configure(checked.config, folder)
    if "quantization_config" not in checked.config:
        structure.check_structure(config, kind, checked.tensors, folder)
    bad = check_finite(folder)
    if bad:
        raise ModelError(
            f"{len(bad)} weights hold NaN or infinity: {names(bad)}",
            where=str(folder),
            do="fetch it again; a model with such weights answers nothing and cannot be tuned",
        )
    tunable, reason = _tunable(checked)
    licence, note = _licence(folder, card)
    return Base(
        name="",
        folder=folder,
        kind=kind,
        architecture=structure.architecture_of(checked.config),
        model_type=str(checked.config["model_type"]),
        parameters=_parameters(checked),
        bytes=sum((folder / file).stat().st_size for file in checked.files),
        dtype=_dtype(checked),
        licence=licence,
        licence_note=note,
        context_length=_context(checked, config),
        hidden_size=int(config.hidden_size),
        layers=_layers(config, kind),
        vocabulary=checked.rows or int(config.vocab_size),
        pooling=_pooling(folder),
        chat_template=_has_template(folder),
        tunable=tunable,
        tunable_reason=reason,
        sha256=_identity(checked),
        source=str(card.get("source") or _place(folder)),
        prompts=_prompts(folder),
        unopened=checked.unopened,
    )


def _parameters(checked: Checked) -> int:
    tied = checked.config.get("tie_word_embeddings", True) and any(
        n.endswith(("embed_tokens.weight", "wte.weight", "shared.weight")) for n in checked.tensors
    )
    shared = any(n in ("shared.weight", "model.shared.weight") for n in checked.tensors)
    return sum(
        tensor.numbers
        for name, tensor in checked.tensors.items()
        if tensor.dtype in FLOATING
        and not (tied and name == "lm_head.weight")
        and not (shared and name.endswith("embed_tokens.weight"))
        and not name.endswith(("inv_freq", "final_logits_bias"))
    )


def _layers(config: Any, kind: structure.Kind) -> int:
    if kind != "seq2seq":
        return int(config.num_hidden_layers)
    ends = (("encoder_layers", "decoder_layers"), ("num_layers", "num_decoder_layers"))
    pair = next(p for p in ends if all(getattr(config, name, None) for name in p))
    return sum(int(getattr(config, name)) for name in pair)


def _dtype(checked: Checked) -> str:
    """The number type that holds most bytes."""
    total: dict[str, int] = {}
    for tensor in checked.tensors.values():
        total[tensor.dtype] = total.get(tensor.dtype, 0) + tensor.numbers * BITS[tensor.dtype]
    most = max(total, key=lambda dtype: total[dtype])
    return _DTYPES.get(most, most.lower())


def _tunable(checked: Checked) -> tuple[bool, str]:
    packing = checked.config.get("quantization_config")
    if packing is not None:
        method = packing.get("quant_method", "unknown") if isinstance(packing, dict) else "unknown"
        return False, (
            f"its weights are quantised already ({method}): tune the original and quantise after"
        )
    return True, "float weights of a known architecture"


def _context(checked: Checked, config: Any) -> int:
    """Longest input in tokens: what the positions allow, and no more than the tokenizer says."""
    limits = [
        int(value)
        for key in ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
        if isinstance(value := getattr(config, key, None), int) and value > 0
    ]
    if limits and _counts_from_padding(checked):
        limits = [limits[0] - int(config.pad_token_id) - 1]
    path = checked.folder / "tokenizer_config.json"
    stated = read_json(path).get("model_max_length") if path.is_file() else None
    # Transformers writes 1e30 where it does not know.
    if isinstance(stated, int | float) and 0 < stated < _UNBOUNDED * 16:
        limits = [min([*limits[:1], int(stated)])]
    return limits[0] if limits else _UNBOUNDED


def _counts_from_padding(checked: Checked) -> bool:
    """RoBERTa and its kin number positions from the padding id on: two of 514 are never used."""
    family = str(checked.config["model_type"])
    return family in {
        "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm",
        "data2vec-text", "longformer", "mpnet", "luke", "xmod", "ibert",
    }  # fmt: skip


def _identity(checked: Checked) -> str:
    """SHA-256 over the config, less what changes without the model changing, and the weights."""
    config = {k: v for k, v in checked.config.items() if k not in _VOLATILE}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for file in sorted(checked.files):
        digest.update(sha256_of(checked.folder / file).encode())
    return digest.hexdigest()


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    path = folder / "tokenizer_config.json"
    return path.is_file() and bool(read_json(path).get("chat_template"))


# ---------------------------------------------------------------------------- sentence encoders


def _pooling(folder: Path) -> Pooling | None:
    """What the files of sentence-transformers say, None where there are none or it is another."""
    path = folder / _pooling_folder(folder) / "config.json"
    if not path.is_file():
        return None
    config = read_json(path)
    named = {"cls": "first", "mean": "mean", "lasttoken": "last"}
    switches = {
        "pooling_mode_cls_token": "cls",
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_lasttoken": "lasttoken",
    }
    on = [mode for key, mode in switches.items() if config.get(key) is True]
    wished = config.get("pooling_mode") or (on[0] if len(on) == 1 else None)
    found = named.get(str(wished))
    return found  # type: ignore[return-value]


def _pooling_folder(folder: Path) -> str:
    path = folder / "modules.json"
    if path.is_file() and path.stat().st_size < 1 << 16:
        try:
            modules = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ModelError(
                "not valid JSON", where=str(path), do="fetch it again from where it came from"
            ) from None
        for module in modules if isinstance(modules, list) else []:
            if isinstance(module, dict) and str(module.get("type", "")).endswith("Pooling"):
                place = str(module.get("path", ""))
                if place and Path(place).name == place:
                    return place
    return "1_Pooling"


def _prompts(folder: Path) -> tuple[tuple[str, str], ...]:
    path = folder / "config_sentence_transformers.json"
    prompts = read_json(path).get("prompts") if path.is_file() else None
    if not isinstance(prompts, dict):
        return ()
    return tuple((str(k), str(v)) for k, v in sorted(prompts.items()) if v)


# ---------------------------------------------------------------------------- licence and place


def _licence(folder: Path, card: Mapping[str, Any]) -> tuple[str, str]:
    if card.get("licence") not in (None, "", "unknown"):
        return str(card["licence"]), str(card.get("licence_note", ""))
    front = _front_matter(folder / "README.md")
    stated = front.get("license")
    if isinstance(stated, str) and stated != "other":
        link = front.get("license_link")
        return stated, f"its text: {link}" if isinstance(link, str) else ""
    if isinstance(front.get("license_name"), str):
        return str(front["license_name"]), f"its text: {front.get('license_link', 'in its folder')}"
    texts = sorted(p.name for p in folder.glob("LICEN[SC]E*"))
    if texts:
        return f"see {texts[0]}", f"its text lies in {folder / texts[0]}"
    return "unknown", "no licence is stated: find out before you share what you train from it"


def _front_matter(path: Path) -> dict[str, Any]:
    """The YAML between the first two lines of dashes of a model card; empty if there is none."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(64 * 1024)
    parts = text.split("\n---", 1)
    if not text.startswith("---\n") or len(parts) < 2:
        return {}
    try:
        found = yaml.safe_load(parts[0])
    except yaml.YAMLError:
        return {}  # a card that nobody can read states no licence
    return found if isinstance(found, dict) else {}


def _place(folder: Path) -> str:
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return f"Hugging Face Hub, revision {folder.name}"
    return f"local folder {folder}"
