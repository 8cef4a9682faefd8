"""A decision on a terminal: what each way gives and costs, the curve, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from afina.cli import draw
from afina.decide.words import euros, word
from afina.evaluate.figures import NOTHING, Language, decimal, duration, score, size

STYLE = {"GO": "bold green", "NO-GO": "bold yellow"}


def decision(console: Console, value: Mapping[str, Any], language: Language) -> None:
    """All parts that there are: the whole decision, or the one part that was asked for."""
    if "ways" in value:
        _ways(console, value, language)
        _statements(console, value["statements"]["failed"], language)
    curve = value if "points" in value else value.get("curve")
    if curve:
        _curve(console, curve, language)
    if value.get("methods"):
        _methods(console, value["methods"], language)
    if value.get("bases"):
        _bases(console, value["bases"], language)
    if "decision" in value:
        _told(console, value, language)


def _ways(console: Console, value: Mapping[str, Any], language: Language) -> None:
    columns = [word(key, language) for key in ("p50", "p95", "prompt", "answer", "cost")]
    metric = value["metric"]
    title = f"{word('ways', language)}: {metric}"
    table = draw.table(word("way", language), metric, *columns, right=columns, title=title)
    for way in value["ways"]:
        if "error" in way or metric not in way["scores"]:
            continue
        cells = [_interval(way["scores"][metric], value["unit"], language)]
        latency = way.get("latency_seconds")
        cells += [duration(latency[k], language) if latency else NOTHING for k in ("p50", "p95")]
        for key in ("prompt_tokens", "answer_tokens"):
            cells.append(decimal(way[key], 0, language) if way.get(key) else NOTHING)
        cells.append(euros(way["cost_per_1000"], language) if latency else NOTHING)
        style = "bold" if way["name"] == value["way"] else ""
        table.add_row(escape(way["name"]), *map(escape, cells), style=style)
    console.print(table)
    for way in value["ways"]:
        if "error" in way:
            console.print(Text(f"{way['name']}: {way['error']}", style="dim"))


def _interval(found: Mapping[str, Any], unit: str, language: Language) -> str:
    low, high = score(found["low"], unit, language), score(found["high"], unit, language)
    separator = "; " if language == "es" else ", "
    return f"{score(found['value'], unit, language)} [{low}{separator}{high}]"


def _curve(console: Console, curve: Mapping[str, Any], language: Language) -> None:
    rows, metric, unit = word("rows", language), curve["metric"], curve["unit"]
    console.print()
    table = draw.table(rows, metric, right=[rows], title=word("curve", language))
    for point in curve["points"]:
        table.add_row(decimal(point["rows"], 0, language), escape(_interval(point, unit, language)))
    for one in curve["projections"]:
        told = f"{_interval(one, unit, language)} {word('projected', language)}"
        table.add_row(decimal(one["rows"], 0, language), escape(told), style="dim")
    console.print(table)
    if curve["rows_for_goal"] is not None:
        needed = decimal(curve["rows_for_goal"], 0, language)
        console.print(f"{word('rows_for_goal', language)}: {needed}", markup=False)
    console.print(curve["statement"][language], markup=False)


def _methods(console: Console, methods: Sequence[Mapping[str, Any]], language: Language) -> None:
    columns = [word(key, language) for key in ("time", "memory", "trained")]
    console.print()
    table = draw.table(
        word("method", language), *columns, "", right=columns, title=word("methods", language)
    )
    for one in methods:
        if not one["fits"]:
            table.add_row(one["method"], "", "", "", escape(one["reason"]), style="dim")
            continue
        share = f"{one['trained'] / max(one['total'], 1):.2%}"
        table.add_row(
            one["method"],
            duration(one["seconds"], language),
            size(one["memory_bytes"], language),
            share,
            "",
        )
    console.print(table)


def _bases(console: Console, bases: Sequence[Mapping[str, Any]], language: Language) -> None:
    keys = ("fit", "tokens_per_word", "size", "licence")
    console.print()
    table = draw.table(
        word("base", language), *(word(key, language) for key in keys), "",
        title=word("bases", language),
    )  # fmt: skip
    for one in bases:
        fit = NOTHING
        if one["value"] is not None:
            bits = one["measure"] == "bits_per_character"
            name = word("bits", language) if bits else one["measure"]
            fit = f"{decimal(one['value'], 3, language)} {name}"
        words = one["tokens_per_word"]
        cells = [
            fit,
            NOTHING if words is None else decimal(words, 2, language),
            size(one["bytes"], language),
            one["licence"],
            one["reason"],
        ]
        table.add_row(escape(one["name"]), *map(escape, cells), style="bold" if one["own"] else "")
    console.print(table)


def _told(console: Console, value: Mapping[str, Any], language: Language) -> None:
    said = value["statements"]
    console.print()
    console.print(Text(value["decision"], style=STYLE[value["decision"]]))
    for part in ("reasons", "notes", "assumptions"):
        _statements(console, said[part], language, "" if part == "reasons" else "dim")
    console.print()
    draw.facts(
        console,
        [
            (word("rule", language), said["rule"][language]),
            (word("saved", language), value["file"]),
        ],
    )


def _statements(
    console: Console, found: Sequence[Mapping[str, Any]], language: Language, style: str = ""
) -> None:
    for one in found:
        console.print(Text(str(one[language]), style=style))
