"""Ctrl-C in the real process: saved, told how to go on, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Place, json_of

ROOT = Path(__file__).resolve().parents[2]


def test_ctrl_c_saves_and_resume_goes_on(place: Place, tmp_path: Path) -> None:
    recipe = str(place.folder / "generate.yaml")
    more = ["-s", "train.max_steps=400", "-s", "train.early_stopping=null"]
    home = ["--home", str(tmp_path / "home")]
    process = subprocess.Popen(
        [sys.executable, "-m", "afina", "train", recipe, *more, *home],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = ""
    while "step 1/400" not in said:
        line = process.stderr.readline()
        assert line, f"ended before its first step: {said}"
        said += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, said + err
    assert out == ""
    assert "everything is saved" in err
    assert "afina train --resume" in err
    (run,) = json_of(["runs", *home])[1]["runs"]
    assert run["status"] == "interrupted"
    code, answer = json_of(["train", "--resume", "last", *home])
    assert code == 0
    assert answer["run"] == run["id"]
    assert answer["train"]["steps"] == 400
    assert "report" not in answer
    code, answer = json_of(["train", "--resume", "last", *home])
    assert code == 2
    assert answer["error"]["where"] == run["id"]
