"""LoRA fine-tuning on the CPU: Afina against TRL's SFTTrainer, stock and tuned.

    python benchmarks/lora_against_trl.py [--rounds 2] [--steps 2] [--base google/gemma-3-270m]

Work: LoRA of rank 16 on every linear layer, 64 chat rows of about 100 tokens, batch 8, loss on the
answers. Arms in turns in one process: Afina (bfloat16), Afina (float32), TRL as it comes on a CPU
(float32, gradient checkpointing), TRL tuned (bfloat16 weights, no checkpointing, rows of like length
together). Before any speed counts, the loss of one same batch and the gradient of the adapter are
compared in float32.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from typing import Any

import bench
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from afina.methods import Lora
from afina.models import flat
from afina.models.load import DTYPES, load
from afina.models.memory import kept_memory
from afina.models.sources import Base, resolve
from afina.objectives import Supervised
from afina.recipe import Train
from afina.tasks import Generate
from afina.train.batches import collate, micro_batches
from afina.train.weights import Weights
from afina.types import ChatExample, Encoded, Message

ROWS, BATCH, RANK, RATE = 64, 8, 16, 1e-3


def rows() -> list[dict[str, Any]]:
    """64 question/answer rows of school mathematics, about 100 tokens each with the template."""
    import json

    lines = (bench.DATA / "gsm8k" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = [json.loads(line) for line in lines]
    chosen = [r for r in chosen if 150 < len(r["question"]) + len(r["answer"]) < 330][:ROWS]
    return [
        {
            "messages": [
                {"role": "user", "content": r["question"]},
                {"role": "assistant", "content": r["answer"]},
            ]
        }
        for r in chosen
    ]


def encode(base: Base, data: list[dict[str, Any]]) -> tuple[Any, list[Encoded]]:
    model = load(base, Generate(), Lora(rank=RANK), seed=7)
    examples = [
        ChatExample(id=str(i), where=str(i), messages=tuple(Message(**m) for m in r["messages"]))
        for i, r in enumerate(data)
    ]
    return model, [model.task.encode(e, model.renderer) for e in examples]


class Ours:
    """Optimiser steps of Afina over fixed batches."""

    def __init__(self, base: Base, encoded: list[Encoded], precision: str) -> None:
        dtype = DTYPES[precision]
        self.model = load(base, Generate(), Lora(rank=RANK), dtype=dtype, seed=7)
        self.model.network.flat = flat.allows(self.model.network.core)
        self.weights = Weights(
            self.model.trained(), Train(learning_rate=RATE, head_learning_rate=RATE), dtype
        )
        ordered = sorted(encoded, key=lambda r: -len(r.ids))
        self.batches = [ordered[i : i + BATCH] for i in range(0, len(ordered), BATCH)]

    def steps(self, count: int) -> list[float]:
        """Seconds per token of each step."""
        with kept_memory():
            return self._steps(count)

    def _steps(self, count: int) -> list[float]:
        times = []
        self.model.network.train()
        for index in range(count):
            chosen = self.batches[index % len(self.batches)]
            start = time.perf_counter()
            for part in micro_batches(chosen, BATCH):
                batch = collate(part, kind="tokens", device=self.model.device)
                loss = Supervised().loss(self.model.network, batch)
                (loss.total / loss.weight).backward()
                self.weights.collect_gradients()
            self.weights.step(1.0, self.weights.gradient_norm())
            seconds = time.perf_counter() - start
            times.append(seconds / sum(len(r.ids) for r in chosen))
        return times


class _Clock(TrainerCallback):
    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.times.append(time.perf_counter() - self.start)


PLAIN = (
    "{{ bos_token }}{% for m in messages %}{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}{% endfor %}"
)
"""Afina's form for a base without a chat template, as one."""


def _tokenizer(base: Base) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    tokenizer.chat_template = tokenizer.chat_template or PLAIN
    return tokenizer


def trl_trainer(
    base: Base, data: list[dict[str, Any]], steps: int, tuned: bool, folder: str
) -> Any:
    dtype = torch.bfloat16 if tuned else torch.float32
    model = AutoModelForCausalLM.from_pretrained(base.folder, dtype=dtype)
    tokenizer = _tokenizer(base)
    extra: dict[str, Any] = {}
    if tuned:
        extra = {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"}
    pairs = [{"prompt": r["messages"][:1], "completion": r["messages"][1:]} for r in data]
    config = SFTConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        per_device_train_batch_size=BATCH,
        max_steps=steps,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=7,
        **extra,
    )
    torch.manual_seed(7)
    return SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(pairs),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=RANK, lora_alpha=2 * RANK, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )


def trl_steps(trainer: Any) -> list[float]:
    """Seconds per token of each step; tokens as the trainer counts them, without padding."""
    clock = _Clock()
    trainer.add_callback(clock)
    trainer.train()
    seen = [log["num_tokens"] for log in trainer.state.log_history if "num_tokens" in log]
    counts = [now - before for before, now in zip([0, *seen], seen, strict=False)]
    return [t / tokens for t, tokens in zip(clock.times, counts, strict=True)]


def equality(base: Base, data: list[dict[str, Any]], encoded: list[Encoded]) -> dict[str, float]:
    """Float32: loss and adapter gradient of one same batch, ours against TRL's trainer."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trl_trainer(base, data[:BATCH], 1, False, folder)
        inputs = next(iter(trainer.get_train_dataloader()))
        end = trainer.processing_class.eos_token_id
        for labels in inputs["labels"]:  # a line break after the end token is no answer of ours
            last = int((labels != -100).nonzero().max())
            labels[last] = end if labels[last] == end else -100
        trainer.model.train()
        theirs = trainer.compute_loss(trainer.model, inputs)
        theirs.backward()
    gradients = {
        n.replace("base_model.model.", ""): p.grad
        for n, p in trainer.model.named_parameters()
        if p.grad is not None
    }
    model = load(base, Generate(), Lora(rank=RANK), seed=7)
    own = dict(model.network.named_parameters())
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad:  # the same start: the adapters are drawn at random
            own["module." + name].data.copy_(parameter.data)
    batch = collate(_same_rows(inputs, encoded), kind="tokens", device=model.device)
    model.network.flat = True
    loss = Supervised().loss(model.network.train(), batch)
    ours = loss.total / loss.weight
    ours.backward()
    dots = norms = 0.0
    worst = 0.0
    for name, gradient in gradients.items():
        found = own["module.base_model.model." + name].grad
        scale = float(gradient.abs().max())
        if scale > 0:
            worst = max(worst, float((found - gradient).abs().max()) / scale)
        dots += float((found * gradient).sum())
        norms += float((gradient * gradient).sum())
    return {
        "loss_ours": float(ours.detach()),
        "loss_trl": float(theirs.detach()),
        "loss_relative_difference": abs(float(ours.detach()) - float(theirs.detach()))
        / float(theirs.detach()),
        "gradient_worst_relative_difference": worst,
        "gradient_projection": dots / norms,
    }


def _same_rows(inputs: Any, encoded: list[Encoded]) -> list[Encoded]:
    """Our rows that stand in a batch of theirs (their loader shuffles)."""
    known = {r.ids: r for r in encoded}
    lengths = inputs["attention_mask"].sum(1).tolist()
    return [
        known[tuple(ids[:n].tolist())] for ids, n in zip(inputs["input_ids"], lengths, strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--warm-up", type=int, default=1, help="steps that are not counted")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts, skipped = bench.machine(arguments.threads), arguments.warm_up
    base, data = resolve(arguments.base), rows()
    model, encoded = encode(base, data)
    body = sum(p.numel() for n, p in model.network.named_parameters() if ".layers." in n)
    head = model.network.core.get_output_embeddings().weight.numel()
    same = equality(base, data, encoded)
    print("equality (float32):", {k: f"{v:.3g}" for k, v in same.items()})
    assert same["loss_relative_difference"] < 1e-5, "losses differ: no speed counts"
    assert abs(same["gradient_projection"] - 1) < 1e-4, "gradients differ: no speed counts"
    arms = {
        "afina bfloat16": Ours(base, encoded, "bfloat16"),
        "afina float32": Ours(base, encoded, "float32"),
    }
    for arm in arms.values():
        arm.steps(skipped)
    times: dict[str, list[float]] = {n: [] for n in (*arms, "trl stock", "trl tuned")}
    limits = []
    for number in range(arguments.rounds):
        for name, arm in arms.items():
            times[name] += arm.steps(arguments.steps)
        limits.append(bench.matmul_gflops(torch.bfloat16))
        for name, tuned in (("trl stock", False), ("trl tuned", True)):
            with tempfile.TemporaryDirectory() as folder:
                trainer = trl_trainer(base, data, arguments.steps + skipped, tuned, folder)
                times[name] += trl_steps(trainer)[skipped:]
        print(f"round {number + 1} of {arguments.rounds} done")
    counted = sum(1 for r in encoded for t in r.targets[1:] if t >= 0)
    share = counted / sum(len(r.ids) for r in encoded)
    limit = max(limits) * 1e9 / (4 * body + 4 * head * share)
    speeds = {name: 1 / statistics.median(t) for name, t in times.items()}
    ratios = {
        f"{own} / {other}": bench.ratio(times[own], times[other])
        for own in arms
        for other in ("trl stock", "trl tuned")
    }
    for name, speed in speeds.items():
        print(
            f"{name:16s} {speed:8.1f} tokens/s   {speed / limit:5.0%} of the matrix-product limit"
        )
    for name, value in ratios.items():
        print(f"{name:32s} {value['ratio']:5.2f}×  [{value['low']:.2f}, {value['high']:.2f}]")
    name = "lora_against_trl_" + base.name.rsplit("/", 1)[-1].lower()
    bench.write(
        name,
        {
            "machine": facts,
            "work": {
                "base": base.name,
                "rows": ROWS,
                "batch": BATCH,
                "rank": RANK,
                "loss_share": share,
            },
            "equality": same,
            "tokens_per_second": speeds,
            "matmul_gflops_bfloat16": max(limits),
            "limit_tokens_per_second": limit,
            "ratios": ratios,
        },
    )


if __name__ == "__main__":
    main()
