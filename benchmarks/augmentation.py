"""Do rows made by data.augment help? A small part of Banking77, with and without, on one test.

    python benchmarks/augmentation.py [--classes 15] [--rows 4] [--seeds 3] [--steps 40]

Each seed draws its own classes' rows; all arms of a seed learn from the same rows, take equally many
steps (so that made rows cost no extra training) and answer the same test rows. Prints accuracies, and
the mean difference from no augmentation with its t interval over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import statistics
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import bench

BASE = "sentence-transformers/all-MiniLM-L6-v2"
ARMS: dict[str, dict[str, Any] | None] = {
    "as given": None,
    "synonyms": {"by": ["synonyms"], "copies": 3, "language": "en"},
    "back-translation": {"by": ["back_translation"], "language": "en"},
}


def rows_of(name: str) -> list[dict[str, str]]:
    with (bench.DATA / "banking77" / name).open(encoding="utf-8", newline="") as file:
        return [{"text": r["text"], "label": r["category"]} for r in csv.DictReader(file)]


def drawn(given: argparse.Namespace, seed: int, folder: Path) -> tuple[Path, list[dict[str, str]]]:
    """A training file of a few rows of a few classes, and all test rows of these."""
    dice = random.Random(seed)
    train, test = rows_of("train.csv"), rows_of("test.csv")
    classes = set(dice.sample(sorted({row["label"] for row in train}), given.classes))
    few: list[dict[str, str]] = []
    for label in sorted(classes):
        few += dice.sample([row for row in train if row["label"] == label], given.rows)
    path = folder / f"train-{seed}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in few), "utf-8")
    return path, [row for row in test if row["label"] in classes]


def accuracy(
    path: Path, test: list[dict[str, str]], augment: Any, given: argparse.Namespace, seed: int
) -> tuple[float, int]:
    """The share of right answers after training, and the rows that were made."""
    import afina

    recipe = {
        "task": "classify",
        "base": given.base,
        "data": {
            "train": str(path),
            "split": {"train": 0.999, "validation": 0.001, "test": 0.0},
            "near_duplicates": "keep",
            "augment": augment,
        },
        "method": "full",
        "train": {
            "max_steps": given.steps,
            "epochs": 1000,
            "batch_size": 16,
            "learning_rate": 2e-4,
            "early_stopping": None,
            "threads": 1,
            "seed": seed,
        },
    }
    run = afina.run(recipe, home=path.parent / "home", evaluate=False)
    answers = run.predict([row["text"] for row in test])
    right = sum(a.text == row["label"] for a, row in zip(answers, test, strict=True))
    made = run.folder / "data/made.json"
    return right / len(test), json.loads(made.read_text())["rows"] if made.is_file() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE)
    for name, value in (("classes", 15), ("rows", 4), ("seeds", 3), ("steps", 40)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()

    from scipy.stats import t

    folder = Path(mkdtemp(prefix="afina-augment-"))
    found: dict[str, list[float]] = {name: [] for name in ARMS}
    for seed in range(1, given.seeds + 1):
        path, test = drawn(given, seed, folder)
        for name, augment in ARMS.items():
            share, made = accuracy(path, test, augment, given, seed)
            found[name].append(share)
            print(f"seed {seed}, {name}: {share:.3f} of {len(test)}, {made} rows made", flush=True)
    for name, shares in found.items():
        gaps = [a - b for a, b in zip(shares, found["as given"], strict=True)]
        spread = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
        half = float(t.ppf(0.975, max(1, len(gaps) - 1))) * spread
        print(
            f"{name}: mean accuracy {statistics.fmean(shares):.3f}, difference "
            f"{statistics.fmean(gaps):+.3f} ± {half:.3f}"
        )


if __name__ == "__main__":
    main()
