"""The general probe of a run: how much of it is asked, what that costs, and who is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from afina.recipe.proof import PROBE_ITEMS
from afina.tasks import Text
from afina.types import Derived, Example

if TYPE_CHECKING:
    from afina.evaluate.probe import Probe
    from afina.models.general import General
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.recipe import Recipe
    from afina.store import Run
    from afina.train.plan import Plan

FEWEST_ITEMS = 40
SHARE_OF_TRAINING = 0.1


def with_probe(plan: Plan, base: Base, renderer: ChatRenderer) -> Plan:
    """The plan with the number of items settled, and what asking them twice will take."""
    recipe = plan.recipe
    if not recipe.writes:
        return plan
    parts = recipe.parts
    wished = next(iter(parts.values())).evaluate.probe
    if isinstance(wished, bool):
        wished = PROBE_ITEMS * wished
    whole = _seconds(PROBE_ITEMS, plan, base, renderer)
    fitting = int(PROBE_ITEMS * SHARE_OF_TRAINING * plan.estimate.seconds / max(whole, 1e-9))
    items = max(FEWEST_ITEMS, min(PROBE_ITEMS, fitting)) if wished is None else wished
    takes = (
        f"general questions and texts, before and after: about {whole * items / PROBE_ITEMS:.1f} s"
    )
    reason = takes if wished is None else f"as the recipe says; {takes}"
    line = Derived("evaluate.probe", items, reason, wished is not None, "items")
    for number, (name, part) in enumerate(parts.items()):  # one model: asked once, with the first
        asked = {"probe": items if number == 0 else 0}
        evaluation = part.evaluate.model_copy(update=asked)
        parts[name] = part.model_copy(update={"evaluate": evaluation})
    return replace(plan, recipe=recipe.with_parts(parts), derived=(*plan.derived, line))


def _seconds(items: int, plan: Plan, base: Base, renderer: ChatRenderer) -> float:
    """What it takes to ask so many items, of the base and of the tuned model."""
    from afina.evaluate.probe import Probe
    from afina.models.general import WINDOW, encode_general, tokens_read
    from afina.models.masked import USUAL_SHARE
    from afina.train.estimate import reading_seconds

    probe, times = Probe.of(items), 2.0
    asked = probe.examples
    if base.kind == "encoder":  # reads the texts, and hides each token once
        asked, times = probe.texts, 2 / USUAL_SHARE
    rows = encode_general(asked, renderer, min(WINDOW, base.context_length))
    precision = str(plan.recipe.train.precision)
    return times * reading_seconds(tokens_read(rows), plan.parts, precision, plan.machine)


def long_probe_of(base: Base) -> Probe:
    """Hidden facts and long texts for a base with a longer context."""
    from afina.evaluate.needles import long_probe
    from afina.models.general import encode_general
    from afina.models.load import load_renderer

    renderer, length = load_renderer(base), base.context_length

    def tokens(example: Example) -> int:
        return encode_general([example], renderer, length)[0].tokens

    return long_probe(length, tokens)


def open_base(recipe: Recipe, device: str, length: int = 0) -> General:
    """The base as it was made, in the precision of the run; with ``length``, as far as its positions
    are scaled, before it has learned to use them."""
    from afina.models.context import base_of
    from afina.models.general import WINDOW, General
    from afina.models.load import DTYPES, load
    from afina.models.sources import resolve

    dtype = DTYPES[str(recipe.train.precision)]
    base = base_of(recipe) if length else resolve(recipe.base)
    task = Text(window=16)  # any that goes on with a text, for a base of any length
    model = load(base, task, dtype=dtype, device=device, exact=recipe.train.exact)
    return General(model, length or WINDOW)


def open_tuned(run: Run, task: str, length: int = 0) -> General:
    """What was tuned from it; ``task``: of several."""
    from afina.models.general import WINDOW, General
    from afina.models.predictor import TunedModel

    return General(TunedModel.open(run.model_folder, task=task).model, length or WINDOW)
