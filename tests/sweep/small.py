"""A small sweep on a tiny encoder: the recipe, its rows, and the command line around it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.tickets import write_tickets

WORDS = ("uno", "dos", "tres", "cuatro", "cinco", "seis")


def recipe_at(folder: Path, base: Base, **changes: Any) -> Path:
    """A recipe of a classification that is learned a little in a few epochs."""
    write_tickets(folder, WORDS, 3)
    recipe = {
        "task": {"name": "classify", "head_start": "random"},
        "base": str(base.folder),
        "data": {"train": "tickets.csv", "split": {"train": 0.6, "validation": 0.2, "test": 0.2}},
        "method": {"name": "lora", "rank": 2},
        "train": {"threads": 1, "epochs": 2, "precision": "float32", "batch_size": 8},
        "evaluate": {"resamples": 100, "baselines": ["majority"]},
        "sweep": {
            "trials": 4,
            "space": {
                "train.learning_rate": {"low": 1e-4, "high": 3e-2, "log": True},
                "method.rank": {"choices": [2, 4]},
            },
        },
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    return path


def swept(path: Path, *words: str, home: str = "home") -> tuple[int, dict[str, Any]]:
    """Exit code and object of ``afina sweep --json``."""
    return json_of(["sweep", str(path), "--home", str(path.parent / home), *words])
