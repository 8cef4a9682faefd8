"""The parts of a tuned model on disk: the whole model, an adapter in PEFT's format, bottlenecks in ours.

A method names its parts (``Method.keeps``); each has one function that writes it and one that puts
it back, strictly: a missing, unknown or misshapen weight is refused.

Bottlenecks: ``bottleneck.safetensors`` holds every weight that moves by its name in the Transformers
network (``….output.dense.bottleneck.down.weight``, layer norms under their own names), float32;
``bottleneck.json`` beside it says the base and the method's knobs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from afina.errors import ModelError
from afina.types import Kept

if TYPE_CHECKING:
    from afina.models.load import Model

PEFT_FILE = "adapter_model.safetensors"
BOTTLENECK_FILE = "bottleneck.safetensors"
BOTTLENECK_CARD = "bottleneck.json"
FORMAT = 1
"""Of ``bottleneck.json``; a change that an older Afina could not read raises it."""

Weights = Mapping[str, torch.Tensor]
"""Trained parameters by their name in ``network.module``, float32."""


def write_parts(model: Model, folder: Path, weights: Weights) -> None:
    """Write what the method keeps."""
    assert model.method is not None
    for part in model.method.keeps:
        _WRITERS[part](model, folder, weights)


def fill_parts(model: Model, folder: Path) -> None:
    """Put back what ``write_parts`` wrote beside a base (a whole model is loaded, not filled).

    Raises ModelError if a file is missing or does not belong to this base and method.
    """
    assert model.method is not None
    for part in model.method.keeps:
        _FILLERS[part](model, folder)


def check_names(expected: Iterable[str], found: Iterable[str], where: Path) -> None:
    """Raise ModelError unless both name the same weights."""
    missing = sorted(set(expected) - set(found))
    unknown = sorted(set(found) - set(expected))
    if missing or unknown:
        raise ModelError(
            f"{len(missing)} weights are missing and {len(unknown)} are unknown"
            + (f"; first missing: {missing[0]}" if missing else f"; first unknown: {unknown[0]}"),
            where=str(where),
            do="this adapter belongs to another base, or the file was changed",
        )


# ---------------------------------------------------------------------------- the whole model


def _write_model(model: Model, folder: Path, weights: Weights) -> None:
    module: Any = model.network.module
    module.save_pretrained(folder)


# ---------------------------------------------------------------------------- PEFT


def _write_peft(model: Model, folder: Path, weights: Weights) -> None:
    module: Any = model.network.module
    kept = _peft_names(module)
    own = module.state_dict()
    state = {n: weights.get(n, t) for n, t in own.items() if _without_adapter_name(n) in kept}
    assert model.method is not None
    path = folder / "adapter_config.json"
    on_disk, changed = model.method.written(module, state)
    module.save_pretrained(folder, state_dict=dict(on_disk), save_embedding_layers=False)
    config = json.loads(path.read_text(encoding="utf-8"))
    # The base's public name, not a folder of this machine.
    config |= {"base_model_name_or_path": model.base.name, **changed}
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _fill_peft(model: Model, folder: Path) -> None:
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    module: Any = model.network.module
    assert model.method is not None
    saved = model.method.read(module, _read(folder / PEFT_FILE, model))
    expected = get_peft_model_state_dict(module, save_embedding_layers=False)
    _check_fits(expected, saved, folder / PEFT_FILE)
    set_peft_model_state_dict(module, dict(saved))


def _peft_names(module: Any) -> set[str]:
    from peft import get_peft_model_state_dict

    return set(get_peft_model_state_dict(module, save_embedding_layers=False))


def _without_adapter_name(name: str) -> str:
    short = name.replace(".default", "")
    return short.removesuffix(".weight") if "lora_magnitude_vector" in short else short


# ---------------------------------------------------------------------------- bottlenecks


def _write_bottleneck(model: Model, folder: Path, weights: Weights) -> None:
    from safetensors.torch import save_file

    assert model.method is not None
    names = _bottleneck_names(model)
    save_file(
        {names[n]: _float32(w) for n, w in weights.items() if n in names}, folder / BOTTLENECK_FILE
    )
    card = {
        "format": FORMAT,
        "base": {"name": model.base.name, "sha256": model.base.sha256},
        "method": model.method.model_dump(mode="json"),
    }
    (folder / BOTTLENECK_CARD).write_text(json.dumps(card, indent=2), encoding="utf-8")


def _fill_bottleneck(model: Model, folder: Path) -> None:
    path = folder / BOTTLENECK_FILE
    names = _bottleneck_names(model)
    own = dict(model.network.module.named_parameters())
    expected = {on_disk: own[name] for name, on_disk in names.items()}
    saved = _read(path, model)
    _check_fits(expected, saved, path)
    with torch.no_grad():
        for name, parameter in expected.items():
            parameter.copy_(saved[name])


def _bottleneck_names(model: Model) -> dict[str, str]:
    """For each weight that moves and is not PEFT's: its name in the Transformers network."""
    module = model.network.module
    wrapped = hasattr(module, "peft_config")
    kept = _peft_names(module) if wrapped else set()
    prefix = "base_model.model." if wrapped else ""
    return {
        name: name.removeprefix(prefix)
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and _without_adapter_name(name) not in kept
    }


# ---------------------------------------------------------------------------- files


def _read(path: Path, model: Model) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError("a file of the tuned model is missing", where=str(path), do="train again")
    found: dict[str, torch.Tensor] = load_file(path, device=str(model.device))
    return found


def _check_fits(expected: Weights, saved: Weights, where: Path) -> None:
    check_names(expected, saved, where)
    for name, tensor in saved.items():
        if tensor.shape != expected[name].shape:
            raise ModelError(
                f"{name} has shape {tuple(tensor.shape)}, the base needs {tuple(expected[name].shape)}",
                where=str(where.parent),
                do="this adapter belongs to another base or another rank",
            )


def _float32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().float().cpu().contiguous()


_WRITERS: dict[Kept, Callable[[Model, Path, Weights], None]] = {
    "model": _write_model,
    "peft": _write_peft,
    "bottleneck": _write_bottleneck,
}
_FILLERS: dict[Kept, Callable[[Model, Path], None]] = {
    "peft": _fill_peft,
    "bottleneck": _fill_bottleneck,
}
