"""Feature extraction: the base stays as it is, and a linear head over its vectors is all that learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from afina.types import Head, Kept, Method

if TYPE_CHECKING:
    import torch

RATE = 5e-3


class Features(Method):
    """Only the task's head learns, over the vectors of the frozen base.

    The states of a row never change, so they are worked once and kept (``train.frozen_bottom``): an
    epoch costs next to nothing.
    """

    name: Literal["features"] = "features"
    keeps: ClassVar[tuple[Kept, ...]] = ()
    head_dropout: ClassVar[float] = 0.0
    epochs: ClassVar[int | None] = 20

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        module.requires_grad_(False)
        return module

    def refuses(self, head: Head) -> str:
        if head in ("labels", "tags"):
            return ""
        what = "writes text with the base's own head" if head == "tokens" else "has no head"
        return (
            f"method features moves nothing but a new head, and this task {what}: "
            "take method: lora, partial or full"
        )

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return RATE, "a linear head over fixed vectors"
