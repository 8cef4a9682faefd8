"""Rows as numbers: what a renderer makes of texts, what a batch holds, what a network is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

from afina.types.examples import Message

if TYPE_CHECKING:
    import torch

Head = Literal["tokens", "labels", "tags", "vector"]
"""What a network is asked for: log-probabilities of tokens; scores of labels for each text; scores
of labels for each token; a vector for each text."""
Targets = Literal["tokens", "one_label", "labels", "number", "tags", "span", "nothing"]
"""What a row's targets mean: the next tokens; one right label, or any number of them; a number; a
label for each token; first and last token of a stretch; nothing (the rows themselves say it)."""
IGNORED = -100
"""Target of a token that is not in the loss (the convention of PyTorch's cross-entropy)."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Token ids of a conversation and, for each, whether the loss counts it."""

    ids: tuple[int, ...]
    in_loss: tuple[bool, ...]


class Renderer(Protocol):
    """The one place where a conversation becomes tokens; the room ``models`` has the only one."""

    stop_ids: frozenset[int]
    """Tokens that end an answer; none where the tokenizer is one of a base that writes no text."""

    both_sides: bool
    """Whether the network sees what comes after a token too (an encoder)."""

    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens before and behind a bare text."""
        ...

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

    def words(self, words: Sequence[str]) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
        """Ids of words with spaces between them, and the first token of each (None: it has none)."""
        ...

    def windows(self, question: str, context: str, size: int, overlap: int) -> tuple[Window, ...]:
        """A question with a text in windows of at most ``size`` tokens; places are of the text, behind
        one for the first token (no character)."""
        ...

    def prompt_of(self, use: Literal["query", "passage"]) -> str:
        """What the base was trained to see before a text that is searched for others, or that is found;
        empty where nothing is said."""
        ...

    def source(self, text: str, language: str | None = None) -> tuple[int, ...]:
        """What the encoder of an encoder-decoder reads."""
        ...

    def target(self, text: str, language: str | None = None) -> tuple[int, ...]:
        """What the decoder of an encoder-decoder writes: its start token, the text, the end."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids that a network reads at once, and where in a text some of them stand.

    ``places``: (token, first character, the one after the last), in order.
    """

    ids: tuple[int, ...]
    places: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example as numbers. ``row`` is the example's id.

    ``targets``, by their kind (``Targets``): ``tokens`` and ``tags``, one id a token (IGNORED outside
    the loss); ``one_label`` and ``labels``, 1.0 or 0.0 a label; ``number``, one; ``span``, two token
    positions. ``others`` are the further sequences of a row that is made of several (the worse
    answer beside the better one, the passage beside its question). ``noted`` are numbers that were
    worked out once before training (``Objective.observe``). ``worth`` is what an objective is told of
    the sequence: 1 for a better answer and -1 for a worse one, an advantage, 0 for one that is only
    looked at; for a text among others how many rows it stands in. ``source`` is what an encoder-decoder
    reads; ``ids`` are then what its decoder writes, its start token first. ``group`` says whose row it
    is, where that counts.
    """

    row: str
    ids: tuple[int, ...]
    targets: tuple[int, ...] | tuple[float, ...]
    others: tuple[Encoded, ...] = ()
    noted: Sequence[float] = ()
    worth: float = 1.0
    source: tuple[int, ...] = ()
    group: str = ""

    @property
    def sequences(self) -> tuple[Encoded, ...]:
        """The row's own sequence and the others."""
        return (self, *self.others)

    @property
    def tokens(self) -> int:
        """Tokens of all sequences, read and written."""
        return sum(len(s.ids) + len(s.source) for s in self.sequences)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence; what is read and what is written count apart."""
        return max(max(len(s.ids), len(s.source)) for s in self.sequences)


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences of one forward pass, padded on the right.

    ``ids`` int64 [B, T]; ``lengths`` int64 [B]; ``targets`` by their ``kind``: int64 [B, T] (tokens,
    tags), float32 [B, C] (labels, number), int64 [B, 2] (span), [B, 0] (nothing). A row of several
    sequences takes as many places, one after the other: ``row_of`` int64 [B] says whose each is.
    ``rows`` are the examples' ids, to name them when a loss is not finite. ``noted`` float32 [B, K]:
    what ``Objective.observe`` gave, padded with 0 where it gave fewer. ``worth`` float32 [B]: as in
    ``Encoded``. ``step`` float32 [K]: what ``Objective.survey`` said of the whole step. ``sources``
    int64 [B, S] and ``source_lengths`` int64 [B]: what an encoder-decoder reads. ``states`` [B, T, D]:
    what reaches the lowest trained layer, where that is known already.
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
    sources: torch.Tensor | None = None
    source_lengths: torch.Tensor | None = None
    states: torch.Tensor | None = None

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
            states=None if self.states is None else self.states[places, :width],
            sources=None if self.sources is None else self.sources[places],
            source_lengths=None if self.source_lengths is None else self.source_lengths[places],
        )


class Network(Protocol):
    """A model as the objectives see it: no template, no files, no padding rules."""

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        """Log-probability [N] of each target in the loss, row by row; float32, differentiable.

        The target at position t is predicted from the tokens before t; the first token of a row
        has no prediction and is never in the loss.
        """
        ...

    def option_logprobs(
        self, batch: Batch, options: torch.Tensor | int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [N, K] and their log-probabilities [N, K] at each target in the loss; differentiable.
        ``options``: which tokens, or how many of the most probable ones.
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
