"""The first sentences of the source: what a summary has to beat (Nallapati et al. 2017's lead-n).

"SummaRuNNer", arXiv 1611.04230. How many sentences is chosen on training rows by ROUGE-L.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.evaluate.overlap import longest_common_subsequence, words
from afina.types import Answer, Input

MOST_SENTENCES = 8
ROWS = 500
"""Training rows, the first ones, that the number is chosen on."""
_END = re.compile(r"(?<=[.!?…])[\"'»”)\]]*\s+|(?<=[。！？])|\n+")


def build(request: Request) -> Baseline:
    """The number of sentences, 1 to 8, with the highest mean ROUGE-L; of equals, the smaller."""
    texts = request.texts()[:ROWS]
    golds = [words(request.task.gold(example).text) for example in request.train[:ROWS]]
    means = [
        sum(_overlap(words(first(t, n)), g) for t, g in zip(texts, golds, strict=True)) / len(golds)
        for n in range(1, MOST_SENTENCES + 1)
    ]
    count = means.index(max(means)) + 1

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [Answer(text=first(given.text, count)) for given in inputs]

    which = "sentence" if count == 1 else f"{count} sentences"
    what = f"the first {which} of the source (ROUGE-L {means[count - 1]:.3f} on training rows)"
    return Fitted("lead", Facts(what), predict)


def first(text: str, count: int) -> str:
    """The first sentences of a text, as they stand there."""
    ends = [m.start() for m in _END.finditer(text.strip())]
    return text.strip()[: ends[count - 1]] if len(ends) >= count else text.strip()


def _overlap(given: list[str], right: list[str]) -> float:
    total = len(given) + len(right)
    return 2 * longest_common_subsequence(right, given) / total if total else 0.0
