"""Regression: give each text, or pair of texts, a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from pydantic import Field

from afina.errors import DataError
from afina.tasks.judged import Judged
from afina.types import Answer, Encoded, Example, NumberExample, Renderer, Targets


class Regress(Judged):
    """Give each text, or pair of texts, a number.

    The head learns (number − mean) / deviation, so that rates and the loss do not hang on the unit.
    """

    name: Literal["regress"] = "regress"
    mean: float | None = None
    """What the head's 0 stands for; left out: the mean of the training rows."""
    deviation: float | None = Field(None, gt=0)
    """What the head's 1 stands for; left out: the standard deviation of the training rows."""
    accepts: ClassVar[tuple[type[Example], ...]] = (NumberExample,)
    serves: ClassVar[tuple[str, ...]] = ("regress",)

    @property
    def targets(self) -> Targets:
        return "number"

    @property
    def outputs(self) -> int:
        return 1

    def resolve(self, examples: Sequence[Example]) -> Regress:
        numbers = {cast(NumberExample, e).number for e in examples}
        if len(numbers) < 2:
            raise DataError(
                f"every row has the number {plain(min(numbers, default=0.0))}: nothing to learn",
                where="data.train",
                do="add rows with other numbers, or check data.columns.number",
            )
        return self.model_copy(update={"pairs": self.found_pairs(examples)})

    def settle(self, train: Sequence[Example]) -> Regress:
        numbers = [cast(NumberExample, e).number for e in train]
        mean = math.fsum(numbers) / len(numbers)
        spread = math.sqrt(math.fsum((n - mean) ** 2 for n in numbers) / len(numbers))
        if spread == 0 and self.deviation is None:
            raise DataError(
                f"every training row has the number {plain(mean)}: nothing to learn",
                where="data.train",
                do="add rows, or divide them otherwise (data.split)",
            )
        return self.model_copy(
            update={
                "mean": mean if self.mean is None else self.mean,
                "deviation": spread if self.deviation is None else self.deviation,
            }
        )

    def gold(self, example: Example) -> Answer:
        number = cast(NumberExample, example).number
        return Answer(text=plain(number), number=number)

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        mean, deviation = self.scale
        target = (cast(NumberExample, example).number - mean) / deviation
        return Encoded(example.id, self.prompt(self.question(example), renderer), (target,))

    def scorers(self) -> tuple[str, ...]:
        return ("mae", "rmse", "pearson", "spearman")

    def baselines(self) -> tuple[str, ...]:
        return ("mean", "ridge", "embedding_ridge")

    @property
    def scale(self) -> tuple[float, float]:
        """Mean and deviation of a settled task."""
        if self.mean is None or self.deviation is None:
            raise DataError("the scale of the numbers is not known yet", where="task.mean")
        return self.mean, self.deviation

    def from_scores(self, scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
        """The head's one score as an answer in the unit of the data."""
        mean, deviation = self.scale
        number = mean + deviation * scores[0]
        return Answer(text=plain(number), number=number, prompt_tokens=prompt_tokens)


def plain(number: float) -> str:
    """A number as it is shown: six significant digits."""
    return f"{number:.6g}"
