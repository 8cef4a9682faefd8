"""sweep.html: the trials as one file that needs nothing else, in the style of the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from afina.evaluate.charts import ticks
from afina.evaluate.figures import LANGUAGES, language_named
from afina.evaluate.page import Speaker, style, template
from afina.sweep.words import WORDS

LEFT, TOP, RIGHT, BOTTOM = 64.0, 16.0, 880.0, 260.0
"""The picture of all trials."""
SMALL = (44.0, 12.0, 420.0, 170.0)
"""The picture of one knob, in the same order."""


@dataclass(frozen=True)
class Dot:
    """A trial in a picture: its place, its whisker where it has one, and what it stands for."""

    x: float
    y: float
    low: float
    high: float
    number: int
    value: float
    state: str


@dataclass(frozen=True)
class Picture:
    """Dots, a line as SVG path data, and marks as (place, words)."""

    title: str
    dots: tuple[Dot, ...]
    line: str
    x_marks: tuple[tuple[float, Any], ...]
    y_marks: tuple[tuple[float, float], ...]


def page(sweep: Mapping[str, Any], name: str, language: str) -> str:
    """The page of the ``sweep`` object of ``--json``. ``language`` (en, es) is shown first."""
    first = language_named(language)
    best = next(t for t in sweep["trials"] if t["number"] == sweep["best"])
    return str(
        template("sweep.html", "afina.sweep").render(
            sweep=sweep,
            best=best,
            name=name,
            language=first,
            title=f"{WORDS['sweep'][LANGUAGES.index(first)]} · {name or 'Afina'}",
            style=style(),
            w=Speaker("span"),
            g=Speaker("tspan"),
            words=WORDS,
            plot=(LEFT, TOP, RIGHT, BOTTOM),
            small=SMALL,
            whole=by_trial(sweep),
            knobs=[p for k in sweep["space"] if (p := by_knob(sweep, k)) is not None],
            shown=shown,
        )
    )


def by_trial(sweep: Mapping[str, Any]) -> Picture:
    """The scores of the complete trials in their order, and the best so far."""
    trials = sweep["trials"]
    complete = [t for t in trials if t["value"] is not None]
    ends = [t[k] for t in complete for k in ("value", "low", "high") if t[k] is not None]
    marks = ticks(min(ends), max(ends))
    last: int = max(1, *(t["number"] for t in trials))

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - marks[0]) / (marks[-1] - marks[0]), 2)

    def x(number: float) -> float:
        return round(LEFT + 12 + (RIGHT - LEFT - 24) * number / last, 2)

    dots = tuple(_dot(t, x(t["number"]), y) for t in complete)
    better: Any = max if sweep["better"] == "higher" else min
    best, path = complete[0]["value"], f"M{dots[0].x:g},{dots[0].y:g}"
    for trial, dot in zip(complete, dots, strict=True):
        best = better(best, trial["value"])
        path += f"H{dot.x:g}V{y(best):g}"
    x_marks = tuple((x(t), f"{t:g}") for t in ticks(0, last, 8) if t <= last and t == int(t))
    return Picture("", dots, path, x_marks, tuple((y(m), m) for m in marks))


def by_knob(sweep: Mapping[str, Any], knob: Mapping[str, Any]) -> Picture | None:
    """What the trials had come to at the first look, by the value of a knob; None for too few."""
    key = knob["key"]
    seen = [t for t in sweep["trials"] if key in t["knobs"] and "1" in t["looks"]]
    if len(seen) < 2:
        return None
    left, top, right, bottom = SMALL
    marks = ticks(min(t["looks"]["1"] for t in seen), max(t["looks"]["1"] for t in seen), 4)
    inner = (left + 14, right - 14)
    place, x_marks = _scale(knob, seen, inner)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - marks[0]) / (marks[-1] - marks[0]), 2)

    dots = tuple(
        Dot(place(t["knobs"][key]), y(t["looks"]["1"]), 0.0, 0.0, t["number"], t["looks"]["1"],
            t["state"])
        for t in seen
    )  # fmt: skip
    return Picture(key, dots, "", x_marks, tuple((y(m), m) for m in marks))


def _dot(trial: Mapping[str, Any], x: float, y: Any) -> Dot:
    value = trial["value"]
    low, high = (value if trial[k] is None else trial[k] for k in ("low", "high"))
    return Dot(x, y(value), y(low), y(high), trial["number"], value, trial["state"])


def _scale(
    knob: Mapping[str, Any], seen: Sequence[Mapping[str, Any]], ends: tuple[float, float]
) -> tuple[Any, tuple[tuple[float, Any], ...]]:
    """Where a value stands between two places, and what is written there."""
    left, right = ends
    if "choices" in knob:
        names = [shown(c) for c in knob["choices"]]
        step = (right - left) / (len(names) - 1)
        places = {name: round(left + i * step, 2) for i, name in enumerate(names)}
        return lambda v: places[shown(v)], tuple((x, name) for name, x in places.items())
    values = [t["knobs"][knob["key"]] for t in seen]
    low, high = min(knob["low"], *values), max(knob["high"], *values)
    by = math.log if knob["log"] else float

    def place(value: float) -> float:
        share = (by(value) - by(low)) / (by(high) - by(low))
        return float(round(left + (right - left) * share, 2))

    return place, tuple((place(v), f"{v:.3g}") for v in (low, high))


def shown(value: Any) -> str:
    """A value of a knob in a few letters."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
