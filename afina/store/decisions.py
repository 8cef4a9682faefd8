"""Decisions in the home: ``decisions/FINGERPRINT/decision.json``, one for what a recipe wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from afina.store.durable import make_folder, read_json, write_json

FILE = "decision.json"


def decision_folder(home: Path, fingerprint: str) -> Path:
    """Where the decision about that recipe is, or will be."""
    return home / "decisions" / fingerprint[:16]


def write_decision(home: Path, fingerprint: str, value: dict[str, Any]) -> Path:
    """Keep a decision; an earlier one about the same recipe is replaced. Returns the file."""
    folder = decision_folder(home, fingerprint)
    make_folder(folder)
    write_json(folder / FILE, value)
    return folder / FILE


def read_decision(home: Path, fingerprint: str) -> dict[str, Any] | None:
    """The decision about that recipe, None if there is none. Raises CorruptError if damaged."""
    path = decision_folder(home, fingerprint) / FILE
    if not path.is_file():
        return None
    value = read_json(path)
    found = value if isinstance(value, dict) and value.get("fingerprint") == fingerprint else None
    return found
