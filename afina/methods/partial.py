"""Partial fine-tuning: the embeddings and the lower layers stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from afina.errors import RecipeError
from afina.methods.blocks import block_list
from afina.methods.rates import base_learning_rate
from afina.types import Head, Method, Move
from afina.types.patterns import compiled, matching

if TYPE_CHECKING:
    import torch


class Partial(Method):
    """The upper layers move; embeddings and lower layers stay frozen, bit for bit."""

    name: Literal["partial"] = "partial"
    train_layers: int | None = Field(None, ge=0)
    """How many of the uppermost layers move; left out: the upper quarter, at least one."""
    freeze_embeddings: bool = True
    """Whether the embeddings stay frozen."""
    freeze: tuple[str, ...] = ()
    """Patterns (regular expressions without look-around, searched in the parameter's name) that stay
    frozen besides."""
    train: tuple[str, ...] = ()
    """Patterns that move all the same; they win over everything above."""
    gradual: bool = False
    """Begin with the uppermost layer and add the next one below at each epoch (ULMFiT, Howard & Ruder
    2018, arXiv 1801.06146); the embeddings come last. Fewer epochs than layers leave some frozen."""
    layer_factor: float | None = Field(None, gt=1.0, le=100.0)
    """By how much slower each layer moves than the one above it; 2.6 in ULMFiT. Left out: all alike."""

    @field_validator("freeze", "train")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            compiled(pattern)
        return patterns

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        prefix, depth = block_list(module)
        count = max(1, depth // 4) if self.train_layers is None else self.train_layers
        if count > depth:
            raise RecipeError(
                f"{count} layers to train, and the base has {depth}",
                where="method.train_layers",
                do=f"take at most {depth}",
            )
        frozen, moved = self._named([name for name, _ in module.named_parameters()])
        first = depth - count
        embeddings = {id(p) for p in _embedding_parameters(module)}
        for name, parameter in module.named_parameters():
            layer = _layer_index(name, prefix)
            moves = layer >= first if layer is not None else not _below(module, name, prefix)
            if id(parameter) in embeddings:
                moves = not self.freeze_embeddings
            if name in frozen:
                moves = False
            if name in moved:
                moves = True
            parameter.requires_grad_(moves and parameter.is_floating_point())
        if head == "tokens" and not any(p.requires_grad for p in module.parameters()):
            raise RecipeError(
                "nothing is left to train",
                where="method",
                do="raise method.train_layers, or name parameters in method.train",
            )
        return module

    def _named(self, names: list[str]) -> tuple[set[str], set[str]]:
        """The parameters that ``freeze`` and ``train`` name.

        A pattern that names none is a slip: what it meant would move, or would not.
        """
        found: dict[str, set[str]] = {"freeze": set(), "train": set()}
        for key, patterns in (("freeze", self.freeze), ("train", self.train)):
            for pattern in patterns:
                hits = matching(pattern, names)
                if not hits:
                    raise RecipeError(
                        f"no parameter of this base matches {pattern!r}",
                        where=f"method.{key}",
                        do=f"names look like: {', '.join(names[:: max(1, len(names) // 6)][:6])}",
                    )
                found[key] |= hits
        return found["freeze"], found["train"]

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        if not self.gradual and self.layer_factor is None:
            return {}
        prefix, depth = block_list(module)
        trained = [n for n, p in module.named_parameters() if p.requires_grad]
        layers = {name: _layer_index(name, prefix) for name in trained}
        lowest = min((i for i in layers.values() if i is not None), default=depth)
        found = {}
        for name, layer in layers.items():
            if layer is not None:
                below = depth - 1 - layer
            else:  # what stands before the layers follows the lowest one; what stands behind, none
                below = depth - lowest if _below(module, name, prefix) else 0
            rate = (self.layer_factor or 1.0) ** -below
            found[name] = Move(rate=rate, from_epoch=below if self.gradual else 0)
        return found

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return base_learning_rate(parameters)


def _layer_index(name: str, prefix: str) -> int | None:
    if not name.startswith(prefix + "."):
        return None
    index = name[len(prefix) + 1 :].split(".", 1)[0]
    return int(index) if index.isdigit() else None


def _below(module: torch.nn.Module, name: str, prefix: str) -> bool:
    """Whether a parameter outside the layers stands before them (it is frozen with them)."""
    if "layernorm_embedding" in name:  # BART names it last, and works with it first
        return True
    order = [n for n, _ in module.named_parameters()]
    first_layer = next(i for i, n in enumerate(order) if n.startswith(prefix + "."))
    return order.index(name) < first_layer


def _embedding_parameters(module: torch.nn.Module) -> list[torch.nn.Parameter]:
    from torch.nn import Embedding

    return [
        p for child in module.modules() if isinstance(child, Embedding) for p in child.parameters()
    ]
