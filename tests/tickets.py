"""A file of short texts with three labels, each told by a word or two."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

LABELS = {"billing": ("refund", "money"), "bug": ("crash", "error"), "delivery": ("parcel", "late")}


def write_tickets(folder: Path, words: Sequence[str], seed: int) -> None:
    """``tickets.csv`` with 150 rows; ``words`` say nothing of the label."""
    chance = random.Random(seed)
    lines = ["text,label"]
    for n in range(150):
        label = sorted(LABELS)[n % 3]
        said = " ".join(chance.choice(words) for _ in range(3))
        lines.append(f"{chance.choice(LABELS[label])} {said} {n},{label}")
    (folder / "tickets.csv").write_text("\n".join(lines) + "\n", "utf-8")
