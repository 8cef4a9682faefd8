"""A tuned model on disk: written so that PEFT and Transformers read it, opened strictly.

What was added to a base is kept beside nothing else of it (see ``kept``); a full model as
Transformers keeps it. ``afina.json`` beside them says which base, task and method they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from afina.errors import CorruptError, ModelError
from afina.models.kept import check_names, fill_parts, write_parts
from afina.models.load import DTYPES, Model, load, make_precise, reads_first, with_head
from afina.models.network import Body
from afina.models.pooler import stores_pooler
from afina.models.quiet import quiet
from afina.models.sources import Base, resolve
from afina.store.durable import write_text
from afina.tasks import Several
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
    inner = {n.removeprefix("module."): w for n, w in weights.items() if n.startswith("module.")}
    write_parts(model, folder, inner)
    if model.network.head is not None:
        head = {
            n.removeprefix("head."): w.detach().float().cpu().contiguous()
            for n, w in weights.items()
            if n.startswith("head.")
        }
        save_file(head, folder / HEAD_FILE)
    if model.base.overrides and model.method.adapter:
        model.network.core.config.save_pretrained(
            folder
        )  # PEFT writes none, and the base's is not this
    model.renderer.tokenizer.save_pretrained(folder)
    card = {
        "base": {"name": model.base.name, "sha256": model.base.sha256},
        "task": model.task.model_dump(mode="json"),
        "method": model.method.model_dump(mode="json"),
        "precision": _precision(model.dtype),
        "exact": model.exact,
        "pair_mark": model.network.pair_mark,
        "cut_to": model.cut_to,
        "overrides": dict(model.base.overrides),
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


def settle_task(folder: Path, task: Task, name: str = "") -> None:
    """Note a task with more settled than when the model was saved (a threshold). ``name``: of
    several."""
    card = read_card(folder)
    whole, _ = parts_of(card)
    settled = whole.having(name, task) if isinstance(whole, Several) else task
    card["task"] = settled.model_dump(mode="json")
    write_text(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False))


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
    if (overrides := card.get("overrides")) and not base.overrides:
        length = int(overrides["max_position_embeddings"])
        base = replace(base, overrides=overrides, context_length=length)
    dtype, exact = DTYPES[card["precision"]], bool(card["exact"])
    if method.adapter:
        model = load(base, task, method.opened(), dtype=dtype, device=device, exact=exact)
        model.method = method
        if method.precise:
            make_precise(model.network.module)
        fill_parts(model, folder)
        model.network.requires_grad_(False)
    else:
        here = _as_base(base, folder)
        model = load(here, task, None, dtype=dtype, device=device, exact=exact)
        model.base, model.method = base, method
    if model.network.head is not None:
        _fill_head(model.network, folder)
    model.cut_to = card.get("cut_to")
    model.network.pair_mark = card.get(
        "pair_mark"
    )  # as it was trained, whatever the base says today
    return model


def with_earlier_task(model: Model, folder: Path, name: str) -> Model:
    """A tuned model as an earlier stage's task has it: its own body under that stage's head.

    ``folder``: of the earlier stage's model; ``name``: of several tasks. Raises ModelError where the
    head reads what this body no longer has.
    """
    card = read_card(folder)
    task, _ = parts_of(card)
    earlier = resolve(card["base"]["name"])
    lost = getattr(model.network.core, "pooler", None) is None
    if reads_first(earlier, task) and lost and stores_pooler(earlier.folder):
        raise ModelError(
            "a later stage left out the pooler that the head of this one reads",
            where=str(folder),
            do="take task.pooling: mean in all stages",
        )
    network = with_head(model.network.module, earlier, task, model.renderer)
    if network.head is not None:
        _fill_head(network, folder)
    network.requires_grad_(False)
    network.to(model.device).eval()
    return replace(model, task=task, network=network, cut_to=card.get("cut_to")).of(name)


def parts_of(card: Mapping[str, Any]) -> tuple[Task, Method]:
    """The task and the method that a card names."""
    from afina.recipe.knobs import AnyMethod, AnyTask

    one: TypeAdapter[Task] = TypeAdapter(AnyTask)
    given = card["task"]
    task: Task
    if given["name"] == "several":
        task = Several(tasks={n: one.validate_python(each) for n, each in given["tasks"].items()})
    else:
        task = one.validate_python(given)
    method: Method = TypeAdapter(AnyMethod).validate_python(card["method"])
    return task, method


def merge(model: Model) -> Model:
    """The model with its adapter added into the base's weights (in float32, then rounded once).

    Raises ModelError for a base in 4 bits, whose weights cannot take the sum.
    """
    if model.method is None or model.method.keeps in (("model",), ()):
        return model  # nothing stands beside the base but a head
    if model.method.four_bit:
        raise ModelError(
            "a 4-bit base cannot take the adapter's weights without losing them to rounding",
            where=f"base: {model.base.name}",
            do="serve the adapter beside the base",
        )
    if model.method.virtual_tokens:
        raise ModelError(
            "virtual tokens stand before every row: no weight of the base can take them",
            where=f"method: {model.method.name}",
            do="serve the adapter beside the base",
        )
    if model.method.keeps != ("peft",):
        raise ModelError(
            "bottlenecks stand between the layers: no weight of the base can take them",
            where=f"method: {model.method.name}",
            do="serve the adapter beside the base",
        )
    module: Any = model.network.module
    merged = module.float().merge_and_unload().to(model.dtype)
    for network in (model.network, *model.network.each):
        network.module = merged
    return model


# ---------------------------------------------------------------------------- inside


def _precision(dtype: torch.dtype) -> str:
    return next(name for name, value in DTYPES.items() if value == dtype)


def _as_base(base: Base, folder: Path) -> Base:
    return replace(base, folder=folder)


def _fill_head(network: Body, folder: Path) -> None:
    from safetensors.torch import load_file

    path = folder / HEAD_FILE
    if not path.is_file():
        raise ModelError("the head is missing", where=str(path), do="train again")
    saved = load_file(path)
    assert network.head is not None
    check_names(network.head.state_dict(), saved, path)
    network.head.load_state_dict(saved)
