"""Prompt tuning: learned vectors before every row (Lester et al. 2021, arXiv 2104.08691)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from afina.errors import RecipeError
from afina.methods.virtual import check_virtual
from afina.types import Head, Kept, Method, Move

if TYPE_CHECKING:
    import torch


class Prompt(Method):
    """Learned vectors that stand before the text as if they were words; the base stays as it is."""

    name: Literal["prompt"] = "prompt"
    length: int = Field(20, ge=1, le=4096)
    """Virtual tokens: so many places of the context are theirs. More than 20 gain little."""
    text: str | None = Field(None, min_length=1)
    """What they begin as: the words of this text, over and over; left out: words drawn at random."""

    keeps: ClassVar[tuple[Kept, ...]] = ("peft",)

    @property
    def precise(self) -> bool:
        return True

    @property
    def virtual_tokens(self) -> int:
        return self.length

    @property
    def worked_tokens(self) -> int:
        return self.length

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        import torch
        from peft import PromptTuningConfig, get_peft_model

        check_virtual(module, keys_and_values=head == "tokens")
        config = PromptTuningConfig(
            num_virtual_tokens=self.length,
            task_type="CAUSAL_LM" if head == "tokens" else "FEATURE_EXTRACTION",
        )
        wrapped: torch.nn.Module = get_peft_model(module, config, autocast_adapter_dtype=False)
        if self.text is None:
            vocabulary = int(module.get_input_embeddings().num_embeddings)  # type: ignore[operator]
            ids = torch.randint(vocabulary, (self.length,), device="cpu").tolist()
            _set_words(wrapped, ids)
        return wrapped

    @property
    def begins_as(self) -> str | None:
        return self.text

    def begin(self, module: torch.nn.Module, ids: Sequence[int]) -> None:
        if not 0 < len(ids) <= self.length:
            raise RecipeError(
                f"the text has {len(ids)} tokens and the prompt {self.length}",
                where="method.text",
                do=f"set method.length to {max(1, len(ids))} or more, or shorten the text"
                if ids
                else "write some words",
            )
        _set_words(module, (list(ids) * -(-self.length // len(ids)))[: self.length])

    def opened(self) -> Method:
        return self.model_copy(update={"text": None})

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        # Decay would pull the vectors away from words; the rate is high enough for it to matter.
        return {n: Move(decays=False) for n, p in module.named_parameters() if p.requires_grad}

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return 3e-2, "a soft prompt: a tenth of the 0.3 that Lester et al. 2021 take with Adafactor"


def _set_words(module: Any, ids: Sequence[int]) -> None:
    """Begin the vectors as the base's own vectors of ``ids``."""
    import torch

    words = module.get_base_model().get_input_embeddings()
    with torch.no_grad():
        place = torch.tensor(ids, device=words.weight.device)
        module.prompt_encoder["default"].embedding.weight.copy_(words(place))
