"""Which weights may move. A new method is one file here, one line in ``METHODS`` and one test row."""

from __future__ import annotations

from afina.methods.adapter import Adapter
from afina.methods.full import Full
from afina.methods.lora import Lora
from afina.methods.partial import Partial
from afina.methods.qlora import QLora
from afina.types import Method

METHODS: tuple[type[Method], ...] = (Full, Partial, Lora, QLora, Adapter)

__all__ = ["METHODS", "Adapter", "Full", "Lora", "Partial", "QLora"]
