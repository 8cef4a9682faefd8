"""The state of a run, and the lock that lets one process work on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from afina.errors import AfinaError, RunError
from afina.store import Run


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
