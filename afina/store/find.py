"""From what a person types to the folder of a run."""

from __future__ import annotations

import os
import re
from pathlib import Path

from afina.errors import MachineError, RunError, nearest
from afina.store import journal
from afina.store.disk import storing

RUNS = "runs"
ID = re.compile(r"\d{8}-\d{6}-.+-[0-9a-f]{4}")


def run_folders(home: Path) -> list[Path]:
    """The folders of all runs in a home, the newest first (by the time of their creation)."""
    runs = home / RUNS
    if not runs.is_dir():
        return []
    with storing(runs, "read"):
        found = [runs / name for name in os.listdir(runs) if journal.is_run(runs / name)]
    return sorted(
        found, key=lambda f: (str(journal.first(f).get("time", "")), f.name), reverse=True
    )


def find(home: Path, ref: str) -> Path:
    """The folder that ``ref`` names: an id, ``last``, a folder, a promoted name, or the beginning
    of one id only, tried in this order. Raises RunError with the nearest known.
    """
    known = run_folders(home)
    if ref == "last" and known:
        return known[0]
    exact = home / RUNS / ref
    if exact in known:
        return exact
    if (os.sep in ref or ref.startswith(".")) or journal.is_run(Path(ref)):
        return _folder(Path(ref))
    names = _promoted(home)
    if ref in names:
        return _of_promoted(home, ref, names[ref])
    begun = [folder for folder in known if ref and folder.name.startswith(ref)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise RunError(
            f"{len(begun)} runs begin with {ref}",
            where=str(home),
            problems=[folder.name for folder in begun[:20]],
            do="type one letter more, or the whole id",
        )
    raise _unknown(home, ref, [folder.name for folder in known], list(names))


def check_home(home: str | Path) -> Path:
    """A home in which runs may be made, as an absolute path. Raises RunError or MachineError."""
    text = str(home)
    if not text or "\0" in text:
        raise RunError("this is no folder name", where=f"--home {text!r}", do="name a folder")
    path = Path(text).expanduser().absolute()
    if path.resolve() == Path(path.anchor):
        raise RunError(
            "the root of the disk cannot be the home of runs",
            where=str(home),
            do="name a folder: --home ./afina-home",
        )
    for place in (path, path / RUNS):
        if place.exists() and not place.is_dir():
            raise RunError(
                "the home of runs must be a folder, and this is a file",
                where=str(place),
                do="name another folder with --home",
            )
        if place.exists() and not os.access(place, os.W_OK | os.X_OK):
            raise MachineError(
                "this home cannot be written to",
                where=str(place),
                do="check its permissions, or name another with --home",
            )
    return path


def _folder(path: Path) -> Path:
    folder = path.expanduser().absolute()
    if not folder.exists():
        raise RunError(
            "there is no such folder", where=str(path), do="afina runs lists the runs of this home"
        )
    if not journal.is_run(folder):
        raise RunError(
            f"this folder is not a run: it has no {journal.EVENTS}",
            where=str(path),
            do="name the folder that holds recipe.yaml and model/, or a run's id (afina runs)",
        )
    return folder.resolve()


def _promoted(home: Path) -> dict[str, str]:
    from afina.store.registry import Registry  # loads SQLAlchemy: only when a name may be meant

    return Registry(home).promoted() if Registry.exists(home) else {}


def _of_promoted(home: Path, name: str, run_id: str) -> Path:
    from afina.store.registry import Registry

    folder = Path(Registry(home).get(run_id).folder)
    if journal.is_run(folder):
        return folder
    raise RunError(
        f"{name} is the run {run_id}, whose folder is gone",
        where=str(folder),
        do=f"bring it back, or choose another: afina promote RUN --as {name}",
    )


def _unknown(home: Path, ref: str, ids: list[str], names: list[str]) -> RunError:
    if not ids and not names:
        return RunError(
            f"there is no run {ref!r}: this home holds none yet",
            where=str(home),
            do="afina run recipe.yaml makes one; --home names another home",
        )
    return RunError(
        f"there is no run {ref!r}", where=str(home), do=nearest(ref, ["last", *names, *ids])
    )
