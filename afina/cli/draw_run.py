"""How a run ends on the terminal: figures, table, verdict, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from afina.cli import draw

if TYPE_CHECKING:
    from afina.store import Run


def outcome(console: Console, run: Run, value: Mapping[str, Any]) -> None:
    """The end of ``afina run``."""
    data(console, value["data"])
    console.print()
    draw.training(console, value["train"])
    console.print()
    measured(console, run, value["report"])


def trained(console: Console, run: Run, value: Mapping[str, Any]) -> None:
    """The end of ``afina train``."""
    data(console, value["data"])
    console.print()
    draw.training(console, value["train"])
    console.print()
    draw.facts(console, [("run", run.id), ("measure", f"afina eval {run.id}")])


def measured(console: Console, run: Run, report: Mapping[str, Any]) -> None:
    """The end of ``afina eval``."""
    draw.report(console, report)
    console.print()
    draw.facts(
        console,
        [
            ("report", run.folder / "report.html"),
            ("serve", f"afina serve {run.id}"),
        ],
    )


def data(console: Console, value: Mapping[str, Any]) -> None:
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in value["dropped"].items())
    draw.facts(
        console,
        [
            ("rows", f"{value['rows']:,} read, {value['kept']:,} kept"),
            ("dropped", dropped or None),
            (
                "split",
                f"{value['train']:,} train, {value['validation']:,} validation, "
                f"{value['test']:,} test",
            ),
        ],
        title="Data",
    )
