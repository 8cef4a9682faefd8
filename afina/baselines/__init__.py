"""What a tuned model has to beat: predictors that need no training of ours.

All of them learn from the training rows only; a prompt that is searched for is chosen on validation
rows. A new baseline is one file with a builder, and one line in ``BASELINES``. One that makes no
sense for a base or a task raises DataError or ModelError, whose text is recorded as the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from afina.baselines import (
    base as base_itself,
)
from afina.baselines import (
    copied,
    embedding_linear,
    embedding_ridge,
    few_shot,
    few_shot_nearest,
    few_shot_random,
    gazetteer,
    lead,
    linear,
    longer,
    majority,
    mean,
    nearest,
    neighbours,
    popular,
    prompt_search,
    rag,
    ridge,
    sentence,
    vectors,
    word_linear,
    words,
    zero_shot,
)
from afina.baselines.request import Baseline, Builder, Precision, Request
from afina.baselines.weighed import weighed
from afina.errors import RecipeError
from afina.errors import nearest as nearest_word
from afina.recipe import Evaluate, Goal, Retrieval
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.models.sources import Base

BASELINES: Mapping[str, Builder] = {
    "majority": majority.build,
    "nearest": nearest.build,
    "lead": lead.build,
    "copy": copied.build,
    "bm25": words.build,
    "vectors": vectors.build,
    "popular": popular.build,
    "neighbours": neighbours.build,
    "linear": linear.build,
    "embedding_linear": embedding_linear.build,
    "mean": mean.build,
    "ridge": ridge.build,
    "embedding_ridge": embedding_ridge.build,
    "gazetteer": gazetteer.build,
    "word_linear": word_linear.build,
    "sentence": sentence.build,
    "zero_shot": zero_shot.build,
    "few_shot": few_shot.build,
    "few_shot_random": few_shot_random.build,
    "few_shot_nearest": few_shot_nearest.build,
    "prompt_search": prompt_search.build,
    "rag": rag.build,
    "base": base_itself.build,
    "longer": longer.build,
}


def build(
    name: str,
    *,
    task: Task,
    train: Sequence[Example],
    base: Base | None,
    settings: Evaluate | None = None,
    seed: int = 7,
    device: str = "auto",
    precision: Precision = "auto",
    cache: Path | None = None,
    validation: Sequence[Example] = (),
    goal: Goal | None = None,
    retrieval: Retrieval | None = None,
    say: Callable[[str], None] | None = None,
) -> Baseline:
    """A baseline by name, fitted on ``train``. ``task`` is resolved.

    ``precision``: in which a base is run (auto: float32 on a CPU, bfloat16 on a GPU); give the
    tuned model's, so that only the tuning differs. ``cache``: a folder for vectors.
    ``validation`` and ``goal``: rows to choose a prompt by, and the score that counts;
    ``retrieval``: documents to answer from.

    Raises RecipeError for an unknown name, DataError or ModelError where the baseline makes no
    sense for this task, these rows or this base.
    """
    if name not in BASELINES:
        raise RecipeError(
            f"there is no baseline {name}",
            where="evaluate.baselines",
            do=nearest_word(name, BASELINES),
        )
    request = Request(
        task=task,
        train=tuple(train),
        base=base,
        settings=settings or Evaluate(),
        seed=seed,
        device=device,
        precision=precision,
        cache=cache,
        validation=tuple(validation),
        goal=goal,
        retrieval=retrieval,
    )
    request.check(name)
    started = perf_counter()
    predictor = weighed(BASELINES[name](request), request)
    predictor.facts = replace(
        predictor.facts,
        seconds_to_fit=perf_counter() - started,
        disk_bytes=request.asked[0].bytes if request.asked else None,
    )
    if say is not None:
        say(f"{name}: {predictor.facts.sentence()}")
    return predictor


__all__ = ["BASELINES", "Baseline", "build"]
