"""Runs: made, found, locked, written, published, sealed."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina.errors import AfinaError, CorruptError, MachineError, RunError
from afina.store import Registry, Run, Verification
from afina.store import find as finding
from tests.store.faults import failing_at


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AFINA_REGISTRY", raising=False)
    return tmp_path / "home"


def fill_model(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "weights").write_text(text)
        (folder / "inner").mkdir()
        (folder / "inner" / "card.json").write_text(text)

    return write


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


# ---------------------------------------------------------------------------- finding


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


# ---------------------------------------------------------------------------- status and lock


def test_the_status_is_the_last_one_written(home: Path) -> None:
    run = Run.create(home)
    with run.lock():
        run.set_status("running")
        assert run.status == "running"
        assert Run.open(home, run.id).status == "running"
        run.set_status("failed", error={"what": "x"})
    assert run.status == "failed"
    assert run.events()[-1]["error"] == {"what": "x"}
    with pytest.raises(AfinaError, match="no status"):
        run.set_status("done")


def test_running_without_a_living_process_is_interrupted(home: Path) -> None:
    run = Run.create(home)

    def stumble() -> None:
        with run.lock():
            run.set_status("running")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert run.status == "interrupted"
    with run.lock():
        run.set_status("running")
        assert run.status == "running"


CHILD = """
import sys
from afina.store import Run
run = Run.open(sys.argv[1], "last")
with run.lock():
    run.set_status("running")
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_start_is_refused_and_a_killed_one_lets_go(home: Path) -> None:
    run = Run.create(home)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "locked\n"
        assert run.status == "running"
        with pytest.raises(RunError) as raised, run.lock():
            pytest.fail("two processes in one run")
        assert f"process {child.pid} on {os.uname().nodename}, since 20" in raised.value.what
        assert raised.value.where == run.id
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert run.status == "interrupted"
    with run.lock():
        run.set_status("succeeded")
    assert run.status == "succeeded"


def test_one_process_cannot_lock_a_run_twice(home: Path) -> None:
    run = Run.create(home)
    with run.lock():
        with (
            pytest.raises(RunError, match=f"process {os.getpid()}"),
            Run.open(home, run.id).lock(),
        ):
            pytest.fail("two in one run")
        assert run.status == "created"
    with run.lock():
        pass


def test_asking_for_the_status_never_keeps_a_start_away(home: Path) -> None:
    run = Run.create(home)
    run.set_status("running")
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            assert Run.open(home, run.id).status in ("interrupted", "running")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(30):
            with run.lock():
                assert run.status == "running"
    finally:
        done.set()
        for thread in threads:
            thread.join()


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


# ---------------------------------------------------------------------------- the model


def test_a_model_is_published_whole_and_replaced_whole(home: Path) -> None:
    run = Run.create(home)
    assert not run.model_folder.exists()
    assert run.publish_model(fill_model("one")) == run.model_folder
    run.publish_model(fill_model("two"))
    assert (run.model_folder / "weights").read_text() == "two"
    assert (run.model_folder / "inner" / "card.json").read_text() == "two"
    with pytest.raises(AfinaError, match="nothing was written"):
        run.publish_model(lambda folder: None)
    assert sorted(os.listdir(run.folder)) == ["events.jsonl", "model"]


@pytest.mark.parametrize("old", [True, False])
def test_every_failed_call_leaves_the_old_model_or_the_new(home: Path, old: bool) -> None:
    for call in range(1, 200):
        run = Run.create(home, str(call))
        if old:
            run.publish_model(fill_model("old"))
        with failing_at(call, errno.EIO, lasting=call % 2 == 0) as fault:
            error = None
            try:
                run.publish_model(fill_model("new"))
            except MachineError as raised:
                error = raised
        with run.lock():  # clears what stayed
            pass
        weights = run.model_folder / "weights"
        found = weights.read_text() if weights.exists() else None
        assert found == "new" if error is None else found in ("new", "old" if old else None), call
        assert not [n for n in os.listdir(run.folder) if n.startswith((".stage", ".old", ".drop"))]
        if not fault.happened:
            assert call > 8
            return
    pytest.fail("the loop never came to its end")


def test_a_killed_publication_is_undone_at_the_next_start(home: Path) -> None:
    """Killed between the two renames: the old model comes back, the unfinished one goes."""
    run = Run.create(home)
    run.publish_model(fill_model("old"))
    run.model_folder.rename(run.folder / ".old-model")
    (run.folder / ".stage-model-abcd").mkdir()
    (run.folder / ".afina-0123.tmp").write_text("half")
    with run.lock():
        pass
    assert (run.model_folder / "weights").read_text() == "old"
    assert sorted(os.listdir(run.folder)) == [".lock", "events.jsonl", "model"]
    told = [e["message"] for e in run.events() if e["event"] == "storage"]
    assert len(told) == 3


# ---------------------------------------------------------------------------- the seal


def test_a_sealed_run_shows_every_change(home: Path) -> None:
    run = Run.create(home)
    with pytest.raises(RunError, match="never sealed"):
        run.verify()
    with run.lock():
        run.write("plan.json", {"a": 1})
        run.metric(step=1)
        run.checkpoints.commit(1, lambda folder: (folder / "w").write_bytes(b"w") and None, {})
        run.publish_model(fill_model("x"))
        run.seal({"command": "afina run recipe.yaml", "data": "abc"})
        run.event("still", growing=True)
    assert run.verify() == Verification((), (), ())
    assert run.verify().whole
    seal = run.read("manifest.json")
    assert seal["run"] == run.id
    assert seal["command"] == "afina run recipe.yaml"
    assert seal["versions"]["python"].startswith("3.")
    assert {"torch", "transformers", "peft", "afina"} <= seal["versions"].keys()
    sealed = {f["name"] for f in seal["files"]}
    assert sealed == {"plan.json", "metrics.jsonl", "model/weights", "model/inner/card.json"}
    (run.folder / "model" / "weights").write_text("y")
    (run.folder / "plan.json").unlink()
    (run.folder / "model" / "extra.bin").write_text("z")
    found = run.verify()
    assert found == Verification(("model/weights",), ("plan.json",), ("model/extra.bin",))
    assert not found.whole
    assert found.as_dict()["changed"] == ("model/weights",)


def test_a_run_may_be_sealed_again(home: Path) -> None:
    run = Run.create(home)
    run.write("plan.json", {})
    run.seal({"command": "x"})
    run.write("report.json", {"verdict": "ship"})
    assert run.verify().extra == ("report.json",)
    run.seal({"command": "x"})
    assert run.verify().whole


def test_the_seal_itself_cannot_be_changed_unseen(home: Path) -> None:
    run = Run.create(home)
    run.write("plan.json", {})
    with pytest.raises(AfinaError, match="its own versions"):
        run.seal({"versions": {}})
    run.seal({"command": "afina run x"})
    path = run.folder / "manifest.json"
    text = path.read_text()
    for changed in (text.replace("run x", "run y"), text.replace('": ', '" : '), text + " "):
        path.write_text(changed)
        with pytest.raises(CorruptError, match="changed"):
            run.verify()
    path.write_text(text)
    assert run.verify().whole


def test_the_room_needs_no_heavy_imports() -> None:
    code = (
        "import sys, afina.store; "
        "print([m for m in ('torch', 'sqlalchemy', 'pydantic', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
