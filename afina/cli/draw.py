"""Pictures of answers for a terminal. Each takes plain values, whoever found them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

VERDICT_STYLE = {"ship": "bold green", "hold": "bold red", "unproven": "bold yellow"}
STATUS_STYLE = {"succeeded": "green", "failed": "red", "interrupted": "yellow", "running": "cyan"}

PARTS = ("train", "validation", "test")


def table(*columns: str, right: Sequence[str] = (), title: str = "") -> Table:
    """An empty table in the house's plain style; ``right`` names the columns of figures."""
    drawn = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        title=title or None,
        title_justify="left",
        title_style="bold",
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return drawn


def duration(seconds: float) -> str:
    """``75`` as ``1 min 15 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def size(number_of_bytes: float) -> str:
    """``1_500_000`` as ``1.5 MB`` (decimal units, as disks are sold)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number_of_bytes >= scale:
            return f"{number_of_bytes / scale:.1f} {unit}"
    return f"{number_of_bytes:.0f} bytes"


def count(number: float) -> str:
    """``134_515_008`` as ``134.5 M``."""
    for unit, scale in (("G", 1e9), ("M", 1e6)):
        if number >= scale:
            return f"{number / scale:.1f} {unit}"
    return f"{number:,.0f}"


def plain(value: Any) -> str:
    """A value of a recipe or plan in one line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        name = value.get("name")
        rest = ", ".join(
            f"{k} {plain(v)}" for k, v in value.items() if k != "name" and v not in (None, (), [])
        )
        return f"{name} ({rest})" if name and rest else str(name or rest)
    if isinstance(value, list | tuple):
        shown = ", ".join(plain(v) for v in value[:8])
        return shown + (f" … ({len(value)})" if len(value) > 8 else "")
    return str(value)


def facts(console: Console, rows: Iterable[tuple[str, Any]], title: str = "") -> None:
    """Names and values, one a line; a value of None is left out."""
    drawn = table("", "", title=title)
    drawn.show_header = False
    drawn.columns[0].style = "dim"
    drawn.columns[0].no_wrap = True
    for name, value in rows:
        if value is not None:
            drawn.add_row(name, value if isinstance(value, Text) else escape(str(value)))
    console.print(drawn)


# ---------------------------------------------------------------------------- recipe and plan


def keys(console: Console, rows: Sequence[tuple[str, str, str]]) -> None:
    drawn = table("key", "value", "what it is")
    for key, value, sentence in rows:
        drawn.add_row(escape(key), escape(value), escape(sentence))
    console.print(drawn)


def plan(console: Console, value: Mapping[str, Any]) -> None:
    """Every derived value with its reason, then what the run will cost."""
    drawn = table("key", "value", "why")
    for line in value["derived"]:
        shown = plain(line["value"]) + (f" {line['unit']}" if line["unit"] else "")
        style = "" if line["chosen"] else "cyan"
        drawn.add_row(escape(line["key"]), Text(shown, style=style), escape(line["reason"]))
    console.print(drawn)
    rows, estimate, machine, base = (value[k] for k in ("rows", "estimate", "machine", "base"))
    console.print()
    facts(
        console,
        [
            ("base", f"{base['name']}, {count(base['parameters'])} parameters, {base['licence']}"),
            ("rows", ", ".join(f"{rows[part]:,} {part}" for part in PARTS)),
            ("general rows", _some(rows.get("replayed", 0), "learned beside them")),
            ("longest row", f"{rows['longest']:,} tokens"),
            ("cut", _some(rows["truncated"], "too long")),
            ("dropped", _some(rows["dropped_too_long"], "too long")),
            ("steps", f"{value['steps']:,} ({value['steps_per_epoch']:,} an epoch)"),
            ("tokens", f"{estimate['tokens']:,}, {estimate['loss_tokens']:,} of them in the loss"),
            (
                "machine",
                f"{machine['device_name']} ({machine['device']}, {machine['cores']} cores), "
                f"{size(machine['free_memory_bytes'])} memory and "
                f"{size(machine['free_disk_bytes'])} disk free",
            ),
        ],
    )
    console.print()
    facts(
        console,
        [
            ("time", f"about {duration(estimate['seconds'])} of training"),
            ("memory", f"about {size(estimate['memory_bytes'])}"),
            ("disk", f"about {size(estimate['disk_bytes'])}"),
        ],
        title="Estimate",
    )
    for note in value["notes"]:
        console.print(Text(note, style="yellow"))


def _some(number: int, what: str) -> str | None:
    return f"{number:,} rows, {what}" if number else None


def loss_rows(console: Console, rows: Sequence[Any]) -> None:
    """Rows as they are trained; what the loss counts in colour, or between ⟦ and ⟧ without one."""
    colour = console.is_terminal and not console.no_color
    for row in rows:
        head = f"{row.where} · {row.tokens:,} tokens, {row.loss_tokens:,} in the loss"
        console.print(Text(head, style="bold"))
        text = Text()
        for piece, counts in row.pieces:
            if counts and not colour:
                text.append(f"⟦{piece}⟧")
            else:
                text.append(piece, style="black on green" if counts else "dim")
        console.print(text, soft_wrap=True)
        console.print()


# ---------------------------------------------------------------------------- reports and runs


def interval(score: Mapping[str, Any] | None, sign: str = "") -> str:
    """``0.912 [0.886, 0.934]``; with ``sign="+"`` differences show theirs."""
    if not score:
        return "—"
    value, low, high = (score[k] for k in ("value", "low", "high"))
    if low is None:
        return f"{value:{sign}.3f}"
    top = "∞" if high is None else f"{high:{sign}.3f}"
    return f"{value:{sign}.3f} [{low:{sign}.3f}, {top}]"


def report(console: Console, value: Mapping[str, Any]) -> None:
    """The candidates with their intervals, and the verdict with its reason; of several tasks those of
    each, and the verdict on all."""
    from afina.evaluate import table as rows_of

    if "tasks" in value:
        for task, own in value["tasks"].items():
            console.print(Text(task, style="bold"))
            report(console, own)
            console.print()
        _verdict(console, value)
        _stages(console, value)
        return
    found = rows_of(value)
    drawn = table("candidate", *found.header[1:], right=found.header[1:])
    for number, cells in enumerate(found.rows):
        drawn.add_row(*map(escape, cells), style="bold" if number == found.tuned else "")
    console.print(drawn)
    for name, reason in found.failures:
        console.print(Text(f"{name} was not measured: {reason}", style="yellow"))
    if value.get("probe"):
        console.print()
        console.print(_probe(value["probe"]))
    console.print()
    for change in value.get("rule_changes", ()):
        console.print(Text(change, style="bold red"))
    _verdict(console, value)
    for note in value["notes"]:
        console.print(Text(f"Note: {note}"))
    for finding in value.get("findings", ()):
        for said in finding["said"][bool(finding["alarm"]) :]:
            console.print(Text(f"{finding['name'].replace('_', ' ').capitalize()}: {said}"))
    _stages(console, value)


def _stages(console: Console, value: Mapping[str, Any]) -> None:
    """What each stage of a sequence reached on the tasks of all, where the run is a later one."""
    found = value.get("stages")
    if not found:
        return
    heads = [f"{c['task']} ({c['metric']}, {c['stage']})" for c in found["columns"]]
    drawn = table("after the stage", *heads, right=heads, title="\nStages and tasks")
    for stage, row in zip(found["stages"], found["matrix"], strict=True):
        drawn.add_row(escape(stage), *(interval(cell) for cell in row))
    console.print(drawn)
    if found["backward_transfer"] is not None:
        console.print(f"Backward transfer: {found['backward_transfer']:+.3f}")


def _verdict(console: Console, value: Mapping[str, Any]) -> None:
    verdict = Text("Verdict: ").append(value["verdict"], style=VERDICT_STYLE[value["verdict"]])
    console.print(verdict.append(f". {value['reason']}"))


def _probe(value: Mapping[str, Any]) -> Table:
    """The general probe before and after, and how far a longer context is read."""
    sides = ("base", "tuned", "difference")
    drawn = table("general probe", *sides, right=sides)
    long = value.get("long", {})
    for part, of in ((value, ""), (long, f" of {long.get('length', 0):,} tokens")):
        names = {
            "right": f"right of {part.get('questions')} questions{of and ' in texts' + of}",
            "perplexity": f"perplexity of {part.get('texts')} texts{of}",
        }
        for name, own in part.get("scores", {}).items():
            change = own["difference"]
            moved = interval({"value": change["difference"], **change}, sign="+")
            drawn.add_row(names[name], interval(own["before"]), interval(own["after"]), moved)
    return drawn


def runs(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        console.print("No runs yet: afina run RECIPE makes one.")
        return
    drawn = table("run", "status", "task", "method", "base", "score", "verdict", right=["score"])
    for row in rows:
        score = "" if row["value"] is None else f"{row['metric']} {interval(row)}"
        verdict = row.get("verdict") or ""
        drawn.add_row(
            escape(" ".join([str(row["id"]), *(f"({name})" for name in row["promoted"])])),
            Text(str(row["status"]), style=STATUS_STYLE.get(str(row["status"]), "")),
            escape(str(row.get("task") or "")),
            escape(str(row.get("method") or "")),
            escape(str(row.get("base") or "")),
            score,
            Text(verdict, style=VERDICT_STYLE.get(verdict, "")),
        )
    console.print(drawn)
    for row in rows:
        if row.get("error"):
            console.print(Text(f"{row['id']}: {row['error']}", style="yellow"))


def training(console: Console, figures: Mapping[str, Any]) -> None:
    """What the training was and took."""
    trained, total = figures["trainable_parameters"], figures["total_parameters"]
    facts(
        console,
        [
            ("method", f"{figures['method']}, {figures['objective']}"),
            (
                "trained",
                f"{count(trained)} of {count(total)} parameters ({trained / max(total, 1):.2%})",
            ),
            ("steps", f"{figures['steps']:,} ({figures['epochs']:g} epochs)"),
            ("stopped", figures.get("stopped") or None),
            (
                "best weights",
                f"of step {figures['best_step']:,}" if "best_step" in figures else None,
            ),
            ("tokens", f"{figures['tokens']:,} ({figures['loss_tokens']:,} in the loss)"),
            ("time", duration(figures["seconds"])),
            (
                "speed",
                f"{figures['tokens_per_second']:,.0f} tokens/s, "
                f"{figures['examples_per_second']:,.1f} rows/s",
            ),
            ("peak memory", size(figures["peak_memory_bytes"])),
            ("weights", f"sha256 {figures['weights_sha256'][:16]}…"),
        ],
        title="Training",
    )
