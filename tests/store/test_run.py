"""Runs: made, written, read, measured."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from afina.errors import AfinaError, CorruptError, MachineError, RunError
from afina.store import Run
from tests.store.faults import failing_at

# ---------------------------------------------------------------------------- making


def test_a_new_run_has_a_sortable_id_and_a_private_folder(home: Path) -> None:
    run = Run.create(home, "Sopørte — Niño/2")
    assert re.fullmatch(r"\d{8}-\d{6}-sop-rte-nino-2-[0-9a-f]{4}", run.id)
    assert run.folder == home / "runs" / run.id
    assert run.folder.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_mode & 0o777 == 0o700
    assert run.status == "created"
    (created,) = run.events()
    assert created["event"] == "created"
    assert created["run"] == run.id
    assert created["name"] == "Sopørte — Niño/2"
    assert created["time"].endswith("+00:00")


@pytest.mark.parametrize("name", [None, "", "***", "日本"])
def test_a_run_without_plain_letters_in_its_name_gets_a_word(home: Path, name: str | None) -> None:
    assert re.fullmatch(r"\d{8}-\d{6}-[a-z]+-[0-9a-f]{4}", Run.create(home, name).id)


def test_two_runs_of_one_second_differ(home: Path) -> None:
    assert len({Run.create(home, "x" * 300).id for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("bad", "words"), [("/", "root"), ("", "no folder name"), ("a\0b", "no folder name")]
)
def test_bad_homes_are_refused(bad: str, words: str) -> None:
    with pytest.raises(RunError, match=words) as raised:
        Run.create(bad)
    assert raised.value.do


def test_a_link_to_the_root_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(RunError, match="root"):
        Run.create(tmp_path / "link")
    assert not Path("/runs").exists()


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises((RunError, MachineError), match="file"):
            Run.create(home)
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(RunError, match="file"):
        Run.create(tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_home_that_cannot_be_written_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(MachineError, match="cannot be written"):
        Run.create(home)
    monkeypatch.undo()
    with (
        failing_at(1, errno.EROFS, names=("mkdir",)),
        pytest.raises(MachineError, match="read-only"),
    ):
        Run.create(home)


# ---------------------------------------------------------------------------- files


def test_files_are_written_and_read_by_suffix(home: Path) -> None:
    run = Run.create(home)
    run.write("plan.json", {"rows": 3, "labels": ("a", "ñ")})
    run.write("recipe.yaml", "task: classify\n")
    run.write("data/deep/ids.json", ["r1"])
    run.write("picture.png", b"\x89PNG")
    assert run.read("plan.json") == {"rows": 3, "labels": ["a", "ñ"]}
    assert run.read("recipe.yaml") == "task: classify\n"
    assert run.read("data/deep/ids.json") == ["r1"]
    assert (run.folder / "picture.png").read_bytes() == b"\x89PNG"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("../outside.json", {}),
        ("/etc/afina.json", {}),
        ("", {}),
        ("manifest.json", {}),
        ("events.jsonl", ""),
        ("metrics.jsonl", ""),
        (".lock", ""),
        ("checkpoints/step-1/x", ""),
        ("notes.txt", {"a": 1}),
        ("plan.json", {"a": float("nan")}),
    ],
)
def test_what_a_run_must_not_be_written_with(home: Path, name: str, value: Any) -> None:
    run = Run.create(home)
    before = sorted(home.rglob("*"))
    with pytest.raises(AfinaError, match="fault of Afina"):
        run.write(name, value)
    assert sorted(home.rglob("*")) == before


def test_reading_what_is_not_there_or_is_broken(home: Path) -> None:
    run = Run.create(home)
    with pytest.raises(RunError, match=r"has no report\.json"):
        run.read("report.json")
    with pytest.raises(AfinaError, match="no name of a file"):
        run.read("../../registry.sqlite")
    (run.folder / "report.json").write_text('{"a":')
    with pytest.raises(CorruptError, match="line 1 column 6"):
        run.read("report.json")


def test_an_event_cannot_hide_its_own_time(home: Path) -> None:
    run = Run.create(home)
    with pytest.raises(AfinaError, match="its own time"):
        run.event("x", time="yesterday")
    run.event("x", kind="a fact may be called kind", self=1)
    assert run.events()[-1]["kind"] == "a fact may be called kind"


# ---------------------------------------------------------------------------- metrics


def test_metrics_after_a_step_are_dropped(home: Path) -> None:
    run = Run.create(home)
    assert run.rewind_metrics(0) == 0
    for step in range(1, 6):
        run.metric(step=step, loss=1 / step)
    run.metric(step=5, validation_loss=0.5)
    run.metric(note="no step")
    assert run.rewind_metrics(3) == 3
    assert [m.get("step") for m in run.metrics()] == [1, 2, 3, None]
    assert run.rewind_metrics(3) == 0
    rewound = [e for e in run.events() if e["event"] == "metrics_rewound"]
    assert [(e["step"], e["dropped"], e["unreadable"]) for e in rewound] == [(3, 3, 0)]


def test_metrics_that_a_power_cut_broke_do_not_stop_a_resume(home: Path) -> None:
    run = Run.create(home)
    run.metric(step=1, loss=1.0)
    with (run.folder / "metrics.jsonl").open("ab") as stream:
        stream.write(b"\0\0\0\0\n" + b'{"step":2,"loss":0.5}\n' + b'{"step":3,"lo')
    assert run.rewind_metrics(1) == 1
    assert run.metrics() == ({"step": 1, "loss": 1.0},)
    assert (run.folder / "metrics.jsonl.torn").read_bytes() == b'\0\0\0\0\n{"step":3,"lo\n'
    assert run.events()[-1]["unreadable"] == 2


def test_a_torn_line_is_set_aside_when_the_run_goes_on(home: Path) -> None:
    run = Run.create(home)
    with (run.folder / "events.jsonl").open("ab") as stream:
        stream.write(b'{"time":"2026')
    assert [e["event"] for e in run.events()] == ["created"]
    with run.lock():
        assert [e["event"] for e in run.events()] == ["created", "storage"]
        assert "13 torn bytes of events.jsonl" in run.events()[-1]["message"]


def test_metrics_are_on_the_disk_before_their_checkpoint(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(home)
    run.metric(step=1, loss=1.0)
    synced: list[str] = []
    real = os.fsync

    def fsync(number: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{number}")).name)
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    run.checkpoints.commit(1, lambda folder: (folder / "w").write_bytes(b"w") and None, {})
    assert "metrics.jsonl" in synced
    assert synced.index("metrics.jsonl") < len(synced) - 1 - synced[::-1].index("checkpoints")


def test_how_many_checkpoints_are_kept_is_the_recipes_to_say(home: Path) -> None:
    run = Run.create(home)
    assert run.checkpoints.keep == 2
    run.write("recipe.yaml", "task: classify\ntrain:\n  keep_checkpoints: 7\n")
    assert Run.open(home, run.id).checkpoints.keep == 7
    run.write("recipe.yaml", "task: classify\n")
    assert Run.open(home, run.id).checkpoints.keep == 2


def test_a_quarantined_checkpoint_is_an_event(home: Path) -> None:
    run = Run.create(home)
    run.checkpoints.commit(1, lambda folder: (folder / "w").write_bytes(b"w") and None, {})
    (run.folder / "checkpoints" / "step-1" / "w").write_bytes(b"x")
    assert run.checkpoints.newest() is None
    assert "step-1 is broken (w has other content" in run.events()[-1]["message"]
