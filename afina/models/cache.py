"""Keys and values of the tokens that a decoder has seen, kept so that they are never worked again.

Each layer keeps them in one buffer with room to grow (Transformers' own cache copies everything at
each token). Sliding-window layers keep all columns too and leave the window to the mask, so that a
cache can be shifted, shared and cut whatever the layers are.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

ROOM_TOKENS = 64
"""Columns added beyond need when a buffer has to grow."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values [B, H, T, D] of one layer, as views on buffers [B, H, capacity, D]."""

    key_buffer: torch.Tensor
    value_buffer: torch.Tensor
    first_capacity = 0
    late: tuple[tuple[int, int, torch.Tensor, torch.Tensor], ...] = ()
    """(row, column, keys, values) to be set after the next update: see ``fill``."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the states of new tokens [B, H, Q, D]; returns all of them."""
        seen = self.get_seq_length()
        end = seen + key_states.shape[-2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            capacity = max(end, self.first_capacity)
            self.key_buffer = _room(key_states, capacity)
            self.value_buffer = _room(value_states, capacity)
        elif end > self.key_buffer.shape[2]:
            capacity = end + ROOM_TOKENS + seen // 2
            self.key_buffer = _grown(self.key_buffer, seen, capacity)
            self.value_buffer = _grown(self.value_buffer, seen, capacity)
        self.key_buffer[:, :, seen:end] = key_states
        self.value_buffer[:, :, seen:end] = value_states
        for row, column, keys, values in self.late:
            self.key_buffer[row, :, column : column + keys.shape[1]] = keys
            self.value_buffer[row, :, column : column + keys.shape[1]] = values
        self.late = ()
        self._show(end)
        return self.keys, self.values

    def fill(
        self, keys: torch.Tensor, values: torch.Tensor, shifts: Sequence[int], virtual: int = 0
    ) -> None:
        """Take the states [1, H, P, D] of one row as the beginning of ``len(shifts)`` rows.

        Row b has them ``shifts[b]`` columns to the right: its first columns are padding, and what
        would stand behind column P is cut off, so that every row ends there. Tokens that are cut
        off are worked again; the first ``virtual`` columns are of no token and cannot be. Where
        they reach beyond P, padding stands in their place: they are set there after the update that
        works the padding.
        """
        width = keys.shape[2]
        self.late = tuple(
            (
                row,
                max(width, shift),
                keys[0, :, max(0, width - shift) : virtual],
                values[0, :, max(0, width - shift) : virtual],
            )
            for row, shift in enumerate(shifts)
            if virtual and shift + virtual > width
        )
        self.lazy_initialization(keys, values)
        capacity = max(width, self.first_capacity)
        self.key_buffer = _room(keys, capacity, len(shifts))
        self.value_buffer = _room(values, capacity, len(shifts))
        for row, shift in enumerate(min(shift, width) for shift in shifts):
            self.key_buffer[row, :, :shift] = 0
            self.value_buffer[row, :, :shift] = 0
            self.key_buffer[row, :, shift:width] = keys[0, :, : width - shift]
            self.value_buffer[row, :, shift:width] = values[0, :, : width - shift]
        self._show(width)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (int64 [n])."""
        seen = self.get_seq_length()
        self.key_buffer = self.key_buffer.index_select(0, rows)
        self.value_buffer = self.value_buffer.index_select(0, rows)
        self._show(seen)

    def _show(self, columns: int) -> None:
        self.keys = self.key_buffer[:, :, :columns]
        self.values = self.value_buffer[:, :, :columns]


class KeyValueCache(Cache):  # type: ignore[misc]
    """The cache of a whole decoder. ``capacity``: columns that each layer has room for at once."""

    def __init__(self, capacity: int = 0) -> None:
        layer = type("SizedLayer", (GrowingLayer,), {"first_capacity": capacity})
        super().__init__(layer_class_to_replicate=layer)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows but these (int64 [n])."""
        for layer in self._filled():
            layer.keep(rows)

    def shifted(self, shifts: Sequence[int], capacity: int, virtual: int = 0) -> KeyValueCache:
        """This one-row cache as the beginning of several rows (see ``GrowingLayer.fill``)."""
        made = KeyValueCache(capacity)
        for layer in self.layers:
            made.layers.append(made.layer_class_to_replicate())
            if layer.is_initialized:
                made.layers[-1].fill(layer.keys, layer.values, shifts, virtual)
        return made

    def _filled(self) -> list[GrowingLayer]:
        return [layer for layer in self.layers if layer.is_initialized]


def takes_cache(core: Any) -> bool:
    """Whether a decoder remembers by keys and values alone (not by a running state, as Mamba)."""
    kinds = set(getattr(core.config, "layer_types", None) or ["full_attention"])
    plain = kinds <= {"full_attention", "sliding_attention"}
    parameters = inspect.signature(core.forward).parameters
    stateful = bool(getattr(core, "_is_stateful", False))
    return plain and not stateful and "past_key_values" in parameters


def _room(states: torch.Tensor, capacity: int, rows: int | None = None) -> torch.Tensor:
    batch, heads, _, width = states.shape
    return states.new_empty(rows or batch, heads, capacity, width)


def _grown(buffer: torch.Tensor, seen: int, capacity: int) -> torch.Tensor:
    larger = _room(buffer, capacity)
    larger[:, :, :seen] = buffer[:, :, :seen]
    return larger
