"""A decision on real weights where the answers stand in documents and nowhere else.

Sixteen walks of a valley that does not exist, a page each; seven questions about each. Nobody can
answer without the page, so prompts and fine-tuning must fail and documents must win: if the table
says otherwise, the measurement is wrong. Prints the decision as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

NAMES = (
    "Heron", "Miller", "Larch", "Chapel", "Otter", "Smuggler", "Beech", "Quarry", "Falcon", "Ferry",
    "Juniper", "Shepherd", "Marsh", "Lantern", "Granite", "Orchard",
)  # fmt: skip
VILLAGES = ("Arce", "Velilla", "Tormes", "Casal", "Bruma", "Noceda", "Ribas", "Olmo")
SIGNS = ("yellow", "blue", "white", "red", "green", "orange")
HUTS = ("Alba", "Cuervo", "Estrella", "Nieve", "Pinar", "Tejo", "Umbral", "Zarza")
KINDS = ("village", "length", "time", "height", "bus", "sign", "hut")
QUESTIONS = {
    "village": (
        "Where does the {name} walk start?",
        "In which village does the {name} walk begin?",
    ),
    "length": ("How long is the {name} walk?", "How many kilometres is the {name} walk?"),
    "time": ("How much time does the {name} walk take?", "How many hours is the {name} walk?"),
    "height": (
        "How high does the {name} walk go?",
        "What is the highest point of the {name} walk?",
    ),
    "bus": ("Which bus goes to the {name} walk?", "What bus reaches the start of the {name} walk?"),
    "sign": ("What colour are the signs of the {name} walk?", "Which signs mark the {name} walk?"),
    "hut": ("Which hut lies on the {name} walk?", "Where can I sleep on the {name} walk?"),
}
PAGE = (
    "The {name} walk starts at the church of {village} and is {length} long. {bus} stops there "
    "every hour.\n\nIt is marked with {sign} signs. Its highest point lies at {height}. Allow {time} "
    "without rests; the {hut} hut is open from May to October."
)


def facts(dice: random.Random) -> Iterator[dict[str, str]]:
    """What is so of each walk."""
    for name in NAMES:
        yield {
            "name": name,
            "village": dice.choice(VILLAGES),
            "length": f"{dice.randint(5, 29)} km",
            "time": f"{dice.randint(2, 9)} hours",
            "height": f"{dice.randint(70, 240)}0 m",
            "bus": f"Bus {dice.randint(11, 98)}",
            "sign": dice.choice(SIGNS),
            "hut": dice.choice(HUTS),
        }


def write(folder: Path, seed: int) -> None:
    """Pages, questions with their answers, each with the page that holds it."""
    dice = random.Random(seed)
    (folder / "walks").mkdir(parents=True)
    rows = []
    for walk in facts(dice):
        file = f"{walk['name'].lower()}.txt"
        (folder / "walks" / file).write_text(PAGE.format(**walk) + "\n", "utf-8")
        for kind in KINDS:
            asked = dice.choice(QUESTIONS[kind]).format(**walk)
            rows.append({"prompt": asked, "completion": walk[kind], "file": file})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "questions.jsonl").write_text(lines, "utf-8")


def recipe(folder: Path, base: str, embedder: str, way: str, steps: int) -> dict[str, Any]:
    """A small decision: one passage, a few locked rows, short trials."""
    return {
        "task": {"name": "generate", "max_new_tokens": 12},
        "base": base,
        "data": {
            "train": str(folder / "questions.jsonl"),
            "split": {"train": 0.7, "validation": 0.2, "test": 0.1},
        },
        "method": {"name": "lora", "rank": 8},
        "train": {"batch_size": 4, "threads": 1},
        "evaluate": {"few_shot": 3},
        "retrieval": {
            "documents": str(folder / "walks"),
            "way": way,
            "embedder": embedder,
            "passages": 1,
            "column": "file",
        },
        "goal": {"metric": "chrf", "at_least": 60},
        "decide": {
            "ways": ["nearest", "zero_shot", "few_shot_random", "rag"],
            "rows": 20,
            "steps": steps,
            "latency_rows": 2,
            "bases": 0,
            "base_rows": 4,
            "shares": [0.5, 1.0],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--embedder", default="sentence-transformers/all-MiniLM-L6-v2")
    parser.add_argument("--way", default="both", choices=("bm25", "embeddings", "both"))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()

    from afina.decide import decide
    from afina.recipe import parse_recipe

    folder = Path(mkdtemp(prefix="afina-decide-"))
    write(folder, given.seed)
    asked = parse_recipe(recipe(folder, given.base, given.embedder, given.way, given.steps))
    made = decide(asked, folder / "home", say=lambda line: print(line, flush=True))
    print(json.dumps(made.as_dict(), indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
