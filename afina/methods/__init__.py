"""Which weights may move. A new method is one file here, one line in ``METHODS`` and one test row."""

from __future__ import annotations

from afina.methods.adapter import Adapter
from afina.methods.features import Features
from afina.methods.full import Full
from afina.methods.hybrid import Hybrid
from afina.methods.ia3 import Ia3
from afina.methods.lora import Lora
from afina.methods.partial import Partial
from afina.methods.prefix import Prefix
from afina.methods.prompt import Prompt
from afina.methods.qlora import QLora
from afina.types import Method

METHODS: tuple[type[Method], ...] = (
    Full,
    Partial,
    Lora,
    QLora,
    Adapter,
    Prefix,
    Prompt,
    Ia3,
    Hybrid,
    Features,
)

__all__ = [
    "METHODS",
    "Adapter",
    "Features",
    "Full",
    "Hybrid",
    "Ia3",
    "Lora",
    "Partial",
    "Prefix",
    "Prompt",
    "QLora",
]
