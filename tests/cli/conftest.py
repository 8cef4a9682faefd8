"""A home with runs that the real command line has made, once a session."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from afina.cli import command_line

if TYPE_CHECKING:
    from afina.models.sources import Base
    from tests.tiny import Kind

LABELS = ("billing", "bug", "delivery")


@dataclass(frozen=True)
class Place:
    """A folder with recipes, and the home where their runs are. ``outcomes``: what run printed."""

    folder: Path
    home: Path
    outcomes: dict[str, dict[str, Any]]

    def run(self, name: str) -> str:
        """The id of the run of a recipe."""
        return str(self.outcomes[name]["run"])


def write_rows(folder: Path) -> None:
    words = [("refund", "money"), ("crash", "error"), ("parcel", "late")]
    lines = [f"{words[i % 3][i % 2]} number {i} please,{LABELS[i % 3]}" for i in range(60)]
    (folder / "tickets.csv").write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    rows = [{"prompt": f"say {n} twice", "completion": f"{n} {n}"} for n in range(40)]
    (folder / "twice.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")


@pytest.fixture(scope="session")
def place(tiny: Callable[[Kind], Base], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two measured runs (``classify``, ``generate``) of tiny models."""
    folder = tmp_path_factory.mktemp("cli")
    write_rows(folder)
    (folder / "classify.yaml").write_text(
        f"task: classify\nbase: {tiny('minilm').folder}\ndata: {{train: tickets.csv}}\n"
        "train: {max_steps: 4, batch_size: 8, threads: 1}\n"
        "evaluate: {baselines: [majority, linear]}\n",
        "utf-8",
    )
    (folder / "generate.yaml").write_text(
        f"name: twice\ntask: {{name: generate, max_new_tokens: 8}}\nbase: {tiny('llama').folder}\n"
        "data: {train: twice.jsonl}\nmethod: lora\n"
        "train: {max_steps: 3, batch_size: 8, threads: 1}\n"
        "evaluate: {baselines: [nearest]}\ngoal: {metric: exact_match, at_least: 0.99}\n",
        "utf-8",
    )
    home = folder / "home"
    outcomes = {}
    for name, expected in (("classify", 0), ("generate", 1)):
        code, answer = json_of(["run", str(folder / f"{name}.yaml"), "--home", str(home)])
        assert code == expected, answer
        outcomes[name] = answer
    return Place(folder, home, outcomes)


def json_of(words: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Exit code and the one JSON object that the command line prints."""
    import io
    from contextlib import redirect_stderr, redirect_stdout

    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        code = command_line([*words, "--json"])
    return code, json.loads(out.getvalue())


@pytest.fixture(autouse=True)
def _no_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AFINA_HOME", "AFINA_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert "AFINA_HOME" not in os.environ
