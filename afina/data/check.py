"""What stands in the data: lengths, duplicates, contradictions, encoding faults, balance."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from afina.data.alike import NearDuplicates
from afina.data.clean import Item
from afina.data.content import answer_key, answer_text, input_text, texts
from afina.data.findings import Quality
from afina.data.reading import Drop
from afina.data.rows import file_and_row
from afina.types import (
    Example,
    JudgedExample,
    LabelledExample,
    NumberExample,
    PairExample,
    PreferenceExample,
    TaggedExample,
    TextExample,
)

SHOWN = 20
"""Places or classes listed by name; the counts cover all."""
FAULTS: Mapping[str, re.Pattern[str]] = {
    "mojibake": re.compile(
        "Ã[\u0080-¿€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|Â[\u00a0-¿]|â€[\u0080-\u009f™œ“”¦˜\u009d¢]|ï»¿|ðŸ"
    ),
    "replacement_character": re.compile("\ufffd"),
    "control_character": re.compile("[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]"),
}
"""Signs of text once decoded wrongly (UTF-8 read as Latin-1, a lost byte), or binary."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Figures of one length over the kept rows."""

    least: int
    median: int
    p95: int
    most: int
    mean: float
    total: int

    @staticmethod
    def of(values: Sequence[int]) -> Lengths:
        """Figures of a non-empty list; percentiles are values that occur (nearest rank)."""
        ordered = sorted(values)

        def rank(share: float) -> int:
            return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]

        total = sum(ordered)
        mean = round(total / len(ordered), 2)
        return Lengths(ordered[0], rank(0.5), rank(0.95), ordered[-1], mean, total)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Rows with one input and different answers."""

    input: str
    answers: tuple[str, ...]
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows whose text carries signs of a wrong encoding."""

    kind: str
    rows: int
    where: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """Rows of each class, most frequent first."""

    counts: Mapping[str, int]

    @property
    def imbalance(self) -> float:
        """How many rows of the largest class come to one of the smallest."""
        return round(max(self.counts.values()) / min(self.counts.values()), 2)

    @property
    def smallest(self) -> tuple[tuple[str, int], ...]:
        """The classes with fewest rows."""
        return tuple(sorted(self.counts.items(), key=lambda c: (c[1], c[0]))[:5])


@dataclass(frozen=True, slots=True)
class Numbers:
    """Figures of the right numbers."""

    least: float
    median: float
    most: float
    mean: float
    deviation: float
    distinct: int


@dataclass(frozen=True)
class Check:
    """The state of the data, before and after cleaning."""

    rows: int
    kept: int
    drops: tuple[Drop, ...]
    files: Mapping[str, int]
    format: str
    notes: tuple[str, ...]
    lengths: Mapping[str, Lengths]
    """By what is measured: ``input_characters``, ``answer_words``, ``tokens`` …"""
    exact_duplicates: int
    """Rows that repeat an earlier one, input and answer, whether dropped or kept."""
    similar_inputs: int
    """Rows whose input is that of another row but for case, spacing and punctuation."""
    near_duplicates: NearDuplicates
    contradictions: tuple[Contradiction, ...]
    faults: tuple[Fault, ...]
    balance: Balance | None
    quality: Quality | None = None
    """What the analyses found; None where they were not asked for."""
    numbers: Numbers | None = None
    replay: Mapping[str, Any] | None = None
    """What ``replay.Replayed`` counts of the general rows; None without any."""

    @property
    def dropped(self) -> dict[str, int]:
        """Dropped rows by reason."""
        return dict(sorted(Counter(d.reason for d in self.drops).items()))

    def as_dict(self) -> dict[str, Any]:
        """For ``check.json``; lists are cut to 20 entries, counts are whole."""
        balance = None
        if self.balance is not None:
            balance = {
                "classes": len(self.balance.counts),
                "imbalance": self.balance.imbalance,
                "smallest": dict(self.balance.smallest),
                "counts": dict(self.balance.counts),
            }
        return {
            "rows": self.rows,
            "kept": self.kept,
            "dropped": self.dropped,
            "files": dict(self.files),
            "format": self.format,
            "notes": list(self.notes),
            "lengths": {name: asdict(figures) for name, figures in self.lengths.items()},
            "duplicates": {"exact": self.exact_duplicates, "similar_inputs": self.similar_inputs},
            "near_duplicates": self.near_duplicates.as_dict(),
            "contradictions": {
                "inputs": len(self.contradictions),
                "rows": sum(len(c.where) for c in self.contradictions),
                "examples": [asdict(c) for c in self.contradictions[:SHOWN]],
            },
            "encoding_faults": {
                f.kind: {"rows": f.rows, "where": list(f.where)} for f in self.faults
            },
            "balance": balance,
            "quality": self.quality.as_dict() if self.quality else None,
            "numbers": asdict(self.numbers) if self.numbers else None,
            "replay": dict(self.replay) if self.replay else None,
        }


def dropped_line(drop: Drop) -> dict[str, Any]:
    """One line of ``dropped.jsonl``."""
    file, row = file_and_row(drop.where)
    line = {"file": file, "row": row, "reason": drop.reason, "id": drop.id, "where": drop.where}
    return line | ({"instead": drop.instead} if drop.instead else {})


# ---------------------------------------------------------------------------- measuring


def measure_lengths(
    examples: Sequence[Example], tokens: Mapping[str, int] | None
) -> dict[str, Lengths]:
    """Characters and words of input and answer; tokens of the row if somebody counted them."""
    if not examples:
        return {}
    inputs = [input_text(e) for e in examples]
    found = {
        "input_characters": Lengths.of([len(t) for t in inputs]),
        "input_words": Lengths.of([len(t.split()) for t in inputs]),
    }
    if not isinstance(examples[0], TextExample | LabelledExample | NumberExample | TaggedExample):
        answers = [answer_text(e) for e in examples]
        found["answer_characters"] = Lengths.of([len(t) for t in answers])
        found["answer_words"] = Lengths.of([len(t.split()) for t in answers])
    if tokens:
        found["tokens"] = Lengths.of(list(tokens.values()))
    return found


def find_contradictions(items: Sequence[Item]) -> list[list[Item]]:
    """Rows of one part with the same normalised input and different answers, together.

    Two preference pairs of one prompt contradict each other only if one is the other reversed, two
    judged answers only if they are the same answer.
    """
    asked = Counter(item.input_key for item in items)
    together: dict[tuple[str, str, str], list[Item]] = defaultdict(list)
    for item in items:
        example = item.example
        if asked[item.input_key] == 1 or isinstance(example, TextExample | PairExample):
            continue  # several texts may belong to one query
        pair = ""
        if isinstance(example, PreferenceExample):
            pair = repr(sorted([repr(example.chosen), repr(example.rejected)]))
        if isinstance(example, JudgedExample):
            pair = answer_text(example)
        together[item.part, item.input_key, pair].append(item)
    return [
        rows
        for rows in together.values()
        if len(rows) > 1 and len({answer_key(r.example) for r in rows}) > 1
    ]


def describe_contradictions(groups: Sequence[Sequence[Item]]) -> tuple[Contradiction, ...]:
    """The same for people: the largest groups first."""
    found = []
    for rows in sorted(groups, key=lambda g: (-len(g), g[0].normal)):
        answers = sorted({_short(answer_text(r.example)) for r in rows})
        places = tuple(r.example.where for r in rows[:SHOWN])
        found.append(Contradiction(_short(input_text(rows[0].example)), tuple(answers), places))
    return tuple(found)


def find_faults(examples: Sequence[Example]) -> tuple[Fault, ...]:
    """Rows with signs of a wrong encoding, by kind."""
    found: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        text = "\n".join(texts(example))
        if text.isascii() and text.isprintable():
            continue
        for name, pattern in FAULTS.items():
            if pattern.search(text):
                found[name].append(example.where)
    return tuple(Fault(k, len(where), tuple(where[:SHOWN])) for k, where in found.items())


def measure_balance(
    examples: Sequence[Example], stratum: Callable[[Example], str | None]
) -> Balance | None:
    """Rows of each label, stretches of each, or rows of each stratum of the task; None where there are
    none."""
    counts: Counter[str] = Counter()
    for example in examples:
        if isinstance(example, LabelledExample):
            counts.update(example.labels)
        elif isinstance(example, TaggedExample):
            counts.update(span.label for span in example.spans)
        elif (name := stratum(example)) is not None:
            counts[name] += 1
    ordered = sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    return Balance(dict(ordered)) if ordered else None


def measure_numbers(examples: Sequence[Example]) -> Numbers | None:
    """Figures of the numbers to learn; None for rows without."""
    found = sorted(e.number for e in examples if isinstance(e, NumberExample))
    if not found:
        return None
    mean = statistics.fmean(found)
    return Numbers(
        found[0],
        statistics.median(found),
        found[-1],
        mean,
        statistics.pstdev(found, mean),
        len(set(found)),
    )


def _short(text: str, limit: int = 200) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
