"""One vector for each text, from a frozen network."""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from afina.errors import ModelError
from afina.models.length import shorten_prompt
from afina.models.likelihood import like_lengths, padded
from afina.models.load import Model, load
from afina.models.network import LabelNetwork, VectorNetwork, pool
from afina.models.render import ChatRenderer
from afina.models.sources import Base
from afina.tasks import Classify

ROWS_AT_ONCE = 64


class Embedder:
    """Turns texts into float32 vectors.

    ``pooled`` brings right-padded ids [B, T] and lengths [B] to vectors [B, D]. ``prompt`` stands
    before every text (some sentence encoders were trained with one). ``identity`` names everything
    that decides the vectors besides the texts, for the cache.
    """

    def __init__(
        self,
        pooled: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        renderer: ChatRenderer,
        *,
        context_length: int,
        device: torch.device,
        identity: str,
        prompt: str = "",
        size: int = 0,
        cut_to: int | None = None,
    ) -> None:
        self._pooled = pooled
        self._cut_to = cut_to
        self._renderer = renderer
        self._context_length = context_length
        self._device = device
        self._size = size
        self.identity = identity
        self.prompt = prompt

    @classmethod
    def open(
        cls,
        base: Base,
        *,
        pooling: str | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> Embedder:
        """The untuned base. ``pooling``: mean, first or last; left out: the base's own, else mean.

        A base that was trained with a prompt before its queries (E5) gets it before every text.
        """
        way = pooling or base.pooling or "mean"
        task = Classify(labels=("0", "1"), several=False, pooling="mean")  # its head is not used
        model = load(base, task, None, dtype=dtype, device=device)
        prompt = dict(base.prompts).get("query", "")
        return cls(
            _states(model, way),
            model.renderer,
            context_length=base.context_length,
            device=model.device,
            identity=f"{base.sha256} {way} {dtype} {prompt!r}",
            prompt=prompt,
            size=base.hidden_size,
        )

    def before(self, prompt: str) -> Embedder:
        """The same with other words before every text."""
        other = copy.copy(self)
        other.prompt = prompt
        other.identity = f"{self.identity} {prompt!r}" if self.identity else ""
        return other

    @classmethod
    def of(cls, model: Model) -> Embedder:
        """A tuned model: the vector that its label head sees, or the mean of its states.

        A text is cut where the training rows were cut; a model that was trained to make vectors has
        the words that its base wants before a query before every text.
        """
        network = model.network
        if isinstance(network, LabelNetwork | VectorNetwork):
            pooled: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = network.pooled
        else:
            pooled = _states(model, "mean")
        return cls(
            pooled,
            model.renderer,
            context_length=model.context_length,
            device=model.device,
            identity="",
            prompt=model.renderer.prompt_of("query") if model.head == "vector" else "",
            size=model.base.hidden_size,
            cut_to=model.cut_to,
        )

    def ids(self, text: str) -> tuple[int, ...]:
        """The tokens of a text as they are embedded."""
        ids = self._renderer.text(self.prompt + text)
        return ids if self._cut_to is None else shorten_prompt(ids, self._cut_to, keeps_end=False)

    def vectors(
        self, texts: Sequence[str], *, normalised: bool = False, cache: Path | None = None
    ) -> np.ndarray:
        """Float32 [N, D], in the order of the texts; of length 1 if ``normalised``.

        ``cache``: a folder that keeps them for the next time. Raises ModelError for a text that is
        longer than the context or has no tokens.
        """
        path = cache / f"{self._key(texts, normalised)}.npy" if cache and self.identity else None
        if path is not None and (kept := _read(path, len(texts))) is not None:
            return kept
        found = self._work(texts)
        if normalised:
            found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        if path is not None:
            _write(path, found)
        return found

    @torch.inference_mode()
    def _work(self, texts: Sequence[str]) -> np.ndarray:
        distinct = list(dict.fromkeys(texts))
        rows = [self.ids(text) for text in distinct]
        for text, row in zip(distinct, rows, strict=True):
            self._check(text, len(row))
        vectors: dict[str, np.ndarray] = {}
        for part in like_lengths([len(r) for r in rows], ROWS_AT_ONCE):
            ids, lengths = padded([rows[i] for i in part], self._device)
            values = self._pooled(ids, lengths).float().cpu().numpy()
            vectors |= {distinct[i]: v for i, v in zip(part, values, strict=True)}
        if not texts:
            return np.zeros((0, self._size), dtype=np.float32)
        return np.stack([vectors[text] for text in texts]).astype(np.float32)

    def _check(self, text: str, tokens: int) -> None:
        if tokens > self._context_length:
            raise ModelError(
                f"a text has {tokens} tokens and the base takes {self._context_length}",
                where=f"text beginning {text[:40]!r}",
                do="shorten it, or take a base with a longer context",
                told=("too_long", {"tokens": tokens, "most": self._context_length}),
            )
        if tokens == 0:
            raise ModelError(
                "a text has no tokens", where="text", do="leave empty texts out before embedding"
            )

    def _key(self, texts: Sequence[str], normalised: bool) -> str:
        digest = hashlib.sha256(f"{self.identity} {normalised} {len(texts)}".encode())
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "little") + data)
        return digest.hexdigest()


def _states(model: Model, pooling: str) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Last hidden states brought to one vector; ``first`` without any pooler of the network."""
    network = model.network

    def pooled(ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        if pooling != "first":
            return pool(network, ids, lengths, pooling, body=True)
        inside = torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]
        states: torch.Tensor = network.run(ids, inside.long(), body=True)[0]
        return states[:, 0]

    return pooled


def _read(path: Path, rows: int) -> np.ndarray | None:
    """Kept vectors; None if there are none or the file is not whole (they are then made anew)."""
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    sound = kept.dtype == np.float32 and kept.ndim == 2 and len(kept) == rows
    return kept if sound and bool(np.isfinite(kept).all()) else None


def _write(path: Path, vectors: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, staged = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(handle, "wb") as file:
        np.save(file, vectors, allow_pickle=False)
    os.replace(staged, path)
