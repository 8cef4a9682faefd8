"""What a score is: a sum of per-example statistics and a function of that sum.

Because every score is a function of a sum over examples, a bootstrap is one matrix product and
always resamples whole examples, for a mean as for a macro F1 or a corpus chrF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from afina.errors import RecipeError
from afina.evaluate.sandbox import Limits
from afina.tasks import Classify, FindAnswer, Generate, Matched, Regress, Tag
from afina.tasks.json_schema import Schema
from afina.types import Answer, Example, Task

Array = NDArray[np.float64]
Row = Mapping[int, float]
"""The statistics of one example, sparse: column to amount; a column that is absent is 0."""
Unit = Literal["share", "points", "perplexity", "number", "correlation"]
"""``share``: 0 to 1, shown in percent. ``points``: 0 to 100. ``perplexity``: 1 and above. ``number``:
0 and above, in the unit of the data. ``correlation``: -1 to 1."""


@dataclass(frozen=True)
class Context:
    """What a scorer may know of the task. ``labels`` is empty for a task without labels."""

    labels: tuple[str, ...] = ()
    several: bool = False
    costs: tuple[tuple[str, float, float], ...] = ()
    """Label, cost of a false alarm and of a miss, of labels that have them."""
    json: bool = False
    """Whether the answers are JSON values, compared as such."""
    types: tuple[str, ...] = ()
    """The labels of stretches, for a task that looks for them."""
    ranks: bool = False
    """Whether an answer is texts in order, the best first."""
    scale: tuple[float, float] | None = None
    """Mean and deviation of the right numbers, for a task whose answers are numbers."""

    reading: str = ""
    """Whose articles do not count, for a task that finds answers in texts."""

    schema: Schema | None = None
    """What JSON answers have to satisfy."""
    limits: Limits | None = None
    """Of the runs of code with tests; None where no code is run."""

    @classmethod
    def of(cls, task: Task) -> Context:
        """The context of a resolved task."""
        if isinstance(task, Classify):
            costs = tuple((label, *both) for label, both in task.costs.items())
            return cls(labels=task.known_labels, several=bool(task.several), costs=costs)
        if isinstance(task, Regress):
            return cls(scale=task.scale)
        if isinstance(task, Tag):
            return cls(types=task.known_labels)
        if isinstance(task, FindAnswer):
            return cls(reading=task.language or "en")
        if isinstance(task, Matched):
            return cls(ranks=True)
        if not isinstance(task, Generate):
            return cls()
        limits = Limits(task.test_seconds, task.test_megabytes) if task.run_tests else None
        return cls(json=task.answer == "json", schema=task.schema_of_answers, limits=limits)

    def require_labels(self, scorer: str) -> None:
        """Raises RecipeError if the task has no labels."""
        if not self.labels:
            raise RecipeError(
                f"the scorer {scorer} compares labels, and this task has none",
                do="take it out, or use exact_match, chrf or rouge_l",
            )

    def require_spans(self, scorer: str) -> None:
        """Raises RecipeError if the task does not look for stretches of a text."""
        if not self.types:
            raise RecipeError(
                f"the scorer {scorer} compares stretches of a text, and this task looks for none",
                do="take it out; it is for task: tag",
            )

    def require_reading(self, scorer: str) -> str:
        """The language of the answers. Raises RecipeError if they are not found in texts."""
        if not self.reading:
            raise RecipeError(
                f"the scorer {scorer} compares answers found in texts, and this task finds none",
                do="take it out; it is for task: answer",
            )
        return self.reading

    def require_numbers(self, scorer: str) -> tuple[float, float]:
        """The scale of the numbers. Raises RecipeError if the answers are none."""
        if self.scale is None:
            raise RecipeError(
                f"the scorer {scorer} compares numbers, and this task gives none",
                do="take it out; it is for task: regress",
            )
        return self.scale

    def require_text(self, scorer: str) -> None:
        """Raises RecipeError if the answers are not text."""
        others = (
            (bool(self.labels), "labels", "accuracy or macro_f1"),
            (bool(self.types), "labelled stretches", "entity_f1"),
            (bool(self.reading), "stretches of the text that is given", "answer_f1"),
            (self.scale is not None, "numbers", "mae"),
            (self.ranks, "ranked texts", "ndcg or recall_at_10"),
        )
        for _, what, other in (found for found in others if found[0]):
            raise RecipeError(
                f"the scorer {scorer} compares texts, and the answers of this task are {what}",
                do=f"take it out, or use {other}",
            )

    def require_schema(self, scorer: str) -> Schema:
        """The schema of the answers. Raises RecipeError if there is none."""
        if self.schema is None:
            raise RecipeError(
                f"the scorer {scorer} holds answers against a JSON Schema, and this task has none",
                do="give task.json_schema, or take the scorer out",
            )
        return self.schema

    def require_tests(self, scorer: str) -> Limits:
        """The limits of a run. Raises RecipeError if the recipe lets no code be run."""
        if self.limits is None:
            raise RecipeError(
                f"the scorer {scorer} runs code that a model has written, and nothing is run unasked",
                do="set task.run_tests (task: generate) to true, or take the scorer out",
            )
        return self.limits

    def require_ranking(self, scorer: str) -> None:
        """Raises RecipeError if the answers are not ranked texts."""
        if not self.ranks:
            raise RecipeError(
                f"the scorer {scorer} looks at ranked texts, and this task gives none",
                do="take it out; it is for task: embed and task: rank",
            )

    def require_json(self, scorer: str) -> None:
        """Raises RecipeError if the answers are not JSON."""
        if not self.json:
            raise RecipeError(
                f"the scorer {scorer} reads the answers as JSON, and this task's are not",
                do="set task.answer to json, or take the scorer out",
            )


@dataclass(frozen=True)
class Counting:
    """How one example becomes a row of ``width`` statistics.

    ``count(example, gold, answer)`` sees one example only, so rows can be added in any order.
    ``together`` sees right and given answers of the whole test, for scores that need the places of
    answers among each other; it stands instead of ``count``.
    """

    width: int
    count: Callable[[Example, Answer, Answer], Row]
    together: Callable[[Sequence[Answer], Sequence[Answer]], Iterable[Row]] | None = None

    def rows(
        self, test: Sequence[Example], golds: Sequence[Answer], answers: Sequence[Answer]
    ) -> Iterable[Row]:
        """The statistics of each example."""
        if self.together is not None:
            return self.together(golds, answers)
        return (self.count(*row) for row in zip(test, golds, answers, strict=True))


@dataclass(frozen=True)
class Scorer:
    """A score: its name, which way is better, and how it follows from summed statistics.

    ``score`` takes sums [..., k] and gives values [...]. ``counting`` makes the counter for a task
    and raises RecipeError where the task does not fit; scorers with the same ``counting`` share
    their statistics. ``proportion``: a mean of zeros and ones (statistics: hits, rows), for which
    exact intervals and tests exist. ``source`` ``likelihood``: the statistics come from
    ``Likelihood.negative_log_likelihood`` (nats, tokens) instead of answers; ``preference``: from
    those of a better and a worse answer; ``gain``: from these and the base's.
    """

    name: str
    sentence: str
    counting: Callable[[Context], Counting]
    score: Callable[[Array], Array]
    better: Literal["higher", "lower"] = "higher"
    unit: Unit = "share"
    lowest: float = 0.0
    highest: float | None = 1.0
    proportion: bool = False
    source: Literal["answers", "likelihood", "preference", "gain"] = "answers"

    @property
    def sign(self) -> int:
        """+1 where higher is better, -1 where lower is."""
        return 1 if self.better == "higher" else -1

    def counted(self, matrix: Any) -> NDArray[np.bool_]:
        """Which rows [N] of statistics the score is of: a mean is of those that have something to be
        divided by (answers without tests of their code have not)."""
        if self.score is not mean:
            return np.ones(matrix.shape[0], bool)
        return np.asarray(matrix[:, [1]].toarray()[:, 0] > 0)

    def facts(self) -> dict[str, Any]:
        """What a reader of the report needs to know of it."""
        return {"better": self.better, "unit": self.unit, "sentence": self.sentence}


def statistics(rows: Iterable[Row], width: int) -> Any:
    """Rows of statistics as a sparse matrix [N, width], float64 (scipy.sparse.csr_array)."""
    from scipy.sparse import csr_array

    values: list[float] = []
    columns: list[int] = []
    starts = [0]
    for row in rows:
        columns.extend(row.keys())
        values.extend(row.values())
        starts.append(len(columns))
    return csr_array(
        (np.asarray(values, np.float64), np.asarray(columns, np.int64), np.asarray(starts)),
        shape=(len(starts) - 1, width),
    )


def ratio(numerator: Array, denominator: Array) -> Array:
    """Element by element; 0 where the denominator is 0."""
    safe = np.where(denominator == 0, 1.0, denominator)
    return np.asarray(np.where(denominator == 0, 0.0, numerator / safe))


def mean(sums: Array) -> Array:
    """Score of the statistics (amount, rows)."""
    return ratio(sums[..., 0], sums[..., 1])
