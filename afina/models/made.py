"""A base of one's own making, written as a folder like any other base."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from afina.errors import RequestError
from afina.models.base_cache import CARD
from afina.models.safe import INDEX
from afina.models.safe_config import CONFIG
from afina.models.sources import Base
from afina.store import durable
from afina.store.disk import storing
from afina.store.folders import place, staged

_TEXT = frozenset({".json", ".txt", ".model", ".jinja", ".md", ""})
"""Endings of the files that go with the weights: tokenizer, template, pooling, licence."""


def write_made(
    base: Base,
    folder: Path,
    weights: Callable[[Path], object],
    config: Mapping[str, Any],
    *,
    source: str,
    needs: int,
) -> None:
    """Write a base made from another into a new folder: ``weights`` writes them where it is told, the
    tokenizer, template, pooling and licence are the other's. ``needs``: bytes of disk.

    Raises RequestError for a folder that is there, and what the disk raises.
    """
    if folder.exists():
        raise RequestError(
            "it is there already", where=str(folder), do="name a folder that is not there yet"
        )
    with storing(folder, "write"):
        folder.parent.mkdir(parents=True, exist_ok=True)
    durable.require_free(folder.parent, needs, "the new base")
    with staged(folder) as stage:
        with storing(folder, "write"):
            weights(stage)
            _copy_rest(base.folder, stage)
        durable.write_json(stage / CONFIG, config)
        card = {"source": source, "licence": base.licence, "licence_note": base.licence_note}
        durable.write_json(stage / CARD, card)
        place(stage, folder)


def _copy_rest(source: Path, stage: Path) -> None:
    """The tokenizer, the template, the pooling, the licence; not what is written anew."""
    made_anew = {CONFIG, CARD, INDEX}
    for path in (*source.iterdir(), *source.glob("*/*")):
        name = path.relative_to(source)
        if path.is_file() and path.suffix in _TEXT and name.as_posix() not in made_anew:
            (stage / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, stage / name)
