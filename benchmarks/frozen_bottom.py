"""The top quarter of the layers trained over a kept frozen bottom, against training every layer.

    python benchmarks/frozen_bottom.py [--rounds 2] [--steps 2]

Work: a BERT-base-shaped encoder (random weights, 77 labels) and SmolLM2-135M (rows of school
mathematics, loss on the answers), bfloat16, batch 16. Arms in turns in one process: full fine-tuning,
LoRA on every layer, LoRA on the top quarter over kept states (what epochs 2 and later cost). The factor
that the operation count gives: 6, 4 and 4 × quarter operations for each weight of the body and token,
4 for each of the output head and counted token. Before any speed counts, the gradients over kept states
and over states worked again must be equal bit for bit.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bench
import torch
from lora_against_trl import rows as chat_rows

from afina.methods import Full, Lora
from afina.methods.blocks import block_list
from afina.models import flat
from afina.models.bottom import split
from afina.models.load import load
from afina.models.memory import kept_memory
from afina.models.sources import Base, resolve
from afina.objectives import Supervised
from afina.recipe import Train
from afina.tasks import Classify, Generate
from afina.train.batches import collate
from afina.train.bottom import Bottom
from afina.train.weights import Weights
from afina.types import ChatExample, Encoded, LabelledExample, Message, Method, Task

BATCH, RANK = 16, 16


class Arm:
    """Optimiser steps by one method. ``kept``: a folder for the states below the trained layers."""

    def __init__(
        self, base: Base, task: Task, method: Method, kept: Path | None, again: bool
    ) -> None:
        self.task = task
        self.model = load(base, task, method, dtype=torch.bfloat16, seed=7)
        for name, parameter in self.model.network.named_parameters():
            if not parameter.requires_grad and not name.startswith("head."):
                parameter.data = parameter.data.to(torch.bfloat16)
        self.weights = Weights(
            self.model.trained(), Train(learning_rate=1e-4, head_learning_rate=1e-4), torch.bfloat16
        )
        if task.head == "tokens":
            self.model.network.flat = flat.allows(self.model.network.core)
        self.encoded = [task.encode(e, self.model.renderer) for e in examples(task)]
        self.bottom = None
        if kept is not None or again:
            halves = split(self.model.network.module)
            assert halves is not None
            self.model.network.halves = halves
            size = base.hidden_size
            self.bottom = Bottom(halves, self.encoded, torch.bfloat16, size, "benchmark", kept)
        ordered = sorted(self.encoded, key=lambda r: -len(r.ids))
        self.batches = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]

    def gradients(self, rows: list[Encoded]) -> None:
        batch = collate(rows, kind=self.task.targets, device=self.model.device)
        if self.bottom is not None:
            batch = self.bottom.fill(batch, rows)
        loss = Supervised().loss(self.model.network, batch)
        (loss.total / loss.weight).backward()
        self.weights.collect_gradients()

    def steps(self, count: int) -> list[float]:
        """Seconds per token of each step."""
        times = []
        self.model.network.train()
        with kept_memory():
            for index in range(count):
                rows = self.batches[index % len(self.batches)]
                start = time.perf_counter()
                self.gradients(rows)
                self.weights.step(1.0, self.weights.gradient_norm())
                seconds = time.perf_counter() - start
                times.append(seconds / sum(len(r.ids) for r in rows))
        return times


def examples(task: Task) -> list[Any]:
    data = [r["messages"] for r in chat_rows()]
    if isinstance(task, Classify):
        return [
            LabelledExample(id=str(i), where=str(i), text=m[0]["content"], labels=(str(i % 77),))
            for i, m in enumerate(data)
        ]
    return [
        ChatExample(id=str(i), where=str(i), messages=tuple(Message(**m) for m in messages))
        for i, messages in enumerate(data)
    ]


def bert_base(folder: Path) -> Base:
    """A BERT of the base size with random weights and the tokenizer of MiniLM."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(
        resolve("sentence-transformers/all-MiniLM-L6-v2").folder
    )
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_dropout_prob=0, attention_probs_dropout_prob=0
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return resolve(str(folder))


def check_bits(base: Base, task: Task, method: Method, kept: Path) -> None:
    """Gradients of one batch over kept states and over states worked again."""
    found = []
    for arm in (Arm(base, task, method, kept, False), Arm(base, task, method, None, True)):
        arm.gradients(arm.batches[0])
        found.append({n: m.grad for n, m in arm.weights.masters.items() if m.grad is not None})
    assert found[0].keys() == found[1].keys() and found[0]
    for name, gradient in found[0].items():
        assert torch.equal(gradient, found[1][name]), f"{name} differs: no speed counts"


def measure(base: Base, task: Task, quarter: int, rounds: int, steps: int, folder: Path) -> Any:
    upper = Lora(rank=RANK, layers=quarter)
    check_bits(base, task, upper, folder)
    arms = {
        "full": Arm(base, task, Full(), None, False),
        "lora, every layer": Arm(base, task, Lora(rank=RANK), None, False),
        "lora, top quarter, kept": Arm(base, task, upper, folder, False),
    }
    for arm in arms.values():
        arm.steps(1)
    times: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, arm in arms.items():
            times[name] += arm.steps(steps)
    core = arms["full"].model.network.core
    prefix, depth = block_list(core)
    body = sum(p.numel() for n, p in core.named_parameters() if n.startswith(prefix))
    head, share = 0, 0.0
    if task.head == "tokens":
        encoded = arms["full"].encoded
        head = core.get_output_embeddings().weight.numel()
        share = sum(t >= 0 for r in encoded for t in r.targets) / sum(len(r.ids) for r in encoded)
    tail = quarter / depth
    counts = {"full": 6 * body + 6 * head * share, "lora, every layer": 4 * body + 4 * head * share}
    own = 4 * body * tail + 4 * head * share
    result: dict[str, Any] = {}
    for name, count in counts.items():
        found = bench.ratio(times["lora, top quarter, kept"], times[name])
        expected = count / own
        result[name] = {**found, "operations": expected, "reached": found["ratio"] / expected}
        print(
            f"  against {name:18s} {found['ratio']:5.2f}×  [{found['low']:.2f}, {found['high']:.2f}]"
            f"   operations {expected:.2f}×   reached {found['ratio'] / expected:4.0%}"
        )
    speeds = {name: 1 / statistics.median(t) for name, t in times.items()}
    return {
        "layers": depth,
        "trained_layers": quarter,
        "tokens_per_second": speeds,
        "against": result,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        classify = Classify(labels=tuple(str(i) for i in range(77)), several=False)
        work: list[tuple[str, Base, Task, int]] = [
            (
                "bert-base shape",
                bert_base(Path(folder) / "bert"),
                classify,
                3,
            ),
            (
                "smollm2-135m",
                resolve("HuggingFaceTB/SmolLM2-135M-Instruct"),
                Generate(answer="text"),
                7,
            ),
        ]
        for name, base, task, quarter in work:
            print(name)
            results[name] = measure(
                base, task, quarter, arguments.rounds, arguments.steps, Path(folder) / name
            )
    bench.write("frozen_bottom", {"machine": facts, "batch": BATCH, "work": results})


if __name__ == "__main__":
    main()
