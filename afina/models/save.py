"""A tuned model on disk: written so that PEFT and Transformers read it, opened strictly.

An adapter is kept in PEFT's format beside nothing else of the base; a full model as Transformers
keeps it. ``afina.json`` beside them says which base, task and method they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from afina.errors import CorruptError, ModelError
from afina.models.load import DTYPES, Model, load
from afina.models.network import Body
from afina.models.quiet import quiet
from afina.models.sources import Base, resolve
from afina.types import Method, Task

CARD = "afina.json"
HEAD_FILE = "head.safetensors"


@quiet()
def save_model(
    model: Model, folder: Path, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any]
) -> None:
    """Write a tuned model. ``weights``: the trained parameters by name, float32.

    An adapter is written in float32; a full model in the precision it was trained to run in, so
    that what is reloaded is what was measured.
    """
    from safetensors.torch import save_file

    assert model.method is not None
    folder.mkdir(parents=True, exist_ok=True)
    module: Any = model.network.module
    inner = {n.removeprefix("module."): w for n, w in weights.items() if n.startswith("module.")}
    if model.method.adapter:
        state = {**_adapter_state(module), **inner}
        module.save_pretrained(folder, state_dict=state, save_embedding_layers=False)
        _name_base(folder, model.base)
    else:
        module.save_pretrained(folder)
    if model.network.head is not None:
        head = {
            n: weights[f"head.{n}"].detach().float().cpu().contiguous() for n in ("weight", "bias")
        }
        save_file(head, folder / HEAD_FILE)
    model.renderer.tokenizer.save_pretrained(folder)
    card = {
        "base": {"name": model.base.name, "sha256": model.base.sha256},
        "task": model.task.model_dump(mode="json"),
        "method": model.method.model_dump(mode="json"),
        "precision": _precision(model.dtype),
        "exact": model.exact,
        **facts,
    }
    (folder / CARD).write_text(json.dumps(card, indent=2, ensure_ascii=False), encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """What ``save_model`` noted about a tuned model. Raises ModelError if it is none."""
    path = folder / CARD
    if not path.is_file():
        raise ModelError("no tuned model here", where=str(folder), do="name a run that succeeded")
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptError(f"not valid JSON: {error}", where=str(path), do="train again") from None
    return card


def open_model(folder: Path, *, device: str = "cpu", base: Base | None = None) -> Model:
    """Open a tuned model, with the base it was trained on.

    Raises ModelError if the base is another one, or a weight is missing or unknown.
    """
    card = read_card(folder)
    task, method = parts_of(card)
    if base is None:
        base = resolve(card["base"]["name"])
    if base.sha256 != card["base"]["sha256"]:
        raise ModelError(
            f"the base {base.name} here is not the one that was tuned "
            f"({base.sha256[:12]} instead of {card['base']['sha256'][:12]})",
            where=str(folder / CARD),
            do="fetch the same base again, or train again",
        )
    dtype, exact = DTYPES[card["precision"]], bool(card["exact"])
    if method.adapter:
        model = load(base, task, method, dtype=dtype, device=device, exact=exact)
        _fill_adapter(model, folder)
        model.network.requires_grad_(False)
    else:
        here = _as_base(base, folder)
        model = load(here, task, None, dtype=dtype, device=device, exact=exact)
        model.base, model.method = base, method
    if model.network.head is not None:
        _fill_head(model.network, folder)
    return model


def parts_of(card: Mapping[str, Any]) -> tuple[Task, Method]:
    """The task and the method that a card names."""
    from afina.recipe.knobs import AnyMethod, AnyTask

    task: Task = TypeAdapter(AnyTask).validate_python(card["task"])
    method: Method = TypeAdapter(AnyMethod).validate_python(card["method"])
    return task, method


def merge(model: Model) -> Model:
    """The model with its adapter added into the base's weights (in float32, then rounded once).

    Raises ModelError for a base in 4 bits, whose weights cannot take the sum.
    """
    if model.method is None or not model.method.adapter:
        return model
    if model.method.four_bit:
        raise ModelError(
            "a 4-bit base cannot take the adapter's weights without losing them to rounding",
            where=f"base: {model.base.name}",
            do="serve the adapter beside the base",
        )
    module: Any = model.network.module
    model.network.module = module.float().merge_and_unload().to(model.dtype)
    return model


# ---------------------------------------------------------------------------- inside


def _precision(dtype: torch.dtype) -> str:
    return next(name for name, value in DTYPES.items() if value == dtype)


def _adapter_state(module: Any) -> dict[str, torch.Tensor]:
    from peft import get_peft_model_state_dict

    names = set(get_peft_model_state_dict(module, save_embedding_layers=False))
    state = module.state_dict()
    return {n: t for n, t in state.items() if _without_adapter_name(n) in names}


def _without_adapter_name(name: str) -> str:
    return name.replace(".default", "")


def _name_base(folder: Path, base: Base) -> None:
    """Say the base's public name, not a folder of this machine, in PEFT's file."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base.name
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _as_base(base: Base, folder: Path) -> Base:
    from dataclasses import replace

    return replace(base, folder=folder)


def _fill_adapter(model: Model, folder: Path) -> None:
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from safetensors.torch import load_file

    module: Any = model.network.module
    saved = load_file(folder / "adapter_model.safetensors", device=str(model.device))
    expected = get_peft_model_state_dict(module, save_embedding_layers=False)
    _same_names(set(expected), set(saved), folder / "adapter_model.safetensors")
    for name, tensor in saved.items():
        if tensor.shape != expected[name].shape:
            raise ModelError(
                f"{name} has shape {tuple(tensor.shape)}, the base needs {tuple(expected[name].shape)}",
                where=str(folder),
                do="this adapter belongs to another base or another rank",
            )
    set_peft_model_state_dict(module, saved)


def _fill_head(network: Body, folder: Path) -> None:
    from safetensors.torch import load_file

    path = folder / HEAD_FILE
    if not path.is_file():
        raise ModelError("the head is missing", where=str(path), do="train again")
    saved = load_file(path)
    _same_names({"weight", "bias"}, set(saved), path)
    assert network.head is not None
    network.head.load_state_dict(saved)


def _same_names(expected: set[str], found: set[str], where: Path) -> None:
    missing, unknown = sorted(expected - found), sorted(found - expected)
    if missing or unknown:
        raise ModelError(
            f"{len(missing)} weights are missing and {len(unknown)} are unknown"
            + (f"; first missing: {missing[0]}" if missing else f"; first unknown: {unknown[0]}"),
            where=str(where),
            do="this adapter belongs to another base, or the file was changed",
        )
