"""The event log of a run, and the state that follows from it.

``events.jsonl`` is append-only: each line has ``time`` (UTC), ``event`` and facts. The status of a
run is the last one written there; a run that says ``running`` while nobody holds its lock was
interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from afina.store import lock
from afina.store.disk import fault, storing
from afina.store.durable import append_json, line_value, read_lines

EVENTS = "events.jsonl"
STATUSES = ("created", "running", "interrupted", "failed", "succeeded")
_OWN = frozenset({"time", "event"})


def now() -> str:
    """The time in UTC, in ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def add(folder: Path, kind: str, facts: Mapping[str, Any]) -> None:
    """Append an event, durably. Raises AfinaError for facts named like the event's own keys."""
    if clash := _OWN & facts.keys():
        raise fault(f"an event has its own {' and '.join(sorted(clash))}", folder / EVENTS)
    append_json(folder / EVENTS, {"time": now(), "event": kind, **facts})


def events(folder: Path) -> tuple[dict[str, Any], ...]:
    """All events in the order in which they were written."""
    return read_lines(folder / EVENTS).values


def is_run(folder: Path) -> bool:
    """Whether a folder is a run's."""
    return (folder / EVENTS).is_file()


def first(folder: Path) -> dict[str, Any]:
    """The event with which the run was created; empty if its line cannot be read."""
    with storing(folder, "read"), (folder / EVENTS).open("rb") as stream:
        return line_value(stream.readline()) or {}


def status(folder: Path) -> str:
    """What became of the run: one of ``STATUSES``."""
    seen = -1
    while True:
        written = [e for e in events(folder) if e.get("event") == "status"]
        last = str(written[-1].get("status")) if written else "created"
        with storing(folder, "ask for the state of"):
            if last != "running" or lock.is_held(folder / lock.NAME):
                return last
        if len(written) == seen:  # it neither ended nor began again while the lock was asked
            return "interrupted"
        seen = len(written)
