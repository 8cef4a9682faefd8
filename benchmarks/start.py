"""How soon Afina starts: its help, and the first optimiser step after the command.

    python benchmarks/start.py [--rounds 7] [--base HuggingFaceTB/SmolLM2-135M-Instruct]

`afina --help` beside `python -c pass`, in turns, as processes of their own; then `afina train` with
LoRA on a base that is on this machine already, from the start of the process to the end of its first
step, which its metrics file shows. Seconds here are of this machine and what else ran on it; the ratio
to a bare Python holds elsewhere.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import bench

from afina.models.sources import resolve

ROWS = 64


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def help_times(rounds: int) -> dict[str, list[float]]:
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "help": [sys.executable, "-m", "afina", "--help"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            taken = seconds_of(command)
            if number:  # the first round fills the system's cache of files
                times[name].append(taken)
    return times


def first_step(base: str, home: Path) -> dict[str, float]:
    """Seconds from the command to the end of the first optimiser step, and where they went."""
    rows = home / "rows.jsonl"
    with rows.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            pair = {"prompt": f"What is {number} plus {number}?", "completion": f"{2 * number}."}
            file.write(json.dumps(pair) + "\n")
    recipe = {
        "name": "start",
        "task": "generate",
        "base": base,
        "data": {"train": str(rows)},
        "method": "lora",
        "train": {"max_steps": 1, "batch_size": 8},
        "goal": {"metric": "exact_match"},
    }
    path = home / "recipe.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    begun = time.time()
    command = [sys.executable, "-m", "afina", "--home", str(home), "train", str(path), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    folder = Path(json.loads(done.stdout)["folder"])
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = {e["event"]: datetime.fromisoformat(e["time"]) for e in map(json.loads, lines)}
    metrics = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    step = next(m for m in map(json.loads, metrics) if m.get("step") == 1)
    before = events["training"].timestamp() - begun
    made = events["created"].timestamp() - begun
    return {
        "until_the_plan_stands": made,
        "loading_and_preparing": before - made,
        "the_step": step["seconds"],
        "first_step": before + step["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    resolve(arguments.base)  # fetched before anything is timed
    times = help_times(arguments.rounds)
    middle = {name: statistics.median(t) for name, t in times.items()}
    print(f"python -c pass  {middle['python'] * 1000:5.0f} ms")
    print(
        f"afina --help    {middle['help'] * 1000:5.0f} ms, "
        f"{middle['help'] / middle['python']:.1f} times a bare Python"
    )
    starts: list[dict[str, float]] = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as home:
            starts.append(first_step(arguments.base, Path(home)))
    middle_of = {key: statistics.median(s[key] for s in starts) for key in starts[0]}
    print("first step: " + ", ".join(f"{k} {v:.1f} s" for k, v in middle_of.items()))
    result: dict[str, Any] = {
        "machine": bench.machine(2),
        "base": arguments.base,
        "help_seconds": middle["help"],
        "python_seconds": middle["python"],
        "help_over_python": bench.ratio(times["python"], times["help"]),
        "first_step_seconds": middle_of,
    }
    bench.write("start", result)


if __name__ == "__main__":
    main()
