"""Runs are found by what a person types."""

from __future__ import annotations

from pathlib import Path

import pytest

from afina.errors import RunError
from afina.store import Registry, Run
from afina.store import find as finding


def test_a_run_is_found_by_id_beginning_folder_last_and_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Run.create(home, "uno"), Run.create(home, "dos")
    assert Run.open(home, first.id).folder == first.folder
    assert Run.open(home, "last").id == second.id
    assert Run.open(home, second.id[:-2]).id == second.id
    assert Run.open("elsewhere", first.folder).home == home
    monkeypatch.chdir(first.folder)
    assert Run.open(home, ".").id == first.id
    monkeypatch.chdir(home / "runs")
    assert Run.open(home, f"./{first.id}/").id == first.id
    first.set_status("succeeded")
    registry = Registry(home)
    registry.record(first.id, {"status": "succeeded"})
    registry.promote("soporte", first.id)
    assert Run.open(home, "soporte").id == first.id


def test_an_ambiguous_beginning_lists_the_runs(home: Path) -> None:
    runs = sorted(Run.create(home).id for _ in range(3))
    with pytest.raises(RunError, match="3 runs begin with 2") as raised:
        Run.open(home, "2")
    assert sorted(raised.value.problems) == runs


@pytest.mark.parametrize("ref", ["nothing", "last", "", "20", "soporte"])
def test_an_empty_home_says_so(home: Path, ref: str) -> None:
    with pytest.raises(RunError, match="holds none yet"):
        Run.open(home, ref)
    assert not home.exists()


def test_an_unknown_run_names_the_nearest(home: Path, tmp_path: Path) -> None:
    run = Run.create(home, "soporte")
    with pytest.raises(RunError, match="no run") as raised:
        Run.open(home, run.id[:-1] + "x")
    assert raised.value.do == f"did you mean {run.id}?"
    with pytest.raises(RunError, match="no such folder"):
        Run.open(home, tmp_path / "nowhere")
    with pytest.raises(RunError, match="not a run"):
        Run.open(home, tmp_path)
    with pytest.raises(RunError, match="not a run"):
        Run.open(home, str(run.folder.parent))
    with pytest.raises(RunError, match="no run ''"):
        Run.open(home, "")


def test_runs_are_listed_newest_first_and_other_folders_are_not_runs(home: Path) -> None:
    ids = [Run.create(home, word).id for word in ("c", "a", "b")]
    (home / "runs" / "notes").mkdir()
    (home / "runs" / "file").write_text("x")
    assert [folder.name for folder in finding.run_folders(home)] == ids[::-1]


def test_a_promoted_run_whose_folder_is_gone_is_told(home: Path, tmp_path: Path) -> None:
    run = Run.create(home)
    run.set_status("succeeded")
    registry = Registry(home)
    registry.record(run.id, {"status": "succeeded"})
    registry.promote("soporte", run.id)
    run.folder.rename(tmp_path / "away")
    with pytest.raises(RunError, match="whose folder is gone"):
        Run.open(home, "soporte")
