"""A tuned model that answers: the Predictor that is evaluated is the one that is served."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import torch

from afina.errors import ModelError, RequestError
from afina.models.embed import Embedder
from afina.models.generate import generate, stream
from afina.models.length import shorten, shorten_prompt
from afina.models.likelihood import check_fits, label_scores, summed_losses
from afina.models.load import Model
from afina.models.masked import MaskedNetwork
from afina.models.places import place_answers
from afina.models.ranking import Ranker
from afina.models.sampling import Piece, Sampling
from afina.models.save import CARD, open_model
from afina.models.sources import Base
from afina.tasks import Classify, Judged, Matched, Pooled, Score, Several, Written
from afina.types import Answer, Encoded, Example, Input, LabelledExample, Message, Task

MAX_NEW_TOKENS = 256
"""Longest answer where neither the task nor the request says."""


class TunedModel:
    """A network and its task, ready to answer. Greedy unless a request says otherwise.

    ``kinds``: what can be asked of it: what its task serves, and ``embedding``.
    ``created``: seconds since 1970. Not safe for two threads at once; the server queues.
    """

    def __init__(
        self, model: Model, *, name: str = "tuned", created: int = 0, batch_size: int | None = None
    ) -> None:
        self.model = model
        self.name = name
        self.base = model.base.name
        self.created = created
        self.batch_size = batch_size
        reads = model.task.reads_source
        writes = () if isinstance(model.network, MaskedNetwork) else model.task.serves
        self.context_length = model.context_length * (2 if reads else 1)
        self.kinds: frozenset[str] = frozenset(
            model.task.serves if reads else {*writes, "embedding"}
        )
        self._embedder = None if reads else Embedder.of(model)
        self.candidates: tuple[str, ...] = ()
        """What a question chooses among that brings no texts of its own, for a task that ranks."""
        self._ranker: Ranker | None = None

    @classmethod
    def open(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        name: str = "tuned",
        base: Base | None = None,
        batch_size: int | None = None,
        task: str = "",
    ) -> TunedModel:
        """Open the model folder of a run. ``device``: auto (the GPU if there is one), cpu, cuda.
        ``task``: which of several answers.

        Raises ModelError if there is no tuned model, or its base is another one; RequestError if it
        has no such task, or several and none is named.
        """
        found = cls.open_all(folder, device=device, name=name, base=base, batch_size=batch_size)
        if task not in found:
            several = ", ".join(t for t in found if t)
            raise RequestError(
                f"it has no task {task}" if task else "it has several tasks, and none is named",
                where=str(folder),
                do=f"name one of: {several}" if several else "name none: the run has one task",
            )
        return found[task]

    @classmethod
    def open_all(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        name: str = "tuned",
        base: Base | None = None,
        batch_size: int | None = None,
    ) -> dict[str, TunedModel]:
        """The model of each task of a run over one body, called NAME:TASK; ``""`` for the only one."""
        folder = Path(folder)
        model = open_model(folder, device=find_device(device), base=base)
        tasks = tuple(model.task.tasks) if isinstance(model.task, Several) else ("",)
        created = int((folder / CARD).stat().st_mtime)
        return {
            task: cls(
                model.of(task),
                name=f"{name}:{task}" if task else name,
                created=created,
                batch_size=batch_size,
            )
            for task in tasks
        }

    @property
    def task(self) -> Task:
        return self.model.task

    @property
    def max_new_tokens(self) -> int:
        """Longest answer in tokens where a request does not say."""
        return _answer_limit(self.task)

    @property
    def pairs(self) -> bool | None:
        """Whether it judges two texts together; None where that means nothing."""
        return self.task.pairs if isinstance(self.task, Judged) else None

    @property
    def usual_tokens(self) -> int | None:
        """Longest completion in tokens where a request does not say; None: as the API has it."""
        return self.max_new_tokens if self.task.reads_source else None

    def describe(self) -> dict[str, object]:
        """What answers, in a few facts."""
        method = self.model.method
        return {
            "kind": "tuned",
            "what": f"{self.base} tuned with {method.name if method else 'nothing'}",
            "head_tokens": 0,
        }

    # ------------------------------------------------------------------ Predictor, Likelihood

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order. Raises ModelError for one that is too long."""
        if isinstance(self.model.network, MaskedNetwork):
            raise RequestError(
                f"{self.name} guesses hidden tokens: it writes no text",
                where="model",
                do="ask it for vectors, or take its folder as the base of another recipe",
            )
        if self.model.head == "tags":
            return place_answers(self.model, inputs, self.batch_size)
        whole = [self.whole_prompt(given) for given in inputs]
        prompts = [self._cut(ids) for ids in whole]
        if isinstance(self.task, Matched):
            answers = self._ranked(inputs)
        elif isinstance(self.task, Pooled):
            answers = self._label(self.task, prompts)
        else:
            answers = write_answers(self.model, prompts, self.max_new_tokens, self.batch_size)
        return [
            replace(answer, cut_tokens=len(ids) - len(prompt))
            for answer, ids, prompt in zip(answers, whole, prompts, strict=True)
        ]

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        """For each example: the sum over its answer in nats, and the number of its parts.

        Parts are the answer's tokens (end token included), or the label; with several labels, one
        yes or no for each label there is. A reward model gives its score with the sign turned, for 1.
        """
        rows = [self._encoded(example) for example in examples]
        for read in ([r.source for r in rows],) if self.task.reads_source else ():
            check_fits(self.model, read, [e.where for e in examples])
        check_fits(self.model, [r.ids for r in rows], [e.where for e in examples])
        if isinstance(self.task, Classify):
            scores = label_scores(self.model, [r.ids for r in rows], self.batch_size)
            return [
                _label_loss(self.task, own, cast(LabelledExample, example))
                for own, example in zip(scores, examples, strict=True)
            ]
        if isinstance(self.task, Score):  # log-odds of being the better one, up to a constant
            scores = label_scores(self.model, [r.ids for r in rows], self.batch_size)
            return [(-own[0], 1) for own in scores]
        return summed_losses(self.model, rows)

    # ------------------------------------------------------------------ what is served

    def prompt(self, given: Input | str) -> tuple[int, ...]:
        """The tokens that the model is given; a ``str`` is a raw text to go on from.

        A question that is too long is cut where the training rows were cut (``Model.cut_to``).
        """
        if isinstance(given, str) and (self.task.reads_source or self.model.head == "vector"):
            given = Input((Message("user", given),))
        if isinstance(given, str):
            return self.model.renderer.completion(given)
        return self._cut(self.whole_prompt(given))

    def whole_prompt(self, given: Input) -> tuple[int, ...]:
        """The tokens of a question, however long it is."""
        return self.task.prompt(given, self.model.renderer)

    @property
    def longest_prompt(self) -> int:
        """Tokens of a question up to which it is read whole and leaves room for an answer."""
        context, limit = self.context_length, self.model.cut_to or self.context_length
        if self.model.head != "tokens" or self.task.reads_source:
            return limit
        return min(limit, context - min(self.max_new_tokens, context // 2))

    def _cut(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        if self.model.cut_to is None:
            return ids
        keeps_end = self.model.head == "tokens" and not self.task.reads_source
        return shorten_prompt(ids, self.longest_prompt, keeps_end=keeps_end)

    def _encoded(self, example: Example) -> Encoded:
        """A row with its answer. Raises ModelError where the answer itself would be cut."""
        row = self.task.encode(example, self.model.renderer)
        if self.model.cut_to is None:
            return row
        short = shorten(row, self.model.head, self.model.cut_to)
        if short is None:
            raise ModelError(
                f"the answer does not fit into {self.model.cut_to} tokens",
                where=example.where,
                do="train with a larger train.max_length, or leave perplexity out",
            )
        return short

    def count_tokens(self, given: Input | str) -> int:
        """Tokens of the prompt, template included."""
        return len(self.prompt(given))

    def stream(self, given: Input | str, sampling: Sampling) -> Iterator[Piece]:
        """One answer, piece by piece; closing the iterator stops the work.

        Raises before the first piece: RequestError for a model that writes nothing or senseless
        settings, ModelError for a prompt that leaves no room.
        """
        if "completion" not in self.kinds:
            raise RequestError(
                f"{self.name} was trained with task: {self.task.name}: it writes no text",
                where="model",
                do=f"ask /v1/{(*self.task.serves, 'embeddings')[0]}, or a model "
                "trained with task: generate",
            )
        return stream(self.model, self.prompt(given), sampling)

    def embed(
        self, texts: Sequence[str], use: Literal["query", "passage"] = "query"
    ) -> list[list[float]]:
        """One vector of length 1 for each text. Raises RequestError for an encoder-decoder.

        ``use`` counts for a model that was trained to make vectors: it has the words that its base
        wants before such a text.
        """
        if self._embedder is None:
            raise RequestError(
                f"{self.name} gives no vectors", where="model", do="ask /v1/completions"
            )
        embedder = self._embedder
        if self.model.head == "vector":
            embedder = embedder.before(self.model.renderer.prompt_of(use))
        vectors: list[list[float]] = embedder.vectors(texts, normalised=True).tolist()
        return vectors

    def _ranked(self, inputs: Sequence[Input]) -> list[Answer]:
        asked = [g if g.candidates else replace(g, candidates=self.candidates) for g in inputs]
        if not all(given.candidates for given in asked):
            raise RequestError(
                f"{self.name} chooses among texts, and there are none",
                where="candidates",
                do="ask for vectors, or name the texts to choose among",
            )
        if self._ranker is None:
            assert self._embedder is not None
            texts = self._embedder.before(self.model.renderer.prompt_of("passage"))
            self._ranker = Ranker(self._embedder, texts)
        return self._ranker.rank(asked)

    def _label(self, task: Pooled, rows: Sequence[Sequence[int]]) -> list[Answer]:
        check_fits(self.model, rows, [f"text {i + 1}" for i in range(len(rows))])
        scores = label_scores(self.model, rows, self.batch_size)
        return [task.from_scores(s, len(row)) for s, row in zip(scores, rows, strict=True)]


def write_answers(
    model: Model, prompts: Sequence[Sequence[int]], max_new_tokens: int, batch_size: int | None
) -> list[Answer]:
    """Greedy answers as a Predictor gives them."""
    written = generate(model, prompts, Sampling(max_new_tokens), batch_size=batch_size)
    return [
        Answer(
            text=one.text,
            prompt_tokens=one.prompt_tokens,
            answer_tokens=len(one.ids),
            finish=one.finish,
        )
        for one in written
    ]


def find_device(wished: str) -> str:
    """``auto`` as the GPU if there is one. Raises ModelError for a GPU that is not there."""
    there = torch.cuda.is_available()
    if wished == "auto":
        return "cuda" if there else "cpu"
    if wished.startswith("cuda") and not there:
        raise ModelError("there is no CUDA GPU here", where="device", do="use cpu, or auto")
    return wished


def _answer_limit(task: Task) -> int:
    return (task.max_new_tokens if isinstance(task, Written) else None) or MAX_NEW_TOKENS


def _label_loss(
    task: Classify, scores: Sequence[float], example: LabelledExample
) -> tuple[float, int]:
    """From the scores themselves: a probability that rounds to 0 would have no logarithm."""
    has = set(example.labels)
    if not task.several:
        return _log_sum(scores) - scores[task.known_labels.index(example.labels[0])], 1
    signs = (-1.0 if label in has else 1.0 for label in task.known_labels)
    return sum(_log_sum((0.0, s * score)) for s, score in zip(signs, scores, strict=True)), len(
        scores
    )


def _log_sum(values: Sequence[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))
