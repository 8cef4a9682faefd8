"""Checkpoints under failing calls, power cuts and kills."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from afina.errors import MachineError
from afina.store import Checkpoints
from tests.store.faults import PowerCuts, failing_at, filler, holds, names

# ---------------------------------------------------------------------------- failing calls


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("step", [3, 2])
def test_every_failed_call_loses_no_commit(
    tmp_path: Path, number: int, lasting: bool, step: int
) -> None:
    """The N-th call fails, N = 1, 2, … until none does; step 2 is replaced, step 3 is new."""
    template = Checkpoints(tmp_path / "template", keep=1)
    template.commit(1, filler(1), {}, pinned=True)
    template.commit(2, filler(2), {})
    for call in range(1, 400):
        folder = tmp_path / str(call)
        shutil.copytree(template.folder, folder)
        store = Checkpoints(folder, keep=1)
        error = None
        with failing_at(call, number, lasting=lasting) as fault:
            try:
                store.commit(step, filler(step, 1), {}, pinned=False)
            except MachineError as raised:
                error = raised
        after = Checkpoints(folder, keep=1)
        newest = after.newest()
        if error is None:
            assert holds(newest, step, 1), call
        else:
            assert holds(newest, 2, 0) or holds(newest, step, 1), (call, fault.name)
        assert holds(after.pinned(), 1), call
        assert not (folder / "quarantine").exists(), call
        after.commit(step, filler(step, 1), {})  # the disk works again
        assert holds(after.newest(), step, 1)
        assert names(folder) == {"step-1", f"step-{step}"}
        shutil.rmtree(folder)
        if not fault.happened:
            assert call > 25
            return
    pytest.fail("the loop never came to its end")


def test_a_failed_fsync_voids_the_checkpoint(tmp_path: Path) -> None:
    """No second fsync of the same file: the next attempt writes new ones."""
    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {})
    for call in range(1, 100):
        with failing_at(call, errno.EIO, names=("fsync",)) as fault:
            try:
                store.commit(2, filler(2), {})
            except MachineError:
                assert store.steps() == [1], call
                assert names(tmp_path) == {"step-1"}
        if not fault.happened:
            break
    assert call > 6
    assert holds(store.newest(), 2)


# ---------------------------------------------------------------------------- power cuts


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for the open files")
@pytest.mark.parametrize("seed", range(3))
def test_a_power_cut_at_any_call_loses_no_commit(tmp_path: Path, seed: int) -> None:
    """Whatever was not fsynced may be lost or garbage; what was committed is there and whole."""
    folder = tmp_path / "disk"
    folder.mkdir()
    cuts = PowerCuts(folder)
    store = Checkpoints(folder, keep=1)
    committed: list[int] = []
    pins: list[int] = []

    def cut() -> None:
        for variant in range(2):
            target = tmp_path / "after"
            cuts.draw(target, seed=seed * 100_000 + cuts.calls * 10 + variant)
            after = Checkpoints(target, keep=1)
            newest, pinned = after.newest(), after.pinned()
            if committed:
                assert newest is not None, cuts.calls
                assert newest.step >= committed[-1], cuts.calls
                assert holds(newest, newest.step, 0, 1), cuts.calls
            if pins:
                assert pinned is not None, cuts.calls
                assert pinned.step >= pins[-1], cuts.calls
            shutil.rmtree(target)

    with cuts.watching(cut):
        for step, version, pinned in [
            (1, 0, True),
            (2, 0, False),
            (3, 0, True),
            (3, 1, True),
            (4, 0, False),
        ]:
            store.commit(step, filler(step, version), {}, pinned=pinned)
            committed.append(step)
            pins.extend([step] if pinned else [])
    assert cuts.calls > 100


# ---------------------------------------------------------------------------- kills

CHILD = """
import sys
from pathlib import Path
from afina.store import Checkpoints
from tests.store.faults import filler
store = Checkpoints(sys.argv[1], keep=2)
found = store.newest()
step = found.step if found else 0
while True:
    step += 1
    store.commit(step, filler(step), {"step": step}, pinned=step % 3 == 0)
    print(step, flush=True)
"""


def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """SIGKILL at 20 random moments of a loop of commits; each time it goes on from there."""
    chance = random.Random(11)
    last = 0
    for _ in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        lines = [child.stdout.readline()]  # it has begun
        time.sleep(chance.random() * 0.06)
        child.send_signal(signal.SIGKILL)
        lines += child.communicate()[0].splitlines()
        acknowledged = [int(line) for line in lines if line.strip()]
        assert acknowledged[0] == last + 1
        store = Checkpoints(tmp_path, keep=2)
        newest = store.newest()
        assert newest is not None
        assert newest.step in (acknowledged[-1], acknowledged[-1] + 1)
        assert holds(newest, newest.step)
        pinned = store.pinned()
        assert pinned is None or pinned.step in (newest.step // 3 * 3, newest.step // 3 * 3 - 3)
        assert not (tmp_path / "quarantine").exists()
        assert not [n for n in os.listdir(tmp_path) if n.startswith(".")]
        last = newest.step
    assert last > 20


def test_a_reader_may_look_while_a_run_commits(tmp_path: Path) -> None:
    """Another process or thread asks for the newest one at any moment and gets a whole one."""
    writer, reader = Checkpoints(tmp_path, keep=1), Checkpoints(tmp_path, keep=1)
    writer.commit(0, filler(0), {})
    done = threading.Event()
    seen: list[int] = []

    def look() -> None:
        while not done.is_set():
            found = reader.newest()
            assert found is not None
            seen.append(found.step)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for step in range(1, 40):
            writer.commit(step, filler(step), {})
    finally:
        done.set()
        thread.join()
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert not (tmp_path / "quarantine").exists()
