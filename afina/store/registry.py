"""The registry: every run of a home, and which of them carries a promoted name.

SQLite in the home unless ``AFINA_REGISTRY`` (or ``url``) names another database. It is an index
and may be lost: every change is also written into the event log of its run, and ``rebuild`` makes
the registry again from the run folders. Does not know what a metric means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from afina.errors import CorruptError, RequestError, RunError, nearest
from afina.store import journal, strict_json
from afina.store.database import FILE, Database, registry_url
from afina.store.disk import fault
from afina.store.find import RUNS
from afina.store.schema import PromotionRow, RunRow

NAME = re.compile(r"\w[\w.-]{0,63}")
_COLUMNS = frozenset(
    ("name", "folder", "created", "status", "base", "task", "method", "metric", "value", "verdict")
)
RECORDED, PROMOTED = "recorded", "promoted"
"""Events in the log of a run from which the registry can be made again."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as the registry knows it. ``facts``: what was recorded beyond the columns."""

    id: str
    folder: str
    created: str
    status: str
    name: str | None
    base: str | None
    task: str | None
    method: str | None
    metric: str | None
    value: float | None
    verdict: str | None
    facts: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of a name's history: from ``at`` on (UTC) the name is the run ``run_id``."""

    name: str
    number: int
    run_id: str
    at: str
    by: Literal["promote", "rollback"]

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self)


class Registry:
    """The registry of a home. Safe to use from several processes at once."""

    def __init__(self, home: str | Path, url: str | None = None) -> None:
        """Make or open it: at ``url`` (SQLite, PostgreSQL), or ``AFINA_REGISTRY``, or in the home.

        Raises MachineError (disk, server, network filesystem) or CorruptError.
        """
        self.home = Path(home).expanduser().absolute()
        self._database = Database(self.home, url or registry_url())

    @classmethod
    def exists(cls, home: str | Path) -> bool:
        """Whether there is one already; asking does not make it."""
        return registry_url() is not None or (Path(home).expanduser() / FILE).exists()

    # ------------------------------------------------------------------ runs

    def record(self, run_id: str, facts: Mapping[str, Any]) -> Recorded:
        """Note a run, or what is new about it: keys that are not given stay as they are.

        ``name folder created status base task method metric value verdict`` have columns; anything
        else goes into ``facts``.
        """
        noted = strict_json.plain(dict(facts), f"registry: {run_id}")
        with self._database.writing() as session:
            row = session.get(RunRow, run_id)
            if row is None:
                row = self._new_row(run_id)
                session.add(row)
            fill(row, noted)
            recorded = self._recorded(row)
        self._note(run_id, recorded.folder, RECORDED, noted)
        return recorded

    def runs(self) -> list[Recorded]:
        """All runs, the newest first; one that has not succeeded is asked for its state."""
        with self._database.reading() as session:
            rows = session.scalars(select(RunRow).order_by(RunRow.created.desc(), RunRow.id.desc()))
            return [self._recorded(row) for row in rows]

    def get(self, run_id: str) -> Recorded:
        """One run. Raises RunError with the nearest known."""
        with self._database.reading() as session:
            return self._recorded(_row(session, run_id))

    # ------------------------------------------------------------------ promotions

    def promote(self, name: str, run_id: str) -> Promotion:
        """Give a name to a run that has succeeded. Nothing is added if it has that name already.

        Raises RunError if the run has not succeeded or its folder is gone.
        """
        if name == "last" or not NAME.fullmatch(name) or re.match(r"\d{8}-\d{6}", name):
            raise RequestError(
                f"{name!r} cannot be the name of a model",
                where="--as",
                do="letters, digits, - . and _ make a name, at most 64; 'last' and the beginning "
                "of a run's id are taken",
            )
        with self._database.writing() as session:
            recorded = self._recorded(_row(session, run_id))
            _check_promotable(recorded, name)
            history = _history(session, name)
            if history and history[-1].run_id == run_id:
                return _promotion(history[-1])
            made = _add(session, name, history, run_id, "promote")
        self._note(run_id, recorded.folder, PROMOTED, made.as_dict())
        return made

    def rollback(self, name: str) -> Promotion:
        """Give a name back to the run that had it before; again, to the one before that.

        Raises RunError if there is none before, or if its folder is gone.
        """
        with self._database.writing() as session:
            history = _history(session, name)
            if not history:
                raise self._unknown_name(session, name)
            stack = _stack(history)
            if len(stack) < 2:
                raise RunError(
                    f"{name} has always been {stack[-1]}: there is nothing to go back to",
                    where=name,
                    do=f"choose another run: afina promote RUN --as {name}",
                )
            recorded = self._recorded(_row(session, stack[-2]))
            _check_promotable(recorded, name)
            made = _add(session, name, history, recorded.id, "rollback")
        self._note(recorded.id, recorded.folder, PROMOTED, made.as_dict())
        return made

    def promotions(self, name: str | None = None) -> list[Promotion]:
        """The history of one name, or of all (by name), oldest first. Raises RunError."""
        with self._database.reading() as session:
            if name is not None:
                history = _history(session, name)
                if not history:
                    raise self._unknown_name(session, name)
                return [_promotion(row) for row in history]
            rows = select(PromotionRow).order_by(PromotionRow.name, PromotionRow.number)
            return [_promotion(row) for row in session.scalars(rows)]

    def promoted(self) -> dict[str, str]:
        """Which run each name means now."""
        return {promotion.name: promotion.run_id for promotion in self.promotions()}

    def resolve(self, name: str) -> str | None:
        """The id of the run that a name means now; None if there is no such name."""
        return self.promoted().get(name)

    # ------------------------------------------------------------------ inside

    def _new_row(self, run_id: str) -> RunRow:
        folder = self.home / RUNS / run_id
        created = journal.now()
        if journal.is_run(folder):
            created = str(journal.first(folder).get("time", created))
        else:
            with suppress(ValueError):  # an id that does not begin with a time
                made = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
                created = made.isoformat(timespec="microseconds")
        return RunRow(id=run_id, folder=str(folder), created=created, status="created", facts="{}")

    def _recorded(self, row: RunRow) -> Recorded:
        """A row as a value, with what only the folder knows: where it is now, and its state."""
        folder, here = Path(row.folder), self.home / RUNS / row.id
        if not journal.is_run(folder) and journal.is_run(here):
            folder = here  # the home was moved
        status = row.status
        if status != "succeeded" and journal.is_run(folder):
            with suppress(CorruptError):  # a broken log leaves what was last recorded
                status = journal.status(folder)
        return Recorded(
            id=row.id,
            folder=str(folder),
            created=row.created,
            status=status,
            name=row.name,
            base=row.base,
            task=row.task,
            method=row.method,
            metric=row.metric,
            value=row.value,
            verdict=row.verdict,
            facts=strict_json.loads(row.facts),
        )

    def _unknown_name(self, session: Session, name: str) -> RunError:
        names = list(session.scalars(select(PromotionRow.name).distinct()))
        do = nearest(name, names) if names else "afina promote RUN --as NAME gives a first one"
        return RunError(f"no model is promoted as {name}", where=str(self.home), do=do)

    def _note(self, run_id: str, folder: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Write a change into the run's own log, from which the registry can be made again."""
        if journal.is_run(Path(folder)):
            journal.add(Path(folder), kind, {"facts": dict(facts)})


def fill(row: RunRow, facts: Mapping[str, Any]) -> None:
    """Put what was recorded into a row: columns by name, the rest into ``facts``."""
    beyond = strict_json.loads(row.facts)
    for key, value in facts.items():
        if key not in _COLUMNS:
            beyond[key] = value
            continue
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = number if key == "value" else isinstance(value, str)
        if not fits and (value is not None or key in ("folder", "created", "status")):
            raise fault(f"{key} cannot be {value!r}", f"registry: {row.id}")
        setattr(row, key, value)
    row.facts = strict_json.dumps(beyond, f"registry: {row.id}")


def _row(session: Session, run_id: str) -> RunRow:
    row = session.get(RunRow, run_id)
    if row is None:
        known = list(session.scalars(select(RunRow.id)))
        do = nearest(run_id, known) if known else "afina run recipe.yaml makes a first one"
        raise RunError(f"the registry knows no run {run_id}", where=run_id, do=do)
    return row


def _check_promotable(run: Recorded, name: str) -> None:
    if run.status != "succeeded":
        resumed = f"afina train --resume {run.id}"
        raise RunError(
            f"only a run that has succeeded can be {name}; this one is {run.status}",
            where=run.id,
            do=f"choose another one{f', or {resumed}' if run.status == 'interrupted' else ''}",
        )
    if not journal.is_run(Path(run.folder)):
        raise RunError(
            f"the folder of this run is not there, so it cannot be {name}",
            where=run.folder,
            do=f"bring it back, or choose another run: afina promote RUN --as {name}",
        )


def _history(session: Session, name: str) -> list[PromotionRow]:
    rows = select(PromotionRow).where(PromotionRow.name == name).order_by(PromotionRow.number)
    return list(session.scalars(rows))


def _stack(history: list[PromotionRow]) -> list[str]:
    """The runs a name can still go back through; the last one is the one it means now."""
    stack: list[str] = []
    for row in history:
        if row.by == "rollback" and stack:
            stack.pop()
            if stack and stack[-1] == row.run_id:
                continue
        stack.append(row.run_id)
    return stack


def _add(
    session: Session,
    name: str,
    history: list[PromotionRow],
    run_id: str,
    by: Literal["promote", "rollback"],
) -> Promotion:
    number = history[-1].number + 1 if history else 1
    row = PromotionRow(name=name, number=number, run_id=run_id, at=journal.now(), by=by)
    session.add(row)
    return _promotion(row)


def _promotion(row: PromotionRow) -> Promotion:
    by: Literal["promote", "rollback"] = "rollback" if row.by == "rollback" else "promote"
    return Promotion(row.name, row.number, row.run_id, row.at, by)
