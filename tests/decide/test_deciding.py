"""``afina decide`` as a whole, on tiny models: what is measured, said, kept and left behind."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from afina.cli import draw_decide
from afina.flow.main_job import note_no_go
from afina.models.sources import Base
from afina.recipe import load_recipe
from tests.cli.conftest import json_of
from tests.tickets import write_tickets
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
WORDS = ("uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho")


@pytest.fixture(scope="module")
def generate(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    chance = random.Random(1)
    lines = [
        {
            "prompt": f"say number {n} {chance.choice(WORDS)} {chance.choice(WORDS)}",
            "completion": f"number{n} twice",
            "file": f"{n - n % 3}.txt",
        }
        for n in range(120)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    (folder / "docs").mkdir()
    for n in range(0, 120, 3):
        text = f"What to say of number {n}: number{n} twice."
        (folder / "docs" / f"{n}.txt").write_text(text, "utf-8")
    path = folder / "generate.yaml"
    path.write_text(
        f"task: {{name: generate, max_new_tokens: 4}}\nbase: {tiny('llama').folder}\n"
        "data: {train: rows.jsonl, split: {train: 0.7, validation: 0.15, test: 0.15}}\n"
        "method: lora\ntrain: {threads: 1}\nretrieval: {documents: docs, column: file}\n"
        "goal: {metric: chrf, at_least: 60}\nevaluate: {search_calls: 30, few_shot: 2}\n"
        "decide: {steps: 2, latency_rows: 2, base_rows: 3, bases: 0, shares: [0.25, 0.5, 1.0]}\n",
        "utf-8",
    )
    return path


@pytest.fixture(scope="module")
def classify(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    write_tickets(folder, WORDS, 2)
    path = folder / "classify.yaml"
    path.write_text(
        f"task: classify\nbase: {tiny('minilm').folder}\n"
        "data: {train: tickets.csv, split: {train: 0.6, validation: 0.2, test: 0.2}}\n"
        "train: {threads: 1}\ngoal: {metric: accuracy, at_least: 0.8}\n"
        "decide: {ways: [majority, linear, zero_shot], steps: 3, latency_rows: 2, bases: 0,"
        " shares: [0.5, 1.0]}\n",
        "utf-8",
    )
    return path


def decided(recipe: Path, *words: str) -> tuple[int, dict[str, Any]]:
    return json_of(["decide", str(recipe), "--home", str(recipe.parent / "home"), *words])


@pytest.fixture(scope="module")
def made(generate: Path) -> dict[str, Any]:
    """One whole decision, with documents; NO-GO, as four steps teach a random model nothing."""
    code, found = decided(generate)
    assert (code, found.get("decision")) == (1, "NO-GO"), found
    return found


def test_every_way_is_measured_on_the_same_locked_rows(made: dict[str, Any]) -> None:
    ways = {way["name"]: way for way in made["ways"]}
    assert list(ways) == [
        "nearest", "zero_shot", "few_shot", "few_shot_random", "few_shot_nearest", "prompt_search",
        "rag", "tuned_lora", "tuned_lora_rag",
    ]  # fmt: skip
    for name, way in ways.items():
        score = way["scores"]["chrf"]
        assert 0 <= score["low"] <= score["value"] <= score["high"] <= 100
        assert 0 < way["latency_seconds"]["p50"] <= way["latency_seconds"]["p95"]
        assert way["cost_per_1000"] > 0
        assert (way["prompt_tokens"] > 0) == (name != "nearest")
    assert ways["rag"]["prompt_tokens"] > ways["zero_shot"]["prompt_tokens"]
    assert ways["tuned_lora"]["prompt_tokens"] == ways["zero_shot"]["prompt_tokens"]
    assert ways["rag"]["retrieval"]["tokens_added"] > 0
    assert {"instruction", "trials"} <= ways["prompt_search"].keys()
    rows = made["rows"]
    assert (rows["locked"], rows["sealed_test"]) == (18, 18)
    assert len(set(rows["locked_ids"])) == 18
    assert made["hit_rate"]["by"] == "document" and made["hit_rate"]["rows"] == 18
    assert made["hit_rate"]["shares"]["1"]["value"] > 0.3


def test_trials_curve_methods_and_bases(made: dict[str, Any]) -> None:
    trials = {trial["name"]: trial for trial in made["trials"]}
    assert set(trials) == {"tuned_lora", "tuned_lora 25%", "tuned_lora 50%", "tuned_lora_rag"}
    assert {t["steps"] for t in trials.values()} == {2}
    assert all(len(t["losses"]) >= 1 and t["seconds"] > 0 for t in trials.values())
    curve = made["curve"]
    assert [p["rows"] for p in curve["points"]] == sorted(
        t["rows"] for name, t in trials.items() if not name.endswith("rag")
    )
    assert curve["next"] in ("train_longer", "overfit", "more_data", "other_way")
    assert curve["projections"] and curve["statement"]["es"]
    methods = {m["method"]: m for m in made["methods"]}
    assert methods["full"]["fits"] and methods["full"]["memory_bytes"] > 0
    assert methods["lora"]["trained"] < methods["full"]["trained"]
    (base,) = made["bases"]
    assert base["own"] and base["measure"] == "bits_per_character" and base["value"] > 0
    assert base["tokens_per_word"] > 1
    assert made["costs"]["labelled_rows"] == 120
    assert made["costs"]["labelling_hours"] == pytest.approx(1.0)
    assert made["break_even"]["against"] in {w["name"] for w in made["ways"]}


def test_the_decision_is_kept_and_the_trials_are_not(made: dict[str, Any]) -> None:
    path = Path(made["file"])
    assert path.name == "decision.json"
    kept = json.loads(path.read_text("utf-8"))
    assert kept == {k: v for k, v in made.items() if k != "file"}
    assert [p.name for p in path.parent.iterdir()] == ["decision.json"]
    assert not (path.parents[2] / "runs").exists()


@pytest.mark.parametrize(("language", "says"), [("en", "What each way gives"), ("es", "Lo que da")])
def test_it_is_drawn_for_people(made: dict[str, Any], language: Any, says: str) -> None:
    out = io.StringIO()
    draw_decide.decision(Console(file=out, width=160), made, language)
    for part in (says, "tuned_lora_rag", "NO-GO", "decision.json", "chrf", "€", "lora"):
        assert part in out.getvalue()


def test_a_run_notes_a_no_go_about_what_its_recipe_wants(
    made: dict[str, Any], generate: Path
) -> None:
    home = generate.parent / "home"
    told: list[str] = []
    for words, language in (
        ([], "en"), (["train.epochs=9", "method=full"], "es"), (["goal.at_least=50"], "en")
    ):  # fmt: skip
        note_no_go(load_recipe(generate, words), home, told.append, language)
    assert len(told) == 2, "another goal is another question"
    assert "NO-GO to fine-tuning" in told[0] and "NO-GO al afinado" in told[1]
    assert made["statements"]["reasons"][0]["en"] in told[0]


def test_a_linear_model_that_solves_it_is_named(classify: Path) -> None:
    code, found = decided(classify)
    assert (code, found["decision"], found["way"]) == (1, "NO-GO", "linear")
    assert "already solves it" in found["reason"]
    ways = {way["name"]: way for way in found["ways"]}
    assert ways["linear"]["scores"]["accuracy"]["value"] >= 0.8
    assert "tuned_full" in ways and ways["majority"]["scores"]
    assert found["bases"][0]["measure"] == "accuracy"
    assert found["hit_rate"] is None


def test_go_ends_with_zero_and_what_cannot_be_is_told(classify: Path) -> None:
    words = ["-s", "decide.ways=[majority, few_shot_nearest]", "-s", "goal.at_least=0.5"]
    code, found = decided(classify, *words, "-s", "decide.steps=8")
    assert (code, found["decision"], found["way"]) == (0, "GO", "tuned_full"), found["reason"]
    ways = {way["name"]: way for way in found["ways"]}
    assert "is an encoder" in ways["few_shot_nearest"]["error"]


def test_a_network_that_nobody_has_trained_is_tried_beside_the_base(classify: Path) -> None:
    words = ["decide.from_scratch=true", "decide.ways=[majority]", "decide.shares=[1.0]"]
    _, found = decided(classify, *(word for one in words for word in ("-s", one)))
    tuned, scratch = found["trials"]
    assert (tuned["name"], scratch["name"]) == ("tuned_full", "from_scratch")
    assert scratch["method"] == "full" and scratch["rows"] == tuned["rows"]
    assert scratch["losses"] != tuned["losses"]
    ways = {way["name"]: way for way in found["ways"]}
    assert ways["from_scratch"]["kind"] == "tuned" and ways["from_scratch"]["scores"]["accuracy"]


def test_one_part_alone(classify: Path) -> None:
    kept = list((classify.parent / "home").rglob("decision.json"))
    code, curve = decided(classify, "--curve", "-s", "decide.steps=1", "-s", "goal.at_least=0.99")
    assert (code, len(curve["points"])) == (0, 2)
    assert curve["statement"]["es"]
    code, bases = decided(classify, "--bases")
    assert (code, len(bases["bases"])) == (0, 1)
    assert list((classify.parent / "home").rglob("decision.json")) == kept


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["-s", "goal=null"], "goal"),
        (["-s", "goal={metric: chrf}"], "goal"),
        (["-s", "goal.metric=accuracy"], "goal.metric"),
        (["-s", "decide.ways=[zero_shoot]"], "decide.ways"),
        (["-s", "decide.methods=[lara]"], "decide.methods"),
        (["-s", "decide.shares=[0.5, 0.2, 1.0]"], "decide"),
        (["-s", "decide.prompt_price=3"], "decide"),
        (["-s", "data.limit=40"], "data.split.validation"),
        (["-s", "retrieval.column=nothing"], "rows.jsonl"),
        (["--language", "fr"], "--language"),
        (["--curve", "--bases"], "afina decide"),
    ],
)
def test_wrong_requests_are_refused(generate: Path, words: list[str], where: str) -> None:
    code, found = decided(generate, *words)
    assert code == 2, found
    assert where in found["error"]["where"] and found["error"]["do"]


def test_a_task_without_prompts_where_less_is_better(tiny: Tiny, tmp_path: Path) -> None:
    lines = ["text,number"]
    lines += [f"{'good ' * (n % 4)}door of the kitchen {n},{n % 4}.5" for n in range(120)]
    (tmp_path / "scores.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "regress.yaml").write_text(
        f"task: regress\nbase: {tiny('minilm').folder}\n"
        "data: {train: scores.csv, split: {train: 0.6, validation: 0.2, test: 0.2}}\n"
        "train: {threads: 1}\ngoal: {metric: mae, at_least: 0.5}\n"
        "decide: {steps: 2, latency_rows: 1, bases: 0, shares: [0.5, 1.0]}\n",
        "utf-8",
    )
    code, found = decided(tmp_path / "regress.yaml")
    ways = {way["name"]: way["scores"]["mae"]["value"] for way in found["ways"]}
    assert {"mean", "ridge", "embedding_ridge"} < ways.keys()
    assert ways["ridge"] < 0.5 < ways["mean"]
    assert (code, found["way"]) == (1, "ridge")
    assert found["statements"]["reasons"][0]["code"] == "simple_solves"


def test_search_is_decided_among_all_texts_of_the_rows(tiny: Tiny, tmp_path: Path) -> None:
    lines = [f"door light rain {n},the {n} door of the kitchen" for n in range(120)]
    (tmp_path / "pairs.csv").write_text("\n".join(["query,passage", *lines]) + "\n", "utf-8")
    (tmp_path / "embed.yaml").write_text(
        f"task: embed\nbase: {tiny('minilm').folder}\n"
        "data: {train: pairs.csv, split: {train: 0.6, validation: 0.2, test: 0.2}}\n"
        "train: {threads: 1}\ngoal: {metric: recall_at_10, at_least: 0.9}\n"
        "decide: {steps: 2, latency_rows: 1, bases: 0, shares: [1.0]}\n",
        "utf-8",
    )
    code, found = decided(tmp_path / "embed.yaml")
    ways = {way["name"]: way["scores"]["recall_at_10"]["value"] for way in found["ways"]}
    assert {"bm25", "vectors"} < ways.keys()
    assert ways["bm25"] == 1.0  # a number stands in one text only
    assert ways["vectors"] < 0.9
    assert (code, found["way"]) == (1, "bm25")
    (base,) = found["bases"]
    assert (base["measure"], base["better"]) == ("recall_at_10", "higher")
