"""Classification: give each text one label, or several."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from afina.errors import DataError, RecipeError, nearest
from afina.tasks.judged import Judged
from afina.tasks.thresholds import Wanted
from afina.types import (
    Answer,
    Encoded,
    Example,
    LabelledExample,
    Renderer,
    Targets,
)


class Classify(Judged):
    """Give each text, or pair of texts, one label, or several."""

    name: Literal["classify"] = "classify"
    labels: tuple[str, ...] | None = None
    """The labels in the order of the head's outputs; found in the data when left out."""
    several: bool | None = None
    """Whether a text may have several labels (or none); found in the data when left out."""
    threshold: float = Field(0.5, gt=0.0, lt=1.0)
    """With several labels: the probability from which a label is given."""
    wanted: Wanted | None = None
    """With several labels: what errors about any of them cost, or what each must keep to; the
    threshold of each follows on the validation rows."""
    wanted_of: dict[str, Wanted] = Field(default_factory=dict)
    """The same for single labels by name. With one label a text, such a label is given from its
    threshold on, however probable the others are."""
    thresholds: dict[str, Annotated[float, Field(ge=0.0, le=1.0)]] | None = None
    """The probability from which each label is given; left out: what wanted and wanted_of choose."""
    temperature: Annotated[float, Field(gt=0.0, lt=1000.0)] | Literal["fitted"] = 1.0
    """Divides the scores before they become probabilities, wherever the model answers. ``fitted``: the
    value that suits the validation rows best, found after training (Guo et al. 2017)."""
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
        self._check_wanted(labels, several)
        if not several:
            for row in rows:
                if len(row.labels) != 1:
                    raise DataError(
                        f"{len(row.labels)} labels where the task has one for each text",
                        where=row.where,
                        do="set task.several to true, or give the row one label",
                    )
        pairs = self.found_pairs(rows)
        return self.model_copy(update={"labels": labels, "several": several, "pairs": pairs})

    def _check_wanted(self, labels: Sequence[str], several: bool) -> None:
        if self.wanted is not None and not several:
            raise RecipeError(
                "a text has one label here: what is wanted is said of single labels",
                where="task.wanted",
                do="name the label to watch: task.wanted_of: {LABEL: {miss: 10, false_alarm: 1}}",
            )
        for knob, named in (("wanted_of", self.wanted_of), ("thresholds", self.thresholds or {})):
            unknown = sorted(set(named) - set(labels))
            if unknown:
                raise RecipeError(
                    f"no row has the label {unknown[0]}",
                    where=f"task.{knob}",
                    do=nearest(unknown[0], labels),
                )

    def wants(self, label: str) -> Wanted | None:
        """What is wanted of a label, if anything is."""
        return self.wanted_of.get(label, self.wanted)

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
        whole = ("micro_f1", "exact_match") if self.several else ("accuracy",)
        cost = ("expected_cost",) if self.costs else ()
        return ("macro_f1", *whole, "macro_precision", "macro_recall", *cost)

    @property
    def costs(self) -> dict[str, tuple[float, float]]:
        """(false alarm, miss) of each label that has costs, of a resolved task."""
        found = {label: self.wants(label) for label in self.labels or ()}
        return {
            label: (w.false_alarm, w.miss)
            for label, w in found.items()
            if w is not None and w.false_alarm is not None and w.miss is not None
        }

    def baselines(self) -> tuple[str, ...]:
        return ("majority", "linear", "embedding_linear", "zero_shot", "few_shot")

    @property
    def known_labels(self) -> tuple[str, ...]:
        """The labels of a resolved task."""
        if self.labels is None:
            raise DataError("the labels are not known yet", where="task.labels")
        return self.labels

    def from_scores(self, scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
        """The head's scores (logits, one a label) as an answer with probabilities.

        A temperature that is not fitted yet is 1.
        """
        heat = 1.0 if self.temperature == "fitted" else self.temperature
        scores = [score / heat for score in scores]
        if self.several:
            probabilities = [1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, s)))) for s in scores]
        else:
            top = max(scores)
            weights = [math.exp(s - top) for s in scores]
            total = sum(weights)
            probabilities = [w / total for w in weights]
        by_label = dict(zip(self.known_labels, probabilities, strict=True))
        given = self.given(by_label)
        return Answer(
            text=" | ".join(given),
            labels=given,
            probabilities=by_label,
            prompt_tokens=prompt_tokens,
        )

    def given(self, probabilities: Mapping[str, float]) -> tuple[str, ...]:
        """The labels that are given for their probabilities."""
        own = self.thresholds or {}
        if self.several:
            return tuple(n for n, p in probabilities.items() if p >= own.get(n, self.threshold))
        least = 1e-300  # a threshold of 0 gives the label to every text
        over = {n: p / (own[n] or least) for n, p in probabilities.items() if p >= own.get(n, 2.0)}
        others = {n: p for n, p in probabilities.items() if n not in own}
        ranked = over or others or {n: p / (own[n] or least) for n, p in probabilities.items()}
        return (max(ranked, key=lambda n: ranked[n]),)
