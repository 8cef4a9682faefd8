"""Peak resident memory of LoRA fine-tuning on the CPU: Afina against TRL's SFTTrainer.

    python benchmarks/memory_against_trl.py [--steps 8] [--threads 2]

The work of ``lora_against_trl.py``, each arm in a process of its own from the loading of the base to the
last step (eight are all rows once); the peak is what the kernel counted for it (VmHWM). Memory that
Python, PyTorch and Transformers take before any base is loaded is shown apart. Equality of losses and
gradients is checked by ``lora_against_trl.py``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ARMS = ("nothing loaded", "afina bfloat16", "trl stock", "trl tuned")


def peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not count a process's peak")


def run(name: str, steps: int, threads: int) -> None:
    """One arm, in this process; prints its peak."""
    import torch
    from lora_against_trl import Ours, rows, trl_steps, trl_trainer

    from afina.methods import Lora
    from afina.models.load import load_renderer
    from afina.models.sources import resolve
    from afina.tasks import Generate
    from afina.types import ChatExample, Message

    torch.set_num_threads(threads)
    base, data = resolve("HuggingFaceTB/SmolLM2-135M-Instruct"), rows()
    assert Lora  # every arm imports the same libraries
    if name.startswith("afina"):
        task, renderer = Generate(answer="text"), load_renderer(base)
        encoded = [
            task.encode(
                ChatExample(
                    id=str(i), where="", messages=tuple(Message(**m) for m in r["messages"])
                ),
                renderer,
            )
            for i, r in enumerate(data)
        ]
        Ours(base, encoded, name.split()[1]).steps(steps)
    elif name.startswith("trl"):
        with tempfile.TemporaryDirectory() as folder:
            trl_steps(trl_trainer(base, data, steps, name == "trl tuned", folder))
    print(f"peak {peak_bytes()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--arm", choices=ARMS)
    arguments = parser.parse_args()
    if arguments.arm:
        run(arguments.arm, arguments.steps, arguments.threads)
        return
    import bench

    peaks: dict[str, int] = {}
    for name in ARMS:
        command = [sys.executable, __file__, "--arm", name, "--steps", str(arguments.steps)]
        command += ["--threads", str(arguments.threads)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[name] = int(told.rsplit("peak ", 1)[1])
        print(f"{name:16s} {peaks[name] / 1e9:5.2f} GB")
    ratios = {
        f"afina bfloat16 / {other}": peaks["afina bfloat16"] / peaks[other]
        for other in ("trl stock", "trl tuned")
    }
    for name, value in ratios.items():
        print(f"{name:32s} {value:5.2f}")
    bench.write(
        "memory_against_trl",
        {
            "machine": bench.machine(arguments.threads),
            "steps": arguments.steps,
            "peak_bytes": peaks,
            "ratios": ratios,
        },
    )


if __name__ == "__main__":
    main()
