"""What this machine can do: cores, memory, disk, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from afina.errors import MachineError


@dataclass(frozen=True)
class Machine:
    """The machine as the plan sees it. Speeds are measured, in 10⁹ operations a second."""

    device: str
    device_name: str
    cores: int
    memory_bytes: int
    free_memory_bytes: int
    free_disk_bytes: int
    float32_gflops: float
    bfloat16_gflops: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def available_cores() -> int:
    """Cores that this process may use (containers and affinity respected)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def probe(device: str, folder: Path, threads: int | None = None) -> Machine:
    """Measure the machine in about a third of a second. ``device``: auto, cpu or cuda.

    Raises MachineError if a GPU is asked for and there is none.
    """
    import psutil
    import torch

    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise MachineError(
            "no CUDA GPU here",
            where="train.device",
            do="set train.device to cpu or auto, or install a CUDA build of PyTorch",
        )
    chosen = "cuda" if has_gpu and device in ("auto", "cuda") else "cpu"
    if threads:
        torch.set_num_threads(threads)
    memory = psutil.virtual_memory()
    free, total = memory.available, memory.total
    name = _processor_name()
    if chosen == "cuda":
        free, total = torch.cuda.mem_get_info()
        name = torch.cuda.get_device_name()
    return Machine(
        device=chosen,
        device_name=name,
        cores=available_cores(),
        memory_bytes=int(total),
        free_memory_bytes=int(free),
        free_disk_bytes=shutil.disk_usage(_existing(folder)).free,
        float32_gflops=_matmul_gflops(chosen, torch.float32),
        bfloat16_gflops=_matmul_gflops(chosen, torch.bfloat16),
    )


def _matmul_gflops(device: str, dtype: Any) -> float:
    """Best of several products of the shape that a small model's layers have."""
    import torch

    rows, inner, outer = (512, 768, 3072) if device == "cpu" else (8192, 4096, 4096)
    a = torch.randn(rows, inner, device=device).to(dtype)
    b = torch.randn(outer, inner, device=device).to(dtype)
    best = float("inf")
    deadline = time.perf_counter() + 0.15
    for attempt in range(50):
        start = time.perf_counter()
        torch.nn.functional.linear(a, b)
        if device == "cuda":
            torch.cuda.synchronize()
        if attempt:  # the first one pays for the library's preparation
            best = min(best, time.perf_counter() - start)
        if attempt > 2 and time.perf_counter() > deadline:
            break
    return 2 * rows * inner * outer / best / 1e9


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    import platform

    return platform.processor() or platform.machine()


def _existing(folder: Path) -> Path:
    here = folder.resolve()
    while not here.exists():
        here = here.parent
    return here


class MemoryPeak:
    """The most memory used since it was made: resident memory, or the GPU's allocations."""

    def __init__(self, device: str) -> None:
        self.device = device
        if device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            return
        try:  # Linux: forget the peak of what ran before in this process
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            pass

    def bytes(self) -> int:
        if self.device == "cuda":
            import torch

            return int(torch.cuda.max_memory_allocated())
        try:
            for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
