"""Answers in texts, from files to report and request, on a tiny model; and when there is none."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from afina import flow
from afina.baselines import build
from afina.flow.threshold import best_threshold
from afina.flow.trying import answering, try_out
from afina.models.save import read_card
from afina.models.shelf import Shelf
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.store.workplace import Workplace
from afina.tasks import FindAnswer
from afina.types import Input, Message, QuestionExample, Span
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, predicted, write
from tests.tiny import Kind

TASK = {"name": "answer", "window": 32, "overlap": 8, "max_answer": 4}
COLOURS = ("red", "green", "blue")


def rows(count: int) -> list[dict[str, object]]:
    """The colour of a door; every third text names none, every fourth takes two windows."""
    found: list[dict[str, object]] = []
    for i in range(count):
        before = f"{'one two three ' * (8 if i % 4 == 0 else i % 5)}door {i} is "
        there, colour = bool(i % 3), COLOURS[i // 3 % 3]
        text = f"{before}{colour if there else 'closed'} and the kitchen"
        answers = {"text": [colour] * there, "answer_start": [len(before)] * there}
        found.append({"question": "red green?", "context": text, "answers": answers})
    return found


def test_from_rows_to_report(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    said = measured(
        tmp_path,
        tiny("bert"),
        TASK,
        rows(120),
        train={"max_steps": 60, "batch_size": 16, "learning_rate": 5e-3, "threads": 1},
    )
    report = said["report"]
    assert report["metric"] == "answer_f1"
    by_name = {c["name"]: c["scores"] for c in report["candidates"]}
    assert list(by_name) == ["tuned", "sentence", "majority"]
    assert by_name["majority"]["no_answer_recall"]["value"] == 1.0
    assert by_name["sentence"]["no_answer_recall"]["value"] == 0.0
    assert by_name["tuned"]["answer_f1"]["value"] > by_name["sentence"]["answer_f1"]["value"] + 0.3
    assert by_name["tuned"]["exact_match"]["value"] > 0.7
    plan = json.loads((Path(said["folder"]) / "plan.json").read_text())
    assert any("without the answer and learn that they have none" in n for n in plan["notes"])
    chosen = said["train"]["threshold"]
    assert chosen["reason"] == "the highest F1 on 12 validation rows"
    card = read_card(Path(said["folder"]) / "model")
    assert card["task"]["no_answer"] == chosen["no_answer"]
    page = (Path(said["folder"]) / "report.html").read_text("utf-8")
    assert "F1 de la respuesta" in page
    text = "one two three " * 40 + "door 3 is blue and the kitchen"
    one, two = predicted(
        tmp_path, [{"question": "red green?", "context": c} for c in (text, "one two three")]
    )
    assert (one["answer"], one["start"]) == ("blue", text.index("blue"))
    assert 0 < one["score"] <= 1
    assert one["margin"] > chosen["no_answer"]
    assert (two["answer"], two["start"]) == ("", None)


def test_a_trial_or_a_fold_settles_it_as_a_run_does(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    recipe = parse_recipe(
        {
            "task": TASK,
            "base": str(tiny("bert").folder),
            "data": {"train": str(write(tmp_path, rows(90)))},
            "train": {"max_steps": 8, "batch_size": 16, "learning_rate": 5e-3, "threads": 1},
        }
    )
    run, _ = flow.train(recipe, tmp_path / "home")
    ready = flow.prepare(recipe, tmp_path / "home")
    part = Workplace(tmp_path / "home", "folds", "tried").part("fold-1")
    tuned = answering(try_out(ready, part, lambda _: None, Shelf()), ready.only.dataset.validation)
    assert isinstance(tuned.task, FindAnswer)
    assert tuned.task.no_answer == read_card(run.model_folder)["task"]["no_answer"]


def test_the_check_counts_windows(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    recipe = {"task": TASK, "base": str(tiny("bert").folder)}
    recipe["data"] = {"train": str(write(tmp_path, rows(40)))}
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    code, answer = json_of(["check", str(tmp_path / "r.yaml")])
    assert code == 0
    assert answer["balance"]["counts"] == {"answer": 26, "no answer": 14}
    assert any(" rows are read in " in note for note in answer["notes"])
    out = tmp_path / "new.yaml"
    code, answer = json_of(["new", str(tmp_path / "rows.jsonl"), "--out", str(out)])
    assert (code, answer["task"]) == (0, "answer")


def test_the_best_threshold_equals_a_search() -> None:
    draw = random.Random(2)
    for _ in range(200):
        gains = [
            (draw.choice((draw.gauss(0, 3), 1.0, -1.0)), draw.choice((-1.0, 0.5, 1.0)))
            for _ in range(draw.randint(1, 9))
        ]

        def total(threshold: float, of: list[tuple[float, float]] = gains) -> float:
            return math.fsum(gain for margin, gain in of if margin >= threshold)

        every = [-math.inf, math.inf, *(m for m, _ in gains)]
        assert total(best_threshold(gains)) == pytest.approx(max(map(total, every)))
    assert best_threshold([(-3.0, 1.0), (2.0, 1.0)]) == -4.0
    assert best_threshold([(-3.0, -1.0), (2.0, 1.0)]) == -0.5


def test_the_sentence_with_the_words_of_the_question() -> None:
    context = "Ana vive en Madrid. El perro de Luis duerme en casa, ¿no? Nadie sabe nada."
    train = [
        QuestionExample(
            id=str(i), where="row", question="q", context=c, answers=(Span(0, 3, "", "Ana"),)
        )
        for i, c in enumerate([context, "El gato de Ana.", "Nadie duerme en Madrid."])
    ]
    model = build("sentence", task=FindAnswer().resolve(train), train=train, base=None)
    asked = [
        Input((Message("user", q),), context=context) for q in ("¿Quién duerme: Luis?", "¿Qué?")
    ]
    one, two = model.predict(asked)
    assert one.text == "El perro de Luis duerme en casa, ¿no?"
    assert one.spans is not None
    assert context[one.spans[0].start : one.spans[0].end] == one.text
    assert two.text == "Ana vive en Madrid."
