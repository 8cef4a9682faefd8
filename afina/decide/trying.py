"""Which trials are made: each wished method, the points of a learning curve, one with passages, one of
a network that nobody has trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from afina.decide.desk import Desk
from afina.decide.rows import Rows, shuffled
from afina.decide.trial import Bench, Trial, method_named
from afina.decide.ways import Way
from afina.decide.words import Said
from afina.errors import AfinaError, Interrupted
from afina.types import ChatExample, Example, Method

if TYPE_CHECKING:
    from afina.retrieval import Rag

LEAST_ROWS = 8
"""Rows from which a point of the learning curve is worth a trial."""


def make_trials(desk: Desk, curve_only: bool = False) -> tuple[list[Trial], list[Said]]:
    """The trial of each wished method, the points of the first one's curve, one with passages, and one
    from scratch.

    What cannot be trained is told and passed over.
    """
    wished: list[Method | None] = [
        method_named(desk.recipe, name) for name in desk.recipe.decide.methods or ()
    ] or [desk.recipe.method]
    trials: list[Trial] = []
    failed: list[Said] = []

    def attempt(
        name: str,
        method: Method | None,
        rows: Sequence[Example],
        share: float,
        bench: Callable[[], Bench] = lambda: desk.bench,
    ) -> None:
        desk.say(f"trial {name}: {len(rows)} rows, {desk.recipe.decide.steps} steps")
        try:
            trials.append(bench().trial(name, method, rows, share))
        except Interrupted:
            raise
        except AfinaError as error:
            failed.append(Said("failed", {"way": name, "what": error.what}))
            desk.say(f"{name} could not be trained: {error.what}")

    first = wished[0]
    for number, method in enumerate(wished[:1] if curve_only else wished):
        attempt(_name_of(desk, method), method, desk.rows.train, 1.0)
        if number == 0 and trials:
            first = method
    if trials:
        for share in desk.recipe.decide.shares[:-1]:
            rows = _part(desk.rows, share, desk.recipe.train.seed)
            if LEAST_ROWS <= len(rows) < len(desk.rows.train):
                attempt(f"{trials[0].name} {share:.0%}", first, rows, share)
    if trials and desk.recipe.retrieval is not None and not curve_only and _writes(desk):
        rag = _reader(desk)
        with_passages = [rag.example(row) for row in desk.rows.train]
        attempt(f"{trials[0].name}_rag", first, with_passages, 1.0)
    if desk.recipe.decide.from_scratch and not curve_only:
        full = method_named(desk.recipe, "full")
        attempt("from_scratch", full, desk.rows.train, 1.0, lambda: desk.untrained)
    return trials, failed


def _name_of(desk: Desk, method: Method | None) -> str:
    if method is not None:
        return f"tuned_{method.name}"
    from afina.train.derive import choose_method

    return f"tuned_{choose_method(desk.recipe, desk.base)[0].name}"


def _part(rows: Rows, share: float, seed: int) -> list[Example]:
    """The first rows of a fixed order: a smaller part lies within each larger one."""
    return shuffled(rows.train, seed)[: round(share * len(rows.train))]


def _writes(desk: Desk) -> bool:
    """Whether the rows are conversations, into which passages can be put."""
    return all(isinstance(row, ChatExample) for row in desk.rows.train)


def _reader(desk: Desk) -> Rag:
    from afina.baselines.rag import reader

    asked, index = desk.recipe.retrieval, desk.index
    assert asked is not None and index is not None
    limit = desk.recipe.train.max_length
    return reader(index, asked, desk.rows.task, desk.base, desk.renderer, limit)


def tuned_ways(desk: Desk, trials: Sequence[Trial]) -> list[Way]:
    from afina.models.predictor import TunedModel

    def opener(trial: Trial) -> Callable[[], Any]:
        def plain() -> Any:
            return TunedModel.open(trial.folder, base=trial.base, name=trial.name)

        def grounded() -> Any:
            from afina.baselines.rag import ground

            assert desk.recipe.retrieval is not None and desk.index is not None
            return ground(plain(), desk.index, desk.recipe.retrieval, name=trial.name)

        return grounded if trial.name.endswith("_rag") else plain

    return [Way(t.name, "tuned", opener(t), desk.say) for t in trials]
