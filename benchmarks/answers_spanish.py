"""Questions about Spanish articles (SQuAD in Spanish): answer F1 on whole articles that were not read.

    python benchmarks/answers_spanish.py [--longest 600] [--epochs 2] [--test-articles 5] [--home FOLDER]

Runs the recipe of examples/preguntas on a part: the questions of the training articles whose text is at
most ``--longest`` characters long. A tenth of these articles chooses the checkpoint; the test is every
question of ``--test-articles`` others, texts of all lengths, read in windows. Beside it stands the
sentence that has most in common with the question.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import bench

import afina

RECIPE = Path(__file__).resolve().parents[1] / "examples" / "preguntas" / "recipe.yaml"
SOURCE = bench.DATA / "squad-es" / "dev-first-half.json"
SEED = 7


def write_part(articles: list[dict[str, Any]], longest: int | None, path: Path) -> int:
    """A file of SQuAD's form with the texts that are short enough; the number of its questions."""
    part = []
    for article in articles:
        texts = article["paragraphs"]
        short = [t for t in texts if longest is None or len(t["context"]) <= longest]
        part.append({"title": article["title"], "paragraphs": short})
    path.write_text(json.dumps({"version": "1.1", "data": part}), encoding="utf-8")
    return sum(len(text["qas"]) for article in part for text in article["paragraphs"])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--base", default="intfloat/multilingual-e5-small")
    options.add_argument("--longest", type=int, default=600)
    options.add_argument("--test-articles", type=int, default=5)
    options.add_argument("--method", default="full")
    options.add_argument("--epochs", type=int, default=2)
    options.add_argument("--batch", type=int, default=8)
    options.add_argument("--rate", type=float, default=1e-4)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--home", type=Path)
    asked = options.parse_args()
    facts = bench.machine(asked.threads)
    articles = json.loads(SOURCE.read_text(encoding="utf-8"))["data"]
    random.Random(SEED).shuffle(articles)
    with tempfile.TemporaryDirectory() as scratch:
        train, test = Path(scratch) / "train.json", Path(scratch) / "test.json"
        test_articles, rest = articles[: asked.test_articles], articles[asked.test_articles :]
        counts = {
            "train_file": write_part(rest, asked.longest, train),
            "test_file": write_part(test_articles, None, test),
        }
        knobs: dict[str, Any] = {
            "base": asked.base,
            "method": json.loads(asked.method) if asked.method[0] == "{" else asked.method,
            "data.train": str(train),
            "data.test": str(test),
            "data.split.train": 0.9,
            "data.split.validation": 0.1,
            "data.split.test": 0,
            "train.epochs": asked.epochs,
            "train.batch_size": asked.batch,
            "train.learning_rate": asked.rate,
            "train.threads": asked.threads,
        }
        run = afina.run(RECIPE, set=knobs, home=asked.home or Path(scratch) / "home", say=print)
        report, figures = run.report, dict(run.figures)
    assert report is not None
    for candidate in report.candidates:
        f1 = candidate.scores["answer_f1"]
        print(f"{candidate.name:12} answer F1 {f1.value:.4f} [{f1.low:.4f}, {f1.high:.4f}]")
    kept = ("epochs", "steps", "best_step", "rows", "tokens", "seconds", "precision")
    bench.write(
        "answers_spanish",
        {
            "machine": facts,
            "work": {k: v for k, v in vars(asked).items() if k != "home"},
            "questions": counts,
            "test_articles": [article["title"] for article in test_articles],
            "verdict": report.verdict,
            "reasons": [reason.say("en") for reason in report.reasons],
            "scores": bench.scores(report),
            "train": {k: figures[k] for k in (*kept, "trainable_parameters", "total_parameters")},
        },
    )


if __name__ == "__main__":
    main()
