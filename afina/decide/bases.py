"""Which of the bases at hand suits these rows: measured on a sample, not taken from a list.

For text the bits that a base needs for a character of the right answers: a figure that does not
depend on how its tokenizer cuts, as perplexity a token does. For labels the score without any
training. The sample is of rows that decide nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.decide.rows import Rows
    from afina.evaluate.scorer import Scorer
    from afina.models.sources import Base
    from afina.recipe import Recipe
    from afina.train.machine import Machine

ROOM = 1.3
"""Bytes in memory for each byte of weights, while a base answers."""


@dataclass(frozen=True)
class Ranked:
    """One base: how well it fits the sample, and what it is. ``reason``: why it was not measured.

    ``value``: bits a character (lower is better) or the named score (``better`` says which way).
    """

    name: str
    own: bool
    parameters: int
    bytes: int
    licence: str
    licence_note: str
    context_length: int
    tunable: bool
    measure: str = ""
    better: str = ""
    value: float | None = None
    tokens_per_word: float | None = None
    fits_memory: bool = True
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def rank_bases(
    recipe: Recipe,
    rows: Rows,
    own: Base,
    machine: Machine,
    scorer: Scorer,
    say: Callable[[str], None],
) -> list[Ranked]:
    """The recipe's base and up to ``decide.bases`` others that are here, the best fit first."""
    sample = rows.choice[: recipe.decide.base_rows]
    found: list[Ranked] = []
    for base in [own, *_others(recipe, own, say)]:
        found.append(_measured(recipe, rows, base, base is own, sample, machine, scorer, say))
    found.sort(key=lambda r: (r.value is None, _order(r), r.parameters))
    return found


def _order(ranked: Ranked) -> float:
    if ranked.value is None:
        return 0.0
    return ranked.value if ranked.better == "lower" else -ranked.value


def _others(recipe: Recipe, own: Base, say: Callable[[str], None]) -> list[Base]:
    """Bases of the same kind that are on this machine already, smallest first."""
    from afina.models.sources import list_bases, resolve

    listed = [b for b in list_bases() if b.where == "here" and b.kind == own.kind]
    listed.sort(key=lambda b: (b.parameters, b.name))
    found: list[Base] = []
    for one in listed:
        if len(found) >= recipe.decide.bases:
            break
        if one.folder is not None and one.folder == own.folder:
            continue
        try:
            base = resolve(one.name, say=say)
        except AfinaError as error:
            say(f"{one.name} is passed over: {error.what}")
            continue
        if base.sha256 != own.sha256:
            found.append(base)
    return found


def _measured(
    recipe: Recipe,
    rows: Rows,
    base: Base,
    own: bool,
    sample: Sequence[Example],
    machine: Machine,
    scorer: Scorer,
    say: Callable[[str], None],
) -> Ranked:
    facts: dict[str, Any] = {
        "name": base.name,
        "own": own,
        "parameters": base.parameters,
        "bytes": base.bytes,
        "licence": base.licence,
        "licence_note": base.licence_note,
        "context_length": base.context_length,
        "tunable": base.tunable,
        "fits_memory": 4 * ROOM * base.parameters < machine.free_memory_bytes,
    }
    if not facts["fits_memory"]:
        return Ranked(**facts, reason="its weights do not fit into the free memory")
    say(f"measuring the base {base.name} on {len(sample)} rows")
    try:
        measure, better, value = _fit(recipe, rows, base, sample, scorer)
        return Ranked(
            **facts,
            measure=measure,
            better=better,
            value=value,
            tokens_per_word=_tokens_per_word(base, rows.task, sample),
        )
    except AfinaError as error:
        return Ranked(**facts, reason=error.what)


def _fit(
    recipe: Recipe, rows: Rows, base: Base, sample: Sequence[Example], scorer: Scorer
) -> tuple[str, str, float]:
    """(measure, which way is better, value) of an untuned base: with a plain prompt, or its vectors."""
    from afina.evaluate.single import value_of
    from afina.flow.measuring import build_asked

    task = rows.task.over(sample, (*rows.train, *rows.choice))
    way = "vectors" if "vectors" in task.baselines() else "zero_shot"
    predictor = build_asked(way, recipe, task, base, rows.train, rows.choice)
    likelihood = getattr(predictor, "negative_log_likelihood", None)
    if likelihood is not None:
        nats = sum(loss for loss, _ in likelihood(sample))
        characters = sum(len(task.gold(example).text) for example in sample)
        return "bits_per_character", "lower", nats / math.log(2) / max(1, characters)
    answers = predictor.predict([task.question(example) for example in sample])
    return scorer.name, scorer.better, value_of(scorer, task, sample, answers)


def _tokens_per_word(base: Base, task: Task, sample: Sequence[Example]) -> float:
    from afina.models.load import load_renderer

    renderer = load_renderer(base)
    texts = [task.question(example).text for example in sample]
    texts += [task.gold(example).text for example in sample]
    words = sum(len(re.findall(r"\w+", text)) for text in texts)
    tokens = sum(len(renderer.completion(text)) for text in texts if text)
    return tokens / max(1, words)
