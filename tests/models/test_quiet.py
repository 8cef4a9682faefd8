"""Loading and saving a model prints nothing of other libraries, and leaves their settings alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from afina.models.quiet import BARS, LEVEL, quiet
from afina.models.sources import Base
from tests.tiny import Kind

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from pathlib import Path
from transformers.utils import logging
from afina.methods import Full, Lora
from afina.models.load import load
from afina.models.save import open_model, save_model
from afina.models.sources import resolve
from afina.tasks import Classify

base, folder = resolve(sys.argv[1]), Path(sys.argv[2])
task = Classify(labels=("a", "b"), several=False, pooling="first")
for name, method in (("full", Full()), ("lora", Lora(rank=2))):
    model = load(base, task, method)
    save_model(model, folder / name, model.trained(), {})
    open_model(folder / name, base=base)
print(logging.get_verbosity(), logging.is_progress_bar_enabled())
"""


def test_nothing_is_printed(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """``minilm`` has no pooler: Transformers would report it as missing."""
    environment = {k: v for k, v in os.environ.items() if k not in (BARS, LEVEL, "TQDM_DISABLE")}
    command = [sys.executable, "-c", CODE, str(tiny("minilm").folder), str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip(), done.stderr.strip()) == ("30 True", "")


def test_what_was_asked_for_by_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.utils import logging

    monkeypatch.setenv(LEVEL, "info")
    before = logging.get_verbosity()
    with quiet():
        assert logging.get_verbosity() == before
    monkeypatch.delenv(LEVEL)
    with quiet():
        assert logging.get_verbosity() == logging.ERROR
    assert logging.get_verbosity() == before
