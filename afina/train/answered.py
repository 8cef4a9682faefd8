"""A network that has answered already: an objective can be asked without a forward pass."""

from __future__ import annotations

import torch

from afina.types import Batch


class Answered:
    """Gives the answers it was made with, by the names of ``types.Network``; others are TypeErrors."""

    def __init__(self, **answers: torch.Tensor) -> None:
        self._answers = answers

    def _known(self, name: str) -> torch.Tensor:
        if name not in self._answers:
            raise TypeError(f"{name} are not known, only {', '.join(self._answers)}")
        return self._answers[name]

    def vectors(self, batch: Batch) -> torch.Tensor:
        return self._known("vectors")

    def label_scores(self, batch: Batch) -> torch.Tensor:
        return self._known("label_scores")

    def tag_scores(self, batch: Batch) -> torch.Tensor:
        return self._known("tag_scores")

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        return self._known("token_logprobs")

    def option_logprobs(
        self, batch: Batch, options: torch.Tensor | int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        raise TypeError("options are not known")
