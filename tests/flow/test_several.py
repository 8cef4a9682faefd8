"""Several tasks in one run, from files to report, request and server, on tiny models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import afina
from afina import flow
from afina.errors import RecipeError, RequestError
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.store import Run
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import write
from tests.serve.conftest import live
from tests.serve.wire import send
from tests.tiny import Kind

COLOURS = ("red", "green", "blue")
NAMES = (("Madrid", "LOC"), ("Ana", "PER"))
BARE = {"baselines": ["majority"], "resamples": 200}


def colours(count: int) -> list[dict[str, Any]]:
    return [
        {"text": f"the door {i} is {COLOURS[i % 3]}", "label": COLOURS[i % 3]} for i in range(count)
    ]


def names(count: int) -> list[dict[str, Any]]:
    found = []
    for i in range(count):
        name, label = NAMES[i % 2]
        text = f"the door of {name} is open {i}"
        found.append({"text": text, "spans": [[12, 12 + len(name), label]]})
    return found


def sizes(count: int) -> list[dict[str, Any]]:
    return [
        {"text": f"room {i} " + "one two " * (i % 5), "number": 100.0 + 10 * (i % 5)}
        for i in range(count)
    ]


def recipe(folder: Path, base: Base, **knobs: Any) -> dict[str, Any]:
    data = {n: str(write(folder, rows, f"{n}.jsonl")) for n, rows in
            (("colour", colours(60)), ("name", names(80)), ("size", sizes(30)))}  # fmt: skip
    kinds = {"colour": "classify", "name": "tag", "size": "regress"}
    baselines = {"size": {"baselines": ["mean"], "resamples": 200}}
    return {
        "tasks": {
            n: {"task": kinds[n], "data": {"train": path}, "evaluate": baselines.get(n, BARE)}
            for n, path in data.items()
        },
        "base": str(base.folder),
        "train": {"epochs": 8, "batch_size": 8, "learning_rate": 5e-3, "threads": 1,
                  "early_stopping": None},
        **knobs,
    }  # fmt: skip


@pytest.fixture(scope="module")
def done(
    tiny: Callable[[Kind], Base], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """The home of a run of three tasks over one encoder, and what the command line printed."""
    folder = tmp_path_factory.mktemp("several")
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe(folder, tiny("minilm"))), "utf-8")
    code, answer = json_of(["run", str(path), "--home", str(folder / "home")])
    assert code in (0, 1), answer
    return folder, answer


def test_each_task_has_its_own_scores_and_there_is_one_verdict(done: Any) -> None:
    folder, said = done
    report = said["report"]
    assert list(report["tasks"]) == ["colour", "name", "size"]
    assert [r["metric"] for r in report["tasks"].values()] == ["macro_f1", "entity_f1", "mae"]
    verdicts = {r["verdict"] for r in report["tasks"].values()}
    expected = "hold" if "hold" in verdicts else "ship" if verdicts == {"ship"} else "unproven"
    assert report["verdict"] == expected
    tuned = {
        n: r["candidates"][0]["scores"][r["metric"]]["value"] for n, r in report["tasks"].items()
    }
    assert tuned["colour"] > 0.9 and tuned["name"] > 0.9
    assert said["data"]["tasks"]["name"]["train"] == 64
    run = Path(said["folder"])
    page = (run / "report.html").read_text("utf-8")
    assert "Tareas" in page
    for name in report["tasks"]:
        assert f'id="task-{name}"' in page and f'href="report-{name}.html"' in page
        assert report["tasks"][name]["test"]["sha256"] in (run / f"report-{name}.html").read_text()
    opened = [e for e in Run.open(folder / "home", "last").events() if e["event"] == "test_opened"]
    assert [e["task"] for e in opened] == ["colour", "name", "size"]
    assert Run.open(folder / "home", "last").verify().whole


def test_it_answers_for_each_task(done: Any, tmp_path: Path) -> None:
    folder, said = done
    asked = write(tmp_path, [{"text": "the door of Ana is red"}], "asked.jsonl")
    home = ["--home", str(folder / "home")]
    code, answer = json_of(["predict", "last", str(asked), "--task", "colour", *home])
    assert (code, answer["answers"][0]["labels"]) == (0, ["red"])
    code, answer = json_of(["predict", "last", str(asked), "--task", "name", *home])
    assert [s["text"] for s in answer["answers"][0]["spans"]] == ["Ana"]
    for wrong, what in (([], "none is named"), (["--task", "nam"], "no task nam")):
        code, answer = json_of(["predict", "last", str(asked), *wrong, *home])
        assert code == 2 and what in answer["error"]["what"]
        assert "colour, name, size" in answer["error"]["do"]
    run = afina.open_run("last", home=folder / "home")
    assert run.predict(["the door is blue"], task="colour")[0].labels == ("blue",)
    assert [m.name for m in run.models.values()] == [
        f"{run.id}:{n}" for n in ("colour", "name", "size")
    ]
    assert len({id(m.model.network.module) for m in run.models.values()}) == 1
    with pytest.raises(RequestError, match="none is named"):
        run.predict(["the door is blue"])
    assert run.verdict == said["report"]["verdict"]


def test_show_and_runs_name_the_tasks(done: Any) -> None:
    folder, said = done
    home = ["--home", str(folder / "home")]
    assert json_of(["runs", *home])[1]["runs"][0]["task"] == "colour, name, size"
    code, facts = json_of(["show", "last", *home])
    assert code == 0 and facts["verdict"] == said["report"]["verdict"]
    code, facts = json_of(["check", str(folder / "recipe.yaml"), "--task", "name"])
    assert code == 0 and facts["balance"]["counts"] == {"LOC": 40, "PER": 40}
    assert json_of(["check", str(folder / "recipe.yaml")])[0] == 2
    code, facts = json_of(["decide", str(folder / "recipe.yaml"), *home])
    assert code == 2 and "several tasks" in facts["error"]["what"]


def test_text_to_text(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """Tasks that write text share the base's own head: answers, preferences and raw text."""
    twice = [{"prompt": f"say {n} twice", "completion": f"{n} {n}"} for n in range(30)]
    once = [{"prompt": f"say {n}", "chosen": f"{n}", "rejected": f"{n} {n}"} for n in range(20)]
    raw = [{"text": f"The capital {n} of France is Paris."} for n in range(20)]
    task = {"name": "generate", "max_new_tokens": 6}
    evaluate = {"baselines": ["nearest"], "resamples": 100, "probe": False, "latency_rows": 0}
    before = {**evaluate, "baselines": ["base"]}
    run, said = flow.run_recipe(
        parse_recipe(
            {
                "tasks": {
                    n: {"data": {"train": str(write(tmp_path, rows, f"{n}.jsonl"))},
                        "evaluate": evaluate} | own
                    for n, rows, own in (
                        ("twice", twice, {"task": task}),
                        ("once", once, {"task": task, "objective": "prefer"}),
                        ("raw", raw, {"task": {"name": "text", "window": 32}, "evaluate": before}),
                    )
                },
                "base": str(tiny("llama").folder),
                "method": "lora",
                "train": {"max_steps": 8, "batch_size": 8, "threads": 1, "mixing": "equal"},
            },
            several=True,
        ),
        tmp_path / "home",
    )  # fmt: skip
    tasks = {"twice", "once", "raw"}
    assert {m["task"] for m in run.metrics() if "loss" in m} == tasks
    assert said["train"]["objective"] == "supervised, prefer, continue"
    assert {n: r["metric"] for n, r in said["report"]["tasks"].items()} == {
        "twice": "chrf", "once": "preference_accuracy", "raw": "perplexity"}  # fmt: skip
    models = TunedModel.open_all(run.model_folder, device="cpu")
    assert models["once"].model.network.head is None
    assert models["once"].task.max_new_tokens == 6  # type: ignore[attr-defined]


def test_each_task_has_its_own_loss_and_settles_what_is_its_own(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    """Vectors, labels with a wanted precision, and stretches of a text, over one body."""
    text = "the door {} is {} and the lights of the kitchen are on"
    asked = [
        {"question": f"which colour {i}?", "context": text.format(i, COLOURS[i % 3]),
         "answers": [COLOURS[i % 3]] if i % 3 else []}
        for i in range(60)
    ]  # fmt: skip
    pairs = [{"query": f"{c} {i}", "passage": f"the door {i} is {c}"}
             for i, c in ((i, COLOURS[i % 3]) for i in range(40))]  # fmt: skip
    wanted = {"name": "classify", "wanted_of": {"red": {"precision": 0.5}}, "temperature": "fitted"}
    rows = {"colour": (wanted, colours(120)), "find": ("answer", asked), "search": ("embed", pairs)}
    bare = {"colour": "majority", "find": "sentence", "search": "bm25"}
    tree = {
        "tasks": {
            n: {"task": task, "data": {"train": str(write(tmp_path, own, f"{n}.jsonl"))},
                "evaluate": {"baselines": [bare[n]], "resamples": 100}}
            for n, (task, own) in rows.items()
        },
        "base": str(tiny("bert").folder),
        "method": "full",
        "train": {"epochs": 1, "batch_size": 16, "threads": 1, "learning_rate": 2e-3},
    }  # fmt: skip
    tree["tasks"]["find"]["task"] = {"name": "answer", "window": 48, "overlap": 8}  # type: ignore[index]
    run, said = flow.run_recipe(parse_recipe(tree, several=True), tmp_path / "home")
    assert said["train"]["objective"] == "supervised, contrast"
    assert set(said["train"]["temperatures"]) == {"colour"}
    assert set(said["train"]["threshold"]) == {"find"}
    noted = json.loads((run.folder / "thresholds-colour.json").read_text("utf-8"))
    assert [line["label"] for line in noted] == ["red"]
    models = TunedModel.open_all(run.model_folder, device="cpu")
    settled = {name: model.task.model_dump() for name, model in models.items()}
    assert settled["colour"]["temperature"] == said["train"]["temperatures"]["colour"]
    assert settled["find"]["no_answer"] == said["train"]["threshold"]["find"]["no_answer"]
    assert all(c.get("failure") is None
               for r in said["report"]["tasks"].values() for c in r["candidates"])  # fmt: skip
    (found,) = afina.open_run(run.id, home=run.home).predict(["red door"], task="search")
    assert len(found.labels) == 10 and found.ranked


def test_beside_a_run_of_one_of_its_tasks(done: Any) -> None:
    """The same data have the same sealed test, so what learning together gave can be told."""
    folder, said = done
    home = ["--home", str(folder / "home")]
    asked = json.loads((folder / "recipe.yaml").read_text("utf-8"))
    alone = folder / "alone.yaml"
    alone.write_text(json.dumps({**asked, **asked.pop("tasks")["name"]} | {"tasks": {}}), "utf-8")
    code, single = json_of(["run", str(alone), *home, "-s", "train.max_steps=3"])
    assert code in (0, 1), single
    code, found = json_of(["compare", single["run"], said["run"], *home])
    assert code == 0 and set(found["tasks"]) == {"name"}
    pair = found["tasks"]["name"]
    assert pair["refused"] is None
    line = pair["scores"]["entity_f1"]
    own = said["report"]["tasks"]["name"]["candidates"][0]["scores"]["entity_f1"]["value"]
    assert line["second"]["value"] == own
    assert line["difference"]["value"] == own - line["first"]["value"]
    code, found = json_of(["compare", said["run"], said["run"], *home])
    assert set(found["tasks"]) == {"colour", "name", "size"}


def test_a_task_of_the_server_is_a_model(done: Any) -> None:
    folder, said = done
    run = afina.open_run(said["run"], home=folder / "home")
    with live(*run.models.values()) as url:  # type: ignore[arg-type]
        listed = send(url, "GET", "/v1/models").json["data"]
        assert [m["id"] for m in listed] == [f"{run.id}:{n}" for n in ("colour", "name", "size")]
        asked = {"model": f"{run.id}:colour", "input": "the door is green"}
        answer = send(url, "POST", "/v1/classify", asked).json
        assert answer["data"][0]["labels"] == ["green"]


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"task": "classify"}, "", "stands in each of tasks"),
        ({"goal": {"metric": "accuracy"}}, "", "stands in each of tasks"),
        ({"tasks": {"a": {"task": "classify", "data": {"train": "x"}}}}, "", "names several"),
        ({"tasks.b.task": "generate"}, "", "need different networks"),
        ({"tasks.b.task": "embed", "tasks.b.objective": "supervised"}, "", "nothing to learn from"),
        ({"tasks.b.objective": "prefer"}, "", "nothing to learn from the rows of a tag task"),
        ({"objective": "contrast"}, "", "nothing to learn from the rows of a classify task"),
        (
            {"tasks.a.task": "generate", "tasks.b.task": "generate", "tasks.b.objective": "policy"},
            "",
            "b is learned by objective: policy, whose best weights",
        ),
        ({"tasks.b.weight": 2}, "", "a weight stands in b alone"),
        ({"tasks.b.data": {"trian": "x"}}, "tasks.b.data.train", "is missing"),
        ({"tasks.b.wieght": 2}, "tasks.b.wieght", "unknown key wieght"),
        ({"tasks.b.task": "tga"}, "tasks.b.task", "no task is called 'tga'"),
        (
            {"tasks.b.task": {"name": "tag", "lables": []}},
            "tasks.b.task.lables",
            "unknown key lables",
        ),
        ({"train": {"mixing": 0.5}}, "train.mixing", "0.5"),
        ({"objective": "distill"}, "", "objective"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], where: str, what: str) -> None:
    part = {"data": {"train": "x.csv"}}
    tree: dict[str, Any] = {
        "tasks": {"a": {"task": "classify", **part}, "b": {"task": "tag", **part}},
        "base": "x",
    }
    for key, value in change.items():
        *parents, last = key.split(".")
        here = tree
        for parent in parents:
            here = here[parent]
        here[last] = value
    with pytest.raises(RecipeError, match=what) as caught:
        parse_recipe(tree, several=True)
    assert str(caught.value.where).endswith(where)
