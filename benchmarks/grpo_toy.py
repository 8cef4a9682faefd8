"""GRPO on a toy whose answers can be checked: sums, answered by the bare number.

    python benchmarks/grpo_toy.py [--steps 40] [--prompts 4] [--group 8] [--rate 1e-4] [--kind grpo]

The base (SmolLM2-135M) mostly wraps the number in a sentence or gets it wrong; the reward is 1 for the
bare right number and 0 for anything else, and no right answer is ever shown to it. Sums of two numbers
from 1 to 20: 70 % of the 400 are learned from, a tenth choose the checkpoint, the rest are sealed.
Measured: the mean reward of the drawn answers at each step, and exact match of greedy answers to the
sealed sums, tuned and base, paired.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import bench

import afina

LARGEST = 20
STRETCH = 5
"""Steps at each end of the curve whose mean is compared."""


def write_sums(path: Path) -> None:
    """Every sum once, as a question and its right answer."""
    with path.open("w", encoding="utf-8") as file:
        for a in range(1, LARGEST + 1):
            for b in range(1, LARGEST + 1):
                row = {
                    "prompt": f"How much is {a} + {b}? Answer with the number only.",
                    "completion": str(a + b),
                }
                file.write(json.dumps(row) + "\n")


def recipe(arguments: argparse.Namespace, rows: Path) -> dict[str, Any]:
    return {
        "name": "sums",
        "task": {"name": "generate", "max_new_tokens": arguments.answer},
        "base": arguments.base,
        "data": {
            "train": str(rows),
            "split": {"train": 0.7, "validation": 0.1, "test": 0.2},
            "near_duplicates": "keep",
        },
        "objective": {
            "name": "policy",
            "kind": arguments.kind,
            "reward": "exact",
            "group": arguments.group,
            "keep": arguments.keep,
        },
        "method": {"name": "lora", "rank": arguments.rank},
        "train": {
            "epochs": 100,
            "max_steps": arguments.steps,
            "batch_size": arguments.prompts,
            "learning_rate": arguments.rate,
            "threads": arguments.threads,
            "early_stopping": None,
        },
        "evaluate": {"baselines": ["base"], "scorers": ["exact_match"]},
        "goal": {"metric": "exact_match"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--kind", default="grpo")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--keep", type=float, default=0.02)
    parser.add_argument("--answer", type=int, default=16, help="tokens of an answer, at most")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "sums.jsonl"
        write_sums(rows)
        run = afina.run(recipe(arguments, rows), home=Path(folder) / "home", say=print)
        report = run.report
        steps = [m for m in run_metrics(run.folder) if "reward" in m]
        figures = dict(run.figures)
    assert report is not None
    rewards = [round(m["reward"], 4) for m in steps]
    first, last = statistics.mean(rewards[:STRETCH]), statistics.mean(rewards[-STRETCH:])
    scores = {c.name: c.scores["exact_match"] for c in report.candidates}
    print(f"reward of drawn answers: first {STRETCH} steps {first:.3f}, last {STRETCH} {last:.3f}")
    for name, score in scores.items():
        print(f"{name:8s} exact match {score.value:.3f} [{score.low:.3f}, {score.high:.3f}]")
    bench.write(
        f"{arguments.kind}_toy",
        {
            "machine": facts,
            "work": vars(arguments),
            "reward_first": first,
            "reward_last": last,
            "reward": rewards,
            "divergence": [round(m["divergence"], 4) for m in steps],
            "cut_off": [round(m["cut_off"], 4) for m in steps],
            "best_step": figures["best_step"],
            "verdict": report.verdict,
            "exact_match": {
                n: {"value": s.value, "low": s.low, "high": s.high} for n, s in scores.items()
            },
        },
    )


def run_metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
