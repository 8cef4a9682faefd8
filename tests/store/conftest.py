"""A home of its own for each test, on a disk that does not wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AFINA_REGISTRY", raising=False)
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk whose fsync takes no time: what these tests look at is in memory all the same."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
