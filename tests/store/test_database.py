"""The registry's database: broken, moved, newer, locked, elsewhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from afina.errors import CorruptError, MachineError, RequestError, RunError
from afina.store import Registry, Run, schema
from afina.store.database import FILE, Database
from afina.store.rebuild import rebuild
from tests.store.runs import succeeded


def test_a_broken_file_is_named_and_made_again_from_the_runs(home: Path) -> None:
    a, b = succeeded(home), succeeded(home)
    registry = Registry(home)
    registry.record(a.id, {"metric": "accuracy", "value": 0.5, "rows": 3})
    registry.promote("soporte", a.id)
    registry.promote("soporte", b.id)
    registry.rollback("soporte")
    runs, history = registry.runs(), registry.promotions()
    for left in home.glob(f"{FILE}-*"):
        left.unlink()
    (home / FILE).write_bytes(b"this is no database at all" * 100)
    with pytest.raises(CorruptError, match="not a database any more") as raised:
        Registry(home)
    assert "afina doctor --rebuild" in raised.value.do
    done = rebuild(home)
    assert (done.runs, done.promotions, done.unreadable) == (2, 3, ())
    assert Path(done.kept_aside).read_bytes().startswith(b"this is no database")
    again = Registry(home)
    assert again.runs() == runs
    assert again.promotions() == history
    assert again.resolve("soporte") == a.id
    assert rebuild(home).kept_aside == ""
    assert again.promotions() == history


def test_rebuilding_leaves_out_only_what_cannot_be_read(home: Path) -> None:
    good, bad = succeeded(home), Run.create(home)
    (bad.folder / "events.jsonl").write_bytes(b"broken\n{}\n")
    Registry(home).record("20200101-000000-archived-0000", {"status": "succeeded"})
    done = rebuild(home)
    assert (done.runs, done.promotions) == (1, 0)
    assert [line.partition(":")[0] for line in done.unreadable] == [bad.id]
    assert {r.id for r in Registry(home).runs()} == {good.id, "20200101-000000-archived-0000"}
    with pytest.raises(RunError, match="no home with runs"):
        rebuild(home / "nowhere")
    assert not (home / "nowhere").exists()


def test_a_moved_home_still_finds_its_runs(home: Path, tmp_path: Path) -> None:
    run = succeeded(home)
    Registry(home).promote("soporte", run.id)
    home.rename(tmp_path / "moved")
    assert Registry(tmp_path / "moved").get(run.id).folder == str(tmp_path / "moved/runs" / run.id)
    assert Run.open(tmp_path / "moved", "soporte").home == tmp_path / "moved"


def test_a_registry_of_a_newer_afina_is_refused(home: Path) -> None:
    Registry(home)
    with sqlite3.connect(home / FILE) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(MachineError, match="newer Afina") as raised:
        Registry(home)
    assert "upgrade" in raised.value.do


def test_migrations_make_the_tables_that_the_code_expects(home: Path) -> None:
    """The list of functions and the declared tables say the same."""
    from sqlalchemy import inspect

    database = Database(home)
    assert database.version() == len(schema.MIGRATIONS)
    inspector = inspect(database._engine)
    for table in schema.Base.metadata.tables.values():
        columns = {c["name"]: c["nullable"] for c in inspector.get_columns(table.name)}
        expected = {c.name: bool(c.nullable) for c in table.columns}
        assert set(columns) == set(expected)
        assert {n for n, free in expected.items() if not free} - {"id"} == {
            n for n, free in columns.items() if not free
        } - {"id"}
    unique = inspector.get_unique_constraints("promotions")
    assert [u["column_names"] for u in unique] == [["name", "number"]]


def test_a_migration_runs_once_and_a_failed_one_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import Connection, text

    run = succeeded(home)
    seen: list[str] = []

    def second(connection: Connection) -> None:
        seen.append("second")
        connection.execute(text("ALTER TABLE runs ADD COLUMN note TEXT"))
        if len(seen) == 1:
            connection.execute(text("this is no SQL"))

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, second))
    with pytest.raises(MachineError, match="syntax error"):
        Registry(home)
    Registry(home)
    assert Registry(home).get(run.id).status == "succeeded"
    assert seen == ["second", "second"]


def test_a_network_filesystem_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from afina.store import disk

    monkeypatch.setattr(disk, "filesystem_type", lambda path, mounts: "nfs4")
    with pytest.raises(MachineError, match="network filesystem"):
        Registry(home)
    assert not (home / FILE).exists()


def test_a_writer_that_holds_it_for_long_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.store import database

    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
    registry = Registry(home)
    holder = sqlite3.connect(home / FILE, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(MachineError, match="locked") as raised:
            registry.record("20261101-120000-x-0001", {"status": "failed"})
        assert "another process" in raised.value.do
        assert registry.runs() == []  # readers do not wait
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    registry.record("20261101-120000-x-0001", {"status": "failed"})
    assert len(registry.runs()) == 1


def test_a_second_writer_waits_before_it_reads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else two that read the same history would both add to it, and one would fail half-way."""
    from afina.store import database

    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
    first, second = Database(home), Database(home)

    def read_to_write() -> None:
        with second.writing() as session:
            session.connection()

    with first.writing() as session:
        session.connection()
        with pytest.raises(MachineError, match="locked"):
            read_to_write()
    read_to_write()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "no database URL"),
        ("mysql://user:secret@host/db", "knows no database mysql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_urls_that_cannot_be(home: Path, url: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as raised:
        Registry(home, url)
    assert "secret" not in str(raised.value)


def test_the_environment_names_another_database(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFINA_REGISTRY", f"sqlite:///{tmp_path}/elsewhere/all.sqlite")
    run = succeeded(home)
    Registry(home).promote("soporte", run.id)
    assert (tmp_path / "elsewhere" / "all.sqlite").exists()
    assert not (home / FILE).exists()
    assert Run.open(home, "soporte").id == run.id


def test_a_server_that_is_not_there_is_told_without_its_password(home: Path) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(MachineError) as raised:
        Registry(home, "postgresql://afina:secret@127.0.0.1:1/afina")
    assert "secret" not in str(raised.value)
    assert "AFINA_REGISTRY" in raised.value.do
