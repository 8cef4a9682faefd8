"""Classification: give each text one label, or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from pydantic import Field

from afina.errors import DataError
from afina.tasks.pooled import Pooled
from afina.types import (
    Answer,
    Encoded,
    Example,
    LabelledExample,
    Renderer,
    Targets,
)


class Classify(Pooled):
    """Give each text, or pair of texts, one label, or several."""

    name: Literal["classify"] = "classify"
    labels: tuple[str, ...] | None = None
    """The labels in the order of the head's outputs; found in the data when left out."""
    several: bool | None = None
    """Whether a text may have several labels (or none); found in the data when left out."""
    threshold: float = Field(0.5, gt=0.0, lt=1.0)
    """With several labels: the probability from which a label is given."""
    accepts: ClassVar[tuple[type[Example], ...]] = (LabelledExample,)
    serves: ClassVar[tuple[str, ...]] = ("classify",)

    @property
    def targets(self) -> Targets:
        return "labels" if self.several else "one_label"

    @property
    def outputs(self) -> int:
        return len(self.known_labels)

    def resolve(self, examples: Sequence[Example]) -> Classify:
        rows = [cast(LabelledExample, e) for e in examples]
        several = self.several
        if several is None:
            several = any(len(r.labels) != 1 for r in rows)
        found = sorted({label for r in rows for label in r.labels})
        labels = self.labels or tuple(found)
        unknown = [label for label in found if label not in set(labels)]
        if unknown:
            raise DataError(
                f"the data holds labels that task.labels does not name: {', '.join(unknown[:10])}",
                where="task.labels",
                do="add them, or leave task.labels out to take the labels of the data",
            )
        if len(labels) < (1 if several else 2):
            raise DataError(
                f"only one label in the data ({', '.join(labels) or 'none'}): nothing to tell apart",
                where="data.train",
                do="add examples of the other labels, or check data.columns.label",
            )
        if not several:
            for row in rows:
                if len(row.labels) != 1:
                    raise DataError(
                        f"{len(row.labels)} labels where the task has one for each text",
                        where=row.where,
                        do="set task.several to true, or give the row one label",
                    )
        return self.model_copy(update={"labels": labels, "several": several})

    def gold(self, example: Example) -> Answer:
        labels = cast(LabelledExample, example).labels
        return Answer(text=" | ".join(labels), labels=labels)

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        row = cast(LabelledExample, example)
        has = set(row.labels)
        targets = tuple(1.0 if label in has else 0.0 for label in self.known_labels)
        return Encoded(row.id, self.prompt(self.question(example), renderer), targets)

    def stratum(self, example: Example) -> str | None:
        return " | ".join(sorted(cast(LabelledExample, example).labels))

    def scorers(self) -> tuple[str, ...]:
        if self.several:
            return ("macro_f1", "micro_f1", "exact_match", "macro_precision", "macro_recall")
        return ("macro_f1", "accuracy", "macro_precision", "macro_recall")

    def baselines(self) -> tuple[str, ...]:
        return ("majority", "linear", "embedding_linear", "zero_shot", "few_shot")

    @property
    def known_labels(self) -> tuple[str, ...]:
        """The labels of a resolved task."""
        if self.labels is None:
            raise DataError("the labels are not known yet", where="task.labels")
        return self.labels

    def from_scores(self, scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
        """The head's scores (logits, one a label) as an answer with probabilities."""
        labels = self.known_labels
        if self.several:
            probabilities = [1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, s)))) for s in scores]
            given = tuple(
                n for n, p in zip(labels, probabilities, strict=True) if p >= self.threshold
            )
        else:
            top = max(scores)
            weights = [math.exp(s - top) for s in scores]
            total = sum(weights)
            probabilities = [w / total for w in weights]
            given = (labels[max(range(len(labels)), key=lambda i: scores[i])],)
        return Answer(
            text=" | ".join(given),
            labels=given,
            probabilities=dict(zip(labels, probabilities, strict=True)),
            prompt_tokens=prompt_tokens,
        )
