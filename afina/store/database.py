"""The database under the registry: SQLite with its safe settings, or PostgreSQL by URL.

Writers come one after the other (``BEGIN IMMEDIATE``; an advisory lock in PostgreSQL), readers
never wait for them. Errors of the database become errors of Afina here.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from afina.errors import CorruptError, MachineError, RequestError
from afina.store import schema
from afina.store.disk import refuse_network_filesystem, storing
from afina.store.durable import fsync_folder, make_folder
from afina.store.find import check_home

FILE = "registry.sqlite"
LOCK = ".registry.lock"
URL_VARIABLE = "AFINA_REGISTRY"
BUSY_MILLISECONDS = 10_000
"""How long a writer waits for another."""

_WRITERS = 4_186_042
"""Number of the advisory lock that makes PostgreSQL's writers come one after the other."""


def registry_url() -> str | None:
    """The database that the environment names, if it names one."""
    return os.environ.get(URL_VARIABLE) or None


class Database:
    """Transactions on the registry's tables, which are made or migrated when it is opened."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        self._url = _parsed(url) if url else URL.create("sqlite", database=str(home / FILE))
        self.shown = self._url.render_as_string(hide_password=True)
        self.file = Path(str(self._url.database)) if self._is_sqlite else None
        if self.file is not None:
            self.shown = str(self.file)
            self._make_file(self.file, home)
        self._engine = self._make_engine()
        with self._alone():
            self._prepare()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that only reads."""
        with self._translated(), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose changes are all stored, durably, or none; other writers wait."""
        writer = self._engine.execution_options(afina_writes=True)
        session = Session(writer, expire_on_commit=False)
        with self._translated(), session, session.begin():
            if not self._is_sqlite:
                lock = text("SELECT pg_advisory_xact_lock(:number)")
                session.execute(lock, {"number": _WRITERS})
            yield session

    def version(self) -> int:
        """The number of migrations that the database has seen."""
        with self._translated(), self._engine.connect() as connection:
            return schema.version(connection)

    # ------------------------------------------------------------------ inside

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _make_file(self, file: Path, home: Path) -> None:
        if file.parent == home:
            check_home(home)
        refuse_network_filesystem(file)
        make_folder(file.parent)

    def _make_engine(self) -> Any:
        try:
            engine = create_engine(self._url, poolclass=NullPool)
        except ModuleNotFoundError as error:
            raise MachineError(
                f"the driver for this database is not installed ({error.name})",
                where=self.shown,
                do="pip install 'afina[postgres]'",
            ) from None
        if self._is_sqlite:
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _prepare(self) -> None:
        """Make what is missing. The file is made by us first, so that only its owner reads it."""
        if self.file is not None:
            with storing(self.file, "make"), suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                os.close(os.open(self.file, flags, 0o600))
                fsync_folder(self.file.parent)
        with self._translated():
            with self._engine.connect() as connection:
                if schema.version(connection) == len(schema.MIGRATIONS):
                    return
            writer = self._engine.execution_options(afina_writes=True)
            with writer.begin() as connection:
                schema.migrate(connection, self.shown)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time makes, migrates or moves the file (the switch to WAL cannot wait).

        The lock is a file of its own: closing another descriptor of the database's file would let
        go of SQLite's own locks on it.
        """
        if self.file is None:
            yield
            return
        path = self.file.with_name(LOCK)
        with storing(path, "lock"):
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with storing(path, "lock"):
                fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._error(error) from error
        except SQLAlchemyError as error:
            raise MachineError(
                f"the registry failed: {error}", where=self.shown, do=_CHECK
            ) from error

    def _error(self, error: DBAPIError) -> MachineError:
        cause = error.orig
        code = getattr(cause, "sqlite_errorcode", None)
        primary = code & 0xFF if isinstance(code, int) else None
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return CorruptError(
                f"the registry is not a database any more: {cause}",
                where=self.shown,
                do="make it again from the run folders: "
                "afina doctor --rebuild (the broken file is kept beside it)",
            )
        words = str(cause).strip().splitlines()
        what = f"the registry cannot be used: {words[0] if words else type(cause).__name__}"
        remedy = _SQLITE_REMEDIES.get(primary, _CHECK) if primary is not None else _CHECK_SERVER
        return MachineError(what, where=self.shown, do=remedy)


_CHECK = "check the disk and the file's permissions (afina doctor)"
_CHECK_SERVER = f"check that the server runs and that {URL_VARIABLE} is right"
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds it for long: try again when it has ended",
    sqlite3.SQLITE_FULL: "free some space there, or use a home on another disk (--home)",
    sqlite3.SQLITE_READONLY: "check the permissions of the file and its folder (--home)",
}


def _parsed(url: str) -> URL:
    where = URL_VARIABLE
    do = "sqlite:////folder/file.sqlite or postgresql+psycopg://user@host/database"
    try:
        parsed = make_url(url)
    except ArgumentError:  # its text would repeat the URL, and with it a password
        raise RequestError("this is no database URL", where=where, do=do) from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise RequestError(f"the registry knows no database {backend}", where=where, do=do)
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise RequestError("the registry needs a file, not memory", where=where, do=do)
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _set_up_sqlite(connection: Any, _: Any) -> None:
    """For each new connection: our own BEGIN, waiting writers, and a commit that is on the disk."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("afina_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
