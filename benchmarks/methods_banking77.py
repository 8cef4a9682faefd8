"""Methods side by side on Banking77 (77 intents): parameters, time, memory, score, in one table.

    python benchmarks/methods_banking77.py [--rows 1540] [--epochs 3] [--methods full,lora,…]
    python benchmarks/methods_banking77.py --ablation [--seeds 7,11,13]

all-MiniLM-L6-v2; a drawn part of the published training rows, a tenth of it to choose the checkpoint;
the whole published test (3,080 rows). Every method with the values that the plan derives for it, one
process each; ``features`` moves nothing of the base. ``--ablation``: bottleneck adapters, LoRA and both
together over several seeds, the experiment that the author of the combination says is missing. Time is
the processor's for the whole command, evaluation included; memory is the peak of the training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import bench

BASE = "sentence-transformers/all-MiniLM-L6-v2"
METHODS = ("full", "partial", "lora", "adapter", "hybrid", "prefix", "prompt", "ia3", "features")
ABLATION = ("adapter", "lora", "hybrid")
SCORES = ("accuracy", "macro_f1")


def recipe(arguments: argparse.Namespace, method: str, seed: int) -> dict[str, Any]:
    return {
        "name": f"banking77-{method}",
        "task": "classify",
        "base": arguments.base,
        "data": {
            "train": str(bench.DATA / "banking77" / "train.csv"),
            "test": str(bench.DATA / "banking77" / "test.csv"),
            "limit": arguments.rows,
            "split": {"train": 0.9, "validation": 0.1, "test": 0},
        },
        "method": method,
        "train": {
            "epochs": arguments.epochs,
            "batch_size": 32,
            "threads": arguments.threads,
            "seed": seed,
        },
        "evaluate": {"baselines": ["majority"], "scorers": list(SCORES), "latency_rows": 0},
        "goal": {"metric": "accuracy"},
    }


def measure(arguments: argparse.Namespace, method: str, seed: int, home: Path) -> dict[str, Any]:
    """One run in a process of its own, and what the table needs of it."""
    told = bench.job(recipe(arguments, method, seed), home)
    train, candidates = told["train"], told["report"]["candidates"]
    tuned = next(c["scores"] for c in candidates if c["name"] == "tuned")
    folder = Path(told["folder"])
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    found = {
        "scores": {n: tuned[n] for n in SCORES},
        "trainable_parameters": train["trainable_parameters"],
        "total_parameters": train["total_parameters"],
        "learning_rate": plan["recipe"]["train"]["learning_rate"],
        "steps": train["steps"],
        "best_step": train["best_step"],
        "seconds": train["seconds"],
        "processor_seconds": told["processor_seconds"],
        "peak_memory_bytes": train["peak_memory_bytes"],
        "model_bytes": sum(p.stat().st_size for p in (folder / "model").glob("*.safetensors")),
    }
    show(f"{method} {seed}", found)
    return found


def show(name: str, found: dict[str, Any]) -> None:
    score = found["scores"]["accuracy"]
    print(
        f"{name:12s} {found['trainable_parameters']:>11,} weights  {found['processor_seconds']:6.0f} s  "
        f"{found['peak_memory_bytes'] / 1e6:6.0f} MB  {found['model_bytes'] / 1e6:6.1f} MB kept  "
        f"accuracy {score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]",
        flush=True,
    )


def ablation(arguments: argparse.Namespace, home: Path) -> dict[str, Any]:
    """Each of the three over the seeds: mean and standard deviation of the score."""
    seeds = [int(s) for s in arguments.seeds.split(",")]
    table: dict[str, Any] = {}
    for method in ABLATION:
        runs = {str(seed): measure(arguments, method, seed, home) for seed in seeds}
        values = [r["scores"]["accuracy"]["value"] for r in runs.values()]
        table[method] = {
            "accuracy_mean": statistics.mean(values),
            "accuracy_deviation": statistics.stdev(values) if len(values) > 1 else None,
            "trainable_parameters": runs[str(seeds[0])]["trainable_parameters"],
            "processor_seconds_mean": statistics.mean(
                r["processor_seconds"] for r in runs.values()
            ),
            "seeds": runs,
        }
        print(f"{method:12s} mean {statistics.mean(values):.4f} of {[round(v, 4) for v in values]}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--rows", type=int, default=1540)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--seeds", default="7,11,13")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.ablation:
            table = ablation(arguments, Path(folder))
        else:
            chosen = arguments.methods.split(",")
            table = {m: measure(arguments, m, 7, Path(folder)) for m in chosen}
    name = "hybrid_ablation_banking77" if arguments.ablation else "methods_banking77"
    work = {n: v for n, v in vars(arguments).items() if n != "methods"}
    bench.write(name, {"machine": facts, "work": work, "methods": measured(name, work) | table})


def measured(name: str, work: dict[str, Any]) -> dict[str, Any]:
    """The methods that were measured before under the same conditions: they stay in the table."""
    path = bench.RESULTS / f"{name}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = {n: before.get("work", {}).get(n) for n in work} == work
    return dict(before["methods"]) if same else {}


if __name__ == "__main__":
    main()
