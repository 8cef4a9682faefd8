"""Kill a training process at random moments and resume it, many times; prints what came out.

    python tests/train/kill_runs.py BASE_FOLDER WORK_FOLDER METHOD COUNT

Run as a program of its own: it imports everything once and forks a child for each attempt, so that
a start costs milliseconds. One thread, so that a fork is safe.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from afina.models.sources import resolve
from afina.store import Run
from afina.train import loop
from tests.train.small import Small


def attempt(small: Small, run: Run, kill_after_seconds: float | None) -> bool:
    """Train in a child; True if it ended by itself, False if it was killed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            figures = loop.run(*small.arguments(run))
            run.write("figures.json", figures)
            code = 0
        finally:
            os._exit(code)
    if kill_after_seconds is not None:
        time.sleep(kill_after_seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit("a child failed by itself")
    return not os.WIFSIGNALED(status)


def main() -> None:
    folder, work, method, count = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    torch.set_num_threads(1)
    knobs = {"name": "lora", "rank": 4, "dropout": 0.1} if method == "lora" else method
    small = Small(resolve(folder), "generate", knobs, epochs=6, save_every_steps=2)
    whole = small.new_run(work / "whole")
    started = time.perf_counter()
    attempt(small, whole, None)
    seconds = time.perf_counter() - started
    draw = random.Random(11)
    hashes: list[str] = []
    kills = inside = 0
    for number in range(count):
        run = small.new_run(work / f"killed-{number}")
        done = False
        limit = 0.95 * seconds
        while not done:
            # Whenever: while loading, in a step, while a checkpoint is written, at the end.
            done = attempt(small, run, draw.uniform(0.0, limit) if kills <= 2 * number else None)
            kills += not done
            if not done and any(m.get("loss") is not None for m in run.metrics()):
                inside += 1
        hashes.append(run.read("figures.json")["weights_sha256"])
    print(
        json.dumps(
            {
                "uninterrupted": whole.read("figures.json")["weights_sha256"],
                "hashes": hashes,
                "kills": kills,
                "inside_training": inside,
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
