"""Code of models run with tests, in a process of its own: a guard against accidents, not attackers.

A fresh folder, ``python -I`` without the environment, limits on time, memory, files and their size; the
whole process group is killed in the end. What Python is asked to do beyond that (write elsewhere, start
processes, use the network) is refused by an audit hook, and the network is cut by the kernel where it
lets us. Code that wants out can get out: for code of strangers, run Afina itself in a virtual machine.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from afina.errors import MachineError

CHILD = Path(__file__).with_name("sandbox_child.py")
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use. ``seconds``: of the clock and of the processor."""

    seconds: float = 10.0
    megabytes: int = 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether all tests were run and passed, else why not; whether the kernel cut the network."""

    passed: bool
    reason: str = ""
    network_cut: bool = False


def code_of(text: str) -> str:
    """The first fenced block of an answer, or all of it where there is none."""
    found = _FENCE.search(text)
    return found[2] if found else text


def run_tests(code: str, tests: str, limits: Limits) -> Outcome:
    """Run ``code``, then ``tests`` with its names. Raises MachineError where nothing can be limited."""
    if sys.platform == "win32":
        raise MachineError(
            "tests of code are run under limits that Windows does not have",
            where="task.run_tests",
            do="run Afina on Linux or macOS, or leave task.run_tests out",
        )
    try:
        with tempfile.TemporaryDirectory(prefix="afina-tests-", ignore_cleanup_errors=True) as name:
            return _outcome(Path(name), code, tests, limits)
    except OSError as error:
        raise MachineError(
            f"no process could be made to run tests in: {error.strerror}",
            where="task.run_tests",
            do="free disk and memory, or leave task.run_tests out",
        ) from None


def _outcome(folder: Path, code: str, tests: str, limits: Limits) -> Outcome:
    for file, text in (("answer.py", code), ("tests.py", tests)):
        (folder / file).write_text(text, "utf-8", "surrogatepass")
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        reason, said = _run(folder, writing, limits), b""
        with contextlib.suppress(BlockingIOError):  # nothing was said
            said = os.read(reading, TAIL_BYTES)
    finally:
        os.close(reading)
        os.close(writing)
    lines = said.split(b"\n")
    return Outcome(not reason and b"passed" in lines, reason, b"network cut" in lines)


def _run(folder: Path, report: int, limits: Limits) -> str:
    """Why it failed; empty where the process ended well."""
    seconds = max(1, math.ceil(limits.seconds))
    asked = [str(report), str(seconds), str(limits.megabytes * 2**20)]
    errors = folder / "errors"
    with open(errors, "wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(CHILD), *asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            cwd=folder,
            env={"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"},
            pass_fds=(report,),
            start_new_session=True,
        )
        try:
            code = process.wait(limits.seconds)
        except subprocess.TimeoutExpired:
            return f"no end within {limits.seconds:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if code == 0:
        return ""
    lines = errors.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last or f"ended with {code}"


def describe(limits: Limits) -> str:
    """What guards the runs here, tried out. Raises MachineError where not even ``1 + 1`` passes."""
    tried = run_tests("two = 1 + 1", "assert two == 2", limits)
    if not tried.passed:
        raise MachineError(
            f"code cannot be run under the limits: {tried.reason or 'it did not end'}",
            where="task.run_tests",
            do="raise task.test_megabytes or task.test_seconds, or leave task.run_tests out",
        )
    cut = (
        "by the kernel" if tried.network_cut else "by Python only (the kernel lets no one unshare)"
    )
    return (
        f"the code of answers is run, each in a process of {limits.seconds:g} s and "
        f"{limits.megabytes:,} MB at most; the network is cut {cut}. This guards against accidents, "
        "not against an attacker"
    )
