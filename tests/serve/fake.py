"""A model without weights: what it says is decided by the request, so tests can tell what came."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from afina.errors import DataError
from afina.models.sampling import Piece, Sampling
from afina.types import Answer, Input, Span

ALL = frozenset(
    {"chat", "completion", "embedding", "classify", "regress", "tag", "answer", "score"}
)


@dataclass
class FakeModel:
    """Says what the last user message says, word by word; its tokens are words.

    ``SLOW n`` says n words with a pause after each, ``FAIL`` raises, ``BAD`` is refused like a
    conversation that a template cannot render, ``DICE`` draws a number by the seed (0 if greedy).
    """

    name: str = "soporte"
    base: str = "acme/tiny"
    created: int = 1_700_000_000
    kinds: frozenset[str] = ALL
    context_length: int = 200
    usual_tokens: int | None = None
    pairs: bool | None = None
    pause_seconds: float = 0.02
    asked: list[tuple[Input | str, Sampling]] = field(default_factory=list)
    said: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    threads: set[str] = field(default_factory=set)

    def count_tokens(self, given: Input | str) -> int:
        if isinstance(given, str):
            return len(given.split())
        return sum(len(m.content.split()) + 1 for m in given.messages)

    def stream(self, given: Input | str, sampling: Sampling) -> Iterator[Piece]:
        self.asked.append((given, sampling))
        self.threads.add(threading.current_thread().name)
        text = given if isinstance(given, str) else given.text
        try:
            yield from self._said(self._words(text, sampling), text, sampling)
        finally:
            self.closed.set()

    def embed(self, texts: Sequence[str], use: str = "query") -> list[list[float]]:
        self.threads.add(threading.current_thread().name)
        return [[float(len(text)), 0.5, float("nan") if text == "NAN" else -0.25] for text in texts]

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        self.threads.add(threading.current_thread().name)
        return [
            self._judged(given.joined().text) if given.context is None else _found(given)
            for given in inputs
        ]

    def _judged(self, text: str) -> Answer:
        number = float("nan") if text == "NAN" else float(len(text))
        if text.startswith("¿"):
            return Answer("LOC: ¿", spans=(Span(0, 1, "LOC", "¿", 0.75),))
        if "b" in text:
            return Answer("b", ("b",), {"a": 0.2, "b": 0.7, "c": 0.1}, number=number)
        return Answer("a", ("a",), {"a": 0.9, "b": 0.06, "c": 0.04}, number=number)

    # ------------------------------------------------------------------ within

    def _words(self, text: str, sampling: Sampling) -> list[str]:
        if text == "FAIL":
            raise RuntimeError("secret: /home/ana/model.safetensors")
        if text == "BAD":
            raise DataError("the template refuses this conversation", do="mend the roles")
        if text == "DICE":
            return [str(sampling.seed if sampling.temperature > 0 else 0)]
        if text == "NEVER JSON":
            return ["no", " json"]
        if text == "JSON WHEN GREEDY":
            return ['{"a"', ": 1}"] if sampling.temperature == 0 else ["{oops"]
        if text.startswith("SLOW"):
            return [f"w{i} " for i in range(int(text.split()[1]))]
        parts = text.split(" ")
        return [part if i == 0 else f" {part}" for i, part in enumerate(parts)]

    def _said(self, words: list[str], text: str, sampling: Sampling) -> Iterator[Piece]:
        held = "".join(words)
        stop_at = min((held.find(s) for s in sampling.stop if s in held), default=len(held))
        at = 0
        for index, word in enumerate(words[: sampling.max_new_tokens]):
            if text.startswith("SLOW"):
                time.sleep(self.pause_seconds)
            if text == "HALFWAY" or (word == " BREAK" and index):
                raise RuntimeError("secret: /home/ana/model.safetensors")
            self.said += 1
            shown, at = word[: max(stop_at - at, 0)], at + len(word)
            if at > stop_at:
                yield Piece(shown, index, *self._figures(word, sampling))
                break
            yield Piece(shown, index, *self._figures(word, sampling))
        cut = at < min(stop_at, len(held))
        yield Piece("", finish="length" if cut else "stop")

    def _figures(
        self, word: str, sampling: Sampling
    ) -> tuple[float | None, tuple[tuple[str, float], ...]]:
        if sampling.logprobs is None:
            return None, ()
        top = ((word, math.log(0.5)), ("other", math.log(0.25)), ("never", -math.inf))
        return math.log(0.5), top[: sampling.logprobs]


def _found(given: Input) -> Answer:
    """The first word of the text; nothing where nothing is asked for."""
    if "nada" in given.text:
        return Answer("", spans=(), margin=-1.0)
    word = (given.context or "").split()[0]
    return Answer(word, spans=(Span(0, len(word), "", word, 0.5),), margin=2.0)
