"""Afina: from a file of examples to a model that is proven better than not fine-tuning.

    import afina

    run = afina.run("recipe.yaml")
    print(run.verdict, run.predict(["enciende la luz de la cocina"])[0].text)

Nothing heavy is imported until a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.door import Run, check, open_run, plan, resume, run
    from afina.errors import (
        AfinaError,
        DataError,
        MachineError,
        ModelError,
        RecipeError,
        RequestError,
        RunError,
        TrainingError,
    )
    from afina.evaluate import Report
    from afina.models.sources import resolve
    from afina.recipe import Recipe, load_recipe
    from afina.train.plan import Plan
    from afina.types import Answer, Input, Message, Predictor

__version__ = "0.1.0"

_PLACES = {
    "afina.data": ("Dataset",),
    "afina.door": ("Run", "check", "open_run", "plan", "resume", "run"),
    "afina.errors": (
        "AfinaError",
        "DataError",
        "MachineError",
        "ModelError",
        "RecipeError",
        "RequestError",
        "RunError",
        "TrainingError",
    ),
    "afina.evaluate": ("Report",),
    "afina.models.sources": ("resolve",),
    "afina.recipe": ("Recipe", "load_recipe"),
    "afina.train.plan": ("Plan",),
    "afina.types": ("Answer", "Input", "Message", "Predictor"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "AfinaError",
    "Answer",
    "DataError",
    "Dataset",
    "Input",
    "MachineError",
    "Message",
    "ModelError",
    "Plan",
    "Predictor",
    "Recipe",
    "RecipeError",
    "Report",
    "RequestError",
    "Run",
    "RunError",
    "TrainingError",
    "check",
    "load_recipe",
    "open_run",
    "plan",
    "resolve",
    "resume",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACE_OF:
        raise AttributeError(f"module 'afina' has no attribute {name!r}")
    value = getattr(import_module(_PLACE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
