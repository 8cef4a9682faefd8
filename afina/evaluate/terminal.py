"""The table of a report as rows of text; who calls decides how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afina.evaluate.figures import NOTHING, Language, score
from afina.evaluate.report import Report


@dataclass(frozen=True)
class Table:
    """``header`` and ``rows`` have equally many cells. ``tuned`` is the row of the tuned model.

    ``failures``: (name, reason) of candidates that could not be measured; their cells are dashes.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    tuned: int
    failures: tuple[tuple[str, str], ...]


def table(report: Report | Mapping[str, Any], language: Language = "en") -> Table:
    """A row for each candidate: name, then ``value [low, high]`` by score, the judged one first."""
    value = report.as_dict() if isinstance(report, Report) else report
    metrics = list(value["scorers"])
    rows = []
    for candidate in value["candidates"]:
        cells = [
            _cell(candidate["scores"].get(m), str(value["scorers"][m]["unit"]), language)
            for m in metrics
        ]
        rows.append((str(candidate["name"]), *cells))
    names = [row[0] for row in rows]
    return Table(
        header=("", *metrics),
        rows=tuple(rows),
        tuned=names.index(value["tuned"]),
        failures=tuple(
            (str(c["name"]), str(c["failure"]["what"]))
            for c in value["candidates"]
            if c.get("failure") is not None
        ),
    )


def _cell(found: Mapping[str, Any] | None, unit: str, language: Language) -> str:
    if found is None:
        return NOTHING
    low, high = (score(found[k], unit, language) for k in ("low", "high"))
    separator = "; " if language == "es" else ", "
    return f"{score(found['value'], unit, language)} [{low}{separator}{high}]"
