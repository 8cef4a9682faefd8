"""What ``afina new`` proposes for a file of examples, and the recipe as a commented text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from afina.data.content import texts as content_texts
from afina.errors import DataError
from afina.types import (
    ChatExample,
    Example,
    LabelledExample,
    NumberExample,
    QuestionExample,
    TaggedExample,
)

if TYPE_CHECKING:
    from afina.data.reading import Reading

ENGLISH_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
OTHER_ENCODER = "intfloat/multilingual-e5-small"
DECODER = "HuggingFaceTB/SmolLM2-135M-Instruct"
FEW_ROWS = 200
"""Below so many rows a test of a tenth of them seldom proves anything."""
FOREIGN_SHARE = 0.05
"""From this share of texts with letters beyond a to z, the texts are taken not to be English."""


@dataclass(frozen=True)
class Proposal:
    """The choices of a first recipe. ``why``: what was found; ``reason``: why this base."""

    task: str
    base: str
    why: str
    reason: str
    metric: str
    rows: int
    hints: tuple[str, ...] = ()

    def text(self, source: str, out: Path) -> str:
        """The recipe. What is commented out shows what may be said, and what holds if it is not."""
        lines = [
            f"# {self.why}.",
            "# Whatever is left out is derived: afina plan shows each value with its reason.",
            "# All keys: afina explain, or docs/recipe.md.",
            "",
            f"task: {self.task}",
            *(f"# {hint}" for hint in self.hints),
            "",
            f"# {self.reason}",
            f"base: {_scalar(self.base)}",
            "",
            "data:",
            f"  train: {_scalar(_beside(source, out))}",
            "  # columns: {…}        # only where the columns do not have their usual names",
            "  # split: {train: 0.8, validation: 0.1, test: 0.1, by: stratified}   # group, time",
            "",
            "# method: lora         # full, partial, lora, qlora; left out: by the base",
            "# train: {epochs: 3}",
            "",
            "# State what the model is for before it is trained: the verdict is judged against it.",
            f"# goal: {{metric: {self.metric}, at_least: 0.9}}",
        ]
        if self.rows < FEW_ROWS:
            lines += [
                "",
                f"# {self.rows:,} rows are few: a tenth of them is the test, and the verdict may",
                "# well be unproven. More rows, or a larger share for the test, help.",
            ]
        return "\n".join(lines) + "\n"


def propose(reading: Reading, source: str, base: str | None) -> Proposal:
    """Raises DataError for rows that no task of this version learns from."""
    found = f"{reading.rows:,} rows of {reading.format}"
    kept = reading.examples
    if kept and isinstance(kept[0], LabelledExample):
        labels = {label for e in kept if isinstance(e, LabelledExample) for label in e.labels}
        english = _seem_english(kept)
        chosen = base or (ENGLISH_ENCODER if english else OTHER_ENCODER)
        tongue = "English" if english else "other than English, or more than one language"
        return Proposal(
            task="classify",
            base=chosen,
            why=f"{found}, {len(labels):,} labels: classification",
            reason=f"the texts seem to be {tongue}; {_others(chosen)}",
            metric="macro_f1",
            rows=len(kept),
        )
    if small := _of_texts(kept):
        task, why, metric = small
        chosen = base or (ENGLISH_ENCODER if _seem_english(kept) else OTHER_ENCODER)
        return Proposal(
            task=task,
            base=chosen,
            why=f"{found}{why}",
            reason=f"small enough for a CPU; {_others(chosen)}",
            metric=metric,
            rows=len(kept),
        )
    if kept and isinstance(kept[0], ChatExample):
        chosen = base or DECODER
        several = sum(len(e.messages) > 2 for e in kept if isinstance(e, ChatExample))
        return Proposal(
            task="generate",
            base=chosen,
            why=f"{found}: answers to write",
            reason=f"small enough for a CPU, and it follows instructions; {_others(chosen)}",
            metric="exact_match",
            rows=len(kept),
            hints=(f"{several:,} rows have several turns or a system message.",) if several else (),
        )
    raise DataError(
        f"the rows are {reading.format}: nothing here has an answer to learn",
        where=source,
        do="give rows with a text and a label, or with a prompt and a completion",
    )


def _of_texts(kept: Sequence[Example]) -> tuple[str, str, str] | None:
    """Task, what there is to do, and score, for rows that say something of given texts."""
    if kept and isinstance(kept[0], NumberExample):
        return "regress", ": a number for each text", "spearman"
    if kept and isinstance(kept[0], TaggedExample):
        labels = {s.label for e in kept if isinstance(e, TaggedExample) for s in e.spans}
        return "tag", f", {len(labels):,} labels: stretches to find in texts", "entity_f1"
    if kept and isinstance(kept[0], QuestionExample):
        texts = {e.context for e in kept if isinstance(e, QuestionExample)}
        return "answer", f", {len(texts):,} texts: answers to find in texts", "answer_f1"
    return None


def _others(base: str) -> str:
    others = [b for b in (ENGLISH_ENCODER, OTHER_ENCODER, DECODER) if b != base]
    return f"others: {', '.join(others)}, any hub id, folder or .gguf"


def _seem_english(examples: Sequence[Example]) -> bool:
    texts = [text for e in examples[:2000] for text in content_texts(e)]
    foreign = sum(any(c.isalpha() and ord(c) > 127 for c in text) for text in texts)
    return foreign < FOREIGN_SHARE * len(texts)


def _scalar(text: str) -> str:
    """A text as YAML, quoted where that is needed."""
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).splitlines()[0]


def _beside(source: str, out: Path) -> str:
    """A path as it is named from the recipe's folder; a hub data set as it is."""
    path = Path(source)
    if not path.exists() and not any(c in source for c in "*?["):
        return source
    if path.is_absolute():
        return source
    return Path(os.path.relpath(path, out.parent)).as_posix()
