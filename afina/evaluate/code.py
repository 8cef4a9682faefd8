"""The score of code: whether it passes the tests of its row (pass@1 of Chen et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from afina.errors import DataError
from afina.evaluate.sandbox import Limits, code_of, describe, run_tests
from afina.evaluate.scorer import Context, Counting, Row, Scorer, mean
from afina.types import Answer, ChatExample, Example, Task

GOLDS_TRIED = 200
"""Right answers that are run before training, those of the validation rows first."""
PLACES_SHOWN = 20


def tests_counting(context: Context) -> Counting:
    """Statistics, of rows with tests: answers that pass them, rows."""
    limits = context.require_tests("passes_tests")

    def count(example: Example, _: Answer, answer: Answer) -> Row:
        if not tests_of(example):
            return {}
        return {0: float(_passes(answer, example, limits)), 1: 1.0}

    return Counting(2, count)


def tests_of(example: Example) -> str:
    """The tests of a row; empty where it has none."""
    return example.tests if isinstance(example, ChatExample) else ""


def refuse_without_tests(examples: Sequence[Example]) -> None:
    """Raises DataError if no row has tests."""
    if not any(map(tests_of, examples)):
        raise DataError(
            "task.run_tests is set, and no row has tests",
            where=examples[0].where,
            do="add a column tests with the code that checks the answer, or leave task.run_tests out",
        )


def how_code_is_run(task: Task, examples: Sequence[Example]) -> tuple[str, ...]:
    """What a person should know before code is run: what guards it on this machine, rows without tests,
    right answers that do not pass their own. Empty where no code is run."""
    limits = Context.of(task).limits
    if limits is None:
        return ()
    said = [describe(limits)]
    tested = [e for e in examples if tests_of(e)]
    if len(tested) < len(examples):
        said.append(f"{len(examples) - len(tested):,} rows have no tests and do not count")
    tried = tested[:GOLDS_TRIED]
    failed = [e.where for e in tried if not _passes(task.gold(e), e, limits)]
    if failed:
        said.append(
            f"{len(failed):,} of {len(tried):,} right answers that were tried do not pass their own "
            f"tests ({'; '.join(failed[:PLACES_SHOWN])}{' …' if len(failed) > PLACES_SHOWN else ''})"
        )
    return tuple(said)


def _passes(answer: Answer, example: Example, limits: Limits) -> bool:
    return run_tests(code_of(answer.text), tests_of(example), limits).passed


CODE_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "passes_tests",
        "Share of the answers whose code passes the tests of its row, run to the end (pass@1); rows "
        "without tests do not count.",
        tests_counting,
        mean,
    ),
)
