"""The parts of the proof beside the judged score. A new one is a file, and one line here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from afina.errors import RecipeError
from afina.evaluate import bias, calibration, rewards, robustness, slices, style, support, worst
from afina.evaluate.asking import Further
from afina.evaluate.finding import Finding, Material
from afina.evaluate.scorer import Scorer
from afina.recipe import Evaluate
from afina.types import Example, Task

FINDINGS: tuple[Callable[[Material], Finding | None], ...] = (
    calibration.find,
    rewards.find,
    slices.find,
    worst.find,
    robustness.find,
    bias.find_groups,
    bias.find_swaps,
    support.find,
    style.find,
)
"""In the order of the report; a part that says nothing of this task gives None."""


def further_questions(
    settings: Evaluate, task: Task, test: Sequence[Example], seed: int
) -> list[Further]:
    """What the tuned model is asked beside the test, as far as the recipe wishes it."""
    found: list[Further] = []
    if settings.robustness is not None:
        found += robustness.questions(settings.robustness, task, test, seed)
    if settings.bias is not None:
        found += bias.questions(settings.bias, task, test)
    return found


def check_further(settings: Evaluate, judged: Scorer) -> None:
    """Read the files that further questions need, and refuse what could not be scored, before
    training. Raises DataError or RecipeError."""
    wished = [name for name in ("robustness", "bias") if getattr(settings, name) is not None]
    if wished and judged.source != "answers":
        raise RecipeError(
            f"{wished[0]} compares answers, and {judged.name} is judged without any",
            where=f"evaluate.{wished[0]}",
            do="name a score of answers as goal.metric, or leave it out",
        )
    if settings.robustness is not None and settings.robustness.paraphrases is not None:
        robustness.read_paraphrases(settings.robustness.paraphrases)
    if settings.bias is not None and settings.bias.terms is not None:
        bias.read_terms(settings.bias.terms)


def look(material: Material) -> tuple[Finding, ...]:
    """Everything that was found."""
    return tuple(found for part in FINDINGS if (found := part(material)) is not None)
