"""``--documents`` on real runs of tiny models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from afina.cli import command_line
from afina.types import Input, Message
from tests.cli.conftest import Place, json_of


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "seven.md").write_text("Seven is a prime number.", "utf-8")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    return folder


def test_predict_names_its_sources(place: Place, docs: Path, tmp_path: Path) -> None:
    (tmp_path / "asked.txt").write_text("is seven prime\nxylophone\n", "utf-8")
    words = ["predict", place.run("generate"), str(tmp_path / "asked.txt")]
    words += ["--home", str(place.home)]
    code, plain = json_of(words)
    assert code == 0
    code, found = json_of([*words, "--documents", str(docs)])
    assert code == 0
    assert [row.get("sources") for row in found["answers"]] == [["seven.md"], None]
    tokens = [[row["prompt_tokens"] for row in one["answers"]] for one in (plain, found)]
    assert tokens[0][0] < tokens[1][0]
    assert tokens[0][1] == tokens[1][1]


@pytest.mark.parametrize(
    ("run", "says"), [("classify", "is a classifier"), ("generate", "no such file or folder")]
)
def test_what_cannot_answer_from_documents_is_refused(
    place: Place, docs: Path, tmp_path: Path, run: str, says: str
) -> None:
    (tmp_path / "asked.txt").write_text("is seven prime\n", "utf-8")
    where = docs if run == "classify" else docs / "nowhere"
    words = ["predict", place.run(run), str(tmp_path / "asked.txt"), "--home", str(place.home)]
    code, found = json_of([*words, "--documents", str(where)])
    assert code == 2
    assert says in found["error"]["what"]


def test_serve_takes_runs_and_untuned_bases_with_documents(
    place: Place, docs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    served: dict[str, Any] = {}
    monkeypatch.setattr("afina.serve.serve", lambda models, **knobs: served.update(models=models))
    recipe = yaml.safe_load((place.folder / "generate.yaml").read_text("utf-8"))
    words = ["serve", place.run("generate"), "--base", recipe["base"], "--home", str(place.home)]
    assert command_line([*words, "--documents", str(docs)]) == 0
    assert "left out photo.png" in capsys.readouterr().err
    given = Input((Message("user", "is seven prime"),))
    assert [m.name for m in served["models"]] == [place.run("generate"), recipe["base"]]
    for model in served["models"]:
        assert model.ground(given, None).sources == ("seven.md",)
        assert {"chat", "completion", "embedding"} <= model.kinds
    assert command_line(words) == 0
    assert not any(hasattr(model, "ground") for model in served["models"])
    assert command_line(["serve", "--home", str(place.home)]) == 2


def test_documents_that_are_not_there_stop_a_run_before_it_trains(
    place: Place, tmp_path: Path
) -> None:
    words = ["plan", str(place.folder / "generate.yaml"), "--home", str(tmp_path)]
    code, found = json_of([*words, "-s", "retrieval.documents=nowhere"])
    assert code == 2 and "no such file or folder" in found["error"]["what"]


def test_a_run_with_documents_measures_rag(place: Place, docs: Path, tmp_path: Path) -> None:
    words = ["plan", str(place.folder / "generate.yaml"), "--home", str(tmp_path)]
    words += ["-s", f"retrieval.documents={docs}"]
    code, plan = json_of([*words, "-s", "evaluate.baselines=null"])
    assert code == 0
    assert plan["recipe"]["evaluate"]["baselines"][-1] == "rag"
    words[0] = "run"
    code, found = json_of([*words, "-s", "evaluate.baselines=[rag]"])
    assert code in (0, 1)
    candidate = next(c for c in found["report"]["candidates"] if c["name"] == "rag")
    assert "exact_match" in candidate["scores"]
