"""What the benchmarks share: the machine's facts, ratios with their spread, the JSON they leave.

An absolute time means nothing on a shared machine, so every figure that is published is a ratio of
arms that ran in turns in one process, after their losses were found equal.
"""

from __future__ import annotations

import json
import platform
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from afina.evaluate import Report

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PACKAGES = ("afina", "torch", "transformers", "peft", "trl", "tokenizers")


def _version(package: str) -> str | None:
    """None where it is not installed: not every script needs every one."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine(threads: int) -> dict[str, Any]:
    """Versions, processor flags that matter to arithmetic, and the measured matrix product."""
    torch.set_num_threads(threads)
    flags = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [x for x in cpuinfo.read_text().splitlines() if x.startswith("flags")]
        wanted = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")
        flags = " ".join(f for f in wanted if lines and f" {f} " in lines[0] + " ")
    return {
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
        "cpu_flags": flags,
        "threads": threads,
    }


def matmul_gflops(dtype: torch.dtype, device: str = "cpu") -> float:
    """The machine's own limit, measured now: best of 30 products of the shape of a model's layers."""
    rows, inner, outer = (512, 768, 3072) if device == "cpu" else (8192, 4096, 14_336)
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(outer, inner, device=device).to(dtype)
    best = float("inf")
    for _ in range(30):
        start = time.perf_counter()
        torch.nn.functional.linear(a, b)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * rows * inner * outer / best / 1e9


def ratio(fast: Sequence[float], slow: Sequence[float]) -> dict[str, float]:
    """How many times as fast ``fast`` is: median of times, with a 95 % bootstrap interval."""
    draw = random.Random(0)
    values = sorted(
        statistics.median(draw.choices(slow, k=len(slow)))
        / statistics.median(draw.choices(fast, k=len(fast)))
        for _ in range(2000)
    )
    return {
        "ratio": statistics.median(slow) / statistics.median(fast),
        "low": values[49],
        "high": values[1949],
    }


def worked() -> float:
    """Seconds of the processor that the commands took which have ended. Other work beside them hardly
    changes it, which cannot be said of the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def job(recipe: dict[str, Any], home: Path) -> dict[str, Any]:
    """`afina run` of a recipe in a process of its own, so that its peak of memory is its own.

    What the verb prints under ``--json``, and ``processor_seconds``, the work of the whole command. A
    run that the gate refuses is a result too.
    """
    path = home / f"{recipe['name']}.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "afina", "--home", str(home), "run", str(path), "--json"]
    before = worked()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{path.name} failed: {done.stdout}")
    told: dict[str, Any] = json.loads(done.stdout)
    return {**told, "processor_seconds": worked() - before}


def scores(report: Report) -> dict[str, dict[str, dict[str, float]]]:
    """Of each candidate each score with its interval."""
    return {
        c.name: {n: {"value": s.value, "low": s.low, "high": s.high} for n, s in c.scores.items()}
        for c in report.candidates
    }


def earlier(name: str, part: str, work: dict[str, Any]) -> dict[str, Any]:
    """The parts that an earlier run of the same work left in the result, for a run of some of them."""
    path = RESULTS / f"{name}.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    parts: dict[str, Any] = found.get(part, {}) if found.get("work") == work else {}
    return parts


def write(name: str, result: dict[str, Any]) -> None:
    """Leave the result beside the scripts."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(Path(__file__).parents[1])}")
