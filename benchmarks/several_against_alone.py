"""Two tasks learned together against each learned alone: the same rows, splits, base and steps a task.

    python benchmarks/several_against_alone.py BANKING CONLL [--rows N] [--epochs N] [--home DIR]

``BANKING`` holds train.csv and test.csv of Banking77, ``CONLL`` esp.train and esp.testa of CoNLL-2002.
Prints one JSON object: for each task the score together and alone, and the difference with its interval.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from afina import flow
from afina.cli.comparison import difference
from afina.recipe import load_recipe

RECIPE = Path(__file__).parents[1] / "examples/varias/recipe.yaml"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("banking", type=Path)
    asked.add_argument("conll", type=Path)
    asked.add_argument("--rows", type=int, default=1500, help="training rows of each task")
    asked.add_argument("--epochs", type=int, default=2)
    asked.add_argument("--base", help="another base than the recipe's")
    asked.add_argument("--home", type=Path, default=Path("afina-home"))
    given = asked.parse_args()
    changes = [f"train.epochs={given.epochs}", "train.threads=1"]
    files = {"intent": (given.banking, "train.csv", "test.csv"),
             "names": (given.conll, "esp.train", "esp.testa")}  # fmt: skip
    for task, (folder, train, test) in files.items():
        changes += [
            f"tasks.{task}.data.{k}={folder / f}" for k, f in (("train", train), ("test", test))
        ]
        changes.append(f"tasks.{task}.data.limit={given.rows}")
    changes += [f"base={given.base}"] if given.base else []
    recipe = load_recipe(RECIPE, changes, several=True)
    together, _ = flow.run_recipe(recipe, given.home, say=print)
    found: dict[str, Any] = {}
    for task, part in recipe.parts.items():
        alone, _ = flow.run_recipe(part, given.home, say=print)
        pair = difference(alone, together)
        found[task] = pair["tasks"][task] | {"seconds": pair["train"]["seconds"]}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
