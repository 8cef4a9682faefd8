"""What a baseline is built from, and what each of them can say about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from afina.errors import DataError, ModelError
from afina.recipe import Evaluate, Goal, Retrieval
from afina.tasks import Classify
from afina.types import Answer, Example, Input, LabelledExample, NumberExample, Task

if TYPE_CHECKING:
    from afina.models.sources import Base


Kind = TypeVar("Kind", bound=Task)


@dataclass(frozen=True)
class Facts:
    """About a fitted baseline. ``head_tokens``: tokens of its prompt before the question;
    ``disk_bytes``: the size of the base's files, None for one that asks no base."""

    what: str
    head_tokens: int = 0
    examples: int = 0
    instruction: str = ""
    seconds_to_fit: float = 0.0
    disk_bytes: int | None = None
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """For people, on one line."""
        parts = [self.what]
        if self.head_tokens:
            parts.append(f"{self.head_tokens} tokens in its prompt's head")
        parts.append(f"{self.seconds_to_fit:.1f} s to make")
        return "; ".join([*parts, *self.notes])


Precision = Literal["auto", "float32", "bfloat16"]


class Baseline(Protocol):
    """A Predictor that can describe itself."""

    facts: Facts

    @property
    def name(self) -> str: ...

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order."""
        ...

    def describe(self) -> dict[str, Any]:
        """``facts`` as plain values."""
        ...


class Fitted:
    """The part that all baselines share. ``_answer`` is given by each."""

    def __init__(
        self, name: str, facts: Facts, answer: Callable[[Sequence[Input]], list[Answer]]
    ) -> None:
        self._name = name
        self._answer = answer
        self.facts = facts

    @property
    def name(self) -> str:
        return self._name

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order."""
        return self._answer(inputs) if inputs else []

    def describe(self) -> dict[str, Any]:
        """What it is, the tokens of its prompt's head, and the seconds it took to make."""
        return asdict(self.facts)


@dataclass(frozen=True)
class Request:
    """The resolved task, the training rows, the recipe's base (None: not at hand) and settings.

    ``validation``: rows that a baseline may choose by; ``goal``: what counts;
    ``retrieval``: documents to answer from. ``asked``: the base, once ``the_base`` gave it away.
    """

    task: Task
    train: tuple[Example, ...]
    base: Base | None
    settings: Evaluate
    seed: int
    device: str = "auto"
    precision: Precision = "auto"
    cache: Path | None = None
    validation: tuple[Example, ...] = ()
    goal: Goal | None = None
    retrieval: Retrieval | None = None
    asked: list[Base] = field(default_factory=list)

    def check(self, name: str) -> None:
        """Raise DataError where there is nothing to learn from."""
        if not self.train:
            raise DataError(
                f"the baseline {name} has no training rows to learn from",
                where="data.train",
                do="give it rows, or leave the baseline out of evaluate.baselines",
            )

    def classify(self, name: str) -> Classify:
        """The task, if it gives each text labels. Raises DataError if it does not."""
        return self.of(Classify, name, "gives each text a label")

    def of(self, kind: type[Kind], name: str, does: str) -> Kind:
        """The task, if it is of that kind. Raises DataError if it is not; ``does``: what it would do."""
        if not isinstance(self.task, kind):
            raise DataError(
                f"{name} {does}, and this task is {self.task.name}",
                where="evaluate.baselines",
                do=f"for task: {self.task.name} take {', '.join(self.task.baselines())}",
            )
        return self.task

    def the_base(self, name: str) -> Base:
        """The recipe's base, noted as ``asked``. Raises ModelError if it is not at hand."""
        if self.base is None:
            raise ModelError(
                f"{name} needs the recipe's base", where="base", do="name one in the recipe"
            )
        self.asked.append(self.base)
        return self.base

    def loading(self) -> dict[str, Any]:
        """``device`` and ``dtype`` to load the base with."""
        import torch

        from afina.models.load import DTYPES
        from afina.models.predictor import find_device

        device = find_device(self.device)
        if self.precision == "auto":
            dtype = torch.float32 if device == "cpu" else torch.bfloat16
        else:
            dtype = DTYPES[self.precision]
        return {"device": device, "dtype": dtype}

    def texts(self) -> list[str]:
        """What is asked in each training row."""
        return [question_text(self.task.question(example)) for example in self.train]

    def labels(self) -> list[tuple[str, ...]]:
        """The labels of each training row."""
        return [cast(LabelledExample, example).labels for example in self.train]

    def numbers(self) -> list[float]:
        """The number of each training row."""
        return [cast(NumberExample, example).number for example in self.train]


def question_text(given: Input) -> str:
    """What a question says, without the system message (it is the same in all of them)."""
    turns = given.joined().messages
    return "\n".join(m.content for m in turns if m.role != "system" and m.content)


Builder = Callable[[Request], Baseline]
