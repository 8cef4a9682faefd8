"""GRPO on a toy whose answers can be checked: say a given word.

    python benchmarks/grpo_toy.py [--steps 20] [--prompts 4] [--group 4] [--rate 3e-4] [--kind grpo]

Asked to repeat a word, the base (SmolLM2-135M) says it in about a third of its drawn answers; the reward
is 1 for an answer that contains it and 0 for any other, and no right answer is ever shown to the model.
It draws at temperature 0.7: at 1 this base writes little that is to the point. Every fifth word is kept
back. Measured: the mean reward of the drawn answers at each step, and the same reward of drawn answers
to the words kept back, tuned and base.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import bench
import torch

import afina
from afina.evaluate.intervals import wilson
from afina.models.generate import generate
from afina.models.load import DTYPES, Model, load
from afina.models.sampling import Sampling
from afina.models.save import open_model
from afina.models.sources import resolve
from afina.tasks import Generate
from afina.types import Message

TEXT = (
    "apple arm autumn bag ball bank basket beach bed bell bird boat body bone book boot bottle box "
    "branch bread bridge brother bus butter button cake candle car castle cat chair cheese child "
    "church circle city clock cloud coat coffee coin corner cow cup dance day desk dinner doctor dog "
    "door dream dress drum ear egg engine eye face farm father feather field finger fire fish floor "
    "flower fly fog foot forest fork fox friend fruit garden gate girl glass gold grass guitar hair "
    "hammer hand hat heart hill horse house ice island jacket key king kitchen knife lake lamp leaf "
    "leg lemon letter light lion map market meat milk mirror money moon mother mountain mouth music"
)
WORDS = TEXT.split()
HELD = 24
"""Words that are asked for only at the end: every fifth."""
STRETCH = 5
"""Steps at each end of the curve whose mean is compared."""


def question(word: str) -> str:
    return f"Repeat this word and write nothing else: {word}"


def split() -> tuple[list[str], list[str]]:
    held = WORDS[::5][:HELD]
    return [w for w in WORDS if w not in held], held


def recipe(arguments: argparse.Namespace, rows: Path) -> dict[str, Any]:
    return {
        "name": "words",
        "task": {"name": "generate", "max_new_tokens": arguments.answer},
        "base": arguments.base,
        "data": {
            "train": str(rows),
            "split": {"train": 0.9, "validation": 0.1, "test": 0},
            "near_duplicates": "keep",
        },
        "objective": {
            "name": "policy",
            "kind": arguments.kind,
            "reward": "contains",
            "group": arguments.group,
            "temperature": arguments.temperature,
            "keep": arguments.keep,
        },
        "method": {"name": "lora", "rank": arguments.rank},
        "train": {
            "epochs": 100,
            "max_steps": arguments.steps,
            "batch_size": arguments.prompts,
            "learning_rate": arguments.rate,
            "threads": arguments.threads,
            "early_stopping": None,
        },
        "goal": {"metric": "exact_match"},
    }


def reward_of(model: Model, words: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Share of drawn answers that contain their word, with its interval, and some of the answers."""
    prompts = [
        tuple(model.renderer.prompt((Message(role="user", content=question(w)),)))
        for w in words
        for _ in range(arguments.group)
    ]
    sampling = Sampling(arguments.answer, temperature=arguments.temperature, seed=11)
    answers = [w.text for w in generate(model, prompts, sampling)]
    wanted = [w for w in words for _ in range(arguments.group)]
    right = sum(w in a for w, a in zip(wanted, answers, strict=True))
    low, high = wilson(right, len(answers), 0.95)
    share = right / len(answers)
    return {"value": share, "low": low, "high": high, "answers": answers[:: arguments.group][:6]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--kind", default="grpo")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--group", type=int, default=4)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--keep", type=float, default=0.0)
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--answer", type=int, default=10, help="tokens of an answer, at most")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    facts = bench.machine(arguments.threads)
    learned, held = split()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "words.jsonl"
        lines = [json.dumps({"prompt": question(w), "completion": w}) for w in learned]
        rows.write_text("\n".join(lines), encoding="utf-8")
        run = afina.run(
            recipe(arguments, rows), home=Path(folder) / "home", evaluate=False, say=print
        )
        metrics = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        steps = [m for m in map(json.loads, metrics) if "reward" in m]
        torch.set_num_threads(arguments.threads)
        tuned = open_model(run.folder / "model")
        dtype = DTYPES[str(run.figures["precision"])]
        base = load(resolve(arguments.base), Generate(), dtype=dtype)
        drawn = {n: reward_of(m, held, arguments) for n, m in (("tuned", tuned), ("base", base))}
    rewards = [round(m["reward"], 4) for m in steps]
    first, last = statistics.mean(rewards[:STRETCH]), statistics.mean(rewards[-STRETCH:])
    print(f"reward of drawn answers: first {STRETCH} steps {first:.3f}, last {STRETCH} {last:.3f}")
    for name, found in drawn.items():
        print(
            f"{name:6s} held-out words {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        )
        print("      ", found["answers"])
    result = {
        "machine": facts,
        "work": vars(arguments),
        "reward_first": first,
        "reward_last": last,
        "reward": rewards,
        "held_out_words": drawn,
    }
    bench.write(f"{arguments.kind}_toy", result)


if __name__ == "__main__":
    main()
