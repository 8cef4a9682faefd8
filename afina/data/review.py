"""Rows for people to look at: what needs it, the form of it, and their answers written into the rows.

Rows whose label is probably wrong, rows near the boundary between two labels, rows with one input
and different answers, and what the other analyses point at. The sealed test is not shown: how many of
its rows would need a look is counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afina.data import label_errors
from afina.data.builders import number_in
from afina.data.content import answer_key, answer_text, composed, input_text, normal_input
from afina.data.conversation import RowFault
from afina.data.findings import Placed
from afina.data.shapes import PARTS, same_name
from afina.data.sheets import Line
from afina.errors import DataError
from afina.recipe import Columns
from afina.types import Example, LabelledExample, NumberExample

if TYPE_CHECKING:
    from afina.data.dataset import Dataset

REVIEWED = ("label_error", "cut_off", "language", "outlier")
"""Findings that a look at the row can settle."""
NEAR = 0.1
"""Probability between the two likeliest labels below which a row is near the boundary."""
DECISIONS = ("keep", "change", "drop")


@dataclass(frozen=True)
class Review:
    """The rows to look at: ``form`` names them, ``lines`` are the form's rows by item."""

    form: str
    lines: Mapping[str, dict[str, str]]
    examples: Mapping[str, Example]
    beyond: int
    """Rows that need a look and are not in the form, which has its most."""
    sealed: int
    """Test rows that need one."""

    @property
    def asked(self) -> dict[str, Line]:
        """Of each item what must come back unchanged."""
        return {i: {k: line[k] for k in ("input", "answer")} for i, line in self.lines.items()}


def to_review(dataset: Dataset, most: int) -> Review:
    """The rows of a thorough check that need a look, the weightiest reason first, ``most`` at most.

    Raises DataError if no row needs one.
    """
    assert dataset.check.quality is not None, "the check was not thorough"
    shown = [*dataset.train, *dataset.validation]
    reasons: dict[str, list[str]] = defaultdict(list)
    suggested: dict[str, str] = {}
    for name, why in _contradictions(shown):
        reasons[name].append(why)
    findings = [f for f in dataset.check.quality.findings if f.kind in REVIEWED]
    for found in findings:
        reasons[found.id].append(found.what)
        if "suggested" in found.facts:
            suggested.setdefault(found.id, str(found.facts["suggested"]))
    for name, other in _near(shown):
        if name not in suggested:
            reasons[name].append(f"near the boundary to {other}")
            suggested[name] = other
    examples = {row.id: row for row in shown}
    wanted = [name for name in reasons if name in examples]
    if not wanted:
        raise DataError(
            "no row needs a look", where="--review", do="the check found nothing; leave it out"
        )
    form = f"{dataset.fingerprint[:16]}-{most}"
    lines = {
        name: {
            "form": form,
            "item": name,
            "where": examples[name].where,
            "why": "; ".join(reasons[name]),
            "input": input_text(examples[name]),
            "answer": answer_text(examples[name]),
            "suggested": suggested.get(name, ""),
            "decision": "",
            "right": "",
        }
        for name in wanted[:most]
    }
    sealed = len({found.id for found in findings if found.part == "test"})
    return Review(form, lines, examples, max(0, len(wanted) - most), sealed)


def _contradictions(rows: Sequence[Example]) -> list[tuple[str, str]]:
    together: dict[str, list[Example]] = defaultdict(list)
    for row in rows:
        together[normal_input(row)].append(row)
    found = []
    for group in together.values():
        answers = {answer_key(row) for row in group}
        if len(answers) > 1:
            places = ", ".join(row.where for row in group[:5])
            found += [(row.id, f"{len(group)} rows ask this, {len(answers)} answers: {places}")
                      for row in group]  # fmt: skip
    return found


def _near(rows: Sequence[Example]) -> list[tuple[str, str]]:
    """Rows whose own label and the likeliest other are about as probable, the nearest first."""
    looked = label_errors.look([Placed(row, "train") for row in rows])
    if looked is None:
        return []
    ranked = looked.ranked
    near = [i for i in range(len(looked.rows)) if abs(ranked.margin[i]) < NEAR]
    near.sort(key=lambda i: abs(float(ranked.margin[i])))
    return [(looked.rows[i].example.id, looked.names[ranked.other[i]]) for i in near]


# ---------------------------------------------------------------------------- what comes back


def outcome(line: Line, was: Example, labels: Sequence[str], where: str) -> str | None:
    """The answer that somebody wants a row to have; None for a row to leave out.

    Raises DataError for another decision, and for a new answer that is missing or not possible.
    """
    decision = line["decision"].strip().lower()
    right = line.get("right", "").strip()
    if decision not in DECISIONS:
        raise DataError(
            f"the decision is {decision[:20]!r}", where=where, do="keep, change or drop"
        )
    if (decision == "change") != bool(right):
        what = (
            "there is no right answer"
            if not right
            else f"there is one, and the row is to {decision}"
        )
        raise DataError(what, where=f"{where}, right", do="fill in right for change, and only then")
    if decision == "drop":
        return None
    if decision == "keep":
        return answer_text(was)
    if isinstance(was, LabelledExample):
        wished = sorted({part.strip() for part in right.split("|")})
        unknown = [label for label in wished if label not in labels]
        if unknown:
            known = ", ".join(labels[:20])
            raise DataError(f"no label is called {unknown[0]}", where=where, do=f"known: {known}")
        return " | ".join(wished)
    if isinstance(was, NumberExample):
        try:
            return f"{number_in(right, 'right'):.17g}"
        except RowFault as fault:
            raise DataError(fault.what, where=f"{where}, right", do=fault.do) from None
    return right


def with_answer(
    values: Mapping[str, Any], was: str, new: str, columns: Columns, where: str
) -> dict[str, Any]:
    """A row of a file with another answer, in the column and the form in which it stood.

    Raises DataError where the old answer stands in no column that holds answers.
    """
    stated = columns.model_dump()
    for part in ("label", "completion", "target", "number"):
        for column, value in values.items():
            if column == stated[part] or (not stated[part] and same_name(column) in PARTS[part]):
                if isinstance(value, list) and _joined(map(str, value)) == was:
                    return {**values, column: new.split(" | ")}
                if isinstance(value, int | float) and f"{float(value):.17g}" == was:
                    return {**values, column: float(new)}
                if was in (composed(str(value)), _joined(str(value).split("|"))):
                    return {**values, column: new.replace(" | ", "|") if part == "label" else new}
    for column, value in values.items():
        if isinstance(value, list) and value and isinstance(value[-1], dict):
            for key in ("content", "value"):
                if composed(str(value[-1].get(key, ""))) == composed(was):
                    return {**values, column: [*value[:-1], {**value[-1], key: new}]}
    raise DataError(
        "the new answer cannot be written back: no column holds the old one",
        where=where,
        do="change this row in its file by hand, and decide keep",
    )


def _joined(labels: Any) -> str:
    return " | ".join(sorted(label.strip() for label in labels))
