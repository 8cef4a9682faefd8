"""What every test may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.tiny import Kind, maker

if TYPE_CHECKING:
    from afina.models.sources import Base


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Base]:
    """``tiny("llama")``: a tiny random base on disk, made once a session (see ``tests.tiny``)."""
    return maker(tmp_path_factory.mktemp("tiny"))
