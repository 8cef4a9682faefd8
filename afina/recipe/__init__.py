"""What the user asks for, once: every knob of the system. Imports no torch."""

from afina.recipe.alternatives import Decide, Retrieval
from afina.recipe.identity import fingerprint, folds_fingerprint, sweep_fingerprint
from afina.recipe.knobs import (
    Columns,
    Context,
    Data,
    Evaluate,
    Forgetting,
    Goal,
    Serve,
    Split,
    Train,
)
from afina.recipe.load import dump_recipe, explain, json_schema, load_recipe, parse_recipe
from afina.recipe.proof import Bias, Robustness
from afina.recipe.recipe import Part, Recipe
from afina.recipe.search import Range, Sweep
from afina.recipe.several import of_task

__all__ = [
    "Bias",
    "Columns",
    "Context",
    "Data",
    "Decide",
    "Evaluate",
    "Forgetting",
    "Goal",
    "Part",
    "Range",
    "Recipe",
    "Retrieval",
    "Robustness",
    "Serve",
    "Split",
    "Sweep",
    "Train",
    "dump_recipe",
    "explain",
    "fingerprint",
    "folds_fingerprint",
    "json_schema",
    "load_recipe",
    "of_task",
    "parse_recipe",
    "sweep_fingerprint",
]
