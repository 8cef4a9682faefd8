"""Geometry of the page's pictures: plain numbers that a template draws as SVG.

Coordinates are in the units of each picture's view box. No text of a language stands here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_POINTS = 400
"""Points of a curve; more are averaged in groups."""
MAX_CELLS = 100
"""Labels up to which a confusion matrix is drawn."""
NUMBERED_FROM = 25
"""Labels from which a matrix shows numbers instead of names."""


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round values that cover low to high: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


# ---------------------------------------------------------------------------- bars


@dataclass(frozen=True)
class Bar:
    """One candidate in one score: a bar up to ``end``, a whisker from ``low`` to ``high``."""

    name: str
    tuned: bool
    y: float
    end: float
    low: float
    high: float
    value: float


@dataclass(frozen=True)
class Bars:
    """One score of all candidates that have it. ``goal``: x of the goal's line, if it has one."""

    metric: str
    unit: str
    better: str
    sentence: str
    height: float
    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, float], ...]
    goal: float | None


LEFT, RIGHT, ROW = 168.0, 436.0, 30.0
"""Where bars begin and end, and the height of a row."""


def bars(report: Mapping[str, Any]) -> list[Bars]:
    """A picture for each score."""
    return [panel for m in report["scorers"] if (panel := _panel(report, m)) is not None]


def _panel(report: Mapping[str, Any], metric: str) -> Bars | None:
    found = [c for c in report["candidates"] if metric in c["scores"]]
    if not found:
        return None
    facts = report["scorers"][metric]
    lowest, highest = _range(facts["unit"], [c["scores"][metric] for c in found])
    goal = report["goal"]["at_least"] if report["goal"]["metric"] == metric else None
    if goal is not None:
        highest = max(highest, goal)
    marks = ticks(lowest, highest)
    lowest, highest = marks[0], marks[-1]

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - lowest) / (highest - lowest), 2)

    rows = []
    for i, candidate in enumerate(found):
        score = candidate["scores"][metric]
        high = score["high"] if score["high"] is not None else highest
        rows.append(
            Bar(
                name=candidate["name"],
                tuned=candidate["name"] == report["tuned"],
                y=i * ROW,
                end=x(score["value"]),
                low=x(max(lowest, score["low"])),
                high=x(min(highest, high)),
                value=score["value"],
            )
        )
    return Bars(
        metric=metric,
        unit=facts["unit"],
        better=facts["better"],
        sentence=facts["sentence"],
        height=len(rows) * ROW,
        bars=tuple(rows),
        ticks=tuple((x(mark), mark) for mark in marks),
        goal=x(goal) if goal is not None else None,
    )


def _range(unit: str, scores: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    if unit == "share":
        return 0.0, 1.0
    if unit == "points":
        return 0.0, 100.0
    if unit == "correlation":
        return min([0.0] + [s["low"] for s in scores]), 1.0
    lowest = 0.0 if unit == "number" else 1.0
    return lowest, max([s["value"] for s in scores] + [s["high"] or 0.0 for s in scores])


# ---------------------------------------------------------------------------- curves


@dataclass(frozen=True)
class Curve:
    """A line as SVG path data and its points as (x, y, step, value)."""

    path: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Curves:
    """Losses above, learning rate below. ``group``: steps averaged in one point of the train loss.

    ``alerts``: (x, step, event). ``x_ticks`` and ``y_ticks``: (place, value).
    """

    train: Curve | None
    validation: Curve | None
    rate: Curve | None
    x_ticks: tuple[tuple[float, float], ...]
    y_ticks: tuple[tuple[float, float], ...]
    rate_top: tuple[float, float] | None
    alerts: tuple[tuple[float, float, Mapping[str, Any]], ...]
    best: tuple[float, float] | None
    group: int
    rows: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


PLOT = (64.0, 16.0, 880.0, 260.0)
"""Left, top, right and bottom of the losses."""
RATE = (300.0, 360.0)
"""Top and bottom of the learning rate."""


def curves(
    metrics: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]] = (),
    best_step: float | None = None,
) -> Curves | None:
    """Learning curves from the rows of metrics.jsonl; None if they hold no loss.

    ``events`` with a ``message`` and a ``step`` (and metrics rows with an ``alert``) are marked.
    """
    losses, group = _series(metrics, "loss")
    checks, _ = _series(metrics, "validation_loss", average=False)
    rates, _ = _series(metrics, "learning_rate")
    if not losses and not checks:
        return None
    both = losses + checks
    last = max(step for step, _ in both)
    x_marks = [t for t in ticks(0, last, 6) if t <= last * 1.0001]
    y_marks = ticks(0.0, max(value for _, value in both), 5)
    left, top, right, bottom = PLOT

    def x(step: float) -> float:
        return round(left + (right - left) * step / last, 2)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value / y_marks[-1]), 2)

    peak = max((rate for _, rate in rates), default=0.0)

    def y_rate(value: float) -> float:
        return round(RATE[1] - (RATE[1] - RATE[0]) * value / peak, 2)

    told = [(e["step"], e) for e in events if _has(e, "step") and "message" in e]
    told += [
        (m["step"], {"message": m["alert"]}) for m in metrics if _has(m, "step") and m.get("alert")
    ]
    return Curves(
        train=_curve(losses, x, y),
        validation=_curve(checks, x, y),
        rate=_curve(rates, x, y_rate) if peak > 0 else None,
        x_ticks=tuple((x(t), t) for t in x_marks),
        y_ticks=tuple((y(t), t) for t in y_marks),
        rate_top=(RATE[0], peak) if peak > 0 else None,
        alerts=tuple((x(step), step, event) for step, event in told if step <= last),
        best=(x(best_step), best_step) if best_step is not None and best_step <= last else None,
        group=group,
        rows=tuple(m for m in metrics if _has(m, "validation_loss") and _has(m, "step")),
    )


def _has(row: Mapping[str, Any], key: str) -> bool:
    value = row.get(key)
    return isinstance(value, int | float) and math.isfinite(value)


def _series(
    metrics: Sequence[Mapping[str, Any]], key: str, average: bool = True
) -> tuple[list[tuple[float, float]], int]:
    """(step, value) pairs, averaged in groups where there are many, and the size of a group."""
    found = [(float(m["step"]), float(m[key])) for m in metrics if _has(m, key) and _has(m, "step")]
    group = -(-len(found) // MAX_POINTS) if average else 1
    if group <= 1:
        return found, 1
    parts = [found[i : i + group] for i in range(0, len(found), group)]
    means = [(p[-1][0], sum(value for _, value in p) / len(p)) for p in parts]
    return means, group


def _curve(series: Sequence[tuple[float, float]], x: Any, y: Any) -> Curve | None:
    if not series:
        return None
    points = tuple((x(step), y(value), step, value) for step, value in series)
    path = "M" + "L".join(f"{px:g},{py:g}" for px, py, _, _ in points)
    return Curve(path, points)


# ---------------------------------------------------------------------------- numbers


@dataclass(frozen=True)
class Scatter:
    """Right numbers (across) and given ones (upwards) on one scale. ``dots``: (x, y, right, given)."""

    dots: tuple[tuple[float, float, float, float], ...]
    ticks: tuple[tuple[float, float], ...]
    """(distance from the left or the bottom, value)."""
    side: float = 420.0


def scatter(points: Sequence[Sequence[float]]) -> Scatter | None:
    """The picture of right and given numbers; None if there are no points."""
    if not points:
        return None
    both = [value for pair in points for value in pair]
    marks = ticks(min(both), max(both))
    side = Scatter.side

    def place(value: float) -> float:
        return round(side * (value - marks[0]) / (marks[-1] - marks[0]), 2)

    return Scatter(
        dots=tuple((place(x), round(side - place(y), 2), x, y) for x, y in points),
        ticks=tuple((place(mark), mark) for mark in marks),
    )


@dataclass(frozen=True)
class Reliability:
    """Probability given (across) and share right (upwards). ``dots``: (x, y, top, bottom, rows)."""

    dots: tuple[tuple[float, float, float, float, int], ...]
    ticks: tuple[tuple[float, float], ...]
    side: float = Scatter.side


def reliability(bins: Sequence[Mapping[str, Any]]) -> Reliability:
    """The picture of a calibration, with the interval of each bin."""
    side = Reliability.side

    def up(value: float) -> float:
        return round(side * (1 - value), 2)

    return Reliability(
        dots=tuple(
            (round(side * b["sure"], 2), up(b["right"]), up(b["high"]), up(b["low"]), b["rows"])
            for b in bins
        ),
        ticks=tuple((round(side * mark, 2), mark) for mark in ticks(0.0, 1.0)),
    )


# ---------------------------------------------------------------------------- confusion


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: place, rows, share of its right label, and the two labels."""

    x: float
    y: float
    rows: int
    share: float
    right: str
    given: str
    diagonal: bool


@dataclass(frozen=True)
class Matrix:
    """A heat map: ``cell`` is the side of a cell, ``margin`` the room for names."""

    labels: tuple[str, ...]
    cells: tuple[Cell, ...]
    cell: float
    margin: float
    size: float
    named: bool
    counted: bool
    """Whether there is room for the numbers in the cells."""


@dataclass(frozen=True)
class Confused:
    """A pair of labels that was confused."""

    right: str
    given: str
    rows: int
    share: float


def matrix(confusion: Mapping[str, Any]) -> Matrix | None:
    """The heat map of a confusion; None for more than ``MAX_CELLS`` labels."""
    labels = confusion["labels"]
    if len(labels) > MAX_CELLS:
        return None
    named = len(labels) < NUMBERED_FROM
    side = min(44.0, max(8.0, 640.0 / len(labels)))
    margin = min(190.0, 12.0 + 6.6 * max(len(_short(x)) for x in labels)) if named else 34.0
    sums = _row_sums(confusion)
    cells = [
        Cell(
            x=round(margin + given * side, 2),
            y=round(right * side, 2),
            rows=rows,
            share=rows / sums[right],
            right=labels[right],
            given=labels[given],
            diagonal=right == given,
        )
        for right, given, rows in confusion["cells"]
    ]
    return Matrix(
        labels=tuple(labels),
        cells=tuple(cells),
        cell=side,
        margin=margin,
        size=side * len(labels),
        named=named,
        counted=side >= 24,
    )


def most_confused(confusion: Mapping[str, Any], count: int = 15) -> list[Confused]:
    """The most frequent pairs off the diagonal, largest first."""
    labels, sums = confusion["labels"], _row_sums(confusion)
    pairs = [
        Confused(labels[right], labels[given], rows, rows / sums[right])
        for right, given, rows in confusion["cells"]
        if right != given
    ]
    return sorted(pairs, key=lambda p: (-p.rows, -p.share, p.right, p.given))[:count]


def _row_sums(confusion: Mapping[str, Any]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for right, _, rows in confusion["cells"]:
        sums[right] = sums.get(right, 0) + rows
    return sums


def _short(name: str, length: int = 24) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
