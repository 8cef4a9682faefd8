"""The frozen layers below the lowest trained one, as a network of their own.

Their states of a row never change while the layers above are trained, so they need to be worked out
only once (as AutoFreeze does: Liu et al. 2021, arXiv 2102.01386). Nothing of the model is altered: the
two parts are shallow views of it, with other blocks in its list of layers. The bottom runs without
dropout, rows of equal length together in an order that the rows alone decide, so its bits do not hang
on the batches. Assumes blocks that hand on one tensor of states; ``split`` tries it and says no where
the answers differ.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from afina.errors import RecipeError
from afina.methods.blocks import block_list
from afina.models.segments import segments

ROWS_AT_ONCE = 32


class Catch(nn.Module):
    """A block that keeps what reaches it; or, around the last block, what leaves that one."""

    states: torch.Tensor

    def __init__(self, last: nn.Module | None = None) -> None:
        super().__init__()
        self.last = last

    def forward(self, hidden_states: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        given: torch.Tensor = hidden_states
        if self.last is not None:
            given = self.last(hidden_states, *rest, **more)
        self.states = given
        return given


class Enter(nn.Module):
    """A block that gives prepared states, whatever reaches it."""

    states: torch.Tensor

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return self.states


class Skip(nn.Module):
    """A block that does nothing."""

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return hidden_states


class Halves:
    """A model in two parts; ``first`` is the lowest trained layer, or their number where none is.

    ``core`` is the Transformers model whose blocks are shared, not copied; ``pair_mark`` as a network
    has it.
    """

    def __init__(self, core: Any, prefix: str, first: int, pair_mark: int | None = None) -> None:
        self.pair_mark = pair_mark
        blocks = list(core.get_submodule(prefix))
        self.first = first
        whole = first == len(blocks)
        self._catch, self._enter = Catch(blocks[-1] if whole else None), Enter()
        skipped = [Skip() for _ in blocks]
        below = [*blocks[: first - whole], self._catch, *skipped[first + 1 :]]
        self._below = _view(core, prefix, below).eval()
        self._above = _view(core, prefix, [self._enter, *skipped[1:first], *blocks[first:]])

    @torch.no_grad()
    def below(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        """States [B, T, D] that reach the lowest trained layer, for rows of equal length."""
        device = next(self._below.parameters()).device
        ids = torch.tensor([list(r) for r in rows], device=device)
        body = getattr(self._below, "base_model", self._below)
        mode = [m for m in body.modules() if m.training]
        for module in mode:  # the blocks are shared with the model that trains
            module.training = False
        try:
            body(input_ids=ids, **segments(ids, self.pair_mark))
        finally:
            for module in mode:
                module.training = True
        found = self._catch.states
        del self._catch.states
        return found

    def above(self, states: torch.Tensor) -> Any:
        """The Transformers model whose lowest trained layer is given ``states`` [B, T, D] next."""
        self._enter.states = states
        return self._above


def groups(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of rows, sorted by length, that go through the bottom together: of one length each."""
    made: list[list[int]] = []
    for number, row in enumerate(rows):
        if made and len(made[-1]) < ROWS_AT_ONCE and len(rows[made[-1][0]]) == len(row):
            made[-1].append(number)
        else:
            made.append([number])
    return made


def split(module: Any, pair_mark: int | None = None) -> Halves | None:
    """The two parts of a model (or the PeftModel around it) whose method is applied; None where nothing
    below is frozen, or the parts do not give what the whole gives."""
    core = getattr(module, "get_base_model", lambda: module)()
    inside = {id(p) for p in core.parameters()}
    if any(p.requires_grad and id(p) not in inside for p in module.parameters()):
        return None  # something that stands before the layers, as the tokens of a prompt do
    try:
        prefix, depth = block_list(core)
    except RecipeError:
        return None
    first = _lowest_trained(core, prefix, depth)
    if not first:
        return None
    halves = Halves(core, prefix, first, pair_mark)
    return halves if _same(core, halves) else None


def _lowest_trained(core: Any, prefix: str, depth: int) -> int:
    """The lowest layer with a trained weight, their number where none has one; 0 where something outside
    the layers is trained below.

    What stands behind the layers (a final norm) counts as above.
    """
    lowest, seen_layers = depth, False
    for name, parameter in core.named_parameters():
        inside = name.startswith(prefix + ".")
        seen_layers = seen_layers or inside
        if not parameter.requires_grad:
            continue
        if inside:
            lowest = min(lowest, int(name[len(prefix) + 1 :].split(".", 1)[0]))
        elif not seen_layers:
            return 0
    return lowest


@torch.no_grad()
def _same(core: Any, halves: Halves) -> bool:
    """Whether the two parts give the states of the whole, on two rows of tokens."""
    modes = [(m, m.training) for m in core.modules()]
    core.eval()
    halves._above.eval()
    generator = torch.Generator().manual_seed(0)
    device = next(core.parameters()).device
    count = core.get_input_embeddings().num_embeddings
    ids = torch.randint(0, count, (2, 12), generator=generator).to(device)
    try:
        told = segments(ids, halves.pair_mark)
        whole = getattr(core, "base_model", core)(input_ids=ids, **told)[0]
        above = halves.above(halves.below(ids.tolist()))
        found = getattr(above, "base_model", above)(input_ids=ids)[0]
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
        return False
    finally:
        for module, training in modes:
            module.training = training
    return bool(torch.equal(whole, found))


def _view(core: Any, prefix: str, blocks: Sequence[nn.Module]) -> Any:
    """``core`` with other blocks under ``prefix``: copies of the modules on the way, nothing else."""
    top = _shallow(core)
    here = top
    *way, last = prefix.split(".")
    for name in way:
        here._modules[name] = _shallow(here._modules[name])
        here = here._modules[name]
    here._modules[last] = nn.ModuleList(blocks)
    return top


def _shallow(module: Any) -> Any:
    made = copy.copy(module)
    made._modules = dict(module._modules)
    return made
