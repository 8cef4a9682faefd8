"""Questions to the tuned model beside those of the test: what they are and which rows they are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from afina.data.formats import Wanted
from afina.data.reading import rows_by_file
from afina.data.rows import Notes, Problem
from afina.errors import DataError
from afina.evaluate.asking import Further
from afina.evaluate.finding import Column, Material
from afina.evaluate.intervals import resample, total, wilson
from afina.evaluate.paired import Comparison, compare
from afina.evaluate.scorer import Context, statistics
from afina.recipe.knobs import Columns
from afina.types import Answer, Example, Input, Task

SAME_NUMBER = 0.1
"""Share of the right numbers' deviation within which two answers are the same one."""


def changed(given: Input, change: Callable[[str], str]) -> Input:
    """The same input with what the user wrote changed; nothing else of it."""
    messages = tuple(
        replace(m, content=change(m.content)) if m.role == "user" else m for m in given.messages
    )
    second = None if given.second is None else change(given.second)
    return replace(given, messages=messages, second=second)


def asked_otherwise(
    name: str,
    task: Task,
    test: Sequence[Example],
    rows: Iterable[int],
    change: Callable[[str], str],
) -> Further:
    """The rows whose question a change alters. For labelled stretches only changes that leave every
    character in its place, as the right answer names places."""
    in_place = task.head == "tags"
    found: list[tuple[int, Input]] = []
    for i in rows:
        question = task.question(test[i])
        other = changed(question, change)
        same_places = len(other.text) == len(question.text)
        if other != question and (same_places or not in_place):
            found.append((i, other))
    return Further(name, tuple(i for i, _ in found), tuple(given for _, given in found))


@dataclass(frozen=True)
class Answered:
    """A change of questions and what came of it. ``moved``: rows whose answer is another one."""

    name: str
    comparison: Comparison
    before: float
    after: float
    rows: int
    moved: int

    def cells(self, material: Material) -> dict[str, object]:
        """The cells of a row that every kind of further question has."""
        low, high = wilson(self.moved, self.rows, material.settings.confidence)
        return {
            "rows": self.rows,
            "moved": {"value": self.moved / self.rows, "low": low, "high": high},
            "before": self.before,
            "after": self.after,
            "difference": {
                "value": self.comparison.difference,
                "low": self.comparison.low,
                "high": self.comparison.high,
            },
        }


def columns(material: Material) -> tuple[Column, ...]:
    """The columns of ``Answered.cells``."""
    unit = material.judged.unit
    return (
        Column("rows", "count"),
        Column("moved", "score"),
        Column("before", "score", unit),
        Column("after", "score", unit),
        Column("difference", "difference", unit),
    )


def answered(
    material: Material, further: Further, turn: Callable[[str], str] | None = None
) -> Answered:
    """Compare the answers to changed questions with those to the questions themselves, in pairs.

    ``turn``: what is expected to change in a written answer along with its question.
    """
    own, scorer = material.own, material.judged
    given = own.further[further.name]
    test = [material.test[i] for i in further.rows]
    golds = [material.golds[i] for i in further.rows]
    if turn is not None:
        golds = [replace(gold, text=turn(gold.text)) for gold in golds]
    counting = scorer.counting(Context.of(material.task))
    before = material.matrices[own.name][list(further.rows)]
    after = statistics(counting.rows(test, golds, given), counting.width)
    settings = material.settings
    sums = resample([before, after], settings.resamples, material.seed)
    comparison = compare(
        scorer,
        further.name,
        (after, sums[1]),
        (before, sums[0]),
        confidence=settings.confidence,
        family=1,
        seed=material.seed,
    )
    first = [own.answers[i] for i in further.rows]
    scale = Context.of(material.task).scale
    near = SAME_NUMBER * scale[1] if scale else 0.0
    moved = sum(_differ(one, other, turn, near) for one, other in zip(first, given, strict=True))
    was, now = (float(scorer.score(total(matrix))) for matrix in (before, after))
    return Answered(further.name, comparison, was, now, len(given), moved)


def _differ(
    one: Answer, other: Answer, turn: Callable[[str], str] | None, near: float = 0.0
) -> bool:
    """Whether two answers are not the same; numbers are that are no further apart than ``near``."""
    if one.number is not None and other.number is not None:
        return abs(one.number - other.number) > near
    if one.labels or other.labels:
        return set(one.labels) != set(other.labels)
    if one.spans is not None and other.spans is not None:
        return {s.key for s in one.spans} != {s.key for s in other.spans}
    expected = one.text if turn is None else turn(one.text)
    return expected.strip() != other.text.strip()


# ---------------------------------------------------------------------------- files of the user


def pairs_in(source: str, names: Sequence[tuple[str, ...]], where: str) -> list[tuple[str, ...]]:
    """The values of some columns of a file, row by row; ``names``: for each the names it may have.

    Raises DataError that names the row and the knob (``where``).
    """
    found: list[tuple[str, ...]] = []
    wanted = Wanted(columns=Columns())
    for _, _, rows in rows_by_file(source, None, wanted, Notes(), None):
        for row in rows:
            if isinstance(row, Problem):
                raise DataError(row.what, where=row.where, do=row.do)
            values = []
            for each in names:
                value = next((row.values[name] for name in each if name in row.values), None)
                if not isinstance(value, str | int) or not str(value).strip():
                    raise DataError(
                        f"no {' or '.join(each)} in this row ({where})",
                        where=row.where,
                        do=f"give the file the columns {' and '.join(n[0] for n in names)}",
                    )
                values.append(str(value).strip())
            found.append(tuple(values))
    if not found:
        raise DataError("0 rows", where=str(Path(source)), do=f"add rows, or leave {where} out")
    return found
