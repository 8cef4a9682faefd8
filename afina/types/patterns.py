"""Regular expressions of users, matched in a time that grows with the text and no faster.

Python's own matcher can take for ever on a pattern like ``(a+)+$``. The one that comes with
pydantic cannot: it has no look-around and no back references, which are what would need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

from pydantic import StringConstraints, TypeAdapter, ValidationError
from pydantic_core import SchemaError


def matching(pattern: str, names: Sequence[str]) -> set[str]:
    """The names in which the pattern is found anywhere. Raises ValueError as ``compiled``."""
    return {name for name in names if found(pattern, name)}


@lru_cache(256)  # bounded: some come with requests
def compiled(pattern: str) -> TypeAdapter[str]:
    """What takes the texts in which the pattern is found. Raises ValueError for what is none."""
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except SchemaError:
        raise ValueError(
            f"{pattern!r} is not a regular expression without look-around and back references "
            "(those could match for ever)"
        ) from None


def found(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises ValueError as ``compiled``."""
    wanted = compiled(pattern)
    try:
        wanted.validate_python(text)
    except ValidationError:
        return False
    return True
