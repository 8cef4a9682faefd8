"""What the user asks for, once: every knob of the system. Imports no torch."""

from afina.recipe.alternatives import Decide, Retrieval
from afina.recipe.identity import fingerprint
from afina.recipe.knobs import (
    Columns,
    Data,
    Evaluate,
    Forgetting,
    Goal,
    Recipe,
    Serve,
    Split,
    Train,
)
from afina.recipe.load import dump_recipe, explain, json_schema, load_recipe, parse_recipe

__all__ = [
    "Columns",
    "Data",
    "Decide",
    "Evaluate",
    "Forgetting",
    "Goal",
    "Recipe",
    "Retrieval",
    "Serve",
    "Split",
    "Train",
    "dump_recipe",
    "explain",
    "fingerprint",
    "json_schema",
    "load_recipe",
    "parse_recipe",
]
