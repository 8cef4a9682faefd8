"""What the analyses of the check found, on a terminal: a line a kind, and the first places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from afina.cli import draw

PLACES_SHOWN = 3
LANGUAGES_SHOWN = 4
SENTENCES = {
    "near_duplicate": "near duplicates, the most alike first",
    "leak": "rows that the benchmark holds too (--fix --remove leak leaves them out)",
    "label_error": "labels that are probably wrong, the most suspect first",
    "cut_off": "answers that are probably cut off",
    "language": "rows in another language than the rest",
    "outlier": "rows unlike the others",
    "personal": "personal data (--fix --redact replaces them)",
}
"""What a finding of each kind is."""


def findings(console: Console, quality: Mapping[str, Any] | None) -> None:
    """All sections, those with findings in yellow."""
    if not quality:
        return
    lines = list(_lines(quality))
    if lines:
        console.print()
    for line, style in lines:
        console.print(Text(line, style=style))


def _lines(quality: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((line, "") for line in _figures(quality))
    for section in quality.values():
        for kind, count in section["kinds"].items():
            yield f"{count:,} {_plural(count)} of {SENTENCES.get(kind, kind)}", "yellow"
            shown = [f for f in section["examples"] if f["kind"] == kind][:PLACES_SHOWN]
            yield from ((f"  {found['where']}: {found['what']}", "dim") for found in shown)


def _figures(quality: Mapping[str, Any]) -> Iterator[str]:
    languages = quality["languages"]["languages"]
    total = sum(languages.values())
    if total:
        shown = list(languages.items())[:LANGUAGES_SHOWN]
        yield "languages: " + ", ".join(f"{name} {count / total:.0%}" for name, count in shown)
    variety = quality["diversity"]
    if variety["words"]:
        most = variety["openings"]["most_common"]
        line = f"variety: {variety['vocabulary']:,} different words of {variety['words']:,}"
        yield f"{line}; {most['share']:.0%} begin with “{most['text']}”"
    labels = variety.get("labels")
    if labels and labels["hardly_covered"]:
        few = ", ".join(labels["hardly_covered"][:LANGUAGES_SHOWN])
        yield f"labels with fewer than 10 rows: {len(labels['hardly_covered']):,} ({few})"
    benchmark = quality["leaks"]["benchmark"]
    if benchmark:
        yield f"benchmark: {quality['leaks']['leaked']:,} of {benchmark:,} questions stand in the rows"
        if unread := quality["leaks"].get("benchmark_dropped"):
            yield f"  {unread:,} rows of the benchmark could not be used"


def _plural(count: int) -> str:
    return "finding" if count == 1 else "findings"


def fixed(console: Console, done: Mapping[str, Any]) -> None:
    """What ``--fix`` wrote, and how to go on."""
    console.print()
    for part, file in done["files"].items():
        console.print(Text(f"{part}: {done['rows'][part]:,} rows written to {file}"))
    for what in ("removed", "changed"):
        for reason, count in done[what].items():
            console.print(Text(f"  {what} {count:,}: {reason.replace('_', ' ')}"))
    if done["keys"]:
        console.print(Text(f"keys, for your eyes alone: {done['keys']}", style="yellow"))
    sets = " ".join(f"-s data.{part}={file}" for part, file in done["files"].items())
    console.print(Text(f"Next: afina run RECIPE {sets} -s data.encoding=null"))


def against(console: Console, found: Mapping[str, Any]) -> None:
    """What ``--against`` compared: drift in yellow."""
    console.print()
    of_rows, of_sample = (
        f" (drawn from {found[of]:,})" if found[of] > found[part] else ""
        for part, of in (("rows", "of_rows"), ("sample", "of_sample"))
    )
    sizes = f"{found['rows']:,} rows{of_rows} beside {found['sample']:,} of the sample{of_sample}:"
    console.print(Text(sizes))
    for one in found["measures"]:
        said = "drift" if one["drifted"] else "no drift"
        line = f"  {one['name']}: {said}; {one['what']} (p {one['p_value']:.2g})"
        console.print(Text(line, style="yellow" if one["drifted"] else ""))
    if found["new_words"]:
        words = ", ".join(f"{word} ({rows:,})" for word, rows in found["new_words"].items())
        console.print(
            Text(f"  {found['unseen_words']:.1%} of its words are new: {words}", style="dim")
        )


def review(console: Console, found: Mapping[str, Any]) -> None:
    """The form of rows that need a look."""
    more = f" ({found['beyond']:,} more need one)" if found["beyond"] else ""
    test = found["test_rows_not_shown"]
    draw.facts(
        console,
        [
            ("to review", f"{found['rows']:,} rows{more}: {', '.join(found['files'])}"),
            ("sealed", f"{test:,} test rows need a look too and are not shown" if test else None),
            ("fill in", "decision: keep, change or drop; with change, right: the right answer"),
            ("then", "afina check RECIPE --fix --reviewed FILE… --out DIR"),
        ],
    )


def reviewed(console: Console, found: Mapping[str, Any]) -> None:
    """What people decided, and how far they agree."""
    from afina.cli.draw_judge import agreement

    counts = [f"{found[k]:,} {k}" for k in ("kept", "changed", "dropped", "unresolved")]
    draw.facts(console, [("reviewed", f"{found['items']:,} rows: {', '.join(counts)}")])
    agreement(console, found["agreement"])
