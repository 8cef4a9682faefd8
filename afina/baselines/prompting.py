"""The untuned base with a prompt: shared by the baselines without and with examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from afina.baselines.instruction import for_answers, for_labels, for_labels_unnamed
from afina.baselines.request import (
    Baseline,
    Facts,
    Fitted,
    Request,
    question_text,
)
from afina.baselines.shots import typical
from afina.baselines.untuned import build_untuned
from afina.errors import DataError, ModelError
from afina.tasks import Classify, Generate, Text
from afina.types import (
    Answer,
    ChatExample,
    Example,
    Input,
    LabelledExample,
    Message,
    PreferenceExample,
)

if TYPE_CHECKING:
    from afina.models.load import Model
    from afina.models.prompted import PromptedBase

LONGEST_QUESTIONS = 32
"""Training questions, the longest ones, that must fit the context behind the prompt's head."""
SHARPNESS = 20.0
"""Factor of cosines before the softmax, as usual for sentence encoders."""


class Prompted(Fitted):
    """A prompted base as a baseline; also a Likelihood where the task writes text."""

    def __init__(self, predictor: PromptedBase, facts: Facts) -> None:
        super().__init__(predictor.name, facts, predictor.predict)
        self.negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
        if predictor.classify is None:
            self.negative_log_likelihood = predictor.negative_log_likelihood
        self.predictor = predictor


def build_prompted(request: Request, name: str, wished_shots: int) -> Baseline:
    """A decoder with its instruction and as many examples as fit; fewer are told in a note."""
    base = request.the_base(name)
    if base.kind == "seq2seq" and not wished_shots:
        return build_untuned(request, name)
    if base.kind == "encoder":
        return _by_vectors(request, name, wished_shots)
    model = load_decoder(request, name)
    return first_that_fits(request, model, name, typical_shots(request, wished_shots), wished_shots)


def first_that_fits(
    request: Request, model: Model, name: str, chosen: Sequence[Example], wished: int
) -> Prompted:
    """The fullest prompt that leaves room for the longest questions. Raises ModelError."""
    for instruction, told in instructions(request):
        for count in _fewer(len(chosen)):
            predictor = prompted(request, model, name, instruction, chosen[:count])
            if all_fit(request, predictor):
                return Prompted(predictor, facts_of(predictor, wished, told))
    raise ModelError(
        "the longest question and its answer leave no room for a prompt in "
        f"{model.base.context_length} tokens",
        where=f"evaluate.baselines: {name}",
        do="leave this baseline out, or take a base with a longer context",
        told=("no_room", {"tokens": model.base.context_length}),
    )


def load_decoder(request: Request, name: str) -> Model:
    """The recipe's base, ready to write. Raises ModelError for an encoder, DataError for a task that
    a prompt cannot ask for."""
    from afina.models.load import load

    task, base = request.task, request.the_base(name)
    if name != "base" and not isinstance(task, Classify | Generate):  # the base is asked as it is
        raise DataError(
            f"{name} asks for labels or text in a prompt, and this is a {task.name} task",
            where="evaluate.baselines",
            do=f"take {', '.join(task.baselines())}",
        )
    if base.kind == "encoder" and not isinstance(task, Text):
        raise ModelError(
            f"{name} asks a language model in a prompt, and {base.name} is an encoder",
            where="evaluate.baselines",
            do="take zero_shot, few_shot or embedding_linear, which an encoder can serve",
        )
    if base.kind == "seq2seq":
        raise ModelError(
            f"{name} shows examples in a prompt, and {base.name} was not made to read any",
            where="evaluate.baselines",
            do="take zero_shot, nearest, lead or copy",
        )
    written = task if task.head == "tokens" else Generate(answer="text")
    return load(base, written, None, **request.loading())


def instructions(request: Request) -> list[tuple[str, tuple[str, ...]]]:
    """Instructions from the fullest to the shortest, each with what must be told about it."""
    task = request.task
    if isinstance(task, Generate):
        return [(for_answers(task, request.train), ())]
    assert isinstance(task, Classify)
    short = "the labels do not fit the context: they are not listed in the prompt"
    return [(for_labels(task), ()), (for_labels_unnamed(task), (short,))]


def typical_shots(request: Request, count: int) -> list[Example]:
    """Training rows that are typical and unlike each other."""
    if count == 0:
        return []
    strata = [request.task.stratum(example) for example in request.train]
    return [request.train[i] for i in typical(request.texts(), strata, count, request.seed)]


def _fewer(count: int) -> list[int]:
    """How many examples to try: all, then fewer; none only where none were asked."""
    return list(range(count, 0, -1)) if count else [0]


def prompted(
    request: Request, model: Model, name: str, instruction: str, shots: Sequence[Example]
) -> PromptedBase:
    """The base behind one prompt."""
    from afina.models.prompted import PromptedBase

    task = request.task
    return PromptedBase(
        model,
        name=name,
        instruction=instruction,
        shots=[as_shown(task, example) for example in shots],
        classify=task if isinstance(task, Classify) else None,
        batch_size=request.settings.batch_size,
    )


def as_shown(task: object, example: Example) -> tuple[Message, ...]:
    """A training row as it is shown: without its system message, which the head has already."""
    if isinstance(example, PreferenceExample):
        example = example.better
    if isinstance(example, ChatExample):
        return tuple(m for m in example.messages if m.role != "system")
    from afina.models.label_texts import join_labels

    assert isinstance(task, Classify)
    assert isinstance(example, LabelledExample)
    answer = join_labels(example.labels, task.known_labels)
    return (Message("user", question_text(task.question(example))), Message("assistant", answer))


def all_fit(request: Request, predictor: PromptedBase) -> bool:
    """Whether the longest training questions, with their answers, fit behind the head."""
    context, answer = predictor.model.base.context_length, predictor.answer_tokens
    questions = [request.task.question(example) for example in request.train]
    questions.sort(key=lambda given: -sum(len(m.content) for m in given.messages))
    longest = max(len(predictor.prompt(given)) for given in questions[:LONGEST_QUESTIONS])
    return longest + answer < context


def facts_of(predictor: PromptedBase, wished: int, told: tuple[str, ...]) -> Facts:
    """What the prompt is, and what is to be said about it."""
    shown = len(predictor.shots)
    fewer = f"{shown} of {wished} examples: more do not fit the context, or are not there"
    notes = (*told, fewer) if shown < wished else told
    with_examples = f" and {shown} examples" if shown else ""
    return Facts(
        f"{predictor.model.base.name} untuned, with an instruction{with_examples} in its prompt"
        if predictor.instruction or not shown
        else f"{predictor.model.base.name} untuned, with {shown} examples in its prompt",
        head_tokens=predictor.head_tokens,
        examples=shown,
        instruction=predictor.instruction,
        notes=notes,
    )


# ---------------------------------------------------------------------------- encoders


def _by_vectors(request: Request, name: str, shots: int) -> Baseline:
    """An encoder: the nearest name of a label, or the nearest middle of a few examples of each."""
    from afina.models.embed import Embedder
    from afina.models.label_texts import label_texts

    task = request.classify(name)
    base = request.the_base(name)
    embedder = Embedder.open(base, **request.loading())
    if shots:
        places, used = _middles(request, task, embedder.vectors, shots)
        what = f"the nearest middle of {shots} examples a label, in the vectors of {base.name}"
    else:
        places = embedder.vectors(label_texts(task.known_labels), normalised=True)
        used, what = 0, f"the nearest label name, in the vectors of {base.name}"

    def likeness(texts: Sequence[str]) -> np.ndarray:
        cosines = embedder.vectors(texts, normalised=True, cache=request.cache) @ places.T
        return np.asarray(SHARPNESS * cosines)

    notes: tuple[str, ...] = ()
    border = 0.0
    if task.several:
        border = _border(request, task, likeness(request.texts()))
        notes = (
            "a label is given from the likeness at which training rows get as many as they have",
        )

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        texts = [question_text(given) for given in inputs]
        return [
            task.from_scores(row, len(embedder.ids(text)))
            for row, text in zip((likeness(texts) - border).tolist(), texts, strict=True)
        ]

    return Fitted(name, Facts(what, examples=used, notes=notes), predict)


def _border(request: Request, task: Classify, scores: np.ndarray) -> float:
    """What to take from scores [N, C] so that the training rows get as many labels as they have."""
    given = sum(len(own) for own in request.labels())
    ordered = np.sort(scores, axis=None)[::-1]
    at = min(max(given, 1), ordered.size) - 1
    return float(ordered[at]) - math.log(task.threshold / (1 - task.threshold)) - 1e-6


def _middles(
    request: Request, task: Classify, vectors: Callable[..., np.ndarray], count: int
) -> tuple[np.ndarray, int]:
    """Unit vectors [C, D]: the mean of ``count`` drawn examples of each label; and how many."""
    random = np.random.default_rng(request.seed)
    texts, labels = request.texts(), request.labels()
    rows = {label: [i for i, own in enumerate(labels) if label in own]
            for label in {label for own in labels for label in own}}  # fmt: skip
    missing = [label for label in task.known_labels if label not in rows]
    if missing:
        raise DataError(
            f"there is no training row of {', '.join(missing[:10])}",
            where="data.train",
            do="add rows of these labels, or leave few_shot out of evaluate.baselines",
            told=("no_row_of_label", {"labels": ", ".join(missing[:10])}),
        )
    drawn = [
        [int(i) for i in random.permutation(rows[label])[:count]] for label in task.known_labels
    ]
    found = vectors([texts[i] for own in drawn for i in own], normalised=True)
    cuts = np.cumsum([len(own) for own in drawn])[:-1]
    middles = np.stack([part.mean(axis=0) for part in np.split(found, cuts)])
    middles /= np.maximum(np.linalg.norm(middles, axis=1, keepdims=True), 1e-12)
    return middles, len(found)
