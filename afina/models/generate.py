"""Answers from a language model: batched, or piece by piece.

Greedy answers do not depend on the batch they were written in; sampled ones depend on the seed and
the row only. Knows token ids and text, not conversations (the renderer does) nor tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch

from afina.errors import ModelError, RequestError
from afina.models.decoder import Decoder, Prefix, core_of, shared_length, work_prefix
from afina.models.detokenise import StopText, TextStream
from afina.models.draw import Drawn, check_sampling, draw, generator_for
from afina.models.load import Model
from afina.models.memory import kept_memory
from afina.models.sampling import Piece, Sampling
from afina.models.seq2seq import SourceDecoder
from afina.tasks import Transform

ROWS_AT_ONCE = 96
"""Rows of a batch where nothing else is asked."""
TOKENS_AT_ONCE = 32_768
"""Most columns × rows of a batch: bounds the memory of keys and values."""
LIVE_SHARE = 0.75
"""When no more than this share of a batch is still writing, the finished rows are dropped."""


@dataclass(frozen=True, slots=True)
class Written:
    """One answer. ``ids`` without the end token, which is ``end`` if one was drawn; ``logprobs`` (nats)
    if they were asked for."""

    text: str
    ids: tuple[int, ...]
    finish: Literal["stop", "length"]
    prompt_tokens: int
    logprobs: tuple[float, ...] = ()
    end: int | None = None


@dataclass
class _Row:
    """An answer that is being written."""

    prompt: tuple[int, ...]
    limit: int
    generator: torch.Generator
    text: TextStream | None
    stop: StopText
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    finish: Literal["", "stop", "length"] = ""
    end_token: int | None = None

    def take(self, drawn: Drawn, stop_ids: frozenset[int]) -> str:
        """Add a token; returns the text that may be shown because of it."""
        if drawn.token in stop_ids:
            self.finish = "stop"
            self.end_token = drawn.token
            return ""
        self.ids.append(drawn.token)
        if drawn.logprob is not None:
            self.logprobs.append(drawn.logprob)
        out = self.stop.push(self.text.push(drawn.token)) if self.text else ""
        if self.stop.hit:
            self.finish = "stop"
        elif len(self.ids) >= self.limit:
            self.finish = "length"
        return self._show(out)

    def end(self) -> str:
        """What was still held back (nothing after a stop text)."""
        if self.text is None or self.stop.hit:
            return ""
        out = self.stop.push(self.text.rest())
        if self.stop.hit:
            self.finish = "stop"
        else:
            out += self.stop.rest()
        return self._show(out)

    def _show(self, text: str) -> str:
        if text:
            self.shown.append(text)
        return text


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    *,
    batch_size: int | None = None,
) -> list[Written]:
    """One answer for each prompt (token ids), in order.

    Prompts of like length share a batch; a beginning of at least 16 tokens that all prompts have is
    worked once. Raises ModelError for a prompt that leaves no room in the context, RequestError
    for settings without a meaning.
    """
    if not prompts:
        return []
    rows = [_row(model, p, sampling, i, bool(sampling.stop)) for i, p in enumerate(prompts)]
    shared = 0 if model.task.reads_source else shared_length(prompts)
    prefix = work_prefix(model, prompts[0][:shared])
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].prompt))
    with kept_memory() as trim_memory:
        while order:
            size = _rows_that_fit(rows[order[0]], batch_size or ROWS_AT_ONCE)
            _write(model, [rows[i] for i in order[:size]], sampling, prefix)
            order = order[size:]
            trim_memory()
    return [_written(model, row) for row in rows]


def stream(model: Model, prompt: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
    """One answer, piece by piece: a piece for each token, and a last one with ``finish``.

    Errors are raised here, before the first piece. Closing the iterator stops the work.
    """
    row = _row(model, prompt, sampling, 0, True)
    return _pieces(model, row, sampling)


def check_prompt(model: Model, tokens: int) -> None:
    """Raise if a prompt of that many tokens is empty or leaves no room for an answer."""
    if tokens < 1:
        raise RequestError("the prompt is empty", where="prompt", do="write something")
    context = model.context_length
    if model.task.reads_source and tokens > context:
        raise ModelError(
            f"the text has {tokens} tokens; {model.base.name} reads {context}",
            where="prompt",
            do=f"shorten it by {tokens - context} tokens or more",
        )
    if not model.task.reads_source and tokens >= context:
        raise ModelError(
            f"the prompt has {tokens} tokens; {model.base.name} takes {context}, with the answer",
            where="prompt",
            do=f"shorten it by {tokens - context + 1} tokens or more, or take a base with a longer "
            "context",
            told=("too_long", {"tokens": tokens, "most": context}),
        )


# ---------------------------------------------------------------------------- inside


def answer_room(model: Model, prompt_tokens: int) -> int:
    """Tokens that the context leaves for an answer; an encoder-decoder has a context for each."""
    if not isinstance(model.task, Transform):
        return model.context_length - prompt_tokens
    return model.context_length - len(model.renderer.opening(model.task.target_language))


def _decoder(
    model: Model, prompts: Sequence[Sequence[int]], room: int, prefix: Prefix | None = None
) -> Decoder | SourceDecoder:
    if not isinstance(model.task, Transform):
        return Decoder(model, prompts, room, prefix)
    opening = model.renderer.opening(model.task.target_language)
    return SourceDecoder(core_of(model), prompts, opening, room, model.device)


def _row(
    model: Model, prompt: Sequence[int], sampling: Sampling, index: int, as_text: bool
) -> _Row:
    check_sampling(sampling, int(model.base.vocabulary))
    check_prompt(model, len(prompt))
    return _Row(
        prompt=tuple(prompt),
        limit=min(sampling.max_new_tokens, answer_room(model, len(prompt))),
        generator=generator_for(sampling.seed, index),
        text=TextStream(model.renderer) if as_text else None,
        stop=StopText(sampling.stop),
    )


def _rows_that_fit(longest: _Row, wished: int) -> int:
    return max(1, min(wished, TOKENS_AT_ONCE // (len(longest.prompt) + longest.limit)))


def _write(model: Model, rows: list[_Row], sampling: Sampling, prefix: Prefix | None) -> None:
    """Write the answers of one batch."""
    decoder = _decoder(model, [r.prompt for r in rows], max(r.limit for r in rows), prefix)
    stop_ids = model.renderer.stop_ids
    while True:
        drawn = draw(decoder.logits, sampling, [r.ids for r in rows], [r.generator for r in rows])
        for row, token in zip(rows, drawn, strict=True):
            if not row.finish:
                row.take(token, stop_ids)
        live = [i for i, row in enumerate(rows) if not row.finish]
        if not live:
            return
        tokens = [d.token for d in drawn]
        if len(live) <= LIVE_SHARE * len(rows):
            decoder.keep(live)
            rows = [rows[i] for i in live]
            tokens = [tokens[i] for i in live]
        decoder.step(tokens)


def _written(model: Model, row: _Row) -> Written:
    row.end()
    text = "".join(row.shown) if row.text else model.renderer.decode(row.ids)
    assert row.finish
    ids, logprobs = tuple(row.ids), tuple(row.logprobs)
    return Written(text, ids, row.finish, len(row.prompt), logprobs, row.end_token)


def _pieces(model: Model, row: _Row, sampling: Sampling) -> Iterator[Piece]:
    decoder = _decoder(model, [row.prompt], row.limit)
    while True:
        (drawn,) = draw(decoder.logits, sampling, [row.ids], [row.generator])
        text = row.take(drawn, model.renderer.stop_ids)
        if row.finish == "stop" and not row.stop.hit:
            break  # the end token says nothing
        top = tuple((_name(model, token), value) for token, value in drawn.top)
        yield Piece(text, drawn.token, drawn.logprob, top)
        if row.finish:
            break
        decoder.step([drawn.token])
    last = row.end()
    yield Piece(last, finish=row.finish)


def _name(model: Model, token: int) -> str:
    return str(model.renderer.tokenizer.decode([token]))
