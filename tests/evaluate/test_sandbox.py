"""Code with tests in a process of its own: what passes, what must not, and what is kept from harm."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from afina.errors import DataError, MachineError, RecipeError
from afina.evaluate.code import how_code_is_run
from afina.evaluate.sandbox import Limits, Outcome, code_of, run_tests
from afina.evaluate.scorers import SCORERS, check_rows, choose
from afina.evaluate.single import value_of
from afina.tasks import Generate
from afina.types import Answer, ChatExample, Message

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no limits there")

LIMITS = Limits(seconds=20, megabytes=512)
ADD = "def add(a, b):\n    return a + b\n"
TESTS = "assert add(1, 2) == 3\nassert add('a', 'b') == 'ab'\n"


def run(code: str, tests: str = TESTS, limits: Limits = LIMITS) -> Outcome:
    return run_tests(code, tests, limits)


def test_right_code_passes() -> None:
    assert run(ADD).passed
    assert run(ADD) == run(ADD)
    assert run("import json, math\n" + ADD + "print('ñ' * 10)").passed
    assert run("from __future__ import annotations\nclass A: ...\n" + ADD).passed
    assert run(ADD, "import tempfile\nopen('own.txt', 'w').write('x')\n"
                    "with tempfile.TemporaryFile() as f: f.write(b'x')").passed  # fmt: skip


@pytest.mark.parametrize(
    ("code", "tests", "reason"),
    [
        ("def add(a, b):\n    return a - b\n", TESTS, "AssertionError"),
        ("def add(a, b) return a", TESTS, "SyntaxError"),
        ("", TESTS, "NameError: name 'add' is not defined"),
        (ADD + "raise RuntimeError('no')", TESTS, "RuntimeError: no"),
        # Ends well before the tests were run, or while they are.
        (ADD + "import sys\nsys.exit(0)", TESTS, ""),
        (ADD + "import os\nos._exit(0)", TESTS, ""),
        ("def add(a, b):\n    raise SystemExit(0)", TESTS, ""),
        ("def add(a, b):\n    import os\n    os._exit(0)", TESTS, ""),
        (ADD, "def test_one():\n    assert add(1, 1) == 3", "AssertionError"),
        (ADD, "import unittest\nclass T(unittest.TestCase):\n"
              "    def test_a(self):\n        self.assertEqual(add(1, 1), 3)", "T: 1 failed"),
    ],
)  # fmt: skip
def test_what_does_not_pass(code: str, tests: str, reason: str) -> None:
    found = run(code, tests)
    assert not found.passed
    assert reason in found.reason


def test_tests_that_only_define_are_called() -> None:
    case = "class T(unittest.TestCase):\n    def test_a(self):\n        assert add(1, 1) == 2"
    cases = f"import unittest\n{case}"
    assert run(ADD, "def test_one():\n    assert add(1, 1) == 2").passed
    assert run(ADD, cases).passed
    own = ADD + "def test_of_the_answer():\n    raise ValueError\n"
    assert run(own, "assert add(1, 1) == 2").passed, "only what the tests define is called"


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\ntime.sleep(999)",
        "while True: print('x' * 10_000)",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass",
    ],
)
def test_what_does_not_end_is_ended(code: str) -> None:
    found = run(code, limits=Limits(seconds=2, megabytes=512))
    assert not found.passed
    assert "no end within 2 s" in found.reason or found.reason.startswith("ended with -")
    assert not [p for p in psutil.Process().children(recursive=True) if "sandbox_child" in cmd(p)]


def cmd(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = bytearray(4 * 2**30)", "MemoryError"),
        ("x = []\nwhile True: x.append(bytes(2**24))", "MemoryError"),
        ("import os\nwhile True: os.fork()", "starts and ends no processes: os.fork"),
        ("import subprocess\nsubprocess.run(['sleep', '99'])", "starts and ends no processes"),
        ("import os\nos.system('true')", "starts and ends no processes"),
        ("import os\nos.kill(os.getppid(), 9)", "starts and ends no processes"),
        ("import multiprocessing as m\nm.Process(target=print).start()", "no processes"),
        ("open('big', 'wb').write(bytes(2**26))", "File too large"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80), 2)", "no network"),
        ("import urllib.request as u\nu.urlopen('http://example.org', timeout=2)", "network"),
    ],
)
def test_bombs(code: str, reason: str) -> None:
    found = run(f"{code}\n{ADD}")
    assert not found.passed
    assert reason in found.reason


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    for line in (
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"open({str(kept)!r}, 'a')",
        f"import os; os.remove({str(kept)!r})",
        f"import os; os.rename({str(kept)!r}, 'here')",
        f"import os; os.open({str(kept)!r}, os.O_WRONLY | os.O_TRUNC)",
        f"import shutil; shutil.rmtree({str(tmp_path)!r})",
        f"import pathlib; pathlib.Path({str(tmp_path / 'folder')!r}).mkdir()",
        f"import os; os.symlink({str(tmp_path)!r}, 'link'); open('link/new', 'w')",
        f"import os; os.chdir({str(tmp_path)!r}); open('new', 'w')",
    ):
        found = run(f"{line}\n{ADD}")
        assert not found.passed
        assert "its own folder only" in found.reason, line
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "mine"


def test_nothing_of_the_environment_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    assert run("", "import os\nassert 'SECRET' not in os.environ").passed
    assert "No module named 'afina'" in run("", "import afina").reason or run("", "1").passed
    assert run("", "import sys\nassert sys.flags.isolated").passed
    before = run("", "import os\nopen('left', 'w')\nassert os.listdir() != []")
    assert before.passed
    assert run("", "import os\nassert 'left' not in os.listdir()").passed, "each has a fresh folder"


def test_a_machine_that_cannot_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(MachineError, match="No space left"):
        run(ADD)


def test_two_threads_do_not_mix() -> None:
    found: dict[int, bool] = {}

    def one(n: int) -> None:
        found[n] = run(f"x = {n}", f"assert x == {n} and {n} % 2").passed

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {0: False, 1: True, 2: False, 3: True}


def test_the_first_block_is_the_code() -> None:
    assert code_of("x = 1\n") == "x = 1\n"
    assert code_of("Here:\n```python\nx = 1\n```\nand\n```\ny\n```\n") == "x = 1\n"
    assert code_of("~~~\nx = '```'\n~~~") == "x = '```'\n"
    assert code_of("```py\nx = 1\n") == "x = 1\n", "an answer that was cut off"


def rows(*tests: str) -> list[ChatExample]:
    turns = (Message("user", "add"), Message("assistant", ADD))
    return [
        ChatExample(id=str(i), where=f"row {i}", messages=turns, tests=t)
        for i, t in enumerate(tests)
    ]


def test_the_score_counts_rows_with_tests() -> None:
    task = Generate(answer="text", run_tests=True)
    given = [Answer(f"Sure:\n```python\n{ADD}```"), Answer("def add(a, b): return 3"), Answer(ADD)]
    scorer = SCORERS["passes_tests"]
    assert value_of(scorer, task, rows(TESTS, TESTS, ""), given) == 0.5
    assert choose(task, None, None)[0] is scorer
    with pytest.raises(DataError, match="no row has tests"):
        check_rows([scorer], rows("", ""))
    check_rows([scorer], rows("", TESTS))


def test_the_plan_says_what_to_expect() -> None:
    task = Generate(answer="text", run_tests=True)
    guards, without, failed = how_code_is_run(task, rows("assert add(1, 1) == 3", TESTS, ""))
    assert "not against an attacker" in guards
    assert without == "1 rows have no tests and do not count"
    assert failed.startswith(
        "1 of 2 right answers that were tried do not pass their own tests (row 0)"
    )
    assert len(how_code_is_run(task, rows(TESTS))) == 1
    assert how_code_is_run(Generate(answer="text"), rows(TESTS)) == ()


def test_nothing_is_run_unasked() -> None:
    with pytest.raises(RecipeError, match="nothing is run unasked"):
        choose(Generate(answer="text"), ["passes_tests"], None)
