"""A file of expectations (``tests.jsonl``): what is asked, and what the answer must be like.

Each line is ``{"input": …}`` with one or more of ``CHECKS``; it is met if all of them are. Any
Predictor can be tested; a tuned model that fails one does not ship.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.data.asked import as_input
from afina.data.content import composed
from afina.data.jsonrows import StrictError, parse_all
from afina.data.lines import lines
from afina.data.rows import MAX_PROBLEMS, Notes, Problem, raise_problems
from afina.data.sources import opened
from afina.errors import DataError, nearest
from afina.evaluate.answers import canonical, parse_json
from afina.evaluate.asking import Measured, as_gold
from afina.evaluate.scorer import Context
from afina.evaluate.statement import Statement
from afina.store.durable import sha256_file
from afina.tasks.json_schema import Schema, SchemaError
from afina.types import Answer, Input, Predictor, Task
from afina.types.patterns import compiled, found

Check = Callable[[Answer], Statement | None]
"""What an answer fails in; None if it does not."""
SHOWN = 300
"""Characters of a question or an answer that the list of failures shows."""


@dataclass(frozen=True)
class Expectation:
    """One line of the file."""

    id: str
    where: str
    asked: Input
    checks: tuple[Check, ...]

    def failures(self, answer: Answer) -> tuple[Statement, ...]:
        """What the answer fails in; empty if it is as expected."""
        return tuple(fault for check in self.checks if (fault := check(answer)) is not None)


@dataclass(frozen=True)
class Expectations:
    """A whole file, checked."""

    name: str
    sha256: str
    rows: tuple[Expectation, ...]
    stated: str = ""
    """Fingerprint of the file when the run was planned; empty where nobody planned with it."""

    @property
    def questions(self) -> list[Input]:
        """What is asked, line by line."""
        return [row.asked for row in self.rows]

    def judge(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """The lines that are not met, as plain values: id, where, question, answer, reasons."""
        return [
            {
                "id": row.id,
                "where": row.where,
                "question": _short(row.asked.joined().text),
                "answer": _short(answer.text),
                "reasons": [fault.as_dict() for fault in faults],
            }
            for row, answer in zip(self.rows, answers, strict=True)
            if (faults := row.failures(answer))
        ]

    def facts(self) -> dict[str, Any]:
        """File, fingerprint, number of lines, and whether it is another than was planned with."""
        changed = self.stated not in ("", self.sha256)
        rows = len(self.rows)
        return {"file": self.name, "sha256": self.sha256, "rows": rows, "changed": changed}

    def tried(self, predictor: Predictor, task: Task) -> dict[str, Any]:
        """Ask any predictor: the facts, its name, and the lines that it failed."""
        answers = as_gold(task, predictor.predict(self.questions))
        return self.facts() | {"candidate": predictor.name, "failed": self.judge(answers)}

    def compared(self, measured: Sequence[Measured], tuned: str) -> dict[str, Any]:
        """The part of a report: the facts, what the tuned model failed, and each candidate's number
        of failures (``failed``) or the reason why it was not asked (``error``)."""
        failed = {
            m.name: m.expected if isinstance(m.expected, str) else self.judge(m.expected)
            for m in measured
            if m.failure is None
        }
        by_candidate = {
            name: {"error": found} if isinstance(found, str) else {"failed": len(found)}
            for name, found in failed.items()
        }
        return self.facts() | {"failed": failed[tuned], "candidates": by_candidate}


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


# ---------------------------------------------------------------------------- the checks


def _texts(value: Any) -> list[str]:
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(t, str) for t in found):
        raise ValueError("a text, or a list of texts")
    if not all(composed(t) for t in found):
        raise ValueError("an empty text stands in every answer")
    return [composed(text) for text in found]


def contains(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """All of the texts stand in the answer, letter by letter."""
    wanted = _texts(value)

    def check(answer: Answer) -> Statement | None:
        missing = [text for text in wanted if text not in composed(answer.text)]
        return Statement("lacks", {"wanted": ", ".join(missing)}) if missing else None

    return check


def not_contains(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """None of the texts stands in the answer."""
    unwanted = _texts(value)

    def check(answer: Answer) -> Statement | None:
        there = [text for text in unwanted if text in composed(answer.text)]
        return Statement("holds", {"found": ", ".join(there)}) if there else None

    return check


def matches(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """All of the regular expressions are found in the answer."""
    patterns = _texts(value)
    for pattern in patterns:
        compiled(pattern)

    def check(answer: Answer) -> Statement | None:
        missed = [p for p in patterns if not found(p, composed(answer.text))]
        return Statement("no_match", {"pattern": ", ".join(missed)}) if missed else None

    return check


def equals(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """The answer is this text, or this JSON object or list by value."""
    if not isinstance(value, str | dict | list):
        raise ValueError("a text, an object or a list")
    right = composed(value) if isinstance(value, str) else canonical(parse_json(canonical(value)))

    def check(answer: Answer) -> Statement | None:
        given = composed(answer.text) if isinstance(value, str) else _value(answer)
        return None if given == right else Statement("differs", {"wanted": _short(right)})

    return check


def _value(answer: Answer) -> str | None:
    try:
        return canonical(parse_json(answer.text))
    except ValueError:
        return None


def schema(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """The answer is JSON that the schema allows."""
    if not isinstance(value, dict):
        raise ValueError("a JSON schema is an object")
    allowed = Schema(value)

    def found(answer: Answer) -> Statement | None:
        try:
            given = parse_json(answer.text)
        except ValueError as error:
            return Statement("not_json", {"what": str(error)[:200]})
        try:
            fault = allowed.problem(given)
        except SchemaError as error:  # references that lead on without an end
            fault = str(error)
        return Statement("not_of_schema", {"what": fault[:200]}) if fault else None

    return found


def label(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """The answer is this label, or exactly these labels."""
    if not context.labels:
        raise ValueError("the answers of this task are no labels; use equals")
    if not isinstance(value, str | list) or not all(isinstance(x, str) for x in value):
        raise ValueError("a label, or a list of labels")
    wanted = [value] if isinstance(value, str) else value
    if unknown := [name for name in wanted if name not in context.labels]:
        raise ValueError(f"no label is called {unknown[0]}: {nearest(unknown[0], context.labels)}")

    def found(answer: Answer) -> Statement | None:
        if set(answer.labels) == set(wanted):
            return None
        return Statement("other_label", {"wanted": " | ".join(wanted), "found": answer.text})

    return found


def number(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """The answer is this number, give or take ``within``."""
    within = row.get("within", 0)
    if not _is_number(value) or not _is_number(within) or within < 0:
        raise ValueError("a number, and within a number of at least 0")

    def found(answer: Answer) -> Statement | None:
        try:
            given = float(answer.text.strip()) if answer.number is None else answer.number
        except ValueError:
            given = math.nan
        if not math.isfinite(given):  # a text may be "nan" or "inf"
            return Statement("no_number", {"found": _short(answer.text)})
        if abs(given - value) <= within + 1e-12 * abs(value):
            return None
        return Statement("other_number", {"wanted": value, "within": within, "found": given})

    return found


def most_words(value: Any, row: Mapping[str, Any], context: Context) -> Check:
    """The answer has at most so many words."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a whole number of at least 0")

    def found(answer: Answer) -> Statement | None:
        words = len(answer.text.split())
        if words <= value:
            return None
        return Statement("too_many_words", {"words": words, "most": value})

    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any], Context], Check]] = {
    make.__name__: make
    for make in (contains, not_contains, matches, equals, schema, label, number, most_words)
}
"""Every check by the key that asks for it."""
BESIDE = ("input", "id", "within")
"""Keys that are no checks."""


# ---------------------------------------------------------------------------- the file


def read_expectations(path: str | Path, task: Task) -> Expectations:
    """The lines of a file, for a resolved task.

    Raises DataError that names every line that cannot be used (up to 50), and one for a file without
    any line.
    """
    file = Path(path)
    context, rows, problems = Context.of(task), list[Expectation](), list[Problem]()
    with opened(file, file.name) as stream:
        for line, text in lines(stream, file.name, None, Notes()):
            if not text.strip() or len(problems) >= MAX_PROBLEMS:
                continue
            where = f"{file.name}: line {line}"
            try:
                rows.append(_line(text, where, context))
            except DataError as error:
                problems.append(Problem(error.where, error.what, error.do))
    raise_problems(problems)
    if not rows:
        raise DataError(
            "holds no expectation",
            where=str(file),
            do='write a line such as {"input": "…", "contains": "…"}',
        )
    return Expectations(file.name, sha256_file(file), tuple(rows))


def _line(text: str, where: str, context: Context) -> Expectation:
    try:
        row = parse_all(text)
    except StrictError as error:
        raise DataError(f"not JSON: {error.what}", where=where, do=error.do) from None
    if not isinstance(row, dict) or "input" not in row:
        raise DataError("no object with an input", where=where, do='{"input": "…", …}')
    for key in row:
        if key not in (*CHECKS, *BESIDE):
            do = nearest(key, (*CHECKS, *BESIDE))
            raise DataError(f"unknown key {key}", where=where, do=do)
    wished = [key for key in CHECKS if key in row]
    if not wished or ("within" in row and "number" not in row):
        what = "within belongs to number" if wished else "nothing is expected of the answer"
        raise DataError(what, where=where, do="add one of: " + ", ".join(CHECKS))
    checks = []
    for key in wished:
        try:
            checks.append(CHECKS[key](row[key], row, context))
        except ValueError as error:
            raise DataError(str(error), where=f"{where}, {key}", do="mend the line") from None
    name = row.get("id", where.rsplit(": ", 1)[1])
    return Expectation(str(name), where, as_input(row["input"], where), tuple(checks))
