"""Reading as far as a longer context reaches: a fact hidden in a long text, and long texts gone on with.

The hay are the texts of the general probe, over again where they do not fill the length; a needle is a
sentence with a number that stands nowhere else. Does not know what a token is: who counts is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle

from afina.evaluate.probe import Probe, Question
from afina.recipe.proof import PROBE_ITEMS
from afina.types import Example, TextExample

DEPTHS = (0.1, 0.4, 0.6, 0.9)
"""Where in its hay each needle lies, as a share of the texts before it."""
NUMBERS = ("4817", "2960", "7351", "5248")
NEEDLES = (
    (
        "en",
        "The secret number of the lighthouse is {}.",
        "What is the secret number of the lighthouse?",
    ),
    ("es", "El número secreto del molino es {}.", "¿Cuál es el número secreto del molino?"),
)
BETWEEN = 2
"""Tokens that joining two texts may take."""


def long_probe(length: int, tokens: Callable[[Example], int]) -> Probe:
    """Four hidden facts, and a long text in each language, as near below ``length`` tokens as whole
    texts of the hay come."""
    whole = Probe.of(PROBE_ITEMS).texts
    hays = {name: [t for t in whole if t.id.startswith(name)] for name, *_ in NEEDLES}
    questions = []
    for number, depth in enumerate(DEPTHS):
        name, needle, asked = NEEDLES[number % len(NEEDLES)]
        shift = 5 * number
        hay = (*hays[name][shift:], *hays[name][:shift])
        alone = _question(number, name, [needle.format(NUMBERS[number])], asked)
        parts = _fill(hay, length - tokens(alone.examples[0]), tokens)
        parts.insert(round(depth * len(parts)), needle.format(NUMBERS[number]))
        questions.append(_question(number, name, parts, asked))
    texts = (
        TextExample(
            id=f"{name}-long",
            where=f"long text: {name}",
            text="\n\n".join(_fill(hay, length, tokens)) or hay[0].text,
        )
        for name, hay in hays.items()
    )
    return Probe(tuple(questions), tuple(texts))


def _question(number: int, name: str, parts: Sequence[str], asked: str) -> Question:
    others = tuple(n for i, n in enumerate(NUMBERS) if i != number)
    text = "\n\n".join([*parts, asked])
    return Question(f"{name}-needle-{number + 1}", name, "needle", text, NUMBERS[number], others)


def _fill(hay: Sequence[TextExample], length: int, tokens: Callable[[Example], int]) -> list[str]:
    """As many texts as fit, from the beginning again when all have been taken."""
    parts: list[str] = []
    own = {text.id: tokens(text) + BETWEEN for text in hay}
    for text in cycle(hay):
        length -= own[text.id]
        if length < 0:
            return parts
        parts.append(text.text)
    return parts
