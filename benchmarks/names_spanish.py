"""Spanish names (CoNLL-2002) with a small multilingual encoder: entity F1 on the published testa.

    python benchmarks/names_spanish.py [--rows 500] [--test-rows 200] [--epochs 3] [--home FOLDER]

Runs the recipe of examples/nombres as a user would. The whole of it takes a CPU a long while; with
``--rows`` and ``--test-rows`` only a part is read, for a first look, and nothing is written to results/.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import bench

import afina
from afina.train.machine import available_cores

RECIPE = Path(__file__).resolve().parents[1] / "examples" / "nombres" / "recipe.yaml"
FOLDER = bench.DATA / "conll2002-es"


def first_sentences(source: Path, count: int, folder: Path) -> Path:
    """A copy of the first sentences of a file."""
    sentences = source.read_text("utf-8").split("\n\n")
    target = folder / source.name
    target.write_text("\n\n".join(sentences[:count]) + "\n", "utf-8")
    return target


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, help="train on this many sentences")
    options.add_argument("--test-rows", type=int, help="measure on the first sentences of testa")
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--home", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        test = FOLDER / "esp.testa"
        if asked.test_rows:
            test = first_sentences(test, asked.test_rows, Path(scratch))
        knobs: dict[str, Any] = {
            "data.train": str(FOLDER / "esp.train"),
            "data.test": str(test),
            "train.epochs": asked.epochs,
        }
        if asked.rows:
            knobs["data.limit"] = asked.rows
        run = afina.run(RECIPE, set=knobs, home=asked.home or Path(scratch) / "home", say=print)
        report = run.report
        assert report is not None
        figures = dict(run.figures)
    scores = bench.scores(report)
    for name, own in scores.items():
        f1 = own["entity_f1"]
        print(f"{name:12} entity F1 {f1['value']:.4f} [{f1['low']:.4f}, {f1['high']:.4f}]")
    if asked.rows or asked.test_rows:
        return
    kept = ("epochs", "steps", "rows", "tokens", "precision", "total_parameters")
    bench.write(
        "names_spanish",
        {
            "machine": bench.machine(available_cores()),
            "base": "intfloat/multilingual-e5-small",
            "test": "esp.testa, whole",
            "verdict": report.verdict,
            "scores": scores,
            "per_class": report.per_class["tuned"],
            "train": {k: figures[k] for k in kept},
        },
    )


if __name__ == "__main__":
    main()
