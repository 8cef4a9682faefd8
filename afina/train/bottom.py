"""The states below the lowest trained layer, by row: kept on the disk of the home, or worked again.

Both give the same bits: what decides them is the weights, the layer and the rows (``models/bottom``).
A file is keyed by those, so every run that shares them shares it; its SHA-256 is checked when it is
opened. It holds what the model made of the training rows: it stays in the home, like the runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from afina.models.bottom import Halves, groups, split
from afina.models.load import Model
from afina.store import Run, durable
from afina.store.disk import storing
from afina.store.folders import place, staged
from afina.train.rows import Rows
from afina.types import Batch, Encoded

FOLDER, STATES, FACTS = "states", "states.bin", "facts.json"


def find_bottom(model: Model, how: str | None, parts: Sequence[Rows], run: Run) -> Bottom | None:
    """The frozen bottom of a model as the plan wants it; None where it is worked within each pass."""
    if how not in ("kept", "repeated"):
        return None
    halves = split(model.network.module, model.network.pair_mark)
    if halves is None:
        run.event(
            "bottom_within", reason="this network cannot be parted at its lowest trained layer"
        )
        return None
    for network in model.network.each:
        network.halves = halves
    bottom = Bottom(
        halves,
        [row for rows in parts for row in rows.kept],
        model.dtype,
        model.base.hidden_size,
        f"{model.base.sha256} {torch.__version__} {model.device} {torch.get_num_threads()} "
        f"{model.network.pair_mark}",
        run.home / FOLDER if how == "kept" else None,
    )
    run.event("bottom", how=how, layers=halves.first, rows=len(bottom.rows), tokens=bottom.tokens)
    return bottom


class Bottom:
    """Gives batches the states of their sequences.

    ``rows``: every sequence that will be asked for. ``folder``: the home's folder of kept states, or
    None to work them again for each batch. ``identity`` names weights and arithmetic.
    """

    def __init__(
        self,
        halves: Halves,
        rows: Iterable[Encoded],
        dtype: torch.dtype,
        size: int,
        identity: str,
        folder: Path | None,
    ) -> None:
        self.halves = halves
        self.dtype, self.size = dtype, size
        self.rows = sorted(
            {s.ids for row in rows for s in row.sequences}, key=lambda r: (len(r), r)
        )
        self.groups = groups(self.rows)
        self._group_of = {self.rows[i]: number for number, g in enumerate(self.groups) for i in g}
        self._kept: np.ndarray | None = None
        ends = np.cumsum([len(r) for r in self.rows])
        self._starts = {r: int(end) - len(r) for r, end in zip(self.rows, ends, strict=True)}
        if folder is not None:
            self._open(folder / self._key(identity))

    @property
    def tokens(self) -> int:
        """Tokens of all distinct rows."""
        return sum(len(r) for r in self.rows)

    def fill(self, batch: Batch, rows: Sequence[Encoded]) -> Batch:
        """The batch of these rows with the states of its sequences [B, T, D]; padding is zero."""
        sequences = [s.ids for row in rows for s in row.sequences]
        found = self._read(sequences) if self._kept is not None else self._work(sequences)
        states = torch.zeros(*batch.ids.shape, self.size, dtype=self.dtype)
        for place_, own in enumerate(found):
            states[place_, : len(own)] = own
        return replace(batch, states=states.to(batch.ids.device))

    def _read(self, sequences: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
        assert self._kept is not None
        found = []
        for ids in sequences:
            start = self._starts[ids]
            own = np.array(self._kept[start : start + len(ids)])
            found.append(torch.from_numpy(own).view(self.dtype))
        return found

    def _work(self, sequences: Sequence[tuple[int, ...]]) -> list[torch.Tensor]:
        made: dict[tuple[int, ...], torch.Tensor] = {}
        for number in sorted({self._group_of[ids] for ids in sequences}):
            own = [self.rows[i] for i in self.groups[number]]
            made |= dict(zip(own, self.halves.below(own).cpu(), strict=True))
        return [made[ids] for ids in sequences]

    # ------------------------------------------------------------------ on the disk

    def _key(self, identity: str) -> str:
        digest = hashlib.sha256(f"{identity} layer {self.halves.first} {self.dtype}".encode())
        for row in self.rows:
            digest.update(np.asarray([len(row), *row], dtype=np.int64).tobytes())
        return digest.hexdigest()[:24]

    def _open(self, folder: Path) -> None:
        """Take what is kept there if it is whole, else work the states and keep them."""
        if not self._whole(folder):
            with storing(folder, "write"):
                folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            durable.require_free(
                folder.parent,
                self.tokens * self.size * self.dtype.itemsize,
                "the states of the rows",
            )
            self._make(folder)
        width = np.dtype(f"u{self.dtype.itemsize}")
        self._kept = np.memmap(
            folder / STATES, dtype=width, mode="r", shape=(self.tokens, self.size)
        )

    def _whole(self, folder: Path) -> bool:
        if not (folder / FACTS).is_file() or not (folder / STATES).is_file():
            return False
        facts: Any = durable.read_json(folder / FACTS)
        return bool(facts.get("sha256") == durable.sha256_file(folder / STATES))

    def _make(self, folder: Path) -> None:
        with staged(folder) as stage:
            with storing(folder, "write"), open(stage / STATES, "wb") as file:
                for group in self.groups:
                    states = self.halves.below([self.rows[i] for i in group]).cpu().contiguous()
                    file.write(states.view(torch.uint8).numpy().tobytes())
            facts = {"tokens": self.tokens, "sha256": durable.sha256_file(stage / STATES)}
            durable.write_json(stage / FACTS, facts)
            place(stage, folder)
