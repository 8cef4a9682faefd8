"""A blind comparison on the terminal: the form that was made, and what its judges said."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from afina.cli import draw

if TYPE_CHECKING:
    from afina.evaluate.blind import Key

MEASURES = {
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "krippendorff_alpha": "Krippendorff's alpha",
}


def facts_of(key: Key, form: Path, kept: Path) -> dict[str, Any]:
    """What ``--json`` says of a form that was made; nothing of who stands where."""
    return {
        "form": key.form,
        "folder": str(form),
        "key": str(kept),
        "first": key.first,
        "second": key.second,
        "items": len(key.asked),
        "for_the_model": len(key.items) - len(key.asked),
        "identical": key.identical,
    }


def form(console: Console, facts: Mapping[str, Any]) -> None:
    """Where the form is, and what to do with it."""
    draw.facts(
        console,
        [
            ("compared", f"{facts['first']} and {facts['second']}"),
            ("questions", f"{facts['items']:,} in the form"),
            ("for a model", f"{facts['for_the_model']:,} more" if facts["for_the_model"] else None),
            ("same answer", f"{facts['identical']:,}: ties" if facts["identical"] else None),
            ("give", f"{facts['folder']} (form.html, or form.csv) to each judge"),
            ("keep", facts["key"]),
            ("then", f"afina judge {Path(facts['key']).parent} FILE…"),
        ],
    )


def agreement(console: Console, found: list[Mapping[str, Any]]) -> None:
    """Each measure of agreement with its interval."""
    drawn = draw.table("agreement", "of", "rows", "value", right=["rows", "value"])
    for one in found:
        value = draw.interval(one if one["value"] is not None else None)
        drawn.add_row(
            MEASURES[one["measure"]], escape(", ".join(one["judges"])), f"{one['rows']:,}", value
        )
    if found:
        console.print(drawn)
        console.print()


def judged(console: Console, facts: Mapping[str, Any], language: str) -> None:
    """Who won, by whom, and how far the judges agree."""
    from afina.evaluate import Statement
    from afina.evaluate.figures import language_named

    drawn = draw.table("judge", facts["first"], facts["second"], "tie", right=["tie"])
    for part in ("people", "model"):
        for name, counts in (facts[part] or {"judges": {}})["judges"].items():
            drawn.add_row(escape(name), *(f"{counts[k]:,}" for k in ("first", "second", "tie")))
    console.print(drawn)
    console.print()
    with_people = facts["agreement_with_people"]
    agreement(console, [*facts["agreement"], *([with_people] if with_people else [])])
    if steady := facts.get("steadiness"):
        said = f"{steady['swayed']:,} of {steady['items']:,} by the place alone (ties)"
        if steady["unreadable"]:
            said += f", {steady['unreadable']:,} replies unreadable (ties)"
        draw.facts(console, [("the model", f"preferred {said}")])
    for statement in facts["statements"]:
        console.print(Text(Statement.from_dict(statement).say(language_named(language))))
