"""Work of many trainings in the home, to be gone on with: ``sweeps/FINGERPRINT/``, ``folds/…``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from afina.errors import RunError
from afina.store import durable, journal, lock
from afina.store.find import check_home
from afina.store.run import Run
from afina.store.seal import CHECKPOINTS

FACTS = "facts.json"


class Workplace:
    """A folder for one such work: what it depends on, a folder for each training, what was found."""

    def __init__(self, home: Path, kind: str, fingerprint: str) -> None:
        self.home = check_home(home)
        self.folder = self.home / kind / fingerprint[:16]

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that works here. Raises RunError naming the one that does."""
        durable.make_folder(self.folder)
        with lock.held(self.folder / lock.NAME, journal.now()):
            yield

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Note what the work depends on, or compare it with what was noted.

        Raises RunError where the two differ: what was found before and after could not be compared.
        """
        noted = self.settled(FACTS, facts)
        changed = sorted(key for key in facts if noted.get(key) != facts[key])
        if changed:
            raise RunError(
                f"since this work began, this has changed: {', '.join(changed)}",
                where=str(self.folder),
                do="restore it, or remove that folder to begin anew",
            )

    def settled(self, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """What was noted under that name when the work began; these facts where nothing was."""
        return self.read(name) or self.note(name, facts)

    def part(self, name: str) -> Run:
        """The folder of one training, as a run that is in no list of runs."""
        return Run(self.folder / name, self.home)

    def read(self, name: str) -> dict[str, Any] | None:
        """The facts of that name; None if none were noted."""
        path = self.folder / name
        return durable.read_json(path) if path.is_file() else None

    def note(self, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Note facts under a name."""
        durable.write_json(self.folder / name, dict(facts))
        return dict(facts)

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder. Returns its path."""
        durable.write_text(self.folder / name, text)
        return self.folder / name


def drop_checkpoints(part: Run) -> None:
    """Remove the checkpoints of a training that is not gone on with any more."""
    shutil.rmtree(part.folder / CHECKPOINTS, ignore_errors=True)
