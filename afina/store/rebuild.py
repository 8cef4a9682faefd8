"""The registry made again from the run folders (``afina doctor --rebuild``).

Every change was written into the event log of its run too, so nothing but the runs is needed. What
a readable registry knows beyond them stays. A broken file is kept beside the new one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from afina.errors import CorruptError, RunError
from afina.store import journal
from afina.store.database import FILE, Database, registry_url
from afina.store.disk import storing
from afina.store.durable import fsync_folder
from afina.store.find import run_folders
from afina.store.registry import PROMOTED, RECORDED, fill
from afina.store.schema import PromotionRow, RunRow

Events = tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was found. ``unreadable``: runs whose event log is broken, with the reason."""

    runs: int
    promotions: int
    unreadable: tuple[str, ...]
    kept_aside: str


def rebuild(home: str | Path, url: str | None = None) -> Rebuilt:
    """Make the registry of a home again from its run folders. May be done at any time.

    Raises RunError where there is no such home, MachineError where the database cannot be had.
    """
    place = Path(home).expanduser().absolute()
    if not place.is_dir():
        raise RunError(
            "there is no home with runs here", where=str(place), do="name another: --home DIR"
        )
    aside = ""
    try:
        database = Database(place, url or registry_url())
    except CorruptError:
        aside = _set_aside(place / FILE)
        database = Database(place, url or registry_url())
    logs, unreadable = _logs(place)
    promotions = {
        (event["facts"]["name"], event["facts"]["number"]): event["facts"]
        for events in logs.values()
        for event in events
        if event["event"] == PROMOTED
    }
    with database.writing() as session:
        for folder, events in logs.items():
            _put(session, folder, events)
        session.flush()  # promotions refer to runs
        known = {(row.name, row.number) for row in session.scalars(select(PromotionRow))}
        for key in sorted(promotions.keys() - known):
            session.add(PromotionRow(**promotions[key]))
    return Rebuilt(len(logs), len(promotions), tuple(unreadable), aside)


def _logs(home: Path) -> tuple[dict[Path, Events], list[str]]:
    """The event log of each run, the oldest first, and what is wrong with the others."""
    logs: dict[Path, Events] = {}
    unreadable = []
    for folder in reversed(run_folders(home)):
        try:
            logs[folder] = journal.events(folder)
        except CorruptError as error:
            unreadable.append(f"{folder.name}: {error.where}: {error.what}")
    return logs, unreadable


def _put(session: Session, folder: Path, events: Events) -> None:
    row = session.get(RunRow, folder.name)
    if row is None:
        row = RunRow(id=folder.name, facts="{}")
        session.add(row)
    begun = [e for e in events if e["event"] == "created"]
    fill(row, {"created": begun[0]["time"] if begun else journal.now()})
    if begun and row.name is None:
        fill(row, {"name": begun[0].get("name")})
    for event in events:
        if event["event"] == RECORDED:
            fill(row, event["facts"])
    fill(row, {"folder": str(folder), "status": journal.status(folder)})


def _set_aside(file: Path) -> str:
    """Move a broken database, with what SQLite keeps beside it, out of the way."""
    stamp = journal.now().replace(":", "").replace("+0000", "Z")
    with storing(file, "move"):
        for suffix in ("", "-wal", "-shm"):
            part = file.with_name(file.name + suffix)
            if part.exists():
                os.rename(part, file.with_name(f"{file.stem}-broken-{stamp}{file.suffix}{suffix}"))
    fsync_folder(file.parent)
    return str(file.with_name(f"{file.stem}-broken-{stamp}{file.suffix}"))
