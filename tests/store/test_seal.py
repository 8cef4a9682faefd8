"""Models are published whole; a sealed run shows every change."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from afina.errors import AfinaError, CorruptError, MachineError, RunError
from afina.store import Run, Verification
from tests.store.faults import failing_at


def fill_model(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "weights").write_text(text)
        (folder / "inner").mkdir()
        (folder / "inner" / "card.json").write_text(text)

    return write


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
