"""A machine for tests that reaches no hub, no package index and no cache of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from afina.models import hub, wheels


def cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Close every way to the outside for one test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(hub, "reach", unreachable)
    monkeypatch.setattr(wheels, "run_pip", no_pip)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "AFINA_CACHE"):
        monkeypatch.delenv(name, raising=False)


def unreachable() -> None:
    raise hub.HubUnreachableError("Name or service not known")


def no_pip(arguments: list[str], where: str) -> None:
    raise AssertionError(f"pip was called: {arguments} {where}")
