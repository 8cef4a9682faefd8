"""What a case is, and how a room is spoiled."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = "task: classify\nbase: ./base\ndata: {train: rows.csv}\n"
LABELS = ("billing", "bug", "delivery")
ROWS = "text,label\n" + "".join(f"sentence number {i} here,{LABELS[i % 3]}\n" for i in range(30))
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is wrong, what the message must hold, and how the command ends."""

    name: str
    change: Change
    told: tuple[str, ...]
    code: int = 2
    words: tuple[str, ...] = ("run", "recipe.yaml")


def recipe(text: str) -> Change:
    """The recipe is exactly this text."""
    return lambda room: (room / "recipe.yaml").write_text(text, encoding="utf-8")


def knob(text: str) -> Change:
    """The good recipe with one more line."""
    return recipe(RECIPE + text + "\n")


def raw(content: bytes, name: str = "recipe.yaml") -> Change:
    return lambda room: (room / name).write_bytes(content)


def data(content: str | bytes, name: str = "rows.csv", task: str = "classify") -> Change:
    """A file of examples with this content, and a recipe that names it."""

    def change(room: Path) -> None:
        raw_bytes = content if isinstance(content, bytes) else content.encode("utf-8")
        (room / name).write_bytes(raw_bytes)
        text = RECIPE.replace("rows.csv", name).replace("classify", task)
        (room / "recipe.yaml").write_text(text, encoding="utf-8")

    return change


def chat(*lines: str) -> Change:
    """Rows of JSONL for task: generate, after 29 good ones."""
    good = [json.dumps({"prompt": f"question {i}", "completion": f"answer {i}"}) for i in range(29)]
    return data("\n".join([*good, *lines]) + "\n", "rows.jsonl", "generate")


def messages(*turns: Any) -> Change:
    """One conversation, after 29 good ones."""
    good = [
        {"messages": [{"role": "user", "content": f"q {i}"}, {"role": "assistant", "content": "a"}]}
        for i in range(29)
    ]
    rows = [*good, {"messages": list(turns)}]
    return data("\n".join(map(json.dumps, rows)) + "\n", "rows.jsonl", "generate")
