"""Eight trials of a sweep against eight separate runs of the same settings: work and what is found.

    python benchmarks/sweep_cost.py [--rows 1500] [--epochs 3] [--base BASE]

Work: LoRA with MiniLM on rows of Banking77; learning rate, batch, rank and alpha are varied. Arms in
turns, each a command of its own as a user would give it: the sweep, eight times ``afina train`` with
the settings that the sweep tried (none stopped early, nothing shared), the sweep again in a new home.
Work is the processor's time for whole commands. The best of both sides is then measured on the same
sealed test.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bench

TRIALS = 8


def recipe_at(folder: Path, base: str, rows: int, epochs: int, threads: int) -> Path:
    """The recipe beside its rows."""
    with (bench.DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    header, body = found[0], found[1:]
    drawn = random.Random(7).sample(body, min(rows, len(body)))
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *drawn])
    recipe = {
        "task": "classify",
        "base": base,
        "data": {
            "train": "rows.csv",
            "columns": {"text": header[0], "label": header[1]},
            "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
        },
        "method": {"name": "lora", "rank": 8},
        "train": {"epochs": epochs, "threads": threads, "early_stopping": None},
        "evaluate": {"baselines": ["majority"], "scorers": ["accuracy", "macro_f1"]},
        "goal": {"metric": "accuracy"},
        "sweep": {
            "trials": TRIALS,
            "space": {
                "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
                "train.batch_size": {"choices": [8, 16, 32]},
                "method.rank": {"choices": [4, 8, 16]},
                "method.alpha": {"choices": [8, 16, 32]},
            },
        },
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    return path


def afina(*words: str) -> tuple[float, dict[str, Any]]:
    """Processor seconds and the answer of one command."""
    before = bench.worked()
    done = subprocess.run(
        [sys.executable, "-m", "afina", *words, "--json", "--quiet"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        check=False,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise SystemExit(f"afina {' '.join(words)}: {answer['error']}")
    return bench.worked() - before, answer


def test_score(home: Path, run: str) -> float:
    """Accuracy of a run on the sealed test."""
    _, answer = afina("eval", run, "--home", str(home))
    tuned = next(c for c in answer["report"]["candidates"] if c["name"] == "tuned")
    return float(tuned["scores"]["accuracy"]["value"])


def best_validation(folder: Path) -> float:
    """The best accuracy on the validation rows while a run was trained."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text("utf-8").splitlines())
    return max(m["validation_accuracy"] for m in lines if "validation_accuracy" in m)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--base", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dry-run", action="store_true", help="write no result")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = str(recipe_at(folder, given.base, given.rows, given.epochs, given.threads))
        homes = [folder / f"home-{n}" for n in range(3)]
        first, swept = afina("sweep", recipe, "--home", str(homes[0]))
        separate, alone = [], []
        for trial in swept["sweep"]["trials"]:
            settings = [
                w for k, v in trial["knobs"].items() for w in ("-s", f"{k}={json.dumps(v)}")
            ]
            seconds, answer = afina("train", recipe, *settings, "--home", str(homes[1]))
            separate.append(seconds)
            alone.append((best_validation(Path(answer["folder"])), answer["run"], trial["number"]))
        again, _ = afina("sweep", recipe, "--home", str(homes[2]))
        best = max(alone)
        result = {
            "machine": bench.machine(given.threads),
            "base": given.base,
            "rows": given.rows,
            "epochs": given.epochs,
            "trials": TRIALS,
            "share_of_separate": statistics.mean((first, again)) / sum(separate),
            "share_first_and_again": [first / sum(separate), again / sum(separate)],
            "counts": swept["sweep"]["counts"],
            "best_trial": {"sweep": swept["sweep"]["best"], "separate": best[2]},
            "test_accuracy": {
                "sweep": test_score(homes[0], swept["run"]),
                "separate": test_score(homes[1], best[1]),
            },
        }
    print(json.dumps({k: v for k, v in result.items() if k != "machine"}, indent=2))
    if not given.dry_run:
        bench.write("sweep_cost", result)


if __name__ == "__main__":
    main()
