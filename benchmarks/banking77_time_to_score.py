"""Time to a score on Banking77: Afina, Transformers' Trainer with dynamic padding, and SetFit.

    python benchmarks/banking77_time_to_score.py [--arms afina,trainer,setfit] [--target 0.935]
        [--epochs 2] [--trainer-epochs 3] [--setfit-steps 240] [--rows 10003] [--threads 1]

One base (all-MiniLM-L6-v2), the same training rows, the whole published test (3,080 rows). Afina by the
recipe that it derives. The Trainer: rows padded to the longest of their batch, batch size and learning
rate those of Afina's plan, a new head. SetFit (Tunstall et al. 2022, arXiv 2209.11055): its own trainer
and defaults (batch 16, rate 2e-5), so many steps of contrastive pairs over the rows, then its logistic
regression; it is left out where it is not installed (`pip install -c constraints.txt setfit`). Arms
that are not asked for stay in the result as an earlier run of the same work found them.

Time is the processor's time of this process, from the loading of the model, without what measures the
test: with one thread other work on the machine hardly changes it. SetFit's time to a score holds one
fit of its head. The target is looked up on the test, for every arm alike, so an arm's first score above
it is a little optimistic; every score stands with its 95 % interval.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bench
import torch
from classify_against_trainer import BASE, read
from datasets import Dataset
from sklearn.linear_model import LogisticRegression
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from afina.evaluate.intervals import wilson
from afina.flow.preparing import prepare
from afina.models.memory import kept_memory
from afina.models.sources import resolve
from afina.recipe import parse_recipe
from afina.store import Run
from afina.train.batches import collate, micro_batches
from afina.train.loop import Training
from afina.types import LabelledExample

Rows = Sequence[tuple[str, str]]


class Race:
    """Where one arm stands: its clock, which is stopped while it is measured, and its scores."""

    def __init__(self, name: str, test: Rows) -> None:
        self.name, self.test = name, test
        self.points: list[dict[str, Any]] = []
        self.spent = 0.0
        self.since = time.process_time()

    def stop(self) -> None:
        self.spent += time.process_time() - self.since

    def go(self) -> None:
        self.since = time.process_time()

    def note(self, seen: int, answers: Iterable[str], extra: float = 0.0) -> None:
        """A score after ``seen`` training texts; ``extra`` seconds are what it cost beside the rest."""
        right = sum(a == label for a, (_, label) in zip(answers, self.test, strict=True))
        low, high = wilson(right, len(self.test), 0.95)
        seconds = self.spent + extra
        score = right / len(self.test)
        self.points.append(
            {"texts": seen, "seconds": seconds, "accuracy": score, "low": low, "high": high}
        )
        print(
            f"{self.name:8s} {seen:7d} texts {seconds:7.1f} s  {score:.4f} [{low:.4f}, {high:.4f}]",
            flush=True,
        )

    def to(self, target: float) -> float | None:
        """Seconds to the first score that reaches the target."""
        return next((p["seconds"] for p in self.points if p["accuracy"] >= target), None)


def afina(race: Race, rows: Rows, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """The whole way from the file on: data, plan, the head's start, steps."""
    path = scratch / "rows.jsonl"
    Dataset.from_list([{"text": t, "label": c} for t, c in rows]).to_json(path)
    recipe = parse_recipe(
        {
            "task": "classify",
            "base": BASE,
            "data": {
                "train": str(path),
                "test": str(bench.DATA / "banking77" / "test.csv"),
                "split": {"train": 1.0, "validation": 0, "test": 0},
            },
            "method": "full",
            "train": {"epochs": arguments.epochs, "threads": arguments.threads},
            "goal": {"metric": "accuracy"},
        }
    )
    ready = prepare(recipe, scratch)
    part, plan = ready.only, ready.plan
    run = Run.create(scratch)
    training = Training(
        plan,
        ready.base,
        {"": part.rows},
        {"": part.validation},
        run,
        ready.renderer,
        lambda _: None,
    )
    model = training.model
    names = plan.recipe.task.known_labels
    test = [
        model.task.encode(
            LabelledExample(id=str(i), where="", text=t, labels=(names[0],)), model.renderer
        )
        for i, (t, _) in enumerate(race.test)
    ]

    def answers() -> list[str]:
        given: dict[str, str] = {}
        model.network.eval()
        with torch.no_grad():
            for chunk in micro_batches(test, 64):
                batch = collate(chunk, kind="one_label", device=model.device)
                best = model.network.label_scores(batch).argmax(1).tolist()
                given |= {row.row: names[i] for row, i in zip(chunk, best, strict=True)}
        return [given[str(i)] for i in range(len(test))]

    race.stop()
    race.note(0, answers())
    race.go()
    each = max(1, plan.steps_per_epoch // arguments.measured)
    with kept_memory():
        for step in range(plan.steps):
            training.step(step)
            training.progress.step += 1
            if (step + 1) % each == 0 or step + 1 == plan.steps:
                race.stop()
                race.note(training.progress.rows, answers())
                race.go()
    train = plan.recipe.train
    knobs = ("batch_size", "learning_rate", "head_learning_rate", "epochs", "precision")
    return {name: getattr(train, name) for name in knobs}


class _Measure(TrainerCallback):
    """Asks for the score after every so many steps, with the clock stopped."""

    def __init__(self, race: Race, every: int, score: Callable[[int], None]) -> None:
        self.race, self.every, self.score = race, every, score

    def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self.race.stop()
            self.score(state.global_step)
            self.race.go()


def trainer(race: Race, rows: Rows, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Transformers' Trainer with dynamic padding, float32 as it comes on a CPU."""
    folder = resolve(BASE).folder
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = sorted({c for _, c in rows})
    given = tokenizer([t for t, _ in rows], truncation=True, max_length=128)
    data = Dataset.from_dict({**dict(given), "labels": [names.index(c) for _, c in rows]})
    torch.manual_seed(7)
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=len(names))
    steps = -(-len(rows) // arguments.batch)
    knobs = {
        "per_device_train_batch_size": arguments.batch,
        "learning_rate": arguments.rate,
        "num_train_epochs": arguments.trainer_epochs,
        "warmup_steps": round(0.06 * steps * arguments.trainer_epochs),
        "weight_decay": 0.01,
    }

    def score(step: int) -> None:
        training, found = model.training, []
        model.eval()
        with torch.no_grad():
            for start in range(0, len(race.test), 64):
                texts = [t for t, _ in race.test[start : start + 64]]
                inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
                found += model(**inputs).logits.argmax(1).tolist()
        model.train(training)
        seen = min(step * arguments.batch, len(rows) * arguments.trainer_epochs)
        race.note(seen, [names[i] for i in found])

    Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(scratch / "trainer"), use_cpu=True, save_strategy="no", report_to=[],
            logging_steps=1000, disable_tqdm=True, seed=7, **knobs,
        ),
        train_dataset=data,
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=[_Measure(race, max(1, steps // arguments.measured), score)],
    ).train()  # fmt: skip
    return knobs


def setfit(race: Race, rows: Rows, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """SetFit's own trainer. The head is fitted to the whole training rows behind each measured step."""
    from sentence_transformers import SentenceTransformer
    from setfit import SetFitModel, TrainingArguments
    from setfit import Trainer as SetFitTrainer

    texts, labels = [t for t, _ in rows], [c for _, c in rows]
    body = SentenceTransformer(str(resolve(BASE).folder), device="cpu")
    model = SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=1000))
    steps = arguments.setfit_steps

    def score(step: int) -> None:
        training, start = body.training, time.process_time()
        body.eval()
        model.fit(texts, labels, num_epochs=1)
        extra = time.process_time() - start
        found = model.predict([t for t, _ in race.test], show_progress_bar=False)
        body.train(training)
        race.note(2 * 16 * step, [str(f) for f in found], extra)

    race.stop()
    score(0)
    race.go()
    SetFitTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(scratch / "setfit"), max_steps=steps, report_to=[],
            save_strategy="no", show_progress_bar=False, logging_steps=1000,
        ),
        train_dataset=Dataset.from_dict({"text": texts, "label": labels}),
        callbacks=[_Measure(race, max(1, steps // arguments.measured), score)],
    ).train_embeddings(texts, labels)  # fmt: skip
    return {"steps": steps, "pairs": 16 * steps, "batch_size": 16, "body_learning_rate": 2e-5}


ARMS = {"afina": afina, "trainer": trainer, "setfit": setfit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_003)
    parser.add_argument("--epochs", type=int, default=2, help="Afina's")
    parser.add_argument("--trainer-epochs", type=int, default=3)
    parser.add_argument("--target", type=float, default=0.935)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--batch", type=int, default=32, help="the Trainer's")
    parser.add_argument("--rate", type=float, default=2e-4, help="the Trainer's")
    parser.add_argument("--setfit-steps", type=int, default=240)
    parser.add_argument("--measured", type=int, default=2, help="scores an epoch")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    rows, test = read("train.csv")[:: max(1, 10_003 // arguments.rows)], read("test.csv")
    work = {"base": BASE, "rows": len(rows), "test": len(test), "target": arguments.target}
    arms: dict[str, Any] = {}
    for name in arguments.arms.split(","):
        if name == "setfit" and find_spec("setfit") is None:
            arms[name] = "not installed"
            continue
        with tempfile.TemporaryDirectory() as scratch:
            race = Race(name, test)
            knobs = ARMS[name](race, rows, arguments, Path(scratch))
        best = max(p["accuracy"] for p in race.points)
        arms[name] = {
            "knobs": knobs,
            "points": race.points,
            "best": best,
            "seconds_to_target": race.to(arguments.target),
        }
        print(f"{name}: best {best:.4f}, to {arguments.target}: {race.to(arguments.target)}")
    bench.write(
        "banking77_time_to_score",
        {
            "machine": facts,
            "work": work,
            "arms": bench.earlier("banking77_time_to_score", "arms", work) | arms,
        },
    )


if __name__ == "__main__":
    main()
