"""A method as the rooms see it: which weights move, how, and what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from afina.types.knobs import Knobs

if TYPE_CHECKING:
    import torch

    from afina.types.tokens import Head

Kept = Literal["model", "peft", "bottleneck"]
"""A part of a tuned model on disk: all of it, an adapter in PEFT's format, or bottlenecks in ours. A new
head is kept beside them in any case."""


@dataclass(frozen=True, slots=True)
class Move:
    """How a weight moves: at ``rate`` times the run's rate, with weight decay or without (None: as
    usual, matrices decay and vectors do not), from epoch ``from_epoch`` (0: the first) on."""

    rate: float = 1.0
    decays: bool | None = None
    from_epoch: int = 0


class Method(Knobs):
    """Which weights may move."""

    name: str
    keeps: ClassVar[tuple[Kept, ...]] = ("model",)
    """What is saved: the whole model, or only the parts that were set beside the untouched base."""
    four_bit: ClassVar[bool] = False
    """True if the base is loaded in 4-bit NF4."""
    head_dropout: ClassVar[float] = 0.1
    """Share of the numbers that a new head does not see in a step."""
    epochs: ClassVar[int | None] = None
    """Epochs when the recipe names none; None: what is usual for the task."""

    @property
    def precise(self) -> bool:
        """True if what moves stays float32 in the forward pass too: steps too small for bfloat16."""
        return False

    @property
    def virtual_tokens(self) -> int:
        """Places that the method takes before every row; the context has room for so much less."""
        return 0

    @property
    def worked_tokens(self) -> int:
        """Those of them that pass through the whole network with every row."""
        return 0

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

    @property
    def begins_as(self) -> str | None:
        """A text whose tokens the new weights begin as; None: ``apply`` has begun them."""
        return None

    def begin(self, module: torch.nn.Module, ids: Sequence[int]) -> None:
        """Let the new weights of ``module`` (what ``apply`` gave) begin as ``ids``, the tokens of
        ``begins_as``. Raises RecipeError where there are none, or too many."""
        raise NotImplementedError

    def refuses(self, head: Head) -> str:
        """Why the method makes no sense with this head; empty if it does."""
        return ""

    def opened(self) -> Method:
        """The method with which a saved model is opened: the same, without how it was begun."""
        return self

    def written(
        self, module: torch.nn.Module, state: Mapping[str, torch.Tensor]
    ) -> tuple[Mapping[str, torch.Tensor], Mapping[str, Any]]:
        """What PEFT's file is to hold for the trained weights ``state`` (by their names in
        ``module``), and what its configuration says otherwise than the one trained with."""
        return state, {}

    def read(
        self, module: torch.nn.Module, saved: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        """What goes into a newly made ``module`` of what ``written`` gave for the disk."""
        return saved

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        """How weights move, by their name in ``module`` (what ``apply`` gave); others as usual."""
        return {}

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        """A good default for a base of that many parameters, and the reason."""
        raise NotImplementedError
