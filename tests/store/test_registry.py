"""The registry: what is recorded, what is promoted, by whom at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import AfinaError, RequestError, RunError
from afina.store import Registry, Run
from afina.store.database import FILE
from afina.store.rebuild import rebuild
from tests.store.runs import succeeded

# ---------------------------------------------------------------------------- runs


def test_what_is_recorded_comes_back_and_is_added_to(home: Path) -> None:
    registry = Registry(home)
    run = Run.create(home, "soporte")
    registry.record(run.id, {"name": "soporte", "base": "x/y", "task": "classify", "seconds": 1.5})
    run.set_status("succeeded")
    facts = {"status": "succeeded", "metric": "macro_f1", "value": 0.93, "verdict": "ship"}
    returned = registry.record(run.id, {**facts, "method": None, "cost": {"rows": [1, 2]}})
    found = Registry(home).get(run.id)
    assert found == returned
    assert (found.name, found.base, found.task, found.method) == (
        "soporte",
        "x/y",
        "classify",
        None,
    )
    assert (found.metric, found.value, found.verdict) == ("macro_f1", 0.93, "ship")
    assert found.facts == {"seconds": 1.5, "cost": {"rows": [1, 2]}}
    assert found.folder == str(run.folder)
    assert found.created.replace("-", "").replace("T", "-").replace(":", "")[:15] == run.id[:15]
    assert found.as_dict()["status"] == "succeeded"


def test_runs_come_newest_first(home: Path) -> None:
    registry = Registry(home)
    assert registry.runs() == []
    for day in (2, 3, 1):
        registry.record(f"2026110{day}-120000-x-000{day}", {"status": "failed"})
    assert [run.id[:8] for run in registry.runs()] == ["20261103", "20261102", "20261101"]


def test_a_run_that_has_not_succeeded_is_asked_for_its_state(home: Path) -> None:
    registry = Registry(home)
    run = Run.create(home)
    registry.record(run.id, {"status": "running"})
    with run.lock():
        run.set_status("running")
        assert registry.get(run.id).status == "running"
    assert registry.runs()[0].status == "interrupted"
    (run.folder / "events.jsonl").write_bytes(b"broken\n{}\n")
    assert registry.runs()[0].status == "running"  # what was last recorded


@pytest.mark.parametrize(
    "facts", [{"value": float("nan")}, {"value": "0.5"}, {"status": None}, {"name": 3}, {"x": {1}}]
)
def test_what_cannot_be_recorded(home: Path, facts: dict[str, object]) -> None:
    registry = Registry(home)
    with pytest.raises(AfinaError, match="fault of Afina"):
        registry.record("20261101-120000-x-0001", facts)
    assert registry.runs() == []


def test_an_unknown_run_names_the_nearest(home: Path) -> None:
    registry = Registry(home)
    with pytest.raises(RunError, match="knows no run"):
        registry.get("x")
    run = succeeded(home)
    with pytest.raises(RunError) as raised:
        registry.get(run.id[:-1] + "z")
    assert raised.value.do == f"did you mean {run.id}?"


def test_only_its_owner_reads_the_file_and_commits_are_full(home: Path) -> None:
    registry = Registry(home)
    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    with registry._database._engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "busy_timeout": 10_000,
        "foreign_keys": 1,
    }


def test_asking_whether_there_is_one_does_not_make_it(home: Path) -> None:
    assert not Registry.exists(home)
    assert not home.exists()
    Registry(home)
    assert Registry.exists(home)


# ---------------------------------------------------------------------------- promotions


def test_promote_and_roll_back(home: Path) -> None:
    registry = Registry(home)
    a, b, c = (succeeded(home).id for _ in range(3))
    for run_id in (a, b, c):
        assert registry.promote("soporte", run_id).run_id == run_id
    assert registry.resolve("soporte") == c
    assert registry.rollback("soporte").run_id == b
    assert registry.rollback("soporte").run_id == a
    with pytest.raises(RunError, match="nothing to go back to"):
        registry.rollback("soporte")
    registry.promote("soporte", c)
    assert registry.rollback("soporte").run_id == a
    history = registry.promotions("soporte")
    assert [(p.run_id, p.by) for p in history] == [
        (a, "promote"),
        (b, "promote"),
        (c, "promote"),
        (b, "rollback"),
        (a, "rollback"),
        (c, "promote"),
        (a, "rollback"),
    ]
    assert [p.number for p in history] == list(range(1, 8))
    assert [p.at for p in history] == sorted(p.at for p in history)
    assert registry.promoted() == {"soporte": a}
    assert registry.resolve("other") is None
    assert registry.promotions() == history


def test_promoting_what_is_promoted_adds_nothing(home: Path) -> None:
    registry = Registry(home)
    run = succeeded(home)
    first = registry.promote("soporte", run.id)
    assert registry.promote("soporte", run.id) == first
    assert len(registry.promotions("soporte")) == 1


@pytest.mark.parametrize("status", ["created", "running", "interrupted", "failed"])
def test_only_a_run_that_has_succeeded_is_promoted(home: Path, status: str) -> None:
    registry = Registry(home)
    run = Run.create(home)
    run.set_status(status)
    registry.record(run.id, {"status": status})
    with pytest.raises(RunError, match="only a run that has succeeded") as raised:
        registry.promote("soporte", run.id)
    interrupted = status in ("interrupted", "running")
    assert ("--resume" in raised.value.do) == interrupted
    assert registry.promotions() == []


def test_a_run_that_is_gone_is_neither_promoted_nor_gone_back_to(
    home: Path, tmp_path: Path
) -> None:
    registry = Registry(home)
    a, b = succeeded(home), succeeded(home)
    registry.promote("soporte", a.id)
    registry.promote("soporte", b.id)
    a.folder.rename(tmp_path / "away")
    with pytest.raises(RunError, match="not there"):
        registry.rollback("soporte")
    with pytest.raises(RunError, match="not there"):
        registry.promote("otra", a.id)
    assert registry.resolve("soporte") == b.id


@pytest.mark.parametrize(
    "name", ["", "last", "a/b", "-x", "20261101-120000", "x" * 65, "a b", ".."]
)
def test_names_that_cannot_be(home: Path, name: str) -> None:
    run = succeeded(home)
    with pytest.raises(RequestError, match="cannot be the name"):
        Registry(home).promote(name, run.id)


def test_an_unknown_name_names_the_nearest(home: Path) -> None:
    registry = Registry(home)
    with pytest.raises(RunError, match="no model is promoted as soporte") as raised:
        registry.rollback("soporte")
    assert "afina promote" in raised.value.do
    registry.promote("soporte", succeeded(home).id)
    for action in (registry.rollback, registry.promotions):
        with pytest.raises(RunError) as raised:
            action("soprte")
        assert raised.value.do == "did you mean soporte?"


@settings(max_examples=15, deadline=None)
@given(moves=st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=8))
def test_a_name_is_a_stack_with_a_history(
    moves: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    runs = {letter: succeeded(home, letter).id for letter in "abc"}
    registry = Registry(home)
    stack: list[str] = []
    lines = 0
    for move in moves:
        if move == "back":
            if len(stack) < 2:
                with pytest.raises(RunError):
                    registry.rollback("x")
                continue
            stack.pop()
            assert registry.rollback("x").run_id == stack[-1]
        else:
            if stack and stack[-1] == runs[move]:
                registry.promote("x", runs[move])
                continue
            stack.append(runs[move])
            registry.promote("x", runs[move])
        lines += 1
        assert registry.resolve("x") == stack[-1]
    assert len(registry.promotions()) == lines


# ---------------------------------------------------------------------------- several processes

CHILD = """
import sys
from afina.store import Registry
home, me, run = sys.argv[1], sys.argv[2], sys.argv[3]
Registry(home).record(run, {"status": "succeeded"})
for n in range(12):
    registry = Registry(home)
    registry.record(f"20261101-1200{n:02}-w{me}-0000", {"status": "failed", "value": n})
    registry.promote(f"name{n % 3}", run)
    registry.record(run, {f"by{me}": n})
"""


def started(home: Path, runs: list[Run]) -> list[subprocess.Popen[str]]:
    return [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(home), str(me), run.id],
            stderr=subprocess.PIPE,
            text=True,
        )
        for me, run in enumerate(runs)
    ]


def test_several_processes_write_at_once_and_nothing_is_lost(home: Path) -> None:
    """They all meet a home without a registry, too."""
    runs = [Run.create(home) for _ in range(4)]
    for run in runs:
        run.set_status("succeeded")
    children = started(home, runs)
    for child in children:
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    registry = Registry(home)
    recorded = registry.runs()
    assert len(recorded) == 4 + 4 * 12
    for me, run in enumerate(runs):
        assert registry.get(run.id).facts == {f"by{me}": 11}
    for n in range(3):
        numbers = [p.number for p in registry.promotions(f"name{n}")]
        assert numbers == list(range(1, len(numbers) + 1))
        assert {p.run_id for p in registry.promotions(f"name{n}")} == {run.id for run in runs}


KILLED = """
import sys
from afina.store import Registry
registry = Registry(sys.argv[1])
for n in range(10_000):
    registry.record(f"20261101-{n:06}-x-0000", {"status": "failed"})
    print(n, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_was_acknowledged(home: Path) -> None:
    chance = random.Random(3)
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(home)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(chance.randrange(1, 12))]
        child.kill()
        lines += child.communicate()[0].splitlines()
        known = {run.id for run in Registry(home).runs()}
        assert {f"20261101-{int(n):06}-x-0000" for n in lines if n.strip()} <= known


POSTGRES = os.environ.get("AFINA_TEST_POSTGRES", "")


@pytest.mark.skipif(not POSTGRES, reason="AFINA_TEST_POSTGRES names no empty PostgreSQL database")
def test_the_same_on_postgresql(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFINA_REGISTRY", POSTGRES)
    runs = [succeeded(home, str(n)) for n in range(3)]
    children = started(home, runs)
    for child in children:
        _, errors = child.communicate()
        assert child.returncode == 0, errors
    registry = Registry(home)
    assert {run.id for run in runs} <= {r.id for r in registry.runs()}
    for n in range(3):
        numbers = [p.number for p in registry.promotions(f"name{n}")]
        assert numbers == list(range(1, len(numbers) + 1))
    registry.promote("solo", runs[0].id)
    registry.promote("solo", runs[1].id)
    assert registry.rollback("solo").run_id == runs[0].id
    assert rebuild(home).runs == 3
    assert registry.resolve("solo") == runs[0].id
