"""A loaded model as the objectives see it: one class for each kind of head.

Rows are padded on the right. A causal model never looks ahead, so padding cannot reach a real token
and no mask is needed; a bidirectional one gets a mask as soon as two lengths differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, Self, cast

import torch
from torch import nn

from afina.models import flat, virtual
from afina.models.bottom import Halves
from afina.models.layout import of_batch
from afina.models.segments import segments
from afina.types import IGNORED, Batch

CACHE_ROWS = 32
"""Rows of logits worked in float32 at once on a CPU: a few megabytes for usual vocabularies."""
FLAT_SHARE = 0.95
"""A flat line is taken when it has at most this share of the padded places."""
HEAD_CHUNK = 512
"""Positions of the output head worked at once; bounds the logits to 512 × vocabulary."""


class Body(nn.Module):
    """A Transformers model, or the PeftModel around it, and what can be asked of it.

    Each head answers one of the four questions of ``types.Network``; the others are TypeErrors.
    """

    head: nn.Linear | nn.ModuleDict | None
    """A new head of ours (or one for each task), saved beside the body; None where the base's own, or
    none, is used."""
    causal: bool = True
    """Whether a token sees only those before it; ``load`` says so."""

    pair_mark: int | None = None
    """The token after which the second text of a pair begins, where the base was trained to be told so
    by segments; ``load`` says so."""

    halves: Halves | None = None
    """The frozen bottom and the rest; there only while a run trains with states of its own."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.head = None

    def train(self, mode: bool = True) -> Self:
        """As everywhere; but a body in which nothing moves has no dropout: its states stay the same."""
        super().train(mode)
        if not any(p.requires_grad for p in self.module.parameters()):
            self.module.eval()
        return self

    @property
    def each(self) -> tuple[Body, ...]:
        """The networks that answer: this one, or those of several tasks."""
        return (self,)

    @property
    def core(self) -> Any:
        """The Transformers model itself."""
        return getattr(self.module, "get_base_model", lambda: self.module)()

    def run(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor | None = None,
        *,
        body: bool = False,
        batch: Batch | None = None,
    ) -> Any:
        """What the Transformers model (or its ``body`` alone) gives for right-padded ids [B, T];
        places of the virtual tokens that a method may put before them are left out. ``batch``: the
        one that the ids are of: where it brings states, the model goes on from them."""
        core = self.core
        if batch is not None and batch.states is not None and self.halves is not None:
            core = self.halves.above(batch.states)
        core = core.base_model if body else core
        caches = "use_cache" in signature(core.forward).parameters
        options: dict[str, Any] = {"use_cache": False} if caches else {}
        options |= segments(ids, self.pair_mark)
        return virtual.run(self.module, core, ids, mask, causal=self.causal, **options)

    def outputs(self, batch: Batch) -> torch.Tensor:
        """What this head gives for a batch, float32."""
        raise TypeError(f"{type(self).__name__} has no outputs of its own")

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} has no output tokens")

    def option_logprobs(
        self, batch: Batch, options: torch.Tensor | int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        raise TypeError(f"{type(self).__name__} has no output tokens")

    def label_scores(self, batch: Batch) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} has no scores of labels")

    def tag_scores(self, batch: Batch) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} has no scores of tokens")

    def vectors(self, batch: Batch) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} has no vectors")


class TokenNetwork(Body):
    """A causal language model. ``flat``: whether rows may be laid end to end (``models/flat.py``)."""

    flat: bool = False

    def lay_flat(self) -> bool:
        """Work rows end to end from now on, if the network gives the same that way."""
        self.flat = flat.allows(self.core)
        return self.flat

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.token_logprobs(batch)

    def hidden(self, batch: Batch) -> torch.Tensor:
        """Last hidden states [B, T, D]."""
        out: torch.Tensor = self.run(batch.ids, body=True, batch=batch).last_hidden_state
        return out

    def _flat_states(self, batch: Batch, counted: torch.Tensor) -> torch.Tensor | None:
        """The states [N, D] before the targets from a flat line; None where padding is no dearer."""
        if not self.flat:
            return None
        layout = of_batch(batch)
        if layout.tokens > FLAT_SHARE * batch.ids.numel():
            return None
        core = self.core
        if batch.states is not None and self.halves is not None:
            core = self.halves.above(batch.states.flatten(0, 1)[layout.homes(batch.lengths)][None])
        return flat.states(core, layout).index_select(0, layout.places[:, :-1][counted])

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        """Log-probability [N] of each target in the loss, float32 (see ``types.Network``)."""
        wanted = batch.targets[:, 1:]
        counted = wanted != IGNORED
        targets = wanted[counted]
        if not plain_head(self.core.config):
            logits = self.run(batch.ids, batch=batch).logits
            return plain_logprobs(logits[:, :-1][counted], targets)
        states = self._flat_states(batch, counted)
        if states is None:
            states = self.hidden(batch)[:, :-1][counted]
        return logprobs_of_head(states, targets, self.core.get_output_embeddings())

    def option_logprobs(
        self, batch: Batch, options: torch.Tensor | int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [N, K] at each target in the loss, and their log-probabilities [N, K], float32."""
        counted = batch.targets[:, 1:] != IGNORED
        if plain_head(self.core.config):
            states = self._flat_states(batch, counted)
            if states is None:
                states = self.hidden(batch)[:, :-1][counted]
            logits = self.core.get_output_embeddings()(states)
        else:
            logits = self.run(batch.ids, batch=batch).logits[:, :-1][counted]
        every = logits.float().log_softmax(-1)
        if isinstance(options, int):
            values, tokens = every.topk(min(options, every.shape[1]), dim=1)
            return tokens, values
        return options, every.gather(1, options)


class LabelNetwork(Body):
    """A body with a linear head over one vector a text.

    ``pooling``: ``first`` (through the body's own pooler where it has one, as BERT's classifiers
    do), ``mean`` over the real tokens, ``last`` real token (as GPT's classifiers do). The head is
    float32 whatever the body's precision.
    """

    head: nn.Linear

    def __init__(self, module: nn.Module, pooling: str, labels: int, dropout: float) -> None:
        super().__init__(module)
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.head = _new_head(self.core, labels)

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.label_scores(batch)

    def pooled(self, ids: torch.Tensor, lengths: torch.Tensor, **how: Any) -> torch.Tensor:
        """One float32 vector [B, D] a row. ``how``: see ``Body.run``."""
        return pool(self, ids, lengths, self.pooling, **how)

    def label_scores(self, batch: Batch) -> torch.Tensor:
        """Scores [B, C], float32."""
        vectors = self.pooled(batch.ids, batch.lengths, batch=batch)
        scores: torch.Tensor = self.head(self.dropout(vectors))
        return scores


class TagNetwork(Body):
    """A body with a linear head, float32, over each token."""

    head: nn.Linear

    def __init__(self, module: nn.Module, labels: int, dropout: float) -> None:
        super().__init__(module)
        self.dropout = nn.Dropout(dropout)
        self.head = _new_head(self.core, labels)

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.tag_scores(batch)

    def tag_scores(self, batch: Batch) -> torch.Tensor:
        """Scores [B, T, C], float32; those of the padding mean nothing."""
        states, _ = states_of(self, batch.ids, batch.lengths, batch=batch)
        scores: torch.Tensor = self.head(self.dropout(states[0].float()))
        return scores


class VectorNetwork(Body):
    """A body whose states become one vector a text, without a head."""

    def __init__(self, module: nn.Module, pooling: str) -> None:
        super().__init__(module)
        self.pooling = pooling

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.vectors(batch)

    def vectors(self, batch: Batch) -> torch.Tensor:
        """Vectors [B, D], float32."""
        return self.pooled(batch.ids, batch.lengths, batch=batch)

    def pooled(self, ids: torch.Tensor, lengths: torch.Tensor, **how: Any) -> torch.Tensor:
        """One float32 vector [B, D] a row; ``first`` without any pooler of the body."""
        if self.pooling == "first":
            out, _ = states_of(self, ids, lengths, **how)
            first: torch.Tensor = out[0][:, 0].float()
            return first
        return pool(self, ids, lengths, self.pooling, **how)


class SharedNetwork(Body):
    """One body under the networks of several tasks, by their names; each of them answers.

    A network in it is what its task alone would have, over the same ``module``.
    """

    def __init__(self, module: nn.Module, tasks: Mapping[str, Body]) -> None:
        super().__init__(module)
        heads = {f"task-{n}": t.head for n, t in tasks.items() if t.head is not None}
        self.head = nn.ModuleDict(heads) if heads else None
        self._of = nn.ModuleDict({f"task-{name}": network for name, network in tasks.items()})

    @property
    def each(self) -> tuple[Body, ...]:
        return tuple(cast(Body, network) for network in self._of.values())

    def of(self, task: str) -> Body:
        """The network of one task."""
        return cast(Body, self._of[f"task-{task}"])


def _new_head(core: Any, outputs: int) -> nn.Linear:
    head = nn.Linear(int(core.config.hidden_size), outputs)
    nn.init.normal_(head.weight, std=0.02)
    nn.init.zeros_(head.bias)
    return head


def states_of(
    network: Body, ids: torch.Tensor, lengths: torch.Tensor, **how: Any
) -> tuple[Any, torch.Tensor]:
    """The output for right-padded ids, and which places are real tokens [B, T]. ``how``: what
    ``Body.run`` takes besides."""
    width = ids.shape[1]
    inside = torch.arange(width, device=ids.device)[None, :] < lengths[:, None]
    mask = None if bool((lengths == width).all()) else inside.long()
    return network.run(ids, mask, **how), inside


def pool(
    network: Body, ids: torch.Tensor, lengths: torch.Tensor, pooling: str, **how: Any
) -> torch.Tensor:
    """Float32 vectors [B, D]: the states brought to one vector a row. ``how``: see ``Body.run``."""
    out, inside = states_of(network, ids, lengths, **how)
    states: torch.Tensor = out[0]
    if pooling == "first":
        through_pooler: torch.Tensor | None = getattr(out, "pooler_output", None)
        return states[:, 0].float() if through_pooler is None else through_pooler.float()
    if pooling == "last":
        return states[torch.arange(len(ids), device=ids.device), lengths - 1].float()
    kept = states.float() * inside[:, :, None]
    return kept.sum(dim=1) / lengths[:, None].float()


class FrozenHeadLogprobs(torch.autograd.Function):
    """Log-probabilities through a frozen head, with the gradient formed in the forward pass.

    For one token, d log p(y) / d state = W[y] − Σ_v p(v) W[v]: a vector that later only needs the
    factor of that token. So the logits are computed once (no recomputation, none kept), and no
    gradient of the head is formed. Same idea as Liger-Kernel's fused linear cross-entropy (Hsu et
    al. 2024, arXiv 2410.10989), here for log-probabilities so that every objective can use it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        targets: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        """states [N, D], targets [N], weight [V, D], bias [V] or None → [N] float32."""
        logprobs = torch.empty(len(states), dtype=torch.float32, device=states.device)
        slopes = torch.empty_like(states)
        narrow = CACHE_ROWS if states.device.type == "cpu" else HEAD_CHUNK
        for start in range(0, len(states), HEAD_CHUNK):
            rows = slice(start, start + HEAD_CHUNK)
            logits = nn.functional.linear(states[rows], weight, bias)
            for first in range(0, len(logits), narrow):
                few = slice(first, first + narrow)
                _to_slopes(logits[few], targets[rows][few, None], logprobs[rows][few])
            torch.mm(logits, weight, out=slopes[rows])
        ctx.save_for_backward(slopes)
        return logprobs

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        (slopes,) = ctx.saved_tensors
        return slopes * upstream[:, None].to(slopes.dtype), None, None, None


def _to_slopes(logits: torch.Tensor, wanted: torch.Tensor, logprobs: torch.Tensor) -> None:
    """Logits [N, V] become 1[v = wanted] − p(v) in place; their log-probabilities go to ``logprobs``.

    The exponentials are formed once, in float32, for as many rows as stay in the processor's cache.
    """
    scores = logits.float()
    top = scores.amax(1, keepdim=True)
    right = scores.gather(1, wanted)
    scores = scores.sub_(top).exp_()
    total = scores.sum(1, keepdim=True)
    logprobs.copy_((right - top - total.log()).squeeze(1))
    scores.mul_(-1.0 / total)
    scores.scatter_add_(1, wanted, torch.ones_like(right))
    logits.copy_(scores)


def logprobs_of_head(
    states: torch.Tensor, targets: torch.Tensor, head: Any, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Log-probabilities [N], float32, of targets [N] behind states [N, D], some at a time.

    ``bias`` [V] is added to what the head gives.
    """
    if head.weight.requires_grad or not torch.is_grad_enabled():
        starts = range(0, len(targets), HEAD_CHUNK) if len(targets) else (0,)
        parts = [slice(start, start + HEAD_CHUNK) for start in starts]
        added: Any = 0.0 if bias is None else bias
        return torch.cat([plain_logprobs(head(states[p]) + added, targets[p]) for p in parts])
    own = head.bias if bias is None else bias if head.bias is None else head.bias + bias
    result: torch.Tensor = FrozenHeadLogprobs.apply(  # type: ignore[no-untyped-call]
        states, targets, head.weight, own
    )
    return result


def plain_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -nn.functional.cross_entropy(logits.float(), targets, reduction="none")


def plain_head(config: Any) -> bool:
    """Whether logits are just head(states): some families cap or scale them."""
    return not any(
        getattr(config, name, None)
        for name in (
            "final_logit_softcapping",
            "logit_scale",
            "logits_scaling",
            "lm_head_multiplier",
        )
    )
