"""A sweep on a terminal: what is varied, what each trial gave, and the best one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from afina.cli import draw
from afina.cli.terminal import Terminal

if TYPE_CHECKING:
    from afina.sweep.space import Space

OWN = {
    True: "better than the recipe as it stands: its interval lies beyond the score of trial 0",
    False: "not shown to be better than the recipe as it stands: the interval holds its score",
}


def space(to: Terminal, knobs: Space) -> None:
    """The knobs with their values and reasons, for people."""
    if to.quiet:
        return
    drawn = draw.table("key", "values", "why", title="Space")
    for knob in knobs:
        values = draw.plain(list(knob.ends))
        if not knob.choices:
            low, high = map(draw.plain, knob.ends)
            values = f"{low} to {high}" + (", by logarithm" if knob.log else "")
        drawn.add_row(escape(knob.key), escape(values), escape(knob.reason))
    to.people.print(drawn)


def found(console: Console, value: Mapping[str, Any]) -> None:
    """The trials, the best one, and what to do next."""
    swept = value["sweep"]
    keys = [knob["key"] for knob in swept["space"]]
    figures = ["trial", swept["metric"], "time"]
    drawn = draw.table(*figures, "", *keys, right=figures, title="Trials")
    for trial in swept["trials"]:
        best = trial["number"] == swept["best"]
        ended = "" if trial["state"] == "complete" else f"{trial['state']}: {trial['reason']}"
        drawn.add_row(
            str(trial["number"]),
            draw.interval(trial if trial["value"] is not None else None),
            draw.duration(trial["seconds"]),
            Text(ended, style="yellow" if trial["state"] == "failed" else "dim"),
            *(escape(draw.plain(trial["knobs"][k])) if k in trial["knobs"] else "" for k in keys),
            style="bold" if best else "",
        )
    console.print(drawn)
    for trial in swept["trials"]:
        if trial["told"]:
            console.print(Text(f"trial {trial['number']}: {trial['told']}", style="dim"))
    console.print()
    shares = ", ".join(f"{key} {share:.0%}" for key, share in swept["importance"].items())
    counts = ", ".join(f"{n} {what}" for what, n in swept["counts"].items())
    draw.facts(
        console,
        [
            ("best", f"trial {swept['best']}"),
            ("", OWN.get(swept["better_than_own"])),
            ("trials", f"{counts}; compared on {swept['validation_rows']:,} validation rows"),
            ("interrupted", swept["interrupted"] or None),
            ("weight of each", shares or None),
            ("time", draw.duration(swept["seconds"])),
            ("page", swept["page"]),
            ("recipe", swept["recipe"]),
            ("run", value["run"]),
            ("measure", f"afina eval {value['run']}"),
        ],
    )
