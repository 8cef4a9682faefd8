"""Bad files, bad recipes and bad models, through the real command line.

Every case: the right exit code, a message that names the file, row, column or key, a remedy, no
traceback, and nothing written into the home. The names of the cases are those of the catalogue of
bad input (C: recipes, D: data, M: models).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from afina.cli import command_line
from tests.bad_input.cases import RECIPE, ROWS, Case
from tests.bad_input.files import FILES
from tests.bad_input.models import DECODER, MODELS
from tests.bad_input.recipes import PLACES, RECIPES

if TYPE_CHECKING:
    from afina.models.sources import Base
    from tests.tiny import Kind


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good recipe and good rows, where the command is given; no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFINA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def refuse(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Make the case and hold the command line to everything that is promised."""
    case.change(room)
    home = room / "home"
    before = [n for n in sorted(p.name for p in room.iterdir()) if n != "cache"]
    code = command_line(["--home", str(home), *case.words])
    out, err = capsys.readouterr()
    assert out == "", "standard output is for answers"
    assert code == case.code, err
    for told in case.told:
        assert told in err
    assert "→ " in err, f"no remedy: {err}"
    assert "Traceback" not in err
    assert "not your fault" not in err
    assert not home.exists(), "something was written into the home"
    assert [n for n in sorted(p.name for p in room.iterdir()) if n != "cache"] == before


@pytest.mark.parametrize("case", RECIPES, ids=lambda c: c.name)
def test_a_bad_recipe(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(case, room, capsys)


@pytest.mark.parametrize("case", FILES, ids=lambda c: c.name)
def test_a_bad_file(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(case, room, capsys)


def _with_base(room: Path, base: Base) -> None:
    shutil.copytree(base.folder, room / "base")


@pytest.mark.parametrize("case", MODELS, ids=lambda c: c.name)
def test_a_bad_base(
    case: Case, room: Path, tiny: Callable[[Kind], Base], capsys: pytest.CaptureFixture[str]
) -> None:
    _with_base(room, tiny("minilm"))
    refuse(case, room, capsys)


@pytest.mark.parametrize("case", DECODER, ids=lambda c: c.name)
def test_rows_that_do_not_fit_the_base(
    case: Case, room: Path, tiny: Callable[[Kind], Base], capsys: pytest.CaptureFixture[str]
) -> None:
    _with_base(room, tiny("llama"))
    refuse(case, room, capsys)


@pytest.mark.parametrize("case", PLACES, ids=lambda c: c.name)
def test_a_bad_place(
    case: Case, room: Path, tiny: Callable[[Kind], Base], capsys: pytest.CaptureFixture[str]
) -> None:
    _with_base(room, tiny("minilm"))
    refuse(case, room, capsys)


def test_the_catalogue_is_covered() -> None:
    cases = [c.name for c in (*RECIPES, *FILES, *MODELS, *DECODER, *PLACES)]
    catalogued = {c.split()[0] for c in cases if c[0] in "CDM" and c[1].isdigit()}
    assert len(cases) >= 120
    assert len(catalogued) >= 60


@pytest.mark.parametrize("case", [*RECIPES[:12], *FILES[:12]], ids=lambda c: c.name)
def test_the_same_as_json(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case.change(room)
    assert command_line(["--json", *case.words]) == case.code
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["what"]
    assert error["where"]
    assert error["do"]
    told = " ".join([error["where"], error["what"], error["do"], *error.get("problems", ())])
    for part in case.told:
        assert part.strip(": ") in told
    assert "Traceback" not in err
