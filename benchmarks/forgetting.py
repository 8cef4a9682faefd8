"""What tuning forgets, and what helps: plain, a lower rate, ``keep`` (KL to the base), replay.

    python examples/hogar/sample.py --rows 400 --home HOME
    python benchmarks/forgetting.py --home HOME [--steps 60] [--rate 1e-3] [--items 100]

Four runs of LoRA on the Spanish commands of ``examples/hogar``, equal but for what is done against
forgetting. Measured: exact answers and their perplexity on the sealed test (the task), and the general
probe before and after (what was kept). The replayed rows are problems of GSM8K and Spanish questions of
SQuAD with their published answers (``shared/data``): nothing of the probe.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import bench

from afina.evaluate import SCORERS
from afina.evaluate.probe import Known, Probe, ask, changes
from afina.evaluate.single import value_of, value_of_likelihoods
from afina.flow import recipe_of, reopen_datasets, train
from afina.flow.general import open_base, open_tuned
from afina.models.predictor import TunedModel
from afina.recipe import Evaluate, parse_recipe
from afina.store import Run

SHORT = 420
"""Characters of a general row: two short ones cost less than a long one, and tell as much."""
SHARE = 0.2


def general_rows(folder: Path) -> Path:
    """English problems and Spanish questions on a passage."""
    path = folder / "general.jsonl"
    rows = [*_problems(), *_questions()]
    lines = (json.dumps(row, ensure_ascii=False) for row in rows if len(json.dumps(row)) < SHORT)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _problems() -> list[dict[str, str]]:
    with (bench.DATA / "gsm8k" / "train.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [{"prompt": row["question"], "completion": row["answer"]} for row in rows]


def _questions() -> list[dict[str, str]]:
    path = bench.DATA / "squad-es" / "dev-first-half.json"
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [
        {"prompt": f"{text['context']}\n\n{asked['question']}", "completion": answer["text"]}
        for article in articles
        for text in article["paragraphs"]
        for asked in text["qas"]
        for answer in asked["answers"][:1]
    ]


def ways(rate: float, general: Path) -> dict[str, dict[str, Any]]:
    """What is done against forgetting, by name: keys of the recipe."""
    return {
        "plain": {},
        "lower rate": {"train": {"learning_rate": rate / 5}},
        "keep": {"objective": {"name": "supervised", "keep": 1.0}},
        "replay": {"data": {"replay": {"source": str(general), "share": SHARE}}},
    }


def recipe(arguments: argparse.Namespace, own: dict[str, Any]) -> dict[str, Any]:
    """A run; every way sees the same commands in as many steps."""
    data = {
        "train": str(arguments.home / "data" / "hogar" / "commands.jsonl"),
        "split": {"by": "group", "column": "wording"},
    }
    train = {
        "max_steps": arguments.steps,
        "batch_size": 8,
        "learning_rate": arguments.rate,
        "threads": arguments.threads,
        "early_stopping": None,
        "on_too_long": "drop",
    }
    return {
        "task": {"name": "generate", "answer": "json", "system": "Responde con JSON."},
        "base": arguments.base,
        "method": {"name": "lora", "rank": 16, "alpha": 32},
        **own,
        "data": data | own.get("data", {}),
        "train": train | own.get("train", {}),
    }


def measure(run: Run, rows: int, probe: Probe) -> tuple[dict[str, float], Known]:
    """The task's scores on at most ``rows`` rows of the sealed test, and the probe."""
    task = recipe_of(run).task
    test = reopen_datasets(run)[""].test.open(by="benchmark")[:rows]
    tuned = TunedModel.open(run.model_folder)
    answers = tuned.predict([task.question(example) for example in test])
    scores = {
        "exact_match": value_of(SCORERS["exact_match"], task, test, answers),
        "perplexity": value_of_likelihoods(
            SCORERS["perplexity"], tuned.negative_log_likelihood(test)
        ),
    }
    del tuned
    return scores, ask(probe, open_tuned(run))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    probe, settings = Probe.of(arguments.items), Evaluate()
    before: Known | None = None
    table = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, own in ways(arguments.rate, general_rows(Path(folder))).items():
            run, outcome = train(parse_recipe(recipe(arguments, own)), Path(folder), say=print)
            resolved = recipe_of(run)
            if before is None:
                before = ask(probe, open_base(resolved, "cpu"))
            scores, after = measure(run, arguments.rows, probe)
            found = changes(probe, before, after, settings, 7)
            table[name] = {
                "task": scores,
                "probe": {score: change.as_dict() for score, change in found.items()},
                "seconds": outcome["train"]["seconds"],
                "tokens": outcome["train"]["tokens"],
            }
            print(line(name, table[name]))
    work = {k: str(v) for k, v in vars(arguments).items() if k != "home"}
    bench.write("forgetting", {"machine": bench.machine(arguments.threads), "work": work} | table)
    print("\n".join(line(name, row) for name, row in table.items()))


def line(name: str, row: dict[str, Any]) -> str:
    """A row of the table."""
    right, texts = row["probe"]["right"], row["probe"]["perplexity"]
    change = right["difference"]
    return (
        f"| {name} | {row['task']['exact_match']:.1%} | {row['task']['perplexity']:.3f} "
        f"| {right['before']['value']:.1%} to {right['after']['value']:.1%} "
        f"({change['difference']:+.1%} [{change['low']:+.1%}, {change['high']:+.1%}]) "
        f"| {texts['before']['value']:.2f} to {texts['after']['value']:.2f} |"
    )


if __name__ == "__main__":
    main()
