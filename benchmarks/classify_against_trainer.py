"""Classification on the CPU: Afina against the recipe of the textbooks.

    python benchmarks/classify_against_trainer.py [--rounds 2] [--bases minilm,bert-base] [--full]

Work: full fine-tuning on Banking77 (77 intents) of all-MiniLM-L6-v2, and of an encoder of BERT-base's
shape with random weights, whose speed is that of the real one. The textbook recipe: Transformers'
Trainer, every row padded to max_length 128, batch 8, float32. Arms in turns in one process. Before any
speed counts, the loss and the gradients of one same batch are compared in float32. A base that is not
asked for stays in the result as an earlier run found it. ``--full`` also trains both over MiniLM to the
end (three epochs) and compares their accuracy on the published test set: hours for the textbook recipe,
so it is off by default.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import bench
import torch
from datasets import Dataset
from frozen_bottom import bert_base
from lora_against_trl import _Clock
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from afina.methods import Full
from afina.models.load import DTYPES, Model, load
from afina.models.sources import Base, resolve
from afina.objectives import Supervised
from afina.recipe import Train
from afina.tasks import Classify
from afina.train.batches import Schedule, collate, micro_batches
from afina.train.weights import Weights, rate_share
from afina.types import Encoded, LabelledExample

BASE = "sentence-transformers/all-MiniLM-L6-v2"
OUR_BATCH, THEIR_BATCH, WIDTH, EPOCHS = 32, 8, 128, 3
STEPS = {"minilm": (20, 10), "bert-base": (6, 4)}
"""Steps of a round, ours and theirs."""


def read(name: str) -> list[tuple[str, str]]:
    with (bench.DATA / "banking77" / name).open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


class Ours:
    """Steps of Afina over the training rows, in its own order."""

    def __init__(self, base: Base, task: Classify, rows: list[Any], precision: str) -> None:
        self.model: Model = load(base, task, Full(), dtype=DTYPES[precision], seed=7)
        self.rows: list[Encoded] = [task.encode(e, self.model.renderer) for e in rows]
        knobs = Train(learning_rate=2e-4, head_learning_rate=1e-3)
        for name, parameter in self.model.network.named_parameters():
            if not parameter.requires_grad and not name.startswith("head."):
                parameter.data = parameter.data.to(self.model.dtype)
        self.weights = Weights(self.model.trained(), knobs, self.model.dtype)
        self.schedule = Schedule([len(r.ids) for r in self.rows], OUR_BATCH, 7)
        self.total = EPOCHS * self.schedule.steps_per_epoch
        self.at = 0

    def steps(self, count: int) -> list[float]:
        """Seconds an example of each step."""
        times = []
        self.model.network.train()
        for _ in range(count):
            start = time.perf_counter()
            rows = [self.rows[i] for i in self.schedule.step(self.at)]
            for part in micro_batches(rows, OUR_BATCH):
                batch = collate(part, kind="one_label", device=self.model.device)
                loss = Supervised().loss(self.model.network, batch)
                (loss.total / len(rows)).backward()
                self.weights.collect_gradients()
            share = rate_share("linear", self.at, self.total, round(0.06 * self.total))
            self.weights.step(share, self.weights.gradient_norm())
            self.at += 1
            times.append((time.perf_counter() - start) / len(rows))
        return times

    def accuracy(self, rows: list[Any]) -> float:
        network, task = self.model.network.eval(), self.model.task
        encoded = [task.encode(e, self.model.renderer) for e in rows]
        right = 0
        with torch.no_grad():
            for part in micro_batches(encoded, 128):
                batch = collate(part, kind="one_label", device=self.model.device)
                scores = network.label_scores(batch)
                right += int((scores.argmax(1) == batch.targets.argmax(1)).sum())
        return right / len(rows)


def textbook(
    base: Base, pairs: list[tuple[str, str]], labels: list[str], steps: int, folder: str
) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    given = tokenizer(
        [t for t, _ in pairs], padding="max_length", truncation=True, max_length=WIDTH
    )
    number = {label: i for i, label in enumerate(labels)}
    data = Dataset.from_dict({**dict(given), "labels": [number[label] for _, label in pairs]})
    torch.manual_seed(7)
    model = BertForSequenceClassification.from_pretrained(base.folder, num_labels=len(labels))
    return Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            per_device_train_batch_size=THEIR_BATCH,
            learning_rate=5e-5,
            warmup_steps=500 if steps > 500 else 0,
            weight_decay=0.01,
            max_steps=steps,
            save_strategy="no",
            logging_steps=10,
            report_to=[],
            disable_tqdm=True,
            seed=7,
        ),
        train_dataset=data,
    )


def equality(base: Base, task: Classify, pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Float32, pooling of BERT's own classifier: loss and gradients of one same batch."""
    own_task = task.model_copy(update={"pooling": "first"})
    model = load(base, own_task, Full(), seed=7)
    rows = [
        own_task.encode(LabelledExample(id=str(i), where="", text=t, labels=(c,)), model.renderer)
        for i, (t, c) in enumerate(pairs[:THEIR_BATCH])
    ]
    batch = collate(rows, kind="one_label", device=model.device)
    loss = Supervised().loss(model.network, batch)
    (loss.total / loss.weight).backward()
    ours = float(loss.total.detach()) / loss.weight
    with tempfile.TemporaryDirectory() as folder:
        trainer = textbook(base, pairs[:THEIR_BATCH], list(task.known_labels), 1, folder)
    own = dict(model.network.named_parameters())
    other = trainer.model
    other.classifier.weight.data.copy_(own["head.weight"].data)
    other.classifier.bias.data.copy_(own["head.bias"].data)
    items = trainer.data_collator([trainer.train_dataset[i] for i in range(THEIR_BATCH)])
    other.eval()  # no dropout, so that the two can be compared
    theirs = trainer.compute_loss(other, items)
    theirs.backward()
    worst = 0.0
    for name, parameter in other.bert.named_parameters():
        found, expected = own[f"module.{name}"].grad, parameter.grad
        if found is not None and expected is not None and float(expected.abs().max()) > 1e-6:
            difference = float((found - expected).abs().max() / expected.abs().max())
            worst = max(worst, difference)
    return {
        "loss_ours": ours,
        "loss_trainer": float(theirs.detach()),
        "loss_relative_difference": abs(ours - float(theirs.detach())) / float(theirs.detach()),
        "gradient_worst_relative_difference": worst,
    }


def measure(
    name: str, base: Base, task: Classify, examples: list[Any], pairs: list[Any], rounds: int
) -> dict[str, Any]:
    """Examples a second over one base, ours and theirs in turns, after both were found equal."""
    same = equality(base, task, pairs)
    print(name, "equality (float32):", {k: f"{v:.3g}" for k, v in same.items()})
    assert same["loss_relative_difference"] < 1e-5, "losses differ: no speed counts"
    assert same["gradient_worst_relative_difference"] < 1e-3, "gradients differ: no speed counts"
    own, theirs = STEPS[name]
    arms = {f"afina {p}": Ours(base, task, examples, p) for p in ("bfloat16", "float32")}
    for arm in arms.values():
        arm.steps(2)
    times: dict[str, list[float]] = {name: [] for name in (*arms, "textbook")}
    for number in range(rounds):
        for arm_name, arm in arms.items():
            times[arm_name] += arm.steps(own)
        with tempfile.TemporaryDirectory() as folder:
            rows = pairs[: THEIR_BATCH * (theirs + 2)]
            trainer = textbook(base, rows, list(task.known_labels), theirs + 2, folder)
            clock = _Clock()
            trainer.add_callback(clock)
            trainer.train()
            times["textbook"] += [t / THEIR_BATCH for t in clock.times[2:]]
        print(f"round {number + 1} of {rounds} done")
    speeds = {arm_name: 1 / statistics.median(t) for arm_name, t in times.items()}
    ratios = {f"{arm} / textbook": bench.ratio(times[arm], times["textbook"]) for arm in arms}
    for arm_name, speed in speeds.items():
        print(f"{arm_name:16s} {speed:8.1f} examples/s")
    for arm_name, value in ratios.items():
        print(f"{arm_name:28s} {value['ratio']:5.2f}×  [{value['low']:.2f}, {value['high']:.2f}]")
    return {"equality": same, "examples_per_second": speeds, "ratios": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bases", default=",".join(STEPS))
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    pairs = read("train.csv")
    examples = [
        LabelledExample(id=str(i), where="", text=t, labels=(c,)) for i, (t, c) in enumerate(pairs)
    ]
    task = Classify().resolve(examples)
    work = {"rows": len(pairs), "labels": len(task.known_labels), "threads": arguments.threads}
    bases = bench.earlier("classify_against_trainer", "bases", work)
    result: dict[str, Any] = {"machine": facts, "work": work, "bases": bases}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.bases.split(","):
            base = resolve(BASE) if name == "minilm" else bert_base(Path(folder) / name)
            bases[name] = measure(name, base, task, examples, pairs, arguments.rounds)
    if arguments.full:
        result["accuracy"] = full(resolve(BASE), task, examples, pairs)
        print(result["accuracy"])
    bench.write("classify_against_trainer", result)


def full(
    base: Base, task: Classify, examples: list[Any], pairs: list[tuple[str, str]]
) -> dict[str, Any]:
    """Both trained to the end, each by its own recipe; accuracy on the published test set."""
    held = read("test.csv")
    test = [
        LabelledExample(id=str(i), where="", text=t, labels=(c,)) for i, (t, c) in enumerate(held)
    ]
    arm = Ours(base, task, examples, "bfloat16")
    start = time.perf_counter()
    arm.steps(arm.total)
    ours = {"seconds": time.perf_counter() - start, "accuracy": arm.accuracy(test)}
    with tempfile.TemporaryDirectory() as folder:
        steps = EPOCHS * -(-len(pairs) // THEIR_BATCH)
        trainer = textbook(base, pairs, list(task.known_labels), steps, folder)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
        tested = textbook(base, held, list(task.known_labels), 1, folder).train_dataset
        found = trainer.predict(tested).predictions.argmax(1)
    right = float((found == torch.tensor(tested["labels"]).numpy()).mean())
    return {"afina": ours, "textbook": {"seconds": seconds, "accuracy": right}}


if __name__ == "__main__":
    main()
