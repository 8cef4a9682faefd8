"""Personal data in rows: found by pattern and check digit, redacted, put back.

Names are found by a model that is passed in (``People``), or not at all.
"""

from __future__ import annotations

from afina.data.personal.index import index, parts_with, salt_name
from afina.data.personal.patterns import KINDS
from afina.data.personal.redact import Redactor, restore, restore_value
from afina.data.personal.scan import Hit, People, masked, plain, scan
from afina.data.personal.section import find

__all__ = [
    "KINDS",
    "Hit",
    "People",
    "Redactor",
    "find",
    "index",
    "masked",
    "parts_with",
    "plain",
    "restore",
    "restore_value",
    "salt_name",
    "scan",
]
