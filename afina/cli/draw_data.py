"""What ``afina check`` found, as plain values and on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from afina.cli import draw, draw_findings
from afina.cli.draw_run import replay_line

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.flow import LossRow

CLASSES_SHOWN = 12
PLACES_SHOWN = 5


def checked(dataset: Dataset, special_tokens: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The check and the split as one JSON object."""
    return {
        **dataset.check.as_dict(),
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
        "split": dataset.split_description,
        "fingerprint": dataset.fingerprint,
        "special_tokens": [{"where": where, "token": token} for where, token in special_tokens],
        "dropped_rows": [
            {"where": drop.where, "reason": drop.reason, "instead": drop.instead}
            for drop in dataset.check.drops
        ],
    }


def loss_row(row: LossRow) -> dict[str, Any]:
    """A row as it is trained: pieces of text, each in the loss or not."""
    return {
        "where": row.where,
        "tokens": row.tokens,
        "loss_tokens": row.loss_tokens,
        "pieces": [{"text": text, "in_loss": counts} for text, counts in row.pieces],
    }


def check(console: Console, found: Mapping[str, Any]) -> None:
    """The whole check, what is wrong in yellow."""
    dropped = ", ".join(f"{n:,} {reason}" for reason, n in found["dropped"].items())
    duplicates = found["duplicates"]
    draw.facts(
        console,
        [
            ("format", found["format"]),
            ("rows", f"{found['rows']:,} read, {found['kept']:,} kept"),
            ("dropped", Text(dropped, style="yellow") if dropped else "none"),
            (
                "duplicates",
                f"{duplicates['exact']:,} exact, {duplicates['similar_inputs']:,} alike",
            ),
            ("near duplicates", _near(found["near_duplicates"])),
            (
                "split",
                f"{found['train']:,} train, {found['validation']:,} validation, "
                f"{found['test']:,} test",
            ),
            ("", found["split"]),
            ("replay", replay_line(found["replay"])),
            ("fingerprint", found["fingerprint"][:16] + "…"),
        ],
    )
    _lengths(console, found["lengths"])
    _balance(console, found["balance"])
    _numbers(console, found["numbers"])
    _warnings(console, found)
    draw_findings.findings(console, found["quality"])
    for drop in found["dropped_rows"][:PLACES_SHOWN]:
        instead = f" (as {drop['instead']})" if drop["instead"] else ""
        console.print(Text(f"dropped {drop['where']}: {drop['reason']}{instead}", style="dim"))
    if len(found["dropped_rows"]) > PLACES_SHOWN:
        console.print(Text("… --json lists them all", style="dim"))
    if "against" in found:
        draw_findings.against(console, found["against"])
    if "fixed" in found:
        draw_findings.fixed(console, found["fixed"])
        if "reviewed" in found:
            draw_findings.reviewed(console, found["reviewed"])
    elif "findings" in found:
        console.print(Text(f"every finding: {found['findings']}"))
        if "review" in found:
            draw_findings.review(console, found["review"])


def _near(near: Mapping[str, Any]) -> str:
    if not near["pairs"]:
        return "none"
    counts = f"{near['rows']:,} rows in {near['groups']:,} groups: {near['handling']}"
    return f"{counts} ({near['reason']})"


def _lengths(console: Console, lengths: Mapping[str, Mapping[str, float]]) -> None:
    columns = ("least", "median", "p95", "most", "mean", "total")
    drawn = draw.table("length", *columns, right=columns)
    for name, figures in lengths.items():
        cells = [f"{figures[c]:,.1f}" if c == "mean" else f"{figures[c]:,}" for c in columns]
        drawn.add_row(name.replace("_", " "), *cells)
    console.print()
    console.print(drawn)


def _balance(console: Console, balance: Mapping[str, Any] | None) -> None:
    if balance is None:
        return
    console.print()
    drawn = draw.table("class", "rows", "", right=["rows"])
    counts = list(balance["counts"].items())
    most = counts[0][1]
    for name, rows in counts[:CLASSES_SHOWN]:
        drawn.add_row(escape(name), f"{rows:,}", "█" * max(1, round(24 * rows / most)))
    console.print(drawn)
    if len(counts) > CLASSES_SHOWN:
        least = ", ".join(f"{name} {rows:,}" for name, rows in balance["smallest"].items())
        console.print(f"… {len(counts):,} classes; the smallest: {least}", markup=False)


def _numbers(console: Console, numbers: Mapping[str, float] | None) -> None:
    if numbers is None:
        return
    console.print()
    drawn = draw.table("number", *numbers, right=list(numbers))
    drawn.add_row("", *(f"{value:,.6g}" for value in numbers.values()))
    console.print(drawn)


def _warnings(console: Console, found: Mapping[str, Any]) -> None:
    lines = list(found["notes"])
    wrong = found["contradictions"]
    if wrong["inputs"]:
        lines.append(f"{wrong['inputs']:,} inputs have different answers ({wrong['rows']:,} rows):")
        lines += [
            f"  {_quoted(c['input'])}: {' / '.join(c['answers'])} ({', '.join(c['where'][:3])})"
            for c in wrong["examples"][:PLACES_SHOWN]
        ]
    across = {part: n for part, n in found["near_duplicates"]["across"].items() if n}
    if across:
        shown = " and ".join(f"{n:,} rows of {part}" for part, n in across.items())
        lines.append(f"{shown} have a near duplicate in train (data.near_duplicates: group)")
    for kind, fault in found["encoding_faults"].items():
        where = ", ".join(fault["where"][:3])
        lines.append(f"{fault['rows']:,} rows with {kind.replace('_', ' ')} ({where})")
    special = found["special_tokens"]
    if special:
        shown = ", ".join(f"{s['token']} in {s['where']}" for s in special[:3])
        lines.append(f"{len(special):,} times a special token of the base is spelt ({shown});")
        lines.append("  it is learned as plain text")
    if lines:
        console.print()
    for line in lines:
        console.print(Text(line, style="yellow"))


def _quoted(text: str, limit: int = 60) -> str:
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"“{short}”".replace("\n", " ")
