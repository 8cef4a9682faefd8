"""What a sweep varies: the knobs with their values, checked before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from afina.errors import RecipeError
from afina.methods import METHODS
from afina.recipe import Range, Recipe, explain, parse_recipe

if TYPE_CHECKING:
    from afina.train.plan import Plan

VARIED = ("method", "train", "objective", "task.pooling", "task.head_start")
"""What may be varied: all else decides which rows there are, or what is asked of them."""
KEPT = {
    "train.seed": "a lucky seed is no better setting",
    "train.device": "it is a fact of the machine",
    "train.threads": "it is a fact of the machine",
    "train.context": "all trials stand on one base, and this makes another of it",
    "train.keep_checkpoints": "it changes nothing that is learned",
    "train.save_every_steps": "it changes nothing that is learned",
}
LOSS_CHANGES = ("objective", "train.max_length", "train.on_too_long")
"""What a loss on the validation rows cannot be compared across."""
VALIDATION_LOSS = "validation_loss"
"""Name of the loss where trials are compared by it and not by a score."""
AROUND = 5.0
"""How many times below and above the plan's learning rate a derived range reaches."""
_FIELDS = {str(kind.model_fields["name"].default): set(kind.model_fields) for kind in METHODS}


class Suggests(Protocol):
    """What chooses values (Optuna's trial)."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...
    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Knob:
    """One knob that is varied. ``choices`` are values as JSON texts; empty for a range."""

    key: str
    low: float
    high: float
    log: bool
    choices: tuple[str, ...]
    reason: str

    @classmethod
    def of(cls, key: str, values: Range, reason: str) -> Knob:
        choices = tuple(json.dumps(value, sort_keys=True) for value in values.choices or ())
        return cls(key, values.low or 0, values.high or 0, values.log, choices, reason)

    @property
    def ends(self) -> tuple[Any, ...]:
        """Every choice, or both ends of the range."""
        return tuple(map(json.loads, self.choices)) or (self.low, self.high)

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers of a range."""
        return not self.choices and isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Suggests) -> Any:
        """A value of it."""
        if self.choices:
            return json.loads(trial.suggest_categorical(self.key, self.choices))
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, float(self.low), float(self.high), log=self.log)

    def parameter(self, value: Any) -> Any:
        """A value as Optuna keeps it; None for one that lies outside."""
        if self.choices:
            text = json.dumps(value, sort_keys=True)
            return text if text in self.choices else None
        return value if isinstance(value, int | float) and self.low <= value <= self.high else None

    def as_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = {"low": self.low, "high": self.high, "log": self.log}
        if self.choices:
            values = {"choices": list(self.ends)}
        return {"key": self.key, **values, "reason": self.reason}


Space = tuple[Knob, ...]


def space_of(recipe: Recipe, plan: Plan, metric: str) -> Space:
    """The knobs of a sweep, the method first; ``plan`` is that of the recipe as it stands.

    Raises RecipeError for a knob that is unknown, may not be varied, or does not take a value.
    """
    if recipe.sweep.space is None:
        return _derived(plan)
    space = tuple(
        Knob.of(key, values, "as the recipe says")
        for key, values in sorted(recipe.sweep.space.items(), key=lambda item: item[0] != "method")
    )
    if not space:
        raise RecipeError("no knob is named", where="sweep.space", do="leave it out, or name one")
    for knob in space:
        _check(knob, space, with_method(recipe, plan), metric)
    return space


def with_method(recipe: Recipe, plan: Plan) -> Recipe:
    """The recipe with the method that the plan takes, where it names none."""
    return recipe.model_copy(update={"method": recipe.method or plan.recipe.method})


def chosen(space: Space, trial: Suggests, recipe: Recipe) -> dict[str, Any]:
    """A value for each knob that the chosen method has; ``recipe`` has a method."""
    values: dict[str, Any] = {}
    for knob in space:
        if _applies(knob.key, _method_name(values.get("method"), recipe)):
            values[knob.key] = knob.suggest(trial)
    return values


def usual(space: Space, plan: Plan) -> dict[str, Any]:
    """The plan's own values as Optuna's parameters: those that the space holds."""
    tree = plan.recipe.model_dump(mode="json")
    found: dict[str, Any] = {}
    for knob in space:
        value = _at(tree, knob.key)
        if knob.key == "method.alpha" and value is None:
            value = getattr(plan.recipe.method, "scale", None)
        if knob.key == "method":
            named = [c for c in knob.ends if _name(c) == value["name"]]
            value = named[0] if named else None
        parameter = knob.parameter(value)
        if parameter is not None:
            found[knob.key] = parameter
    return found


def holds_all(space: Space, plan: Plan, parameters: Mapping[str, Any]) -> bool:
    """Whether these are values of every knob that the plan's method has: the recipe as it stands."""
    name = _method_name(None, plan.recipe)
    return all(knob.key in parameters for knob in space if _applies(knob.key, name))


def applied(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these values. Raises RecipeError where they contradict it or each other."""
    tree = recipe.model_dump(mode="json")
    for key, value in values.items():
        *parents, last = key.split(".")
        here = tree
        for part in parents:
            here = here[part]
        here[last] = {"name": value} if key == "method" and isinstance(value, str) else value
    return parse_recipe(tree, where="sweep")


# ---------------------------------------------------------------------------- checking


def _check(knob: Knob, space: Space, recipe: Recipe, metric: str) -> None:
    key = knob.key
    where = f"sweep.space.{key}"
    explain(key)
    if not any(key == root or key.startswith(root + ".") for root in VARIED):
        raise RecipeError(
            "trials are compared on the same rows and the same question: this stays as it is",
            where=where,
            do=f"vary keys of {', '.join(VARIED)}",
        )
    for kept, reason in KEPT.items():
        if key == kept or key.startswith(f"{kept}."):
            raise RecipeError(f"this is not searched: {reason}", where=where, do="take it out")
    if metric == VALIDATION_LOSS and key.startswith(LOSS_CHANGES):
        raise RecipeError(
            "losses cannot be compared across its values",
            where=where,
            do="compare by a score: sweep.metric, or goal.metric",
        )
    methods = next((k.ends for k in space if k.key == "method"), (None,))
    fitting = [m for m in methods if _applies(key, _method_name(m, recipe))]
    if not fitting:
        names = ", ".join(_method_name(m, recipe) for m in methods)
        raise RecipeError(
            f"no method that is tried has it ({names})", where=where, do="take it out"
        )
    for value in knob.ends:
        own = {} if key == "method" or fitting[0] is None else {"method": fitting[0]}
        try:
            applied(recipe, {**own, key: value})
        except RecipeError as error:
            raise RecipeError(error.what, where=where, do=error.do) from None


def _applies(key: str, method: str) -> bool:
    """Whether the method has the knob; every other knob applies."""
    root, _, rest = key.partition(".")
    return root != "method" or not rest or rest in _FIELDS.get(method, ())


def _method_name(value: Any, recipe: Recipe) -> str:
    if value is not None:
        return _name(value)
    assert recipe.method is not None
    return recipe.method.name


def _name(method: Any) -> str:
    return str(method.get("name") if isinstance(method, Mapping) else method)


def _at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


# ---------------------------------------------------------------------------- deriving


def _derived(plan: Plan) -> Space:
    train, method = plan.recipe.train, plan.recipe.method
    assert train.learning_rate and train.batch_size and train.epochs and method is not None
    rate, batch, epochs = train.learning_rate, train.batch_size, train.epochs
    batches = sorted({max(1, batch // 2), batch, min(2 * batch, int(plan.rows["train"]))})
    found = [
        Knob.of(
            "train.learning_rate",
            Range(low=rate / AROUND, high=min(rate * AROUND, 9.9), log=True),
            f"{AROUND:g} times below and above the {rate:g} of the plan",
        )
    ]
    if len(batches) > 1:
        reason = f"half and twice the {batch} of the plan"
        found.append(Knob.of("train.batch_size", Range(choices=tuple(batches)), reason))
    if plan.steps == epochs * plan.steps_per_epoch:  # no train.max_steps decides
        reason = f"half to twice the {epochs} of the plan; early stopping ends what is too long"
        around = Range(low=max(1, epochs // 2), high=2 * epochs)
        found.append(Knob.of("train.epochs", around, reason))
    rank = getattr(method, "rank", None)
    if rank is not None:
        ranks = tuple(sorted({max(1, rank // 4), rank, min(4 * rank, 1024)}))
        reason = f"a quarter and four times the {rank} of the plan"
        found.append(Knob.of("method.rank", Range(choices=ranks), reason))
        if "alpha" in _FIELDS[method.name]:
            reason = "one, two and four times the rank of the plan"
            alphas = Range(choices=(float(rank), 2.0 * rank, 4.0 * rank))
            found.append(Knob.of("method.alpha", alphas, reason))
    return tuple(found)
