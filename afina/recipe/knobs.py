"""The knobs. Each one's sentence stands under it: help, docs and schema are made from it.

A knob that may be left out and has no value here is derived by the plan, which says why.
"""

from __future__ import annotations

import operator
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from afina.methods import METHODS
from afina.objectives import OBJECTIVES
from afina.recipe.augment import Augment
from afina.recipe.parts import Columns, Context, Forgetting, Replay
from afina.recipe.proof import PROBE_ITEMS, Bias, Robustness
from afina.recipe.search import Sweep
from afina.tasks import TASKS
from afina.types import Knobs, Method, Objective, Task


def named(value: Any) -> Any:
    """``lora`` is short for ``{name: lora}``."""
    return {"name": value} if isinstance(value, str) else value


def _one_of(kinds: tuple[type[Knobs], ...]) -> Any:
    union = reduce(operator.or_, kinds)
    if len(kinds) == 1:
        return Annotated[union, BeforeValidator(named)]
    return Annotated[union, Field(discriminator="name"), BeforeValidator(named)]


if TYPE_CHECKING:  # a choice among a visible list; type checkers know it by its base class
    AnyTask: TypeAlias = Task
    AnyObjective: TypeAlias = Objective
    AnyMethod: TypeAlias = Method
else:
    AnyTask = _one_of(TASKS)
    AnyObjective = _one_of(OBJECTIVES)
    AnyMethod = _one_of(METHODS)


class Split(Knobs):
    """How rows are divided. Rows with the same normalised input always stay together."""

    train: float = Field(0.8, gt=0, le=1)
    """Share of the rows to learn from."""
    validation: float = Field(0.1, ge=0, lt=1)
    """Share of the rows that choose the best checkpoint and stop early."""
    test: float = Field(0.1, ge=0, lt=1)
    """Share of the rows that are sealed until the evaluation."""
    by: Literal["stratified", "random", "group", "time"] = "stratified"
    """In proportion to the labels, at random, by whole groups, or the newest rows last."""
    column: str | None = None
    """The column that holds the group (``by: group``) or the time (``by: time``)."""
    seed: int = Field(7, ge=0, lt=2**31)
    """Seed of the split; it depends on content and seed only, not on the order of the rows."""

    @model_validator(mode="after")
    def _consistent(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test add up to {total:g}, not to 1")
        if self.by in ("group", "time") and not self.column:
            raise ValueError(f"by: {self.by} needs the name of a column (data.split.column)")
        if self.by in ("stratified", "random") and self.column:
            raise ValueError(f"a column is of no use with by: {self.by}")
        return self


class Data(Knobs):
    """Where the examples are and how they are divided."""

    train: str | tuple[str, ...]
    """File, glob, folder or Hugging Face data set to learn from (and to split)."""
    validation: str | None = None
    """A file of its own for validation; else the split makes one."""
    test: str | None = None
    """A file of its own for the test; else the split makes one."""
    columns: Columns = Columns()
    """Which column plays which part, where the names are not the usual ones."""
    split: Split = Split()
    """How rows are divided where no file of their own is given."""
    encoding: str | None = None
    """Character encoding of the files; left out: UTF-8, anything else is refused by name."""
    duplicates: Literal["drop", "keep"] = "drop"
    """Rows that repeat another row, input and answer: dropped (counted and listed) or kept."""
    near_duplicates: Literal["keep", "group", "drop"] | None = None
    """Rows whose inputs are all but the same: kept as they are; grouped (never in different splits,
    and taken out of train where a file of its own for validation or test holds the other one); or
    grouped and only one of those with the same answer kept. Left out: grouped, if they fit and
    neither validation nor test is a file of its own; counted either way."""
    contradictions: Literal["keep", "drop"] = "keep"
    """Rows with one input and different answers: kept (and reported), or all dropped."""
    benchmark: str | tuple[str, ...] | None = None
    """Files of questions that the model will be measured by: the check lists rows that hold them."""
    names: str | None = None
    """Folder of a run of task tag that finds people's names (label PER, PERSON, PERSONA, NAME or
    NOMBRE): these are then personal data too, listed, redacted and traced; left out: none are looked
    for."""
    augment: Augment | None = None
    """Make more rows to learn from; baselines, validation and test keep the rows as given."""
    limit: int | None = Field(None, ge=1)
    """Take at most this many rows, drawn by the split's seed."""
    replay: Replay | None = None
    """General rows to mix into those that are learned, against forgetting; never validated or tested
    on, and not seen by the baselines. For models that write text."""


class Train(Knobs):
    """How the weights are moved."""

    epochs: int | None = Field(None, ge=1, le=10_000)
    """How often every row is seen."""
    max_steps: int | None = Field(None, ge=1)
    """Stop after this many optimiser steps, whatever the epochs say."""
    batch_size: int | None = Field(None, ge=1, le=65_536)
    """Rows in one optimiser step."""
    micro_batch_size: int | None = Field(None, ge=1)
    """Rows in one forward pass; the rest of the batch is accumulated, exactly."""
    learning_rate: float | None = Field(None, gt=0, lt=10)
    """Peak step size of AdamW."""
    head_learning_rate: float | None = Field(None, gt=0, lt=10)
    """Peak step size of a new classification head; left out: the larger of 1e-3 and the rate."""
    schedule: Literal["linear", "cosine", "constant", "slanted"] = "linear"
    """How the rate falls after the warm-up: to zero in a line, in a half cosine, or not at all.
    ``slanted``: ULMFiT's triangle, from a 32nd of the peak up and back (with warmup 0.1 there)."""
    warmup: float = Field(0.06, ge=0, lt=1)
    """Share of the steps over which the rate rises from zero."""
    weight_decay: float = Field(0.01, ge=0, lt=1)
    """Decoupled weight decay of AdamW; biases and norms are spared."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of AdamW's two running means."""
    epsilon: float = Field(1e-8, gt=0, lt=1)
    """AdamW's term against division by zero."""
    gradient_clip: float | None = Field(1.0, gt=0)
    """Longest gradient, in the Euclidean norm over all trained weights; null: no clipping."""
    max_length: int | None = Field(None, ge=2)
    """Longest row in tokens; left out: the longest row there is, up to what the base can take."""
    context: Context | None = None
    """More tokens than the base takes, for decoders with rotary positions; null: as it was made."""
    on_too_long: Literal["error", "drop", "truncate"] = "error"
    """A row over max_length is refused, dropped (counted), or cut: a text at its end, a conversation
    at the beginning of its prompt, never in an answer. What is cut in training is cut when the model
    is measured and served; otherwise it reads what the base can take, and refuses what is longer."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the forward and backward pass; ``auto``: bfloat16 where this machine is faster
    in it. Trained weights are kept in float32 either way."""
    exact: bool = False
    """Leave out our own attention, adapter arithmetic, norms, gated layers and flat rows: the sums in
    the order in which Transformers and PEFT make them."""
    flat: bool | None = None
    """Lay the rows of a pass end to end, without padding, a beginning that they share worked once;
    left out: where it saves a twentieth of the tokens. Language models on a CPU only."""
    frozen_bottom: Literal["kept", "repeated", "within"] | None = None
    """Layers below the lowest trained one: their states of each row worked once and kept on the disk of
    the home; worked again for every pass (slower, the same bits); or as a part of each forward pass,
    with the base's own dropout. Left out: kept, where at least a quarter of the layers is frozen, the
    rows are seen more than once and the disk has the room."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; ``auto``: the GPU if there is one."""
    threads: int | None = Field(None, ge=1, le=1024)
    """Threads of the arithmetic; equal threads give equal bits."""
    seed: int = Field(7, ge=0, lt=2**31)
    """Seed of new weights, order of rows and dropout."""
    early_stopping: int | None = Field(2, ge=1)
    """Stop when validation has not improved for this many evaluations; null: never."""
    evaluations_per_epoch: int = Field(1, ge=1, le=100)
    """How often in an epoch the validation rows are measured."""
    save_every_steps: int | None = Field(None, ge=1)
    """Optimiser steps between two checkpoints; left out: at each evaluation."""
    keep_checkpoints: int = Field(2, ge=1, le=1000)
    """How many of the newest checkpoints are kept, besides the best one."""
    mixing: Literal["proportional", "equal"] | Annotated[float, Field(ge=1)] | None = None
    """How often each of several tasks has its turn: as often as it has batches (``proportional``, if
    left out), all equally often, or in proportion to rows^(1/T) for a temperature T. The ``weight``
    of the tasks says it instead. A step learns from one task."""

    @model_validator(mode="after")
    def _passes_within_the_batch(self) -> Train:
        if self.batch_size and self.micro_batch_size and self.micro_batch_size > self.batch_size:
            raise ValueError(
                f"micro_batch_size {self.micro_batch_size} is more than batch_size {self.batch_size}"
            )
        return self

    @field_validator("betas")
    @classmethod
    def _betas_below_one(cls, betas: tuple[float, float]) -> tuple[float, float]:
        if not all(0 <= b < 1 for b in betas):
            raise ValueError("both must be at least 0 and below 1")
        return betas


class Evaluate(Knobs):
    """What the tuned model is measured against, and how."""

    baselines: tuple[str, ...] | None = None
    """Which candidates are measured beside the tuned model; left out: those of the task."""
    scorers: tuple[str, ...] | None = None
    """Which scores are taken; left out: those of the task."""
    few_shot: int = Field(4, ge=1, le=100)
    """Examples in the prompt of the few-shot baselines."""
    instructions: tuple[str, ...] = ()
    """Instructions of your own that the prompt search tries beside its own."""
    search_calls: int = Field(400, ge=20, le=100_000)
    """Answers that the prompt search may ask of the base before it chooses."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence of the intervals and of the comparison."""
    resamples: int = Field(2000, ge=100, le=100_000)
    """Bootstrap resamples."""
    batch_size: int | None = Field(None, ge=1)
    """Rows answered at once."""
    samples: int = Field(12, ge=0, le=1000)
    """Rows shown side by side in the report."""
    tests: str | None = None
    """File of expectations (JSON lines of an input and what its answer must hold, match or equal);
    a tuned model that fails one does not ship."""
    probe: bool | Annotated[int, Field(ge=0, le=PROBE_ITEMS)] | None = None
    """Items of the general probe (three questions for each text) that the base and the tuned model are
    asked, to see what was forgotten; true: all 160, false: none. Left out, for models that write text:
    as many as take a tenth of the training time, at least 40."""
    latency_rows: int | None = Field(None, ge=0, le=1000)
    """Questions that each candidate answers again, singly, to be timed; left out: 1 in 20, up to 50."""
    slices: tuple[str, ...] = ()
    """Columns of the test rows by whose values errors are sliced, beside length, language and label."""
    robustness: Robustness | None = None
    """Ask the tuned model again with questions written otherwise; left out: not."""
    bias: Bias | None = None
    """Look for answers that depend on who somebody is; left out: not."""


class Goal(Knobs):
    """What the run is for, stated before training; the verdict is judged against it."""

    metric: str
    """Name of the score that counts."""
    at_least: float | None = None
    """The value it must reach (at most, for scores where lower is better)."""
    margin: float = Field(0.0, ge=0)
    """By how much it must beat the best baseline."""
    forgetting: Forgetting | None = Forgetting()
    """How much of what the base knew may be lost before the verdict is hold; null: only measured."""


class Serve(Knobs):
    """Where the model answers."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but this machine needs an API key."""
    port: int = Field(8000, ge=0, le=65_535)
    """Port to listen on; 0 takes a free one."""


__all__ = [
    "Augment",
    "Bias",
    "Columns",
    "Context",
    "Data",
    "Evaluate",
    "Forgetting",
    "Goal",
    "Method",
    "Objective",
    "Replay",
    "Robustness",
    "Serve",
    "Split",
    "Sweep",
    "Task",
    "Train",
]
