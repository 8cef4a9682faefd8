"""Rows that begin alike: the beginning worked once a pass, against padded rows.

    python benchmarks/shared_prefix.py [--rounds 2] [--steps 1]

Work: SmolLM2-135M, LoRA of rank 16 on every layer, bfloat16. Rows of S tokens of their own behind P
tokens that all share (a system prompt), B to a pass, and pairs of answers behind one question, as
preference learning has them. All rows of one case are of one length, so nothing is gained by leaving
padding out. The factor that the count of tokens gives is B(P+S) / (P+BS). Losses and gradients of both
ways are compared in float32 first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import bench
import torch
from lora_against_trl import rows as chat_rows

from afina.methods import Lora
from afina.models import flat
from afina.models.layout import lay_out
from afina.models.load import Model, load
from afina.models.memory import kept_memory
from afina.models.sources import Base, resolve
from afina.objectives import Supervised
from afina.recipe import Train
from afina.tasks import Generate
from afina.train.batches import collate
from afina.train.weights import Weights
from afina.types import IGNORED, Encoded

CASES = {
    "system prompt, P 50, S 150, B 8": (50, 150, 8, 1),
    "system prompt, P 100, S 100, B 8": (100, 100, 8, 1),
    "few-shot head, P 200, S 100, B 16": (200, 100, 16, 1),
    "two answers, P 100, S 100, 8 pairs": (100, 100, 8, 2),
}
"""Tokens shared, tokens of a row's own, rows, and sequences to a row."""


def make_rows(model: Model, shared: int, own: int, count: int, each: int) -> list[Encoded]:
    """Rows of real text. With ``each`` 2, the two sequences of a row share their beginning, and the
    rows share nothing."""
    text = " ".join(m["content"] for r in chat_rows() for m in r["messages"])
    ids = list(model.renderer.text(text))

    def take(number: int) -> list[int]:
        nonlocal ids
        taken, ids = ids[:number], ids[number:] + ids[:number]
        return taken

    head = take(shared)
    made = []
    for number in range(count):
        start = head if each == 1 else take(shared)
        parts = [(*start, *take(own)) for _ in range(each)]
        first, *others = (
            Encoded(str(number), p, (*[IGNORED] * shared, *p[shared:])) for p in parts
        )
        made.append(Encoded(first.row, first.ids, first.targets, tuple(others)))
    return made


def gradients(model: Model, rows: list[Encoded], on: bool) -> tuple[float, dict[str, Any]]:
    model.network.flat = on
    model.network.zero_grad()
    loss = Supervised().loss(model.network, collate(rows, kind="tokens", device=model.device))
    (loss.total / loss.weight).backward()
    return float(loss.total.detach()), {n: p.grad for n, p in model.trained().items()}


def check(base: Base) -> dict[str, float]:
    """Relative differences of loss and gradient, float32, on a small case."""
    model = load(base, Generate(answer="text"), Lora(rank=16), seed=7)
    for name, parameter in model.trained().items():
        if "lora_B" in name:
            parameter.data.normal_(std=0.02)
    rows = make_rows(model, 40, 30, 3, 1)
    loss, wanted = gradients(model, rows, False)
    wanted = {n: g.clone() for n, g in wanted.items()}
    found_loss, found = gradients(model, rows, True)
    worst = max(
        float((found[n] - g).abs().max()) / max(float(g.abs().max()), 1e-12)
        for n, g in wanted.items()
    )
    return {"loss": abs(found_loss - loss) / loss, "gradient": worst}


def steps(model: Model, weights: Weights, rows: list[Encoded], on: bool, count: int) -> list[float]:
    """Seconds of each optimiser step."""
    model.network.flat = on
    times = []
    with kept_memory():
        for _ in range(count):
            start = time.perf_counter()
            batch = collate(rows, kind="tokens", device=model.device)
            loss = Supervised().loss(model.network, batch)
            (loss.total / loss.weight).backward()
            weights.collect_gradients()
            weights.step(1.0, weights.gradient_norm())
            times.append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    base = resolve("HuggingFaceTB/SmolLM2-135M-Instruct")
    same = check(base)
    print("equality (float32):", {k: f"{v:.1e}" for k, v in same.items()})
    assert same["loss"] < 1e-5 and same["gradient"] < 1e-4, "not equal: no speed counts"
    model = load(base, Generate(answer="text"), Lora(rank=16), dtype=torch.bfloat16, seed=7)
    assert flat.allows(model.network.core)
    train = Train(learning_rate=1e-4, head_learning_rate=1e-4)
    weights = Weights(model.trained(), train, torch.bfloat16)
    results: dict[str, Any] = {}
    for name, (shared, own, count, each) in CASES.items():
        rows = make_rows(model, shared, own, count, each)
        sequences = [s.ids for r in rows for s in r.sequences]
        expected = sum(len(s) for s in sequences) / lay_out(sequences).tokens
        times: dict[bool, list[float]] = {False: [], True: []}
        for on in times:
            steps(model, weights, rows, on, 1)
        for _ in range(arguments.rounds):
            for on, own_times in times.items():
                own_times += steps(model, weights, rows, on, arguments.steps)
        found = bench.ratio(times[True], times[False])
        results[name] = {
            **found,
            "tokens": expected,
            "reached": found["ratio"] / expected,
            "seconds_padded": statistics.median(times[False]),
        }
        print(
            f"{name:36s} {found['ratio']:5.2f}×  [{found['low']:.2f}, {found['high']:.2f}]"
            f"   tokens {expected:.2f}×   reached {found['ratio'] / expected:4.0%}"
        )
    bench.write("shared_prefix", {"machine": facts, "equality": same, "cases": results})


if __name__ == "__main__":
    main()
