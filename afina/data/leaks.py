"""Rows to learn from that stand in a benchmark: equal, equal but for case and marks, near, or within.

A benchmark that was learned measures memory. ``within``: most of a question's runs of eight words
stand in one row, whatever else the row says (the rule of Brown et al. 2020, with 13 words there).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from afina.data.content import messages_before, normalise, texts
from afina.data.findings import Finding, Placed, Section
from afina.data.near import near_pairs
from afina.data.reading import read
from afina.recipe.knobs import Data
from afina.types import Example, LabelledExample, TextExample

RUN = 8
"""Words of a run."""
WITHIN = 0.6
"""Share of a question's runs that one row must hold."""


def find(rows: Sequence[Placed], data: Data) -> Section:
    """Rows of train and validation that the files of ``data.benchmark`` hold too, the surest first.

    Raises DataError if a file cannot be read.
    """
    if data.benchmark is None:
        return Section({"benchmark": 0})
    reading = read(data.benchmark, data.columns, data.encoding)
    learned = [row for row in rows if row.part != "test"]
    asked = [(question(example), example.where) for example in reading.examples]
    own = [question(row.example) for row in learned]
    found: dict[int, tuple[str, float, str]] = {}
    for name, score, make in (
        ("equal", 1.0, str),
        ("equal but for case and marks", 0.99, normalise),
    ):
        places = {make(text): where for text, where in asked}
        for i, text in enumerate(own):
            if i not in found and make(text) in places:
                found[i] = (name, score, places[make(text)])
    for i, similarity, where in _near(own, asked):
        found.setdefault(i, ("near", similarity, where))
    for i, share, where in _within(learned, asked):
        found.setdefault(i, ("within", share * 0.99, where))
    findings = [
        Finding(
            "leak",
            learned[i].example.id,
            learned[i].example.where,
            learned[i].part,
            f"{how}: {where} of the benchmark",
            score,
            {"benchmark": where},
        )
        for i, (how, score, where) in found.items()
    ]
    findings.sort(key=lambda f: (-(f.score or 0.0), f.id))
    figures = {
        "benchmark": len(asked),
        "benchmark_dropped": len(reading.dropped),
        "leaked": len({f.facts["benchmark"] for f in findings}),
        "how": dict(Counter(f.what.split(":")[0] for f in findings)),
    }
    return Section(figures, findings)


def question(example: Example) -> str:
    """What is asked, without the names of the turns: the text, or all that the user said."""
    if isinstance(example, LabelledExample | TextExample):
        return example.text
    said = [m.content for m in messages_before(example) if m.role == "user"]
    return "\n".join(said) if said else "\n".join(texts(example))


def _near(own: Sequence[str], asked: Sequence[tuple[str, str]]) -> list[tuple[int, float, str]]:
    """(row, similarity, place) of pairs between both sides that are near duplicates."""
    rows: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(own):
        rows[normalise(text)].append(i)
    places = {normalise(text): where for text, where in asked}
    every = sorted({*rows, *places})
    found = []
    for pair in near_pairs(every):
        one, other = every[pair.first], every[pair.second]
        for mine, theirs in ((one, other), (other, one)):
            if theirs in places:
                found += [(i, pair.similarity, places[theirs]) for i in rows.get(mine, ())]
    return found


def _within(
    learned: Sequence[Placed], asked: Sequence[tuple[str, str]]
) -> list[tuple[int, float, str]]:
    """(row, share of the runs, place) of questions that stand inside a row."""
    runs: dict[tuple[str, ...], set[int]] = defaultdict(set)
    sizes: list[int] = []
    for number, (text, _) in enumerate(asked):
        own = _runs(text)
        sizes.append(len(own))
        for run in own:
            runs[run].add(number)
    found = []
    for i, row in enumerate(learned):
        hits: Counter[int] = Counter()
        for run in {run for text in texts(row.example) for run in _runs(text)}:
            hits.update(runs.get(run, ()))
        for number, count in hits.most_common(1):
            if count >= WITHIN * sizes[number]:
                found.append((i, count / sizes[number], asked[number][1]))
    return found


def _runs(text: str) -> set[tuple[str, ...]]:
    words = normalise(text).split()
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
