"""Stages in sequence on tiny models: lineage, what was forgotten, resume, broken lineages."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from afina import flow
from afina.errors import AfinaError, Interrupted, ModelError
from afina.models.load import load
from afina.models.predictor import TunedModel
from afina.models.save import open_model
from afina.models.sources import Base, resolve
from afina.recipe import Recipe, parse_recipe
from afina.store import Run
from afina.train.loop import Step
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import write
from tests.tiny import Kind

WORDS = {"first": ("red", "green"), "second": ("kitchen", "garage"), "third": ("one", "two")}


def rows(stage: str) -> list[dict[str, str]]:
    return [
        {"text": f"the door {i} is {WORDS[stage][i % 2]}", "label": WORDS[stage][i % 2]}
        for i in range(40)
    ]


def recipe(folder: Path, stage: str, base: str, **knobs: Any) -> dict[str, Any]:
    return {
        "name": stage,
        "task": "classify",
        "base": base,
        "data": {"train": str(write(folder, rows(stage), f"{stage}.jsonl"))},
        "method": {"name": "lora", "rank": 4},
        "train": {"max_steps": 6, "batch_size": 8, "threads": 1, "precision": "float32"},
        "evaluate": {"baselines": ["majority"], "resamples": 200},
        **knobs,
    }


def asked(home: Path, *given: Any, **knobs: Any) -> Recipe:
    return flow.located(parse_recipe(recipe(*given, **knobs)), home)


@pytest.fixture(scope="module")
def chain(
    tiny: Callable[[Kind], Base], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, Any]]]:
    """A home with three stages, and what the command line printed of each."""
    folder = tmp_path_factory.mktemp("stages")
    home, said, base = folder / "home", [], str(tiny("minilm").folder)
    for stage in WORDS:
        path = folder / f"{stage}.yaml"
        path.write_text(json.dumps(recipe(folder, stage, base)), "utf-8")
        code, answer = json_of(["run", str(path), "--home", str(home)])
        assert code in (0, 1), answer
        said.append(answer)
        base = "run:last"
    return home, said


def test_the_matrix_of_three_stages(chain: tuple[Path, list[dict[str, Any]]]) -> None:
    _, said = chain
    found = said[2]["report"]["stages"]
    assert found["stages"] == [each["run"] for each in said]
    assert [c["stage"] for c in found["columns"]] == found["stages"]
    own = [each["report"]["candidates"][0]["scores"]["macro_f1"]["value"] for each in said]
    matrix = [[cell and cell["value"] for cell in row] for row in found["matrix"]]
    assert [matrix[i][i] for i in range(3)] == own
    assert matrix[0][1:] == [None, None] and matrix[1][2] is None
    assert matrix[1][:2] == [c["value"] for c in said[1]["report"]["stages"]["matrix"][-1]]
    expected = ((matrix[2][0] - own[0]) + (matrix[2][1] - own[1])) / 2
    assert found["backward_transfer"] == pytest.approx(expected)
    assert found["transfer"][2] is None
    assert [c["openings"] for c in found["columns"]] == [3, 2, 1]
    assert "stages" not in said[0]["report"]


def test_a_cell_is_the_old_head_on_the_new_body(chain: tuple[Path, list[dict[str, Any]]]) -> None:
    """Worked apart: the last stage's body, merged and loaded as a base, under the first stage's head."""
    home, said = chain
    runs = [Run.open(home, each["run"]) for each in said]
    body = resolve(f"run:{runs[2].folder}")
    head = open_model(runs[0].model_folder)
    model = load(body, head.task, None)
    assert model.network.head is not None and head.network.head is not None
    model.network.head.load_state_dict(head.network.head.state_dict())
    dataset = flow.reopen_datasets(runs[0])[""]
    test = dataset.test.open(by="a test")
    answers = TunedModel(model).predict([dataset.task.question(e) for e in test])
    pairs = [(a.labels[0], e.labels[0]) for a, e in zip(answers, test, strict=True)]  # type: ignore[attr-defined]
    f1 = []
    for label in WORDS["first"]:
        right = sum(given == gold == label for given, gold in pairs)
        f1.append(
            2 * right / max(1, sum((given == label) + (gold == label) for given, gold in pairs))
        )
    cell = said[2]["report"]["stages"]["matrix"][2][0]
    assert cell["value"] == pytest.approx(sum(f1) / 2)


def test_a_merged_stage_is_the_stage(chain: tuple[Path, list[dict[str, Any]]]) -> None:
    home, said = chain
    run = Run.open(home, said[0]["run"])
    tuned, merged = TunedModel.open(run.model_folder), resolve(f"run:{run.folder}")
    assert merged.pooling == "mean", "it is read as its base was"
    texts = [row["text"] for row in rows("first")[:6]]
    plain = load(merged, tuned.task, None)
    ours = torch.tensor(tuned.embed(texts))
    theirs = torch.tensor(TunedModel(plain).embed(texts))
    assert torch.allclose(ours, theirs, atol=1e-5)
    before = torch.tensor(TunedModel(load(tuned.model.base, tuned.task, None)).embed(texts))
    assert not torch.allclose(ours, before, atol=1e-3)


def test_the_lineage_is_stored_and_shown(chain: tuple[Path, list[dict[str, Any]]]) -> None:
    home, said = chain
    code, facts = json_of(["show", said[2]["run"], "--home", str(home)])
    assert code == 0
    assert [stage["run"] for stage in facts["lineage"]] == [said[0]["run"], said[1]["run"]]
    for stage, each in zip(facts["lineage"], said, strict=False):
        assert stage["weights_sha256"] == each["train"]["weights_sha256"]
        assert (
            stage["data"]
            == json.loads((Path(each["folder"]) / "data/fingerprint.json").read_text())[
                "fingerprint"
            ]
        )
    listed = json_of(["runs", "--home", str(home)])[1]["runs"]
    assert [row["base"] for row in listed[:2]] == [f"run:{said[1]['run']}", f"run:{said[0]['run']}"]
    page = (Path(said[2]["folder"]) / "report.html").read_text("utf-8")
    assert "Backward transfer" in page and "Transferencia hacia atrás" in page
    for each in said:
        assert each["run"] in page


def test_a_stage_goes_on_exactly(chain: tuple[Path, list[dict[str, Any]]], tmp_path: Path) -> None:
    home, said = chain
    given = asked(
        home,
        tmp_path,
        "second",
        f"run:{said[0]['run']}",
        train={"max_steps": 6, "batch_size": 8, "threads": 1, "save_every_steps": 2},
    )

    def interrupt(step: Step) -> None:
        if step.step == 3 and step.loss is not None:
            os.kill(os.getpid(), signal.SIGINT)

    _, whole = flow.train(given, home)
    with pytest.raises(Interrupted):
        flow.train(given, home, watch=interrupt)
    _, resumed = flow.resume(home, "last")
    assert resumed["train"]["weights_sha256"] == whole["train"]["weights_sha256"]


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("gone", "the run .* is gone"),
        ("weights", "not the one that was sealed"),
        ("retrained", "its weights are not"),
    ],
)
def test_a_broken_lineage_is_one_clear_error(
    chain: tuple[Path, list[dict[str, Any]]], tmp_path: Path, harm: str, what: str
) -> None:
    home, said = chain
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    folders = [copy / "runs" / each["run"] for each in said]
    for folder in folders[1:]:
        for name in ("recipe.yaml", "plan.json", "lineage.json", "model/afina.json"):
            path = folder / name
            path.write_text(path.read_text("utf-8").replace(str(home), str(copy)), "utf-8")
        Run.open(copy, folder).seal({})
    if harm == "gone":
        shutil.rmtree(folders[0])
    elif harm == "weights":
        path = folders[1] / "model/adapter_model.safetensors"
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    else:
        path = folders[0] / "model/afina.json"
        card = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(card | {"weights_sha256": "0" * 64}), "utf-8")
    with pytest.raises(AfinaError, match=what):
        flow.train(asked(copy, tmp_path, "third", f"run:{folders[1]}"), copy)
    with pytest.raises(AfinaError, match=what):
        flow.evaluate(Run.open(copy, folders[2]))


def test_what_cannot_be_gone_on_from(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    home = tmp_path / "home"
    given = asked(home, tmp_path, "first", str(tiny("llama").folder))
    run, _ = flow.train(given, home)
    with pytest.raises(ModelError, match="head on a decoder"):
        resolve(f"run:{run.folder}")
    code, answer = json_of(["plan", str(_file(tmp_path, "run:nothing")), "--home", str(home)])
    assert code == 2 and "there is no run" in answer["error"]["what"]


def _file(folder: Path, base: str) -> Path:
    path = folder / "nothing.yaml"
    path.write_text(json.dumps(recipe(folder, "third", base)), "utf-8")
    return path


def test_text_stages(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """A decoder over the same head: full, then LoRA; perplexity counts, lower is better."""
    home, base = tmp_path / "home", str(tiny("llama").folder)
    outcome: dict[str, Any] = {}
    for number, method in enumerate(("full", "lora", "lora")):
        data = [{"prompt": f"say {n}", "completion": f"{n + number}"} for n in range(30)]
        value = recipe(
            tmp_path, "first", base,
            task={"name": "generate", "max_new_tokens": 4},
            data={"train": str(write(tmp_path, data, f"{number}.jsonl"))},
            method=method,
            evaluate={"baselines": [], "resamples": 200},
            goal={"metric": "perplexity", "at_least": 1e9},
        )  # fmt: skip
        run, outcome = flow.run_recipe(flow.located(parse_recipe(value), home), home)
        base = f"run:{run.id}"
    stages = outcome["report"]["stages"]
    assert [c["better"] for c in stages["columns"]] == ["lower"] * 3
    first = stages["matrix"][2][0]["value"] - stages["matrix"][0][0]["value"]
    assert stages["transfer"][0] == pytest.approx(-first)
    assert stages["backward_transfer"] is None, "perplexities are no shares"


def test_a_stage_after_one_that_ranks(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """The earlier test is asked among the texts of its own data."""
    home = tmp_path / "home"
    pairs = [{"query": f"number {n}", "passage": f"the {n} comes here"} for n in range(40)]
    data = {"train": str(write(tmp_path, pairs, "pairs.jsonl"))}
    first = asked(
        home, tmp_path, "first", str(tiny("minilm").folder), task="embed", data=data,
        evaluate={"baselines": [], "resamples": 200},
    )  # fmt: skip
    earlier, before = flow.run_recipe(first, home)
    then = asked(home, tmp_path, "second", f"run:{earlier.id}")
    _, outcome = flow.run_recipe(then, home)
    stages = outcome["report"]["stages"]
    assert [c["metric"] for c in stages["columns"]] == ["ndcg", "macro_f1"]
    own = before["report"]["candidates"][0]["scores"]["ndcg"]["value"]
    assert stages["matrix"][0][0]["value"] == own
    assert 0 < stages["matrix"][1][0]["value"] <= 1
