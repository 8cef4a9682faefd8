"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny import Kind, maker

if TYPE_CHECKING:
    from afina.models.sources import Base

# Bases made for tests stay out of the user's own cache, and are made once for this checkout.
os.environ.setdefault("AFINA_CACHE", str(Path(__file__).parents[1] / ".cache"))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Base]:
    """``tiny("llama")``: a tiny random base on disk, made once a session (see ``tests.tiny``)."""
    return maker(tmp_path_factory.mktemp("tiny"))
