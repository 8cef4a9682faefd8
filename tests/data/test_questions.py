"""Questions about texts: SQuAD's files, flat rows, and places that do not hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from afina.data import Reading, prepare, read
from afina.data.asked import as_input
from afina.errors import DataError
from afina.recipe.knobs import Columns, Data
from afina.tasks import FindAnswer
from afina.types import QuestionExample

TEXT = "Ana vive en Madrid. Luis vive en Sevilla, y Ana viaja mucho."
PLACE = TEXT.index("Madrid")
ASKED = "¿Dónde vive Ana?"


def squad(*questions: dict[str, Any], context: str = TEXT, title: str = "Gente") -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}


def reading(folder: Path, value: Any, name: str = "qa.json", **how: Any) -> Reading:
    file = folder / name
    lines = "".join(json.dumps(row) + "\n" for row in value) if name.endswith("l") else ""
    file.write_text(lines or json.dumps(value, **how), "utf-8")
    return read(str(file), accepts=(QuestionExample,))


def question(*answers: tuple[str, int], **more: Any) -> dict[str, Any]:
    said = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": "q", "question": ASKED, "answers": said, **more}


@pytest.mark.parametrize("indent", [None, 1])
def test_squads_files(tmp_path: Path, indent: int | None) -> None:
    two = [question(("Madrid", PLACE), ("en Madrid", PLACE - 3)), question(is_impossible=True)]
    value = {"version": "v2.0", "data": [squad(*two)]}
    found = reading(tmp_path, value, indent=indent)
    first, second = found.examples
    assert isinstance(first, QuestionExample)
    assert isinstance(second, QuestionExample)
    assert (first.question, first.context) == (ASKED, TEXT)
    assert [(s.start, s.end, s.text) for s in first.answers] == [
        (PLACE, PLACE + 6, "Madrid"),
        (PLACE - 3, PLACE + 6, "en Madrid"),
    ]
    assert second.answers == ()
    assert first.where == "qa.json: row 1"
    assert found.format == "json: question about a text"


FLAT: dict[str, dict[str, Any]] = {
    "hub": {"answers": {"text": ["Madrid"], "answer_start": [PLACE]}},
    "list": {"answers": [{"text": "Madrid", "answer_start": PLACE}]},
    "start": {"answer": "Madrid", "start": PLACE},
    "two lists": {"answers": ["Madrid"], "answer_start": [PLACE]},
    "found": {"answer": "Madrid"},
    "spaces": {"answer": " Madrid", "start": PLACE - 1},
}


@pytest.mark.parametrize("form", FLAT)
def test_flat_rows(tmp_path: Path, form: str) -> None:
    row = {"question": ASKED, "context": TEXT, **FLAT[form]}
    found = reading(tmp_path, [row], "qa.jsonl")
    (example,) = found.examples
    assert isinstance(example, QuestionExample)
    (span,) = example.answers
    assert (span.start, span.end, span.text) == (PLACE, PLACE + 6, "Madrid")
    assert bool(found.notes) == (form == "found")


def test_tables(tmp_path: Path) -> None:
    with open(tmp_path / "qa.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["pregunta", "contexto", "respuesta", "inicio", "is_impossible"])
        table.writerow([ASKED, TEXT, "Madrid", PLACE, "false"])
        table.writerow(["¿Dónde vive Eva?", TEXT, "", "", "true"])
    first, second = read(str(tmp_path / "qa.csv"), accepts=(QuestionExample,)).examples
    assert isinstance(first, QuestionExample)
    assert isinstance(second, QuestionExample)
    assert [s.text for s in first.answers] == ["Madrid"]
    assert second.answers == ()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"answer": "Lugo", "start": 3}, "'Lugo' does not stand at character 3"),
        ({"answer": "Madrid", "start": 3}, f"it stands at {PLACE}"),
        ({"answer": "Madrid", "start": 999}, "begins at character 999 of a text of"),
        ({"answer": "Madrid", "start": -1}, "begins at character -1"),
        ({"answer": "Madrid", "start": True}, "True is no place"),
        ({"answer": "Lugo"}, "'Lugo' does not stand in the text"),
        ({"answer": "Ana"}, "'Ana' stands 2 times in the text"),
        ({"answers": [], "is_impossible": False}, "does not call the question impossible"),
        (
            {"answers": ["Madrid"], "is_impossible": True},
            "a question that the row calls impossible",
        ),
        ({"answers": [], "is_impossible": "perhaps"}, "neither true nor false"),
        ({"answers": {"text": ["Madrid"], "answer_start": []}}, "no answers with their places"),
        ({"answers": 7}, "a number where answers are expected"),
        ({"answers": ["Madrid"], "start": [1, 2]}, "1 answers and 2 places"),
    ],
)
def test_a_place_that_does_not_hold_is_a_problem_of_its_row(
    tmp_path: Path, row: dict[str, Any], what: str
) -> None:
    whole = [{"question": ASKED, "context": TEXT, **row}]
    good = {**whole[0], "answers" if "answers" in row else "answer": "Sevilla"}
    good |= {"start": TEXT.index("Sevilla")} if "start" in row else {}
    good |= {"is_impossible": False} if "is_impossible" in row else {}
    with pytest.raises(DataError) as caught:
        reading(tmp_path, [good, *whole], "qa.jsonl")
    error = caught.value
    assert "row 2, column" in error.where
    assert what in f"{error.what} {error.do}"


def test_empty_answers_are_counted(tmp_path: Path) -> None:
    lost = question(("", -1), ("", -1))
    mixed = question(("Madrid", PLACE), ("", -1))
    found = reading(tmp_path, {"data": [squad(lost, mixed)]})
    (example,) = found.examples
    assert isinstance(example, QuestionExample)
    assert [s.text for s in example.answers] == ["Madrid"]
    assert [(d.where, d.reason) for d in found.dropped] == [("qa.json: row 1", "empty_answer")]
    assert "empty answers beside others were left out" in found.notes


@pytest.mark.parametrize(
    ("article", "what"),
    [
        ({"title": "x"}, "an article without a list of paragraphs"),
        ({"paragraphs": [{"qas": []}]}, "a paragraph without context and qas"),
        ({"paragraphs": [{"context": TEXT, "qas": ["who?"]}]}, "where a question is expected"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, article: Any, what: str) -> None:
    with pytest.raises(DataError, match=what) as caught:
        reading(tmp_path, {"data": [squad(question(("Madrid", PLACE))), article]})
    assert "qa.json: data[1]" in caught.value.where


def test_an_object_that_is_no_squad_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="where a list of objects is expected"):
        reading(tmp_path, {"data": [{"a": 1}, {"a": 2}]})


def test_no_text_stands_in_two_splits(tmp_path: Path) -> None:
    articles = []
    for i in range(20):
        text = f"{TEXT} El número {i} es {i * 7919}, dicho de otra manera cada vez: {'x' * i}."
        asked = [
            {"question": f"{word} {i}?", "answers": [{"text": "Madrid", "answer_start": PLACE}]}
            for word in ("Quién", "Cómo", "Dónde", "Cuándo")
        ]
        articles.append(squad(*asked, context=text))
    (tmp_path / "qa.json").write_text(json.dumps({"data": articles}))
    dataset = prepare(Data(train=str(tmp_path / "qa.json"), near_duplicates="keep"), FindAnswer())
    test = dataset.test.open(by="test")
    parts = [dataset.train, dataset.validation, tuple(test)]
    assert sum(map(len, parts)) == 80
    texts = [{e.context for e in part if isinstance(e, QuestionExample)} for part in parts]
    assert all(texts)
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_what_is_asked_has_its_text_and_no_answer() -> None:
    given = as_input({"question": ASKED, "context": TEXT, "answers": ["Madrid"]}, "input 1")
    assert (given.text, given.context) == (ASKED, TEXT)
    named = Columns(question="q", passage="p")
    assert as_input({"q": ASKED, "p": TEXT}, "input 1", named).context == TEXT
    assert as_input({"instruction": "Do", "context": "this"}, "input 1").context is None


def test_an_answer_that_is_to_be_judged_is_part_of_the_question() -> None:
    turns = [{"role": "user", "content": "why?"}, {"role": "assistant", "content": "so"}]
    rows: list[Any] = [
        turns,
        {"messages": turns},
        {"prompt": "why?", "completion": "so"},
        {"prompt": turns[:1], "completion": turns[1:]},
    ]
    for row in rows:
        given = as_input(row, "input 1", answered=True)
        assert [(m.role, m.content) for m in given.messages] == [
            ("user", "why?"),
            ("assistant", "so"),
        ]
        assert [m.role for m in as_input(row, "input 1").messages] == ["user"]
    for row in ("why?", {"prompt": "why?"}, turns[:1], {"messages": turns[:1]}):
        with pytest.raises(DataError, match="no answer to judge"):
            as_input(row, "input 1", answered=True)
