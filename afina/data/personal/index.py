"""Which values a data set held, as salted hashes: who has the value can ask, the file tells nobody."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from afina.data.personal.patterns import KINDS
from afina.data.personal.scan import PERSON, plain

CHARACTERS = 32
"""Of the SHA-256 in hexadecimal: 128 bits."""


def index(held: Mapping[str, Iterable[tuple[str, str]]], salt: bytes) -> dict[str, Any]:
    """For each split the hashes of the (kind, value) in its rows. ``held``: ``Quality.personal``."""
    return {
        "salt": salt_name(salt),
        "parts": {
            part: sorted(hashed(kind, value, salt) for kind, value in values)
            for part, values in held.items()
        },
    }


def parts_with(value: str, stored: Mapping[str, Any], salt: bytes) -> list[str]:
    """The splits of an index that hold a value, in whatever form it is written."""
    kinds = (*(kind.name for kind in KINDS), PERSON)
    asked = {hashed(kind, plain(kind, value.strip()), salt) for kind in kinds}
    return [part for part, hashes in stored["parts"].items() if asked & set(hashes)]


def hashed(kind: str, value: str, salt: bytes) -> str:
    """HMAC-SHA256 of a value in its plain form; without the salt it cannot be tried out."""
    key = hmac.new(salt, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
    return key.hexdigest()[:CHARACTERS]


def salt_name(salt: bytes) -> str:
    """What tells one salt from another without telling it."""
    return hashlib.sha256(b"afina salt " + salt).hexdigest()[:16]
