"""QLoRA against LoRA on the CPU: memory of the weights, speed of a step, and where the time goes.

    python benchmarks/quantised.py [--rounds 3] [--steps 3] [--base HuggingFaceTB/SmolLM2-135M-Instruct]

The work of ``lora_against_trl.py``: rank 16 on every linear layer, chat rows of about 100 tokens,
batch 8, bfloat16. Both arms in turns in one process. Memory is counted, not sampled: the bytes of every
weight and of what 4-bit weights need to be unpacked, for the whole model and for the quantised layers
alone (the embedding stays in bfloat16). Four bits change the numbers, so the losses of both are shown
beside each other and are not equal.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import bench
import torch
from lora_against_trl import BATCH, RANK, rows
from torch import nn
from torch.profiler import ProfilerActivity, profile

from afina.methods import Lora, QLora
from afina.models import flat
from afina.models.load import Model, load
from afina.models.memory import kept_memory
from afina.models.sources import Base, resolve
from afina.objectives import Supervised
from afina.recipe import Train
from afina.tasks import Generate
from afina.train.batches import collate
from afina.train.weights import Weights
from afina.types import ChatExample, Encoded, Message

SHOWN = 8
"""Operations of a profile that are shown."""


class Arm:
    """Optimiser steps of one method over fixed batches."""

    def __init__(self, base: Base, method: Lora, data: list[dict[str, Any]]) -> None:
        task = Generate(answer="text")
        self.model: Model = load(base, task, method, dtype=torch.bfloat16, seed=7)
        self.model.network.flat = flat.allows(self.model.network.core)
        knobs = Train(learning_rate=1e-4, head_learning_rate=1e-4)
        self.weights = Weights(self.model.trained(), knobs, torch.bfloat16)
        encoded = [task.encode(_chat(i, r), self.model.renderer) for i, r in enumerate(data)]
        encoded.sort(key=lambda r: -len(r.ids))
        self.batches = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
        self.model.network.train()
        self.at = 0

    def step(self) -> tuple[float, float]:
        """Seconds a token, and the loss."""
        chosen: list[Encoded] = self.batches[self.at % len(self.batches)]
        self.at += 1
        start = time.perf_counter()
        batch = collate(chosen, kind="tokens", device=self.model.device)
        loss = Supervised().loss(self.model.network, batch)
        (loss.total / loss.weight).backward()
        self.weights.collect_gradients()
        self.weights.step(1.0, self.weights.gradient_norm())
        seconds = time.perf_counter() - start
        return seconds / sum(len(r.ids) for r in chosen), float(loss.total.detach()) / loss.weight

    def profile(self) -> list[dict[str, Any]]:
        """Where a step's time goes: operations by their own time, largest first."""
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            self.step()
        events = sorted(seen.key_averages(), key=lambda e: -e.self_cpu_time_total)
        total = sum(e.self_cpu_time_total for e in events)
        return [
            {"operation": e.key, "calls": e.count, "share": e.self_cpu_time_total / total}
            for e in events[:SHOWN]
        ]


def _chat(number: int, row: dict[str, Any]) -> ChatExample:
    said = tuple(Message(**m) for m in row["messages"])
    return ChatExample(id=str(number), where="", messages=said)


def frozen_bytes(model: Model) -> dict[str, int]:
    """Bytes of the frozen weights: of the layers that an update stands beside, and of all."""
    seen: set[int] = set()
    found = {"layers": 0, "all": 0}
    for name, layer in model.network.named_modules():
        for parameter in layer.parameters(recurse=False):
            if parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            size = _bytes(parameter)
            found["all"] += size
            if name.endswith("base_layer") and isinstance(layer, nn.Linear):
                found["layers"] += size
    return found


def _bytes(parameter: nn.Parameter) -> int:
    """Of a weight and, in 4 bits, of the constants that unpack it."""
    size = parameter.numel() * parameter.element_size()
    state: Any = getattr(parameter, "quant_state", None)
    while state is not None:
        for constant in (state.absmax, state.code, state.offset):
            if isinstance(constant, torch.Tensor):
                size += constant.numel() * constant.element_size()
        state = state.state2
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    base, data = resolve(arguments.base), rows()
    arms = {"lora": Arm(base, Lora(rank=RANK), data), "qlora": Arm(base, QLora(rank=RANK), data)}
    memory = {name: frozen_bytes(arm.model) for name, arm in arms.items()}
    times: dict[str, list[float]] = {name: [] for name in arms}
    losses: dict[str, list[float]] = {name: [] for name in arms}
    with kept_memory():
        for arm in arms.values():
            arm.step()
        for _ in range(arguments.rounds):
            for name, arm in arms.items():
                for _ in range(arguments.steps):
                    seconds, loss = arm.step()
                    times[name].append(seconds)
                    losses[name].append(loss)
        profiles = {name: arm.profile() for name, arm in arms.items()}
    speed = bench.ratio(times["qlora"], times["lora"])
    share = {part: memory["qlora"][part] / memory["lora"][part] for part in ("all", "layers")}
    print(f"memory of the frozen weights: {share['all']:.1%} of LoRA's in bfloat16, ", end="")
    print(f"{share['layers']:.1%} in the layers that are quantised")
    print(f"speed {speed['ratio']:.2f} of LoRA's [{speed['low']:.2f}, {speed['high']:.2f}]")
    for name, arm_losses in losses.items():
        print(f"{name:6s} mean loss {statistics.mean(arm_losses):.3f}; a step:")
        for line in profiles[name]:
            print(f"    {line['share']:5.1%} {line['calls']:6d} × {line['operation']}")
    bench.write(
        "quantised",
        {
            "machine": facts,
            "work": {"base": base.name, "batch": BATCH, "rank": RANK},
            "weights_bytes": memory,
            "memory_ratio": share,
            "speed_ratio": speed,
            "mean_loss": {name: statistics.mean(own) for name, own in losses.items()},
            "profile": profiles,
        },
    )


if __name__ == "__main__":
    main()
