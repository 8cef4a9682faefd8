"""How a run ends on the terminal: figures, table, verdict, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

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
    if report["expectations"]:
        console.print()
        expectations(console, report["expectations"] | {"candidate": report["tuned"]})
    console.print()
    draw.facts(
        console,
        [
            ("report", run.folder / "report.html"),
            ("serve", f"afina serve {run.id}"),
        ],
    )


def expectations(console: Console, found: Mapping[str, Any]) -> None:
    """What failed of a file of expectations, line by line."""
    from afina.evaluate import Statement

    failed = found["failed"]
    met = f"{found['rows'] - len(failed):,} of {found['rows']:,} expectations of {found['file']}"
    style = "red" if failed else "green"
    console.print(Text(f"{found['candidate']} meets {met}", style=style))
    for line in failed:
        console.print(Text(f"{line['where']}: {line['question']}", style="bold"))
        for reason in line["reasons"]:
            console.print(Text(f"  {Statement.from_dict(reason).say('en')}"))
        console.print(Text(f"  it said: {line['answer']}", style="dim"))


def folds(console: Console, found: Mapping[str, Any]) -> None:
    """The end of ``afina run --folds``: mean, deviation and interval of every score."""
    from afina.evaluate.folds import rows_of

    metrics = list(found["scorers"])
    title = f"{found['folds']} folds: mean ± standard deviation [interval of the mean]"
    drawn = draw.table("candidate", *metrics, right=metrics, title=title)
    for number, cells in enumerate(rows_of(found)):
        drawn.add_row(*map(escape, cells), style="bold" if number == 0 else "")
    console.print(drawn)
    for candidate in found["candidates"]:
        if "missing" in candidate:
            told = f"{candidate['name']} could not be measured in {candidate['missing']} folds"
            console.print(Text(told, style="yellow"))
    console.print()
    gains = draw.table("tuned minus", found["metric"], right=[found["metric"]])
    for line in found["differences"]:
        gains.add_row(escape(line["baseline"]), draw.interval({**line, "value": line["mean"]}, "+"))
    console.print(gains)
    console.print()
    measured = sum(rows["measured"] for rows in found["rows"])
    sealed = found["sealed_test"]
    draw.facts(
        console,
        [
            (
                "rows",
                f"{measured:,} measured once each; {sealed:,} of the sealed test in none of it",
            ),
            ("file", found["file"]),
        ],
    )


def data(console: Console, value: Mapping[str, Any], title: str = "Data") -> None:
    for task, own in value.get("tasks", {}).items():
        data(console, own, f"Data of {task}")
    if "tasks" in value:
        return
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
            ("replay", replay_line(value.get("replay"))),
            ("made", f"{value['made']:,} of the training rows" if "made" in value else None),
        ],
        title=title,
    )


def replay_line(value: Mapping[str, Any] | None) -> str | None:
    """What became of the general rows."""
    if not value:
        return None
    left = ", ".join(f"{n:,} {reason}" for reason, n in value["dropped"].items()) or "none"
    return f"{value['used']:,} general rows learned too ({value['share']:.1%} of all); not used: {left}"


def shown(console: Console, facts: Mapping[str, Any]) -> None:
    """``afina show``."""
    status = Text(str(facts["status"]), style=draw.STATUS_STYLE.get(str(facts["status"]), ""))
    draw.facts(
        console,
        [
            ("run", facts["run"]),
            ("status", status),
            ("base", facts["base"]),
            ("task", facts["task"]),
            (
                "stages",
                " → ".join([*(s["run"] for s in facts["lineage"]), facts["run"]])
                if facts["lineage"]
                else None,
            ),
            ("folder", facts["folder"]),
        ],
    )
    if facts["error"]:
        console.print(Text(f"It failed: {facts['error'].get('what')}", style="red"))
    for alert in facts["alerts"]:
        console.print(Text(alert, style="yellow"))
    if facts["train"]:
        console.print()
        draw.training(console, facts["train"])
    if facts["report"]:
        console.print()
        draw.report(console, facts["report"])
    elif facts["status"] == "succeeded":
        console.print(f"\nNot measured yet: afina eval {facts['run']}", markup=False)
    elif facts["status"] == "interrupted":
        console.print(f"\nTo go on: afina train --resume {facts['run']}", markup=False)


def compared(console: Console, found: Mapping[str, Any]) -> None:
    """``afina compare``."""
    first, second = found["runs"]
    names = draw.table("asked", first, second)
    for key, (one, other) in found["recipe"].items():
        names.add_row(escape(key), escape(draw.plain(one)), escape(draw.plain(other)))
    console.print(names if found["recipe"] else "Both were asked the same.")
    console.print()
    parts = found.get("tasks", {"": found})
    for task, pair in parts.items():
        figures = draw.table("score", first, second, "difference", "p", title=task)
        for metric, line in pair["scores"].items():
            cells = [draw.interval(line[side]) for side in ("first", "second")]
            apart = line["difference"]
            shown = (
                ("", "")
                if apart is None
                else (draw.interval(apart, sign="+"), f"{apart['p_value']:.3g}")
            )
            figures.add_row(escape(metric), *cells, *shown)
        if pair["scores"]:
            console.print(figures)
    costs = {k: v for k, v in found["train"].items() if None not in v}
    if costs:
        console.print()
        took = draw.table("took", first, second, right=[first, second])
        for key, pair in costs.items():
            took.add_row(key.replace("_", " "), *(draw.plain(v) for v in pair))
        console.print(took)
    for pair in parts.values():
        if pair["refused"]:
            console.print(Text(f"\n{pair['refused']}", style="yellow"))
        if pair["said"]:
            console.print(Text(f"\n{pair['said']}"))
    if not parts:
        console.print(Text("\nNo task of the two has the same sealed test.", style="yellow"))
