"""The border of the command line: every ending has a code, a sentence, and no traceback."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from afina.cli import READER_GONE, border, command_line
from afina.errors import (
    DataError,
    Interrupted,
    MachineError,
    RecipeError,
    TrainingError,
)

ROOT = Path(__file__).resolve().parents[2]


def guard(action: Callable[[], int], home: Path, *, as_json: bool = False) -> int:
    return border.guarded(action, in_json=as_json, home=lambda: home)


def raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecipeError("wrong", where="r.yaml: train.epochs", do="mend it"), 2),
        (DataError("wrong", where="rows.csv: row 3"), 2),
        (MachineError("no room", where="disk"), 3),
        (TrainingError("the gate says no"), 1),
        (Interrupted("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (MemoryError(), 3),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried …"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "/big/file"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 3),
    ],
)
def test_each_error_has_its_code_and_leaves_nothing(
    error: BaseException, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert guard(raising(error), home) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip()
    assert "Traceback" not in err
    assert not home.exists()


def test_no_space_is_told_with_the_file_and_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guard(raising(OSError(errno.ENOSPC, "No space left on device", "/big/file")), tmp_path)
    err = capsys.readouterr().err
    assert "/big/file: no space left on device" in err
    assert "free some space" in err


def test_an_error_as_json_is_one_object_on_standard_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DataError(
        "no text", where="a.csv: row 2", do="fill it", problems=["a.csv: row 7: same"]
    )
    assert guard(raising(error), tmp_path, as_json=True) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {
            "what": "no text",
            "where": "a.csv: row 2",
            "do": "fill it",
            "problems": ["a.csv: row 7: same"],
        }
    }
    assert err == ""


def test_our_own_mistake_ends_in_a_sentence_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guard(raising(ZeroDivisionError("division by zero")), tmp_path) == 3
    err = capsys.readouterr().err
    assert "not your fault (ZeroDivisionError)" in err
    assert "Traceback" not in err
    (crash,) = (tmp_path / "crashes").iterdir()
    assert str(crash) in err
    assert "ZeroDivisionError: division by zero" in crash.read_text(encoding="utf-8")


def test_a_crash_without_a_place_to_write_still_says_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", encoding="utf-8")
    assert guard(raising(ZeroDivisionError("x")), blocked) == 3
    assert "ZeroDivisionError: x" in capsys.readouterr().err


def test_the_first_line_is_red_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DataError("no text", where="a.csv", do="fill it")
    border.tell(error, in_json=False)
    assert "\033" not in capsys.readouterr().err
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    border.tell(error, in_json=False)
    assert capsys.readouterr().err == "\033[31ma.csv: no text\033[0m\n  → fill it\n"
    monkeypatch.setenv("NO_COLOR", "1")
    border.tell(error, in_json=False)
    assert "\033" not in capsys.readouterr().err


def test_a_reader_that_went_away_is_no_crash(tmp_path: Path) -> None:
    """``afina schema | head -c 1``, many times, with no word on standard error."""
    command = f'"{sys.executable}" -m afina schema; echo "$?" >&2'
    done = subprocess.run(
        ["bash", "-c", f"({command}) | true; sleep 0"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "AFINA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() in (str(READER_GONE), "0")  # 0: all was written before it left
    assert not list(tmp_path.iterdir())


def test_a_pipe_that_is_closed_gives_its_own_code(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from afina.cli import command_line\n"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
        "sys.exit(command_line(['schema']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (READER_GONE, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runn"], "did you mean run?"),
        (["--jsn"], "did you mean --json?"),
        (["plan"], "missing argument 'RECIPE'"),
        (["plan", "a.yaml", "--sett", "x=1"], "no such option: --sett"),
        (["promote", "last"], "--as"),
        (["models", "sow"], "show"),
        (["models", "show"], "which base?"),
        (["models", "list", "x"], "list takes no base"),
        (["train"], "either a recipe or --resume RUN"),
        (["train", "r.yaml", "--resume", "last"], "not both"),
        (["train", "--resume", "last", "-s", "train.epochs=2"], "keeps its own plan"),
        (["serve", "x", "--port", "70000"], "65535"),
        (["explain", "train.epoch"], "did you mean train.epochs?"),
        (["chat", "last", "--json"], "not one JSON object"),
    ],
)
def test_wrong_words_are_told_and_end_with_2(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    as_json = "--json" in words
    assert command_line(["--home", str(home), *words]) == 2
    out, err = capsys.readouterr()
    spoken = out if as_json else err
    assert told in spoken
    assert "Traceback" not in spoken
    assert as_json or "→" in err
    assert not home.exists()


def test_json_is_taken_before_and_after_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for words in (["--json", "explain", "base"], ["explain", "base", "--json"]):
        assert command_line(words) == 0
        out, err = capsys.readouterr()
        assert err == ""
        answers.append(json.loads(out))
    assert answers[0] == answers[1]
    assert answers[0]["keys"][0]["key"] == "base"


def test_the_schema_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["properties"]["base"]["description"].startswith("The model to start from")
    assert schema["additionalProperties"] is False


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    import afina

    assert command_line(["--version"]) == 0
    assert capsys.readouterr().out == f"afina {afina.__version__}\n"


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from afina.cli import SENTENCES

    assert command_line(words) == 0
    out = capsys.readouterr().out
    for name, sentence in SENTENCES.items():
        assert f"  {name:<10}{sentence}" in out


def test_help_of_a_verb_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(["run", "--help"]) == 0
    first = capsys.readouterr().out
    assert command_line(["help", "run"]) == 0
    assert capsys.readouterr().out == first
    assert "Exit code 0: done." in first


def test_main_leaves_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    from afina.cli import main

    with pytest.raises(SystemExit) as leaving:
        main(["no-such-verb"])
    assert leaving.value.code == 2
    assert "no verb is called" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_without_every_letter_is_served_too(tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    rows = tmp_path / "señales ✓.csv"
    rows.write_text("text,label\n" + "".join(f"ña{i},→{i % 2}\n" for i in range(20)), "utf-8")
    asked = (
        ["new", str(rows), "--out", str(tmp_path / "r.yaml")],
        ["check", "--json", "ninguna ✓.yaml"],
    )
    for words in asked:
        command = [sys.executable, "-m", "afina", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert b"Traceback" not in done.stderr
        assert b"inside Afina" not in done.stdout + done.stderr
    assert (tmp_path / "r.yaml").is_file()
    assert done.returncode == 2
    assert "ninguna ✓.yaml" in json.loads(done.stdout.decode(encoding))["error"]["where"]
