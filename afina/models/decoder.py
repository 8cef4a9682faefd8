"""A batch of rows on their way through a decoder: prompts in, then one token a row and step.

Rows are padded on the left, so that all of them end in the same column. Where a prompt's beginning
was worked before (a shared prefix), its keys and values are shifted to each row's place, and the
row's last tokens follow: padding stays outside the text whatever the lengths are.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from afina.models.cache import KeyValueCache, takes_cache
from afina.models.load import Model
from afina.models.network import TokenNetwork, logprobs_of_head, plain_head, plain_logprobs
from afina.models.seq2seq import SourceNetwork
from afina.models.virtual import fill, virtual_tokens
from afina.types import IGNORED

SHORTEST_PREFIX = 16
"""Tokens from which a shared beginning is worth a run of its own."""


@dataclass(frozen=True)
class Prefix:
    """The beginning of several prompts, worked once. ``ids`` are its tokens; ``virtual`` tokens of
    the method stand before them."""

    ids: tuple[int, ...]
    cache: KeyValueCache
    virtual: int = 0

    @property
    def columns(self) -> int:
        return self.virtual + len(self.ids)


class Decoder:
    """``logits`` [B, V]: the scores of each row's next token. Nothing here chooses or stops.

    ``room``: tokens that may follow the prompts. A network that keeps no keys and values (Mamba)
    is worked from the beginning at every step.
    """

    logits: torch.Tensor

    def __init__(
        self,
        model: Model,
        prompts: Sequence[Sequence[int]],
        room: int,
        prefix: Prefix | None = None,
    ) -> None:
        self._core = core_of(model)
        self._device = model.device
        self._accepts = inspect.signature(self._core.forward).parameters
        self._rows = [list(p) for p in prompts]
        prefix = prefix or work_prefix(model, ())
        virtual = prefix.virtual if prefix else 0
        lengths = [virtual + len(p) for p in prompts]
        self.width = max(lengths)
        self._first = torch.tensor([self.width - n for n in lengths], device=self._device)
        if not takes_cache(self._core):
            self.cache: KeyValueCache | None = None
            self._again()
            return
        done = prefix.columns if prefix else 0
        capacity = self.width + room
        if prefix:
            self.cache = prefix.cache.shifted(
                [self.width - n for n in lengths], capacity, prefix.virtual
            )
        else:
            self.cache = KeyValueCache(capacity)
        ids = torch.zeros(len(prompts), self.width - done, dtype=torch.long)
        for row, prompt in enumerate(prompts):
            tail = prompt[-ids.shape[1] :]
            ids[row, ids.shape[1] - len(tail) :] = torch.tensor(list(tail))
        self.logits = self.forward(ids.to(self._device))[:, -1]

    def step(self, tokens: Sequence[int]) -> None:
        """Add one token to each row."""
        if self.cache is None:
            for row, token in zip(self._rows, tokens, strict=True):
                row.append(token)
            self._again()
            return
        self.width += 1
        ids = torch.tensor(tokens, dtype=torch.long, device=self._device)[:, None]
        self.logits = self.forward(ids)[:, -1]

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        self._rows = [self._rows[r] for r in rows]
        chosen = torch.tensor(list(rows), dtype=torch.long, device=self._device)
        self._first = self._first[chosen]
        self.logits = self.logits[chosen]
        if self.cache is not None:
            self.cache.keep(chosen)

    @torch.inference_mode()
    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Logits [B, 1, V] after the last of ``ids`` [B, Q], the next columns of every row."""
        columns = torch.arange(self.width, device=self._device)
        options: dict[str, Any] = {
            "past_key_values": self.cache,
            "use_cache": True,
            "attention_mask": (columns[None, :] >= self._first[:, None]).long(),
        }
        if "position_ids" in self._accepts:
            places = columns[-ids.shape[1] :][None, :] - self._first[:, None]
            options["position_ids"] = places.clamp_(min=0)
        if "logits_to_keep" in self._accepts:
            # By its place, not as "the last one": a slice of [B, Q, H] is no matrix in memory, and
            # PyTorch would copy the whole head once for each row.
            options["logits_to_keep"] = columns.new_tensor([ids.shape[1] - 1])
        logits: torch.Tensor = self._core(input_ids=ids, **options).logits
        return logits[:, -1:]

    @torch.inference_mode()
    def branches(
        self, tokens: Sequence[int], parents: Sequence[int], depths: Sequence[int]
    ) -> torch.Tensor:
        """Log-probabilities float32 [B, N, V] behind each node of a tree of tokens.

        Node n follows node ``parents[n]`` (-1: the prompt) and stands ``depths[n]`` tokens behind
        the prompt's end. It sees the prompt, its ancestors and itself. Ends this decoder's use.
        """
        nodes, rows = len(tokens), len(self._rows)
        sees = torch.eye(nodes, dtype=torch.bool, device=self._device)
        for node, parent in enumerate(parents):  # a parent stands before its children
            if parent >= 0:
                sees[node] |= sees[parent]
        columns = torch.arange(self.width, device=self._device)
        prompt = (columns[None, :] >= self._first[:, None])[:, None, None, :]
        mask = torch.cat(
            [prompt.expand(rows, 1, nodes, -1), sees.expand(rows, 1, nodes, nodes)], dim=-1
        )
        depth = torch.tensor(depths, device=self._device)
        ids = torch.tensor(tokens, dtype=torch.long, device=self._device).expand(rows, nodes)
        logits = self._core(
            input_ids=ids,
            attention_mask=mask,
            position_ids=self.width - self._first[:, None] + depth[None, :],
            past_key_values=self.cache,
            use_cache=True,
        ).logits
        result: torch.Tensor = logits.float().log_softmax(-1)
        return result

    @staticmethod
    def takes_positions(core: Any) -> bool:
        """Whether the network can be told at which position each token stands."""
        return "position_ids" in inspect.signature(core.forward).parameters

    @torch.inference_mode()
    def _again(self) -> None:
        """Work every row from its beginning, padded on the right."""
        lengths = [len(r) for r in self._rows]
        ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
        for i, row in enumerate(self._rows):
            ids[i, : len(row)] = torch.tensor(row)
        logits = self._core(input_ids=ids.to(self._device), use_cache=False).logits
        ends = torch.tensor(lengths, device=self._device) - 1
        self.logits = logits[torch.arange(len(lengths), device=self._device), ends]


@torch.inference_mode()
def continued(
    model: Model, prefix: Prefix, ids: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Log-probabilities [N], float32, of the targets [B, T] that are not ``IGNORED``, each behind its
    token of the right-padded ids [B, T], which follow the prefix in every row."""
    core = core_of(model)
    done, (rows, width) = prefix.columns, ids.shape
    options: dict[str, Any] = {}
    if Decoder.takes_positions(core):
        columns = torch.arange(done, done + width, device=ids.device)
        options["position_ids"] = columns.expand(rows, width)
    counted = targets != IGNORED
    body = core.base_model if plain_head(core.config) else core
    out = body(
        input_ids=ids,
        attention_mask=torch.ones(rows, done + width, dtype=torch.long, device=ids.device),
        past_key_values=prefix.cache.shifted([0] * rows, done + width),
        use_cache=True,
        **options,
    )
    if body is core:
        return plain_logprobs(out.logits[counted], targets[counted])
    states = out.last_hidden_state[counted]
    return logprobs_of_head(states, targets[counted], core.get_output_embeddings())


def core_of(model: Model) -> Any:
    """The Transformers language model. A classifier has none: TypeError, a fault of the caller."""
    if not isinstance(model.network, TokenNetwork | SourceNetwork):
        raise TypeError("a classifier writes no text")
    return model.network.core


def shared_length(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens with which all prompts begin, at least one left for each; 0 if not worth a run."""
    if len(prompts) < 2:
        return 0
    lowest, highest = min(prompts, key=tuple), max(prompts, key=tuple)
    most = min(len(p) for p in prompts) - 1
    same = 0
    while same < min(most, len(highest)) and lowest[same] == highest[same]:
        same += 1
    return same if same >= SHORTEST_PREFIX else 0


@torch.inference_mode()
def work_prefix(model: Model, ids: Sequence[int]) -> Prefix | None:
    """The keys and values of the method's virtual tokens and of a shared beginning; None where
    there is neither, or where the network keeps none."""
    core = core_of(model)
    module = model.network.module
    virtual = virtual_tokens(module)
    if not (ids or virtual) or not takes_cache(core):
        return None
    cache = KeyValueCache(virtual + len(ids))
    if virtual:
        fill(module, core, cache)
    if ids:
        options: dict[str, Any] = {}
        if "logits_to_keep" in inspect.signature(core.forward).parameters:
            options["logits_to_keep"] = 1
        tokens = torch.tensor([list(ids)], dtype=torch.long, device=model.device)
        core(input_ids=tokens, past_key_values=cache, use_cache=True, **options)
    return Prefix(tuple(ids), cache, virtual)
