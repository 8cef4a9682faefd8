"""An encoder-decoder: what it makes of a batch, and its decoder on the way through an answer.

The source is padded on the right and masked; what is written begins with the decoder's start token,
so that a target stands behind the tokens it is predicted from, as in a decoder alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from afina.models.cache import KeyValueCache
from afina.models.network import Body, logprobs_of_head
from afina.types import IGNORED, Batch


class SourceNetwork(Body):
    """An encoder-decoder that writes text. Raises TypeError for a batch without sources."""

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.token_logprobs(batch)

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        """Log-probability [N] of each target in the loss, float32 (see ``types.Network``)."""
        if batch.sources is None or batch.source_lengths is None:
            raise TypeError("an encoder-decoder needs what it is to read")
        core = self.core
        wanted = batch.targets[:, 1:]
        counted = wanted != IGNORED
        mask = mask_of(batch.sources, batch.source_lengths)
        read = core.get_encoder()(input_ids=batch.sources, attention_mask=mask)[0]
        states = core.get_decoder()(
            input_ids=batch.ids,
            encoder_hidden_states=read,
            encoder_attention_mask=mask,
            use_cache=False,
        )[0]
        states = states[:, :-1][counted]
        if _scales(core.config):
            states = states * core.config.d_model**-0.5
        head = core.get_output_embeddings()
        bias = getattr(core, "final_logits_bias", None)
        return logprobs_of_head(states, wanted[counted], head, None if bias is None else bias[0])


def _scales(config: Any) -> bool:
    """Whether the decoder's states are brought to another size before the head (T5's first version)."""
    if config.model_type == "umt5":
        return bool(config.tie_word_embeddings)
    return bool(getattr(config, "scale_decoder_outputs", False))


def mask_of(sources: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor | None:
    """Which places of right-padded sources are real, int64 [B, S]; None if all of them are."""
    width = sources.shape[1]
    if bool((lengths == width).all()):
        return None
    return (torch.arange(width, device=sources.device)[None, :] < lengths[:, None]).long()


class SourceDecoder:
    """A batch of sources, read once, and what is written of each; as ``decoder.Decoder``.

    ``logits`` [B, V]: the scores of each row's next token. ``opening``: the tokens that every answer
    begins with, the start token first; they are not part of it.
    """

    logits: torch.Tensor

    @torch.inference_mode()
    def __init__(
        self,
        core: Any,
        sources: Sequence[Sequence[int]],
        opening: Sequence[int],
        room: int,
        device: torch.device,
    ) -> None:
        self._core = core
        self._device = device
        lengths = torch.tensor([len(s) for s in sources], device=device)
        ids = torch.zeros(len(sources), int(lengths.max()), dtype=torch.long, device=device)
        for row, source in enumerate(sources):
            ids[row, : len(source)] = torch.tensor(list(source), device=device)
        self._mask = mask_of(ids, lengths)
        self._read = core.get_encoder()(input_ids=ids, attention_mask=self._mask)[0]
        self._cache = EncoderDecoderCache(KeyValueCache(len(opening) + room), DynamicCache())
        first = torch.tensor([list(opening)], dtype=torch.long, device=device)
        self._forward(first.expand(len(sources), -1))

    def step(self, tokens: Sequence[int]) -> None:
        """Add one token to each row."""
        self._forward(torch.tensor(tokens, dtype=torch.long, device=self._device)[:, None])

    @torch.inference_mode()
    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        chosen = torch.tensor(list(rows), dtype=torch.long, device=self._device)
        self.logits = self.logits[chosen]
        self._read = self._read[chosen]
        self._mask = None if self._mask is None else self._mask[chosen]
        self._cache.self_attention_cache.keep(chosen)
        self._cache.cross_attention_cache.batch_select_indices(chosen)

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor) -> None:
        self.logits = self._core(
            decoder_input_ids=ids,
            encoder_outputs=BaseModelOutput(last_hidden_state=self._read),
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
        ).logits[:, -1]
