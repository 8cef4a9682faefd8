"""What the tasks share that judge a text, or two texts together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from afina.errors import DataError, RequestError
from afina.tasks.pooled import Pooled
from afina.types import Example, Input, Message, Renderer


class Judged(Pooled):
    """A task that judges texts, or pairs of them."""

    pairs: bool | None = None
    """Whether two texts are judged together; found in the data when left out."""

    def found_pairs(self, examples: Sequence[Example]) -> bool:
        """Whether the rows are pairs. Raises DataError where some are and some are not, or where the
        recipe says otherwise."""
        rows: Sequence[Any] = examples
        pairs = any(row.second is not None for row in rows)
        wished = pairs if self.pairs is None else self.pairs
        for row in rows:
            if (row.second is not None) != wished:
                what = "one text" if wished else "a pair of texts"
                raise DataError(
                    f"the row has {what}, where the task judges "
                    + ("pairs" if wished else "single texts"),
                    where=row.where,
                    do="give all rows the same form (columns text, text_b), or mend task.pairs",
                )
        return wished

    def question(self, example: Example) -> Input:
        row: Any = example
        return Input(messages=(Message("user", row.text),), second=row.second)

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        """Raises RequestError for one text where pairs were learned, and for two where single texts
        were."""
        if self.pairs is not None and self.pairs != (given.second is not None):
            raise RequestError(
                "the model learned to judge two texts together, and here is one"
                if self.pairs
                else "the model learned to judge single texts, and here are two",
                where="input",
                do='ask with both, {"text": …, "text_b": …}' if self.pairs else "ask with one text",
            )
        return renderer.text(given.text, given.second)
