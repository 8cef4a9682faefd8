"""Preferences on right and wrong solutions of school mathematics: held-out pairs, against the base.

    python benchmarks/dpo_gsm8k.py [--kind dpo] [--beta 0.1] [--rows 500] [--epochs 3] [--rate 2e-4]

Each row is a problem with a right and a wrong solution (``shared/data/gsm8k/preference.jsonl``). 70 %
are learned, 5 % choose the checkpoint, 25 % are sealed until the end. Measured on those: the share of
pairs whose right solution is the more probable one, for the tuned model and for the base, paired; and
the share whose right solution has gained on the wrong one (the accuracy of DPO's implicit reward; the
base has one half). The first is harder: a whole solution of more words is less probable by tens of nats
whether it is right or not.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import bench

from afina.flow import run_recipe
from afina.recipe import parse_recipe


def knobs(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is asked of the loss; the rest is usual for its kind."""
    given = {n: getattr(arguments, n) for n in ("beta", "by_token", "supervised")}
    return {n: v for n, v in given.items() if v is not None}


def recipe(arguments: argparse.Namespace) -> dict[str, Any]:
    """A whole run; the answers that it writes are kept short, as only their likelihood counts."""
    return {
        "task": {"name": "generate", "max_new_tokens": 1},
        "base": arguments.base,
        "objective": {"name": "prefer", "kind": arguments.kind, **knobs(arguments)},
        "method": {"name": "lora", "rank": arguments.rank},
        "data": {
            "train": str(bench.DATA / "gsm8k" / "preference.jsonl"),
            "split": {"train": 0.7, "validation": 0.05, "test": 0.25},
            "limit": arguments.rows,
        },
        "train": {
            "epochs": arguments.epochs,
            "batch_size": arguments.batch,
            "learning_rate": arguments.rate,
            "threads": arguments.threads,
            "on_too_long": "drop",
            "max_length": arguments.length,
        },
        "evaluate": {
            "baselines": ["base"],
            "scorers": ["preference_accuracy", "preference_gain", "perplexity"],
            "probe": False,
            "latency_rows": 0,
        },
        "goal": {"metric": "preference_accuracy", "at_least": 0.7},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--kind", default="dpo")
    parser.add_argument("--beta", type=float)
    parser.add_argument("--by-token", action="store_true", default=None)
    parser.add_argument("--supervised", type=float)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        _, outcome = run_recipe(parse_recipe(recipe(arguments)), Path(folder), say=print)
    report = outcome["report"]
    for candidate in report["candidates"]:
        shown = {n: round(s["value"], 4) for n, s in candidate["scores"].items()}
        print(f"{candidate['name']:8s} {shown}")
    print(report["verdict"])
    result = {
        "machine": facts,
        "work": vars(arguments) | knobs(arguments) | {"seed": 7},
        "rows": outcome["data"],
        "seconds": outcome["train"]["seconds"],
        "verdict": report["verdict"],
        "comparison": report["comparison"],
        "candidates": {c["name"]: c["scores"] for c in report["candidates"]},
    }
    bench.write(f"{arguments.kind}_gsm8k", result)


if __name__ == "__main__":
    main()
