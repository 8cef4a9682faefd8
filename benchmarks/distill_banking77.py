"""Distillation on Banking77: a student of fewer layers against its teacher.

    python benchmarks/distill_banking77.py [--layers 2] [--epochs 3] [--student-epochs 6] [--rows 3000]

Teacher: all-MiniLM-L6-v2, tuned in full. Student: a base with some of its layers
(`afina models student`), tuned with the teacher's scores (``objective: distill``), and once without
them, to show what the teacher is worth. Measured on the whole published test: accuracy and the share
of the teacher's that is kept; the student's size; and how fast both answer the test's texts, in turns.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

import bench
import torch

from afina.models.predictor import TunedModel
from afina.models.sources import resolve
from afina.models.student import make_student
from afina.types import Input, Message

BASE = "sentence-transformers/all-MiniLM-L6-v2"
SCORES = ("accuracy", "macro_f1")
TEXTS = 512
"""Texts of the test over which both are timed."""


def recipe(
    arguments: argparse.Namespace, name: str, base: str, epochs: int, objective: dict[str, Any]
) -> dict[str, Any]:
    return {
        "name": name,
        "task": "classify",
        "base": base,
        "objective": objective,
        "data": {
            "train": str(bench.DATA / "banking77" / "train.csv"),
            "test": str(bench.DATA / "banking77" / "test.csv"),
            "limit": arguments.rows,
            "split": {"train": 0.9, "validation": 0.1, "test": 0},
        },
        "method": "full",
        "train": {"epochs": epochs, "batch_size": 32, "threads": arguments.threads},
        "evaluate": {"baselines": ["majority"], "scorers": list(SCORES)},
        "goal": {"metric": "accuracy"},
    }


def summary(told: dict[str, Any]) -> dict[str, Any]:
    tuned = next(c for c in told["report"]["candidates"] if c["name"] == "tuned")
    return {
        "scores": {n: tuned["scores"][n] for n in SCORES},
        "parameters": told["train"]["total_parameters"],
        "processor_seconds": told["processor_seconds"],
    }


def time_both(teacher: Path, student: Path, texts: list[str], rounds: int) -> dict[str, float]:
    """How many times as fast the student answers, tokenising included, in turns."""
    inputs = [Input((Message("user", text),)) for text in texts]
    both = {"teacher": TunedModel.open(teacher), "student": TunedModel.open(student)}
    times: dict[str, list[float]] = {name: [] for name in both}
    for number in range(rounds + 1):
        for name, model in both.items():
            start = time.perf_counter()
            model.predict(inputs)
            if number:  # the first round warms both up
                times[name].append(time.perf_counter() - start)
    return bench.ratio(times["student"], times["teacher"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--student-epochs", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    told: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        home, small = Path(scratch), Path(scratch) / "small"
        make_student(resolve(arguments.base), arguments.layers, small)
        for name in ("teacher", "student", "student-alone"):
            base, epochs = str(small), arguments.student_epochs
            objective: dict[str, Any] = {"name": "supervised"}
            if name == "teacher":
                base, epochs = arguments.base, arguments.epochs
            elif name == "student":
                objective = {"name": "distill", "teacher": told["teacher"]["run"]}
            told[name] = bench.job(recipe(arguments, name, base, epochs, objective), home)
            print(name, summary(told[name]), flush=True)
        with (bench.DATA / "banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
            texts = [row["text"] for row in csv.DictReader(file)][:TEXTS]
        torch.set_num_threads(arguments.threads)
        folders = (Path(told[n]["folder"]) / "model" for n in ("teacher", "student"))
        speed = time_both(*folders, texts, arguments.rounds)
    arms = {name: summary(t) for name, t in told.items()}
    teacher, student = arms["teacher"], arms["student"]
    kept = student["scores"]["accuracy"]["value"] / teacher["scores"]["accuracy"]["value"]
    size = student["parameters"] / teacher["parameters"]
    print(f"kept {kept:.1%} of the teacher's accuracy, {size:.0%} of its weights, ", end="")
    print(f"{1 / speed['ratio']:.0%} of its time ({speed['ratio']:.2f}× as fast)")
    result = {
        "machine": facts,
        "work": vars(arguments),
        "kept_accuracy": kept,
        "parameters_ratio": size,
        "times_as_fast": speed,
        "arms": arms,
    }
    bench.write("distill_banking77", result)


if __name__ == "__main__":
    main()
