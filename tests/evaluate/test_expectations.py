"""A file of expectations: each check met and failed, bad lines named, and what a report does with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from afina.errors import DataError, ModelError
from afina.evaluate import Report, Statement, evaluate, html
from afina.evaluate.expectations import Expectations, read_expectations
from afina.recipe import Evaluate, Goal
from afina.tasks import Regress
from afina.types import Answer, Input, Task
from tests.evaluate.candidates import CLASSIFY, LABELS, TEXT, Fixed, labelled, labels_of

NUMBER = Regress(mean=0.0, deviation=1.0)
SCHEMA = {
    "type": "object",
    "properties": {"area": {"enum": ["kitchen", "hall"]}, "code": {"pattern": "^(a+)+$"}},
    "required": ["area"],
}


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "tests.jsonl"
    path.write_text(
        "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), "utf-8"
    )
    return path


def one(folder: Path, check: dict[str, Any], task: Task = TEXT) -> Expectations:
    return read_expectations(written(folder, {"input": "hello", **check}), task)


def said(text: str, **more: Any) -> Answer:
    return Answer(text=text, **more)


@pytest.mark.parametrize(
    ("check", "good", "bad", "code"),
    [
        ({"contains": "Paris"}, "It is Paris.", "It is paris.", "lacks"),
        ({"contains": ["a", "b"]}, "b a", "b", "lacks"),
        ({"contains": "caf\u00e9"}, "cafe\u0301", "cafe", "lacks"),
        ({"not_contains": ["sorry", "AI"]}, "Here it is", "I am an AI", "holds"),
        ({"matches": r"^\d+ km$"}, "14 km", "about 14 km", "no_match"),
        ({"matches": ["(?i)paris", "e$"]}, "PARIS, France", "PARIS", "no_match"),
        ({"equals": "yes"}, " yes\n", "Yes", "differs"),
        ({"equals": ""}, "", "x", "differs"),
        ({"equals": {"a": 1, "b": [2]}}, '{"b": [2], "a": 1.0}', '{"a": 1}', "differs"),
        ({"equals": [1]}, "[1]", "no JSON", "differs"),
        ({"schema": SCHEMA}, '{"area": "hall"}', '{"area": "roof"}', "not_of_schema"),
        ({"schema": SCHEMA}, '{"area": "hall"}', "hall", "not_json"),
        ({"most_words": 2}, "two words", "these three words", "too_many_words"),
        ({"number": 3}, "3.0", "three", "no_number"),
        ({"number": 3, "within": 0.5}, "3.5", "3.6", "other_number"),
        ({"contains": "a", "most_words": 1}, "a", "a b", "too_many_words"),
    ],
)
def test_each_check_is_met_and_failed(
    check: dict[str, Any], good: str, bad: str, code: str, tmp_path: Path
) -> None:
    found = one(tmp_path, check)
    assert found.judge([said(good)]) == []
    (failed,) = found.judge([said(bad)])
    (reason,) = failed["reasons"]
    assert reason["code"] == code
    assert failed["where"] == "tests.jsonl: line 1" and failed["question"] == "hello"
    assert Statement.from_dict(reason).say("es") != Statement.from_dict(reason).say("en")


def test_a_hostile_pattern_takes_no_time(tmp_path: Path) -> None:
    slow = "a" * 5000 + "!"
    assert one(tmp_path, {"matches": "^(a+)+$"}).judge([said(slow)])
    assert one(tmp_path, {"schema": SCHEMA}).judge(
        [said(json.dumps({"area": "hall", "code": slow}))]
    )


def test_labels_and_numbers_are_those_of_the_task(tmp_path: Path) -> None:
    found = one(tmp_path, {"label": "card"}, CLASSIFY)
    assert found.judge([said("card", labels=("card",))]) == []
    (failed,) = found.judge([said("loan", labels=("loan",))])
    assert failed["reasons"][0]["values"] == {"wanted": "card", "found": "loan"}
    both = one(tmp_path, {"label": ["card", "bill"]}, CLASSIFY)
    assert both.judge([said("card | bill", labels=("bill", "card"))]) == []
    assert both.judge([said("card", labels=("card",))])
    near = one(tmp_path, {"number": 2, "within": 0.1}, NUMBER)
    assert near.judge([said("2.1", number=2.1)]) == []
    assert near.judge([said("2.2", number=2.2)])
    for text in ("nan", "-inf", "1e999", "two"):  # the report is strict JSON
        (failed,) = near.judge([said(text)])
        assert failed["reasons"][0]["code"] == "no_number"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not JSON"),
        ("[1]", "no object with an input"),
        ({"contains": "x"}, "no object with an input"),
        ({"input": "x"}, "nothing is expected"),
        ({"input": "x", "containz": "y"}, "unknown key containz"),
        ({"input": "", "contains": "y"}, "empty"),
        ({"input": 3, "contains": "y"}, "int cannot be asked"),
        ({"input": "x", "contains": ""}, "stands in every answer"),
        ({"input": "x", "contains": [3]}, "a text, or a list of texts"),
        ({"input": "x", "matches": "("}, "is not a regular expression"),
        ({"input": "x", "matches": "(?=a)"}, "look-around"),
        ({"input": "x", "equals": 3}, "a text, an object or a list"),
        ({"input": "x", "schema": []}, "a JSON schema is an object"),
        ({"input": "x", "schema": {"type": "objekt"}}, "#/type"),
        ({"input": "x", "schema": {"$ref": "http://example.org/a.json"}}, "within this schema"),
        ({"input": "x", "schema": {"unevaluatedItems": False}}, "not supported"),
        ({"input": "x", "label": "card"}, "are no labels"),
        ({"input": "x", "number": "3"}, "a number"),
        ({"input": "x", "number": True}, "a number"),
        ({"input": "x", "number": 3, "within": -1}, "at least 0"),
        ({"input": "x", "contains": "y", "within": 1}, "within belongs to number"),
        ({"input": "x", "most_words": 1.5}, "whole number"),
    ],
)
def test_a_bad_line_is_named_with_its_number(line: Any, what: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"input": "good", "contains": "x"}, "", line)
    with pytest.raises(DataError) as error:
        read_expectations(path, TEXT)
    assert what in error.value.what
    assert error.value.where.startswith("tests.jsonl: line 3") and error.value.do


def test_all_bad_lines_are_told_at_once_and_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, *[{"input": "x", "label": "no"}] * 70)
    with pytest.raises(DataError) as error:
        read_expectations(path, CLASSIFY)
    assert "no label is called no" in error.value.what
    assert 40 < len(error.value.problems) <= 50
    with pytest.raises(DataError, match="no expectation"):
        read_expectations(written(tmp_path, "", " "), TEXT)
    with pytest.raises(DataError, match="cannot be read"):
        read_expectations(tmp_path / "none.jsonl", TEXT)


# ---------------------------------------------------------------------------- in a report


def report_of(folder: Path, lines: Sequence[Any], tuned: Fixed, other: Fixed) -> Report:
    """A test on which ``tuned`` is all right and ``other`` all wrong, and a file of expectations."""
    golds = [LABELS[i % 3] for i in range(60)]
    return evaluate(
        [tuned, other],
        labelled(golds),
        task=CLASSIFY,
        tuned="tuned",
        goal=Goal(metric="accuracy", at_least=0.9),
        settings=Evaluate(resamples=100),
        seed=1,
        expectations=read_expectations(written(folder, *lines), CLASSIFY),
    )


def right(name: str = "tuned") -> Fixed:
    return labels_of(name, [LABELS[i % 3] for i in range(60)])


def wrong() -> Fixed:
    return labels_of("linear", [LABELS[(i + 1) % 3] for i in range(60)])


MET = [{"input": "text 0", "label": LABELS[0]}, {"input": "text 1", "label": LABELS[1]}]
FAILED = [*MET, {"input": "text 2", "label": LABELS[0], "id": "loans"}]


def test_what_is_met_leaves_the_verdict_and_is_said(tmp_path: Path) -> None:
    report = report_of(tmp_path, MET, right(), wrong())
    assert report.verdict == "ship"
    assert [r.code for r in report.reasons] == ["beats", "goal_reached", "tests_met"]
    assert report.notes[0].code == "rule_tests"
    assert report.expectations["candidates"] == {"tuned": {"failed": 0}, "linear": {"failed": 2}}
    assert Report.from_dict(report.as_dict()) == report


def test_one_that_is_failed_holds_whatever_the_scores_say(tmp_path: Path) -> None:
    report = report_of(tmp_path, FAILED, right(), wrong())
    assert report.verdict == "hold"
    assert report.reasons[0].code == "tests_failed"
    (failed,) = report.expectations["failed"]
    assert failed["id"] == "loans" and failed["answer"] == LABELS[2]
    page = html(report, {}, language="es")
    assert "Expectativas" in page and "tests.jsonl: line 3" in page and "text 2" in page


def test_a_baseline_that_cannot_take_the_questions_is_still_measured(tmp_path: Path) -> None:
    class Short(Fixed):
        def predict(self, inputs: Sequence[Input]) -> list[Answer]:
            if any(len(given.text) > 20 for given in inputs):
                raise ModelError("too long for it")
            return super().predict(inputs)

    lines = [*MET, {"input": "text " + "0" * 20, "label": LABELS[0]}]
    report = report_of(tmp_path, lines, right(), Short("linear", wrong()._answer))
    assert report.candidate("linear").scores["accuracy"].value == 0
    assert report.expectations["candidates"]["linear"] == {"error": "too long for it"}
    with pytest.raises(ModelError, match="too long for it"):
        report_of(tmp_path, lines, Short("tuned", right()._answer), wrong())
