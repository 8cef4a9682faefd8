"""Tokens become text as they come: whole characters only, and never a part of a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from afina.models.render import ChatRenderer

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer writes for bytes that are no whole character (yet)."""


class TextStream:
    """The text of an answer, token by token. All pieces and ``rest`` joined are the decoded answer.

    A window of the last tokens is decoded anew at each one, because many tokenizers write a token
    differently after another. A character whose bytes have not all come is held back.
    """

    def __init__(self, renderer: ChatRenderer) -> None:
        self._renderer = renderer
        self._ids: list[int] = []
        self._start = 0
        self._settled = 0
        self._shown = 0

    def push(self, token: int) -> str:
        """The text that this token settles; may be empty."""
        self._ids.append(token)
        text = self._renderer.decode(self._ids[self._start :])
        ready = text[:-1] if text.endswith(BROKEN) else text
        new = ready[self._shown :]
        self._shown = max(self._shown, len(ready))
        if len(ready) == len(text) and text:
            self._start, self._settled = self._settled, len(self._ids)
            self._shown = len(self._renderer.decode(self._ids[self._start :]))
        return new

    def rest(self) -> str:
        """What was held back, at the end of the answer."""
        text = self._renderer.decode(self._ids[self._start :])[self._shown :]
        self._shown += len(text)
        return text


class StopText:
    """Cuts a stream of text before the first of the stop texts."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(s for s in stops if s)
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """The text that may be shown; sets ``hit`` when a stop text is complete."""
        self._held += text
        places = [p for p in (self._held.find(stop) for stop in self._stops) if p >= 0]
        if places:
            self.hit = True
            ready, self._held = self._held[: min(places)], ""
            return ready
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready

    def rest(self) -> str:
        """What was held back and turned out to be no stop text."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of ``text`` that is a beginning of ``stop`` (and not all of it)."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
