"""The nouns that every room shares. Knows nothing of files, YAML, HTTP, tokens or metrics.

Imports no torch: a task, an objective or a method that needs it imports it inside its functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from afina.types.examples import (
    Answer,
    ChatExample,
    Example,
    Input,
    JudgedExample,
    LabelledExample,
    Message,
    NumberExample,
    PairExample,
    PreferenceExample,
    QuestionExample,
    Role,
    Span,
    TaggedExample,
    TextExample,
)
from afina.types.knobs import Knobs
from afina.types.method import Kept, Method, Move
from afina.types.tokens import (
    IGNORED,
    Batch,
    Encoded,
    Head,
    Network,
    Rendered,
    Renderer,
    Targets,
    Window,
)

if TYPE_CHECKING:
    import torch


@runtime_checkable
class Predictor(Protocol):
    """Anything that turns inputs into answers: a majority class, a prompted base, a tuned model."""

    @property
    def name(self) -> str: ...

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """A Predictor that can also say how probable the gold answers are (for perplexity)."""

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        """For each example: the sum over its answer tokens in nats, and their number."""
        ...


# ---------------------------------------------------------------------------- what is chosen


class Task(Knobs):
    """What is learned: the examples it needs, the head, how an answer is decoded and scored."""

    name: str
    accepts: ClassVar[tuple[type[Example], ...]]
    head: ClassVar[Head]
    serves: ClassVar[tuple[str, ...]]
    """What a server can be asked for (``afina.serve.KINDS``), besides vectors."""
    usual_objective: ClassVar[str] = "supervised"
    """The objective of a recipe that names none."""
    reads_source: ClassVar[bool] = False
    """True for a task of encoder-decoders, which read a source apart from what they write; it has no
    vectors."""

    judges_answer: ClassVar[bool] = False
    """True for a task whose question is a conversation together with the answer in it."""

    @property
    def targets(self) -> Targets:
        """What the targets of an encoded row mean; known once the task is resolved."""
        raise NotImplementedError

    @property
    def outputs(self) -> int:
        """Scores that a new head gives; 0 where the base's own head, or none, is used."""
        return 0

    def resolve(self, examples: Sequence[Example]) -> Task:
        """The same task with everything filled in that the examples decide (labels and so on).

        Raises DataError if the examples cannot serve this task.
        """
        raise NotImplementedError

    def settle(self, train: Sequence[Example]) -> Task:
        """The same task with what only the training rows may decide (a mean, a deviation)."""
        return self

    def over(self, test: Sequence[Example], known: Sequence[Example]) -> Task:
        """The task as it is asked of these test rows, where others are ``known``."""
        return self

    def question(self, example: Example) -> Input:
        """What a Predictor may see."""
        raise NotImplementedError

    def gold(self, example: Example) -> Answer:
        """The right answer, in the form in which a Predictor gives its own."""
        raise NotImplementedError

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """The example as token ids and targets."""
        raise NotImplementedError

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        """The token ids that a network is given when it answers; the same as in training."""
        raise NotImplementedError

    def from_scores(self, scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
        """Scores of the head ``labels`` for one text as an answer."""
        raise NotImplementedError

    def windows(self, given: Input, renderer: Renderer) -> tuple[Window, ...]:
        """What the head ``tags`` reads of an input, with the places whose scores are asked."""
        raise NotImplementedError

    def from_windows(
        self,
        given: Input,
        windows: Sequence[Window],
        scores: Sequence[Sequence[Sequence[float]]],
    ) -> Answer:
        """Scores of the head ``tags`` [window, place, output] as an answer."""
        raise NotImplementedError

    def remarks(self, examples: Sequence[Example], renderer: Renderer) -> tuple[str, ...]:
        """What a person should know of how these rows become tokens, in English sentences."""
        return ()

    def length(self, example: Example, renderer: Renderer) -> int:
        """Tokens of the example (of its longest sequence), answer included."""
        return self.encode(example, renderer).longest

    def refuses_other_words(self) -> str:
        """Why a question said in other words would no longer have its answer; empty if it would."""
        return "its answers stand in the words of the question"

    def stratum(self, example: Example) -> str | None:
        """What a stratified split keeps in proportion; None where there is nothing."""
        return None

    def scorers(self) -> tuple[str, ...]:
        """Names of the scorers; the first is judged when no goal is stated."""
        raise NotImplementedError

    def baselines(self) -> tuple[str, ...]:
        """Names of the baselines that a run measures when the recipe does not say."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Loss:
    """A sum over a batch and the weight it is divided by (tokens in the loss, or rows)."""

    total: torch.Tensor
    weight: float


class Objective(Knobs):
    """Which loss is minimised."""

    name: str
    needs: ClassVar[tuple[type[Example], ...]]
    whole_batch: ClassVar[bool] = False
    """True if the loss of a step is one of the vectors of all its rows together."""
    rewrites_rows: ClassVar[bool] = False
    """True if what is learned at a step is written then: no state of a row outlasts its step."""
    rate_share: ClassVar[float] = 1.0
    """Share of the method's usual learning rate that suits this loss."""

    @property
    def shapes(self) -> tuple[type[Example], ...]:
        """The shapes of rows that these knobs can learn from."""
        return self.needs

    def refuses(self, task: Task) -> str:
        """Why this objective makes no sense for a task; empty if it does."""
        return ""

    def scorers(self, task: Task, shape: type[Example]) -> tuple[str, ...]:
        """Names of the scorers for rows of that shape, when the recipe does not say."""
        return task.scorers()

    def baselines(self, task: Task) -> tuple[str, ...]:
        """Names of the baselines when the recipe does not say."""
        return task.baselines()

    def arrange(self, rows: Sequence[Encoded]) -> tuple[Encoded, ...]:
        """The rows as this objective learns them; none is longer than the longest was."""
        return tuple(rows)

    def observe(self, network: Network, batch: Batch) -> torch.Tensor | None:
        """Numbers [B, K] of each sequence that stay what they are while the weights move: a
        reference's log-probabilities, a teacher's scores. Asked once, of the network as it was
        before the first step; they come back as ``Batch.noted``. None: there is nothing to note.
        """
        return None

    def survey(self, network: Network, batches: Sequence[Batch]) -> torch.Tensor | None:
        """Numbers [K] of a whole step that each of its passes needs, worked out without gradients
        before the first: they come back as ``Batch.step``. None: there is nothing to know.
        """
        return None

    def weight(self, batch: Batch) -> float:
        """What this batch counts for, known before the forward pass (exact accumulation)."""
        raise NotImplementedError

    def loss(self, network: Network, batch: Batch) -> Loss:
        """The loss of a batch, as a sum; the loop divides by the weight of the whole step."""
        raise NotImplementedError


# ---------------------------------------------------------------------------- a derived value


@dataclass(frozen=True, slots=True)
class Derived:
    """One figure of the plan: the knob, its value, why, and whether the user chose it."""

    key: str
    value: Any
    reason: str
    chosen: bool = False
    unit: str = ""


__all__ = [
    "Answer",
    "Batch",
    "ChatExample",
    "Derived",
    "Encoded",
    "Example",
    "Head",
    "IGNORED",
    "Input",
    "JudgedExample",
    "Kept",
    "Knobs",
    "LabelledExample",
    "Likelihood",
    "Loss",
    "Message",
    "Method",
    "Move",
    "Network",
    "NumberExample",
    "Objective",
    "PairExample",
    "Predictor",
    "PreferenceExample",
    "QuestionExample",
    "Rendered",
    "Renderer",
    "Role",
    "Span",
    "TaggedExample",
    "Targets",
    "Task",
    "TextExample",
    "Window",
]
