"""The nouns that every room shares. Knows nothing of files, YAML, HTTP, tokens or metrics.

Imports no torch: a task, an objective or a method that needs it imports it inside its functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from afina.types.examples import (
    Answer,
    ChatExample,
    Example,
    Input,
    JudgedExample,
    LabelledExample,
    Message,
    NumberExample,
    PreferenceExample,
    Role,
    TextExample,
)

if TYPE_CHECKING:
    import torch

Head = Literal["tokens", "labels", "tags", "vector"]
"""What a network is asked for: log-probabilities of tokens; scores of labels for each text; scores
of labels for each token; a vector for each text."""
Targets = Literal["tokens", "one_label", "labels", "number", "tags", "span", "nothing"]
"""What a row's targets mean: the next tokens; one right label, or any number of them; a number; a
label for each token; first and last token of a stretch; nothing (the rows themselves say it)."""
Kept = Literal["model", "peft", "bottleneck"]
"""A part of a tuned model on disk: all of it, an adapter in PEFT's format, or bottlenecks in ours."""
IGNORED = -100
"""Target of a token that is not in the loss (the convention of PyTorch's cross-entropy)."""


class Knobs(BaseModel):
    """Frozen settings. An unknown key is an error; a sentence under a knob is its documentation."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


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


# ---------------------------------------------------------------------------- tokens


@dataclass(frozen=True, slots=True)
class Rendered:
    """Token ids of a conversation and, for each, whether the loss counts it."""

    ids: tuple[int, ...]
    in_loss: tuple[bool, ...]


class Renderer(Protocol):
    """The one place where a conversation becomes tokens; the room ``models`` has the only one."""

    def conversation(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> Rendered:
        """The whole conversation; in the loss: assistant turns with weight, up to their end token."""
        ...

    def prompt(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[int, ...]:
        """Everything up to where the assistant begins to speak."""
        ...

    def text(self, text: str, second: str | None = None) -> tuple[int, ...]:
        """A bare text, or a pair, with the tokenizer's own special tokens (for encoders)."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as numbers. ``row`` is the example's id.

    ``targets``, by their kind (``Targets``): ``tokens`` and ``tags``, one id a token (IGNORED outside
    the loss); ``one_label`` and ``labels``, 1.0 or 0.0 a label; ``number``, one; ``span``, two token
    positions. ``others`` are the further sequences of a row that is made of several (the worse
    answer beside the better one, the passage beside its question). ``noted`` are numbers that were
    worked out once before training (``Objective.observe``). ``worth`` is what an objective is told of
    the sequence: 1 for a better answer and -1 for a worse one, an advantage, 0 for one that is only
    looked at.
    """

    row: str
    ids: tuple[int, ...]
    targets: tuple[int, ...] | tuple[float, ...]
    others: tuple[Encoded, ...] = ()
    noted: Sequence[float] = ()
    worth: float = 1.0

    @property
    def sequences(self) -> tuple[Encoded, ...]:
        """The row's own sequence and the others."""
        return (self, *self.others)

    @property
    def tokens(self) -> int:
        """Tokens of all sequences."""
        return sum(len(s.ids) for s in self.sequences)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return max(len(s.ids) for s in self.sequences)


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of one forward pass, padded on the right.

    ``ids`` int64 [B, T]; ``lengths`` int64 [B]; ``targets`` by their ``kind``: int64 [B, T] (tokens,
    tags), float32 [B, C] (labels, number), int64 [B, 2] (span), [B, 0] (nothing). A row of several
    sequences takes as many places, one after the other: ``row_of`` int64 [B] says whose each is.
    ``rows`` are the examples' ids, to name them when a loss is not finite. ``noted`` float32 [B, K]:
    what ``Objective.observe`` gave, padded with 0 where it gave fewer. ``worth`` float32 [B]: as in
    ``Encoded``. ``step`` float32 [K]: what ``Objective.survey`` said of the whole step.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    kind: Targets
    row_of: torch.Tensor
    rows: tuple[str, ...] = ()
    noted: torch.Tensor | None = None
    worth: torch.Tensor | None = None
    step: torch.Tensor | None = None

    def only(self, places: torch.Tensor) -> Batch:
        """The sequences at ``places`` (bool [B]), as wide as the longest of them."""
        lengths = self.lengths[places]
        width = int(lengths.max()) if len(lengths) else 0
        targets = self.targets[places]
        return replace(
            self,
            ids=self.ids[places, :width],
            lengths=lengths,
            targets=targets[:, :width] if self.kind in ("tokens", "tags") else targets,
            row_of=self.row_of[places],
            noted=None if self.noted is None else self.noted[places],
            worth=None if self.worth is None else self.worth[places],
        )


class Network(Protocol):
    """A model as the objectives see it: no template, no files, no padding rules."""

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        """Log-probability [N] of each target in the loss, row by row; float32, differentiable.

        The target at position t is predicted from the tokens before t; the first token of a row
        has no prediction and is never in the loss.
        """
        ...

    def label_scores(self, batch: Batch) -> torch.Tensor:
        """Scores (logits) [B, C], float32, differentiable."""
        ...

    def tag_scores(self, batch: Batch) -> torch.Tensor:
        """Scores (logits) [B, T, C] of each token, float32, differentiable."""
        ...

    def vectors(self, batch: Batch) -> torch.Tensor:
        """One vector [B, D] a sequence, float32, differentiable, of any length."""
        ...


# ---------------------------------------------------------------------------- what is chosen


class Task(Knobs):
    """What is learned: the examples it needs, the head, how an answer is decoded and scored."""

    name: str
    accepts: ClassVar[tuple[type[Example], ...]]
    head: ClassVar[Head]
    serves: ClassVar[tuple[str, ...]]
    """What a server can be asked for (``afina.serve.KINDS``), besides vectors."""

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

    def length(self, example: Example, renderer: Renderer) -> int:
        """Tokens of the example (of its longest sequence), answer included."""
        return self.encode(example, renderer).longest

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


class Method(Knobs):
    """Which weights may move."""

    name: str
    keeps: ClassVar[tuple[Kept, ...]] = ("model",)
    """What is saved: the whole model, or only the parts that were set beside the untouched base."""
    four_bit: ClassVar[bool] = False
    """True if the base is loaded in 4-bit NF4."""

    @property
    def adapter(self) -> bool:
        """True if the base stays untouched and only what was added to it is saved."""
        return "model" not in self.keeps

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        """Mark what trains (``requires_grad``), wrapping the module where the method adds weights.

        ``module`` is the Transformers model. Returns it, or the PeftModel around it. New weights
        are drawn from torch's global generator, which the caller has seeded.
        """
        raise NotImplementedError

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        """A good default for a base of that many parameters, and the reason."""
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
    "Network",
    "NumberExample",
    "Objective",
    "Predictor",
    "PreferenceExample",
    "Rendered",
    "Renderer",
    "Role",
    "Targets",
    "Task",
    "TextExample",
]
