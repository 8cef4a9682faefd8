"""General rows to learn beside those of the task (replay), so that less is forgotten.

Drawn once by content and seed. None of them has an input that stands in train, validation or test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from afina.data.content import digest, normal_input
from afina.data.reading import read
from afina.errors import DataError
from afina.recipe.knobs import Data
from afina.types import Example


@dataclass(frozen=True, slots=True)
class Replayed:
    """The rows that are learned, and what happened to the others."""

    rows: tuple[Example, ...]
    facts: Mapping[str, Any]
    """``rows`` read, ``used`` of them, the ``share`` of all rows that are learned, ``dropped`` by
    reason (``not_drawn`` among them)."""


def draw(data: Data, parts: Mapping[str, Sequence[Example]]) -> Replayed:
    """The general rows of ``data.replay``.

    Their kind is that of the training rows. Raises DataError where the source has fewer rows than
    the share takes, and what reading raises.
    """
    asked = data.replay
    assert asked is not None
    train = parts["train"]
    found = read(asked.source, asked.columns, data.encoding, (type(train[0]),))
    dropped = Counter(drop.reason for drop in found.dropped)
    taken = {normal_input(e): f"in_{part}" for part, some in parts.items() for e in some}
    fit: dict[str, Example] = {}
    for example in sorted(found.examples, key=lambda e: digest(f"replay {data.split.seed} {e.id}")):
        key = normal_input(example)
        reason = taken.get(key) or ("duplicate" if key in fit else "")
        if reason:
            dropped[reason] += 1
        else:
            fit[key] = replace(example, id=f"replay:{example.id}")
    wanted = max(1, round(len(train) * asked.share / (1 - asked.share)))
    if len(fit) < wanted:
        most = len(fit) / (len(fit) + len(train))
        raise DataError(
            f"{len(fit):,} general rows can be used, and a share of {asked.share:g} beside "
            f"{len(train):,} training rows takes {wanted:,}",
            where="data.replay",
            do=f"give more rows, or at most share: {int(1000 * most) / 1000:g}",
        )
    rows = tuple(fit.values())[:wanted]
    dropped["not_drawn"] = len(fit) - wanted
    facts = {
        "rows": found.rows,
        "used": wanted,
        "share": round(wanted / (wanted + len(train)), 4),
        "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
    }
    return Replayed(rows, facts)
