"""How work and memory grow: with tokens, with data, with the length of a row, with the rank.

    python benchmarks/growth.py [--rounds 3]

A small random Llama (4 layers of 256), LoRA on every linear layer, float32, Afina's own batches, loss
and weights. Operations and bytes are counted, which no other work on the machine can disturb; times
are ratios of arms in turns. Four questions:

tokens   seconds and operations of a step against its tokens, in rows of one length: the slope on
         logarithmic scales (1: twice the tokens, twice the time)
data     peak memory of whole runs over 1 to 16 times the rows, each in a process of its own
length   most bytes alive at once in a step against the length of its row
rank     operations and seconds of rank 64 over rank 8, here and, counted alone, on layers of the
         width of real models
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

SMALL = {
    "vocab_size": 512,
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
WIDTHS = {"SmolLM2-135M": (576, 1536, 3, 9), "Llama-3.1-8B": (4096, 14_336, 8, 32)}
"""Hidden size, feed-forward size, heads of keys, heads of queries."""


def base_folder(folder: Path, shape: Mapping[str, int], dtype: torch.dtype = torch.float32) -> Path:
    """A random Llama of a shape, with a tokenizer of bytes, as a base of Afina."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {c: i for i, c in enumerate(["<|im_start|>", "<|im_end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=words, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    fast.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        **shape, tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=fast.eos_token_id, pad_token_id=fast.pad_token_id,
    )  # fmt: skip
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        network = AutoModelForCausalLM.from_config(config, dtype=dtype)
    network.save_pretrained(folder)
    return folder


class Steps:
    """Optimiser steps over rows of one length, drawn at random."""

    def __init__(
        self,
        folder: Path,
        rank: int,
        *,
        exact: bool = False,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        from afina.methods import Lora
        from afina.models import flat
        from afina.models.load import load
        from afina.models.sources import resolve
        from afina.recipe import Train
        from afina.tasks import Generate
        from afina.train.weights import Weights

        task = Generate(answer="text")
        self.model = load(
            resolve(str(folder)),
            task,
            Lora(rank=rank),
            dtype=dtype,
            device=device,
            seed=7,
            exact=exact,
        )
        self.model.network.flat = device == "cpu" and flat.allows(self.model.network.core)
        knobs = Train(learning_rate=1e-4, head_learning_rate=1e-4)
        self.weights = Weights(self.model.trained(), knobs, dtype)
        self.model.network.train()

    def rows(self, count: int, length: int) -> list[Any]:
        from afina.types import Encoded

        drawn = draw_rows(count, length)
        return [Encoded(str(i), tuple(r), tuple(r)) for i, r in enumerate(drawn)]

    def backward(self, rows: Sequence[Any]) -> float:
        """Forward and backward of one step; the loss a token."""
        from afina.objectives import Supervised
        from afina.train.batches import collate

        batch = collate(rows, kind="tokens", device=self.model.device)
        loss = Supervised().loss(self.model.network, batch)
        (loss.total / loss.weight).backward()
        return float(loss.total.detach()) / loss.weight

    def step(self, rows: Sequence[Any]) -> float:
        start = time.perf_counter()
        self.backward(rows)
        self.weights.collect_gradients()
        self.weights.step(1.0, self.weights.gradient_norm())
        return time.perf_counter() - start

    def operations(self, rows: Sequence[Any]) -> int:
        with FlopCounterMode(display=False) as counter:
            self.backward(rows)
        self.model.network.zero_grad()
        return int(counter.get_total_flops())

    def peak_bytes(self, rows: Sequence[Any]) -> int:
        with Live() as live:
            self.backward(rows)
        self.model.network.zero_grad()
        return live.peak


def draw_rows(count: int, length: int) -> list[list[int]]:
    """Rows of one length, of tokens drawn at random."""
    seed = torch.Generator().manual_seed(length)
    drawn: list[list[int]] = torch.randint(2, 250, (count, length), generator=seed).tolist()
    return drawn


class Live(TorchDispatchMode):
    """Counts the bytes of tensors that are alive at once, of those that operations inside it make."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[StorageWeakRef, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {
            StorageWeakRef(t.untyped_storage())
            for t in tree_leaves((args, kwargs))
            if isinstance(t, torch.Tensor)
        }
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                place = StorageWeakRef(tensor.untyped_storage())
                if place not in given:  # a view of what was there is nothing new
                    self.known[place] = tensor.untyped_storage().nbytes()
        self.known = {place: size for place, size in self.known.items() if not place.expired()}
        self.peak = max(self.peak, sum(self.known.values()))
        return made


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Least squares on logarithmic scales."""
    x, y = [math.log(s) for s in sizes], [math.log(v) for v in values]
    mx, my = statistics.mean(x), statistics.mean(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum(
        (a - mx) ** 2 for a in x
    )


def tokens(folder: Path, rounds: int) -> dict[str, Any]:
    """Rows of 128 tokens, 4 to 64 of them in a step."""
    steps, counts = Steps(folder, 16), (4, 8, 16, 32, 64)
    rows = {n: steps.rows(n, 128) for n in counts}
    operations = {n: steps.operations(rows[n]) for n in counts}
    times: dict[int, list[float]] = {n: [] for n in counts}
    for number in range(rounds + 1):
        for n in counts:
            taken = steps.step(rows[n])
            if number:
                times[n].append(taken)
    least = {n: min(t) for n, t in times.items()}
    return {
        "tokens": [n * 128 for n in counts],
        "operations_slope": slope(counts, list(operations.values())),
        "seconds_slope": slope(counts, list(least.values())),
        "seconds_relative": [least[n] / least[counts[0]] for n in counts],
    }


def length(folder: Path) -> dict[str, Any]:
    """One row of 64 to 2,048 tokens."""
    steps, lengths = Steps(folder, 16), (64, 128, 256, 512, 1024, 2048)
    kept = {n: steps.peak_bytes(steps.rows(1, n)) for n in lengths}
    # Up to 256 tokens our attention keeps its probabilities, whose number grows with the square.
    exact = Steps(folder, 16, exact=True)
    library = {n: exact.peak_bytes(exact.rows(1, n)) for n in lengths}
    return {
        "lengths": list(lengths),
        "bytes_per_token": [kept[n] / n for n in lengths],
        "bytes_per_token_exact": [library[n] / n for n in lengths],
        "slope": slope(lengths, list(kept.values())),
        "slope_exact": slope(lengths, list(library.values())),
    }


def rank(folder: Path, rounds: int) -> dict[str, Any]:
    low, high = Steps(folder, 8), Steps(folder, 64)
    rows = low.rows(16, 128)
    counted = high.operations(rows) / low.operations(rows)
    times: dict[str, list[float]] = {"8": [], "64": []}
    for number in range(rounds + 1):
        for name, arm in (("8", low), ("64", high)):
            taken = arm.step(rows)
            if number:
                times[name].append(taken)
    wide = {name: _counted(shape) for name, shape in WIDTHS.items()}
    return {
        "operations": counted,
        "seconds": bench.ratio(times["8"], times["64"]),
        "operations_by_width": wide,
    }


def _counted(shape: tuple[int, int, int, int]) -> float:
    """Operations of rank 64 over rank 8 for the linear layers of one block: for each weight [m, n]
    two products of the base (forward, and the gradient of the input), and of the update, whose
    weights move, three for A and three for B."""
    hidden, inner, own, heads = shape
    narrow = hidden * own // heads
    layers = [(hidden, hidden)] * 2 + [(hidden, narrow)] * 2 + [(hidden, inner)] * 3
    base = sum(2 * 2 * m * n for m, n in layers)
    each = sum(3 * 2 * (m + n) for m, n in layers)
    return (base + 64 * each) / (base + 8 * each)


def data(folder: Path, script: str = __file__) -> dict[str, Any]:
    """Whole runs of 20 steps over 200 to 3,200 rows."""
    counts = (200, 400, 800, 1600, 3200)
    peaks = []
    for count in counts:
        told = subprocess.run(
            [sys.executable, script, "--rows", str(count), "--base", str(folder)],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout  # fmt: skip
        peaks.append(int(told.rsplit("peak ", 1)[1]))
    grown = peaks[-1] / peaks[0]
    row_bytes = (peaks[-1] - peaks[0]) / (counts[-1] - counts[0])
    return {"rows": list(counts), "peak_bytes": peaks, "grown": grown, "bytes_per_row": row_bytes}


def one_run(base: Path, count: int) -> None:
    """A run over so many rows, in this process; prints its peak."""
    import afina

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rows.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for n in range(count):
                row = {"prompt": f"Say the number {n:05d}.", "completion": f"It is {n:05d}. " * 6}
                file.write(json.dumps(row) + "\n")
        recipe = {
            "task": {"name": "generate", "answer": "text"},
            "base": str(base),
            "method": {"name": "lora", "rank": 16},
            "data": {"train": str(path), "near_duplicates": "keep"},
            "train": {"max_steps": 20, "batch_size": 8, "precision": "float32"},
            "goal": {"metric": "exact_match"},
        }
        run = afina.run(recipe, home=scratch, evaluate=False)
        print(f"peak {run.figures['peak_memory_bytes']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rows:
        one_run(arguments.base, arguments.rows)
        return
    facts = bench.machine(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        folder = base_folder(Path(scratch) / "base", SMALL)
        questions: dict[str, Callable[[], dict[str, Any]]] = {
            "tokens": lambda: tokens(folder, arguments.rounds),
            "data": lambda: data(folder),
            "length": lambda: length(folder),
            "rank": lambda: rank(folder, arguments.rounds),
        }
        found = {}
        for name, ask in questions.items():
            found[name] = ask()
            print(name, json.dumps(found[name]), flush=True)
    bench.write("growth", {"machine": facts, **found})


if __name__ == "__main__":
    main()
