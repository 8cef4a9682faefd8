"""A base with fewer layers, made from a deeper one: the usual start of a student that is to be
distilled (Sanh et al. 2019, arXiv 1910.01108).

The layers that stay keep their weights bit for bit; embeddings, heads and tokenizer stay as they are.
Trains nothing: as it comes, such a base answers worse than the one it was made from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from afina.errors import ModelError, RequestError
from afina.models import structure
from afina.models.made import write_made
from afina.models.safe import INDEX, SINGLE, Checked, check_folder
from afina.models.sources import Base
from afina.store import durable

_LAYER = re.compile(r"(.*?)\.(\d+)\.(.+)")


def make_student(base: Base, layers: int, folder: Path) -> None:
    """Write a base with ``layers`` of the base's layers, spread evenly, into a new folder.

    Raises RequestError for a folder that is there or a number that makes no student, ModelError for
    a base whose layers cannot be told apart.
    """
    if not 1 <= layers < base.layers:
        raise RequestError(
            f"{layers} layers of {base.layers}",
            where="--layers",
            do=f"from 1 to {base.layers - 1}; half of them is usual",
        )
    kept = spread(base.layers, layers)
    checked = check_folder(base.folder)
    write_made(
        base,
        folder,
        partial(_write_weights, checked, _layers_of(checked, base), kept),
        _config(checked, kept),
        source=f"layers {', '.join(map(str, kept))} of {base.layers} of {base.name}",
        needs=base.bytes,
    )


def spread(depth: int, count: int) -> tuple[int, ...]:
    """Which layers stay, from the first to the last: of 12, six are 0, 2, 4, 7, 9, 11."""
    if count == 1:
        return (0,)
    return tuple(round(i * (depth - 1) / (count - 1)) for i in range(count))


def _layers_of(checked: Checked, base: Base) -> str:
    """What the names of the layers' weights begin with, up to the number."""
    places: dict[str, set[int]] = {}
    for name in checked.tensors:
        found = _LAYER.fullmatch(name)
        if found:
            places.setdefault(found[1], set()).add(int(found[2]))
    homes = [name for name, numbers in places.items() if numbers == set(range(base.layers))]
    if base.kind == "seq2seq" or len(homes) != 1:
        raise ModelError(
            f"{base.architecture} has no single list of layers, so none can be left out",
            where=f"base: {base.name}",
            do="take an encoder or a decoder (afina models list)",
        )
    return homes[0]


def _write_weights(checked: Checked, home: str, kept: tuple[int, ...], stage: Path) -> None:
    """File by file, so that no more than one of them is in memory."""
    from safetensors.torch import load_file, save_file

    index: dict[str, str] = {}
    for file in checked.files:
        renamed = {
            new: tensor
            for name, tensor in load_file(checked.folder / file).items()
            if (new := _renamed(name, home, kept)) is not None
        }
        if renamed:
            save_file(renamed, stage / file, metadata={"format": "pt"})
        index |= dict.fromkeys(renamed, file)
    if SINGLE not in checked.files:
        durable.write_json(stage / INDEX, {"metadata": {}, "weight_map": index})


def _renamed(name: str, home: str, kept: tuple[int, ...]) -> str | None:
    """A weight's name in the student; None where its layer is left out."""
    found = _LAYER.fullmatch(name)
    if not found or found[1] != home:
        return name
    number = int(found[2])
    return f"{home}.{kept.index(number)}.{found[3]}" if number in kept else None


def _config(checked: Checked, kept: tuple[int, ...]) -> Mapping[str, Any]:
    """The base's config, with fewer layers and what it says of each layer for those that stay."""
    found = structure.configure(checked.config, checked.folder)
    key = type(found).attribute_map.get("num_hidden_layers", "num_hidden_layers")
    config = json.loads(json.dumps(dict(checked.config)))
    kinds = getattr(found, "layer_types", None)
    if kinds:  # left out, Transformers would count the kinds anew from the first layer
        config["layer_types"] = [kinds[i] for i in kept]
    config[key] = len(kept)
    return dict(config)
