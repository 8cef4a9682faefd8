"""A run: the folder that rooms hand to each other, with its reader and its writer.

Everything in it is written durably. Knows nothing of what the files mean.
"""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from afina.errors import RunError
from afina.store import durable, folders, journal, lock, manifest
from afina.store.checkpoints import Checkpoints
from afina.store.disk import fault, storing
from afina.store.find import RUNS, check_home, find
from afina.store.seal import CHECKPOINTS, Verification, seal_folder, verify_folder

METRICS = "metrics.jsonl"
MODEL = "model"
RECIPE = "recipe.yaml"
NAME_LETTERS = 40
_OWN = frozenset({manifest.NAME, journal.EVENTS, METRICS, lock.NAME})
_WORDS = (
    "abeto",
    "alba",
    "brisa",
    "cedro",
    "colina",
    "encina",
    "faro",
    "fresno",
    "jara",
    "laurel",
    "lirio",
    "marea",
    "mirlo",
    "nube",
    "olmo",
    "pino",
    "roble",
    "salvia",
    "trigo",
    "vega",
)


class Run:
    """One run. ``Run.create`` makes a new one, ``Run.open`` finds one that is there."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        self.id = folder.name

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @classmethod
    def create(cls, home: str | Path, name: str | None = None) -> Run:
        """A new, empty run in a home, which is made if it is not there.

        Its id is the time in UTC, the name in plain letters (or a word), and four random digits.
        Raises RunError for a home that cannot be one, MachineError for one that is not writable.
        """
        place = check_home(home)
        durable.make_folder(place / RUNS)
        while True:
            made = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
            run_id = f"{made}-{_plain_name(name) or secrets.choice(_WORDS)}-{secrets.token_hex(2)}"
            folder = place / RUNS / run_id
            if _make_new(folder):
                break
        run = cls(folder, place)
        run.event("created", run=run_id, name=name)
        return run

    @classmethod
    def open(cls, home: str | Path, ref: str | Path) -> Run:
        """The run that ``ref`` names: an id, the beginning of one id only, a folder, ``last``, or a
        promoted name. Raises RunError with the nearest known.
        """
        place = Path(home).expanduser().absolute()
        folder = find(place, str(ref))
        if folder.parent.name == RUNS:
            place = folder.parent.parent
        return cls(folder, place)

    # ------------------------------------------------------------------ places

    @property
    def model_folder(self) -> Path:
        """Where the published model is; there is none before ``publish_model``."""
        return self.folder / MODEL

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of this run; how many are kept is the recipe's ``train`` to say."""
        return Checkpoints(
            self.folder / CHECKPOINTS,
            self._keep(),
            told=lambda sentence: self.event("storage", message=sentence),
            before_commit=self._sync_metrics,
        )

    # ------------------------------------------------------------------ files

    def write(self, name: str, value: Any) -> None:
        """Write a file of the run, durably: ``.json`` from plain values, else a text or bytes."""
        path = self._path(name)
        if name in _OWN or name.startswith(f"{CHECKPOINTS}/"):
            raise fault(f"{name} is written by the store itself", self.folder)
        durable.make_folder(path.parent)
        if path.suffix == ".json":
            durable.write_json(path, value)
        elif isinstance(value, str):
            durable.write_text(path, value)
        elif isinstance(value, bytes):
            durable.write_bytes(path, value)
        else:
            raise fault(f"{name} takes a text or bytes, not {type(value).__name__}", self.folder)

    def read(self, name: str) -> Any:
        """The value of a ``.json`` file, the text of any other.

        Raises RunError if the run has no such file, CorruptError if it cannot be read as written.
        """
        path = self._path(name)
        if not path.is_file():
            raise RunError(
                f"this run has no {name}",
                where=self.id,
                do=f"it is {self.status}: afina show {self.id} tells what it holds",
            )
        return durable.read_json(path) if path.suffix == ".json" else durable.read_text(path)

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name)
        if not name or parts.is_absolute() or ".." in parts.parts:
            raise fault(f"{name!r} is no name of a file inside a run", self.folder)
        return self.folder / parts

    # ------------------------------------------------------------------ events and status

    def event(self, kind: str, /, **facts: Any) -> None:
        """Add a line to ``events.jsonl``: ``time``, ``event`` (the kind) and the facts."""
        journal.add(self.folder, kind, facts)

    def events(self) -> tuple[dict[str, Any], ...]:
        """All events, oldest first."""
        return journal.events(self.folder)

    @property
    def status(self) -> str:
        """``created``, ``running``, ``interrupted``, ``failed`` or ``succeeded``.

        A run whose process is gone is ``interrupted``, whatever it last wrote.
        """
        return journal.status(self.folder)

    def set_status(self, status: str, **facts: Any) -> None:
        """Write down what the run is now, after its metrics are on the disk."""
        if status not in journal.STATUSES:
            raise fault(f"{status!r} is no status of a run", self.folder)
        self._sync_metrics()
        self.event("status", status=status, **facts)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that works on this run; what a killed one left is cleared first.

        Raises RunError naming the process that has it.
        """
        with lock.held(self.folder / lock.NAME, journal.now()):
            for name in (journal.EVENTS, METRICS):
                if torn := durable.mend_lines(self.folder / name):
                    self.event("storage", message=f"set {torn} torn bytes of {name} aside")
            for sentence in folders.recover(self.folder):
                self.event("storage", message=sentence)
            yield

    # ------------------------------------------------------------------ metrics

    def metric(self, **facts: Any) -> None:
        """Add a line to ``metrics.jsonl``.

        It survives the death of the process at once, and a power cut from the next checkpoint or
        status on (both wait for the lines before them).
        """
        durable.append_json(self.folder / METRICS, facts, sync=False)

    def metrics(self) -> tuple[dict[str, Any], ...]:
        """All lines of metrics, in order."""
        return durable.read_lines(self.folder / METRICS).values

    def rewind_metrics(self, step: int) -> int:
        """Drop the lines after ``step``: a resumed run will write them again. Returns how many.

        Lines that cannot be read (a power cut may leave such) go to ``metrics.jsonl.torn``.
        """
        path = self.folder / METRICS
        if not path.exists():
            return 0
        kept, dropped, broken = [], 0, []
        whole, torn = durable.split_torn(path)
        for line in whole:
            value = durable.line_value(line)
            if value is None:
                broken.append(line)
            elif _step_of(value) > step:
                dropped += 1
            else:
                kept.append(line)
        broken += [torn] if torn else []
        if broken:
            durable.keep_torn(path, b"".join(broken))
        if broken or dropped:
            durable.write_bytes(path, b"".join(kept))
            self.event("metrics_rewound", step=step, dropped=dropped, unreadable=len(broken))
        return dropped

    def _sync_metrics(self) -> None:
        if (self.folder / METRICS).exists():
            durable.fsync_file(self.folder / METRICS)
            durable.fsync_folder(self.folder)

    # ------------------------------------------------------------------ the model and the seal

    def publish_model(self, write: Callable[[Path], None]) -> Path:
        """Put the model in its place, whole or not at all: ``write`` fills a new folder.

        An older model of the run is replaced. Returns ``model_folder``.
        """
        with folders.staged(self.model_folder) as stage:
            write(stage)
            if not any(stage.iterdir()):
                raise fault("nothing was written into the model", stage)
            folders.place(stage, self.model_folder)
        return self.model_folder

    def seal(self, facts: Mapping[str, Any]) -> None:
        """Write ``manifest.json``: the sha256 of every file, versions, and ``facts`` (``command``).

        Left out are the checkpoints, the event log and the manifest itself. May be done again
        after more was written.
        """
        self._sync_metrics()
        seal_folder(self.folder, facts)

    def verify(self) -> Verification:
        """Compare every file with the seal: what is changed, missing and extra.

        Raises RunError if the run was never sealed, CorruptError if the seal itself was changed.
        """
        return verify_folder(self.folder)

    def take_over(self, other: Run) -> None:
        """Stand where another run stands: its checkpoints and metrics, copied; those here go."""
        for name in (CHECKPOINTS, METRICS):
            source = other.folder / name
            if source.is_dir():
                with folders.staged(self.folder / name) as stage, storing(source, "copy"):
                    shutil.copytree(source, stage, dirs_exist_ok=True)
                    folders.place(stage, self.folder / name)
            elif source.is_file():
                durable.write_bytes(self.folder / name, source.read_bytes())

    def _keep(self) -> int:
        """``train.keep_checkpoints`` of the run's resolved recipe, or the knob's own default."""
        from afina.recipe import Train  # loads pydantic: only a run that trains needs it
        from afina.recipe.load import parse_yaml

        default = int(Train.model_fields["keep_checkpoints"].default)
        path = self.folder / RECIPE
        if not path.exists():
            return default
        tree = parse_yaml(durable.read_text(path), str(path))
        train = tree.get("train") if isinstance(tree, dict) else None
        return int(train.get("keep_checkpoints", default)) if isinstance(train, dict) else default


def _make_new(folder: Path) -> bool:
    """Make a folder that must not be there yet; False if it is."""
    with storing(folder, "make the folder"):
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return False
    durable.fsync_folder(folder.parent)
    return True


def _plain_name(name: str | None) -> str:
    """The name as it may stand in a folder's name: lower case, letters, digits and hyphens."""
    decomposed = unicodedata.normalize("NFKD", name or "").lower()
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", letters)[:NAME_LETTERS].strip("-")


def _step_of(value: Mapping[str, Any]) -> float:
    step = value.get("step", 0)
    return step if isinstance(step, (int, float)) else 0
