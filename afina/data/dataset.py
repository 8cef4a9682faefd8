"""The Dataset: rows read, checked, cleaned, divided once and fingerprinted; the test is sealed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afina.data import alike as near
from afina.data import check as checks
from afina.data import clean, replay
from afina.data.check import Check, dropped_line
from afina.data.clean import PARTS, Item
from afina.data.content import canonical, content_id, digest
from afina.data.examine import examine
from afina.data.personal import People
from afina.data.reading import Drop, Reading, read
from afina.data.sealed import SealedTest
from afina.data.sources import HubSource, display_names, find, refuse_shared
from afina.data.split import Division, divide
from afina.data.split_words import describe
from afina.errors import DataError
from afina.recipe.knobs import Data
from afina.types import Example, LabelledExample, TaggedExample, Task

FEW_ROWS = 10
MOST_COUNTED = 100_000
"""Rows whose tokens are counted for the check's lengths; a plan counts all that it trains on."""
LEAST = 0.1
"""Share of the rows over which a group of near duplicates is too large, where no split is made."""
FINGERPRINT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples to learn from, to choose by, and (sealed) to judge by."""

    task: Task
    """Resolved: with all that the examples decide."""
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: SealedTest
    check: Check
    fingerprint: str
    """SHA-256 of rows, order, split, what was dropped, and the data part of the recipe."""
    split: Mapping[str, Any]
    """How the split was made, as facts."""
    replay: tuple[Example, ...] = ()
    """General rows that are learned beside ``train``, and nothing else is done with."""

    @property
    def split_description(self) -> str:
        """How the split was made, in English sentences."""
        return describe(self.split)

    def __repr__(self) -> str:
        counts = (
            f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test"
        )
        return f"<Dataset of {counts} rows, fingerprint {self.fingerprint[:12]}…>"

    def write(self, folder: Path) -> None:
        """Write fingerprint.json, splits.json, check.json, dropped.jsonl and findings.jsonl.

        No content of rows stands in them.

        Raises MachineError if the disk does not take them.
        """
        import json

        from afina.store import durable

        folder.mkdir(parents=True, exist_ok=True)
        ids = {
            "train": [e.id for e in self.train],
            "validation": [e.id for e in self.validation],
            "test": list(self.test.ids),
        }
        if self.replay:
            ids["replay"] = [e.id for e in self.replay]
        durable.write_json(
            folder / "fingerprint.json",
            {
                "fingerprint": self.fingerprint,
                "test_sha256": self.test.sha256,
                "rows": {part: len(names) for part, names in ids.items()},
                "split": self.split_description,
            },
        )
        durable.write_json(folder / "splits.json", ids)
        durable.write_json(folder / "check.json", self.check.as_dict())
        lines = (json.dumps(dropped_line(d), ensure_ascii=False) for d in self.check.drops)
        durable.write_text(folder / "dropped.jsonl", "".join(f"{line}\n" for line in lines))
        if self.check.quality is not None:
            found = (
                json.dumps(f.as_dict(), ensure_ascii=False) for f in self.check.quality.findings
            )
            durable.write_text(folder / "findings.jsonl", "".join(f"{line}\n" for line in found))


def prepare(
    data: Data,
    task: Task,
    *,
    shapes: tuple[type[Example], ...] | None = None,
    fields: tuple[str, ...] = (),
    count_tokens: Callable[[Example], int] | None = None,
    thorough: bool = False,
    people: People | None = None,
) -> Dataset:
    """Read, check, clean, resolve the task, split. Writes nothing.

    ``shapes``: the shapes of rows that are wanted, left out: all that the task accepts.
    ``fields``: columns whose values stay beside the rows that the test is of.
    ``count_tokens`` measures a row for the check's lengths. ``thorough``: also every analysis of
    ``examine``, into ``check.quality``; it changes nothing else. ``people`` finds names for it.
    Raises DataError where files, rows or shares cannot serve, MachineError where a hub data set
    cannot be had.
    """
    readings = _read_all(data, shapes or task.accepts, fields)
    items = clean.items_of(readings)
    clean.refuse_same_files(items)
    cleaned = _clean(items, readings, data)
    kept, drops = cleaned.kept, cleaned.drops
    clean.refuse_nothing_left(kept, drops)
    resolved = task.resolve([item.example for item in kept])
    shares = _shares(data, readings)
    division = _divide(cleaned, resolved, data, readings, shares)
    divided = _divided(kept, division)
    parts = {part: [item.example for item in rows] for part, rows in divided.items()}
    resolved = resolved.settle(parts["train"])
    notes = _notes(readings, division, parts)
    found = near.describe(
        cleaned.alike, cleaned.compared, cleaned.handling, data.near_duplicates is not None, divided
    )
    tokens = _tokens([item.example for item in kept], count_tokens, notes)
    report = _check(items, cleaned, readings, resolved, notes, found, tokens)
    replayed = replay.draw(data, parts) if data.replay else None
    general = {"replay": replayed.rows} if replayed else {}
    fingerprint = _fingerprint(data, {**parts, **general}, drops, cleaned.handling[0])
    split = _split_facts(data, resolved, cleaned, parts, division, shares)
    # What rows were compared by is a third of the memory, and the analyses do without.
    del items, kept, cleaned, divided, division, readings
    if thorough:
        report = replace(report, quality=examine(parts, data, found, tokens, general, people))
    if replayed:
        report = replace(report, replay=replayed.facts)
    return Dataset(
        task=resolved,
        train=tuple(parts["train"]),
        validation=tuple(parts["validation"]),
        test=SealedTest(parts["test"]),
        check=report,
        fingerprint=fingerprint,
        split=split,
        replay=replayed.rows if replayed else (),
    )


# ---------------------------------------------------------------------------- reading, cleaning


def _read_all(
    data: Data, shapes: tuple[type[Example], ...], fields: tuple[str, ...]
) -> dict[str, Reading]:
    sources = {"train": data.train, "validation": data.validation, "test": data.test}
    given = {part: source for part, source in sources.items() if source is not None}
    found = {part: find(source) for part, source in given.items()}
    files = {p: f for p, f in found.items() if not isinstance(f, HubSource)}
    names = display_names([file.path for some in files.values() for file in some])
    refuse_shared({p: {file.path.resolve() for file in some} for p, some in files.items()})
    column = data.split.column
    return {
        part: read(
            source,
            data.columns,
            data.encoding,
            shapes,
            group=column if data.split.by == "group" and part == "train" else None,
            time=column if data.split.by == "time" and part == "train" else None,
            fields=fields if part == ("test" if data.test else "train") else (),
            names=names,
        )
        for part, source in given.items()
    }


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What stays, what goes, and the near duplicates among the rows that were ``compared``."""

    kept: Sequence[Item]
    drops: Sequence[Drop]
    alike: near.Alike
    compared: Sequence[Item]
    handling: tuple[near.Handling, str]


def _clean(items: list[Item], readings: Mapping[str, Reading], data: Data) -> Cleaned:
    """What stays, and every row that goes with its reason. The order of the steps is fixed."""
    drops = [drop for reading in readings.values() for drop in reading.dropped]
    kept: list[Item] = items
    if data.duplicates == "drop":
        kept, gone = clean.drop_duplicates(kept)
        drops += gone
    kept, gone = clean.drop_overlap(kept)
    drops += gone
    if data.contradictions == "drop":
        groups = checks.find_contradictions(kept)
        kept, gone = clean.drop_groups(kept, groups, "contradiction")
        drops += gone
    alike, compared = near.find(kept), kept
    least = min((s for p, s in _shares(data, readings).items() if p != "train"), default=LEAST)
    own_files = any(part != "train" for part in readings)
    handling = near.decide(data.near_duplicates, alike, kept, least, own_files)
    if handling[0] == "drop":
        kept, gone = near.drop_repeats(kept, alike)
        drops += gone
    if handling[0] != "keep":
        kept, gone = near.drop_overlap(kept, alike)
        drops += gone
    kept, gone = clean.draw(kept, data.limit, data.split.seed)
    drops += gone
    rows = sum(reading.rows for reading in readings.values())
    if len(kept) + len(drops) != rows:
        raise AssertionError(f"{len(kept)} kept and {len(drops)} dropped of {rows} rows")
    return Cleaned(kept, drops, alike, compared, handling)


def _check(
    items: Sequence[Item],
    cleaned: Cleaned,
    readings: Mapping[str, Reading],
    task: Task,
    notes: Sequence[str],
    found: near.NearDuplicates,
    tokens: Mapping[str, int] | None,
) -> Check:
    examples = [item.example for item in cleaned.kept]
    exact = clean.count_repeats(items, lambda i: i.row_key)
    groups = checks.find_contradictions(items)
    return Check(
        rows=sum(r.rows for r in readings.values()),
        kept=len(cleaned.kept),
        drops=tuple(cleaned.drops),
        files={name: rows for r in readings.values() for name, rows in r.files},
        format="; ".join(dict.fromkeys(r.format for r in readings.values())),
        notes=tuple(notes),
        lengths=checks.measure_lengths(examples, tokens),
        exact_duplicates=exact,
        similar_inputs=clean.count_repeats(items, lambda i: i.normal) - exact,
        near_duplicates=found,
        contradictions=checks.describe_contradictions(groups),
        faults=checks.find_faults(examples),
        balance=checks.measure_balance(examples, task.stratum),
        numbers=checks.measure_numbers(examples),
    )


def _tokens(
    examples: Sequence[Example], count: Callable[[Example], int] | None, notes: list[str]
) -> dict[str, int] | None:
    """Tokens by row; of very many rows, those of a part drawn by content, which is noted."""
    if count is None:
        return None
    if len(examples) > MOST_COUNTED:
        notes.append(f"tokens were counted in {MOST_COUNTED:,} of {len(examples):,} rows")
        ranked = sorted(examples, key=lambda e: digest(f"tokens {e.id}"))
        examples = ranked[:MOST_COUNTED]
    return {example.id: count(example) for example in examples}


# ---------------------------------------------------------------------------- splitting


def _shares(data: Data, readings: Mapping[str, Reading]) -> dict[str, float]:
    """The parts that are made from the rows of ``data.train``, with their shares of these."""
    split = data.split
    wished = {"train": split.train, "validation": split.validation, "test": split.test}
    open_parts = {p: s for p, s in wished.items() if p not in readings or p == "train"}
    total = sum(open_parts.values())
    return {p: s / total for p, s in open_parts.items() if s > 0}


def _divide(
    cleaned: Cleaned,
    task: Task,
    data: Data,
    readings: Mapping[str, Reading],
    shares: Mapping[str, float],
) -> Division:
    """Divide the rows of ``data.train`` into the parts that have no file of their own."""
    kept = cleaned.kept
    for part in readings:
        if not any(item.part == part for item in kept):
            raise DataError(
                "0 rows are left", where=f"data.{part}", do="its rows were all dropped; name others"
            )
    own = [item for item in kept if item.part == "train"]
    together = {} if cleaned.handling[0] == "keep" else cleaned.alike.group
    division = divide(own, task.stratum, data.split, shares, together)
    made = iter(division.parts)
    parts = tuple(next(made) if item.part == "train" else item.part for item in kept)
    return Division(parts, division.notes, division.together)


def _divided(kept: Sequence[Item], division: Division) -> dict[str, list[Item]]:
    """The rows of each part, in order."""
    divided: dict[str, list[Item]] = {part: [] for part in PARTS}
    for item, part in zip(kept, division.parts, strict=True):
        divided[part].append(item)
    return divided


def _notes(
    readings: Mapping[str, Reading], division: Division, parts: Mapping[str, Sequence[Example]]
) -> list[str]:
    notes = [note for reading in readings.values() for note in reading.notes]
    notes += division.notes
    learned = {x for e in parts["train"] for x in _labels_of(e)}
    for part in ("validation", "test"):
        there = {x for e in parts[part] for x in _labels_of(e)}
        unknown = sorted(there - learned)
        if unknown:
            named = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
            notes.append(f"{part} holds labels that no training row has: {named}")
    rows = sum(len(examples) for examples in parts.values())
    if rows < FEW_ROWS:
        notes.append(f"only {rows} rows: too few to learn much, and to prove anything")
    return list(dict.fromkeys(notes))


def _labels_of(example: Example) -> tuple[str, ...]:
    if isinstance(example, TaggedExample):
        return tuple(span.label for span in example.spans)
    return example.labels if isinstance(example, LabelledExample) else ()


def _split_facts(
    data: Data,
    task: Task,
    cleaned: Cleaned,
    parts: Mapping[str, Sequence[Example]],
    division: Division,
    shares: Mapping[str, float],
) -> dict[str, Any]:
    """What ``split_words.describe`` tells in sentences."""
    given = [p for p in ("validation", "test") if getattr(data, p) is not None]
    how: str = data.split.by
    if how == "stratified" and all(task.stratum(i.example) is None for i in cleaned.kept):
        how = "no_classes"
    reasons = Counter(drop.reason for drop in cleaned.drops)
    return {
        "rows": {part: len(rows) for part, rows in parts.items()},
        "given": given,
        "shares": dict(shares) if len(shares) > 1 else {},
        "how": how,
        "column": data.split.column,
        "seed": data.split.seed,
        "near": cleaned.handling[0] != "keep" and bool(cleaned.alike.group),
        "together": division.together,
        "taken": {part: [reasons[f"in_{part}"], reasons[f"near_{part}"]] for part in given},
    }


def _fingerprint(
    data: Data,
    parts: Mapping[str, Sequence[Example]],
    drops: Sequence[Drop],
    handling: near.Handling,
) -> str:
    recipe: dict[str, Any] = data.model_dump(
        mode="json",
        exclude={
            "train",
            "validation",
            "test",
            "encoding",
            "benchmark",
            "replay",
            "augment",
            "names",
        },
    )
    recipe["near_duplicates"] = handling
    recipe |= {part: getattr(data, part) is not None for part in ("validation", "test")}
    value = {
        "version": FINGERPRINT_VERSION,
        "recipe": recipe,
        "parts": {part: [[e.id, content_id(e)] for e in rows] for part, rows in parts.items()},
        "dropped": [[drop.id, drop.reason] for drop in drops],
    }
    return digest(canonical(value))
