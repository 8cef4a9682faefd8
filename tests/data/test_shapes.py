"""Shapes of rows: what their columns say, and the examples that come of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afina.data import Reading, read
from afina.data.content import normal_input
from afina.errors import DataError
from afina.recipe.knobs import Columns
from afina.types import (
    ChatExample,
    Example,
    LabelledExample,
    Message,
    NumberExample,
    PreferenceExample,
    TextExample,
)

LABELLED = (LabelledExample,)
CHAT = (ChatExample,)
PAIRS = (PreferenceExample,)
USER, SAID = Message("user", "q"), Message("assistant", "a")
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}


def reading(
    folder: Path, *rows: dict[str, Any], accepts: tuple[type[Example], ...], **columns: str
) -> Reading:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return read(str(file), Columns(**columns), accepts=accepts)


def turns(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ASKED, ANSWERED = turns("user", "q"), turns("assistant", "a")
CHATS: dict[str, tuple[dict[str, Any], tuple[Message, ...]]] = {
    "prompt, completion": ({"prompt": "q", "completion": "a"}, (USER, SAID)),
    "question, answer": ({"question": "q", "answer": "a"}, (USER, SAID)),
    "instruction, response": ({"instruction": "q", "response": "a"}, (USER, SAID)),
    "input, output": ({"input": "q", "output": "a"}, (USER, SAID)),
    "pregunta, respuesta": ({"pregunta": "q", "respuesta": "a"}, (USER, SAID)),
    "in capitals": ({"Prompt": "q", "Completion": "a"}, (USER, SAID)),
    "with a system": (
        {"prompt": "q", "completion": "a", "system": "s"},
        (Message("system", "s"), USER, SAID),
    ),
    "turns for prompt and completion": (
        {"prompt": [ASKED], "completion": [ANSWERED]},
        (USER, SAID),
    ),
    "messages": ({"messages": [ASKED, ANSWERED]}, (USER, SAID)),
    "developer": (
        {"messages": [turns("developer", "s"), ASKED, ANSWERED]},
        (Message("system", "s"), USER, SAID),
    ),
    "weight": (
        {
            "messages": [
                ASKED,
                turns("assistant", "x", weight=0),
                ASKED,
                turns("assistant", "a", weight=1),
            ]
        },
        (USER, Message("assistant", "x", 0), USER, SAID),
    ),
    "name": (
        {"messages": [turns("user", "q", name="Ana"), ANSWERED]},
        (Message("user", "q", name="Ana"), SAID),
    ),
    "text parts": (
        {"messages": [turns("user", [{"type": "text", "text": "q"}]), ANSWERED]},
        (USER, SAID),
    ),
    "tool calls": (
        {
            "messages": [
                ASKED,
                turns(
                    "assistant",
                    None,
                    tool_calls=[{**CALL, "function": {"name": "f", "arguments": '{"x": 1}'}}],
                ),
                turns("tool", "7", tool_call_id="c1"),
                ANSWERED,
            ]
        },
        (
            USER,
            Message("assistant", "", tool_calls=(CALL,)),
            Message("tool", "7", tool_call_id="c1"),
            SAID,
        ),
    ),
    "function calls of old": (
        {
            "messages": [
                ASKED,
                turns("assistant", None, function_call={"name": "f", "arguments": '{"x": 1}'}),
                turns("function", "7", name="f"),
                ANSWERED,
            ],
            "functions": [{"name": "f"}],
        },
        (
            USER,
            Message("assistant", "", tool_calls=({k: v for k, v in CALL.items() if k != "id"},)),
            Message("tool", "7", name="f"),
            SAID,
        ),
    ),
    "alpaca": ({"instruction": "q", "input": "", "output": "a"}, (USER, SAID)),
    "alpaca with input": (
        {"instruction": "add", "input": "1 2", "output": "a"},
        (Message("user", "add\n1 2"), SAID),
    ),
    "alpaca with all": (
        {"instruction": "q", "input": "", "output": "a", "system": "s", "history": [["h", "i"]]},
        (Message("system", "s"), Message("user", "h"), Message("assistant", "i"), USER, SAID),
    ),
    "dolly": (
        {"instruction": "q", "context": "c", "response": "a", "category": "x"},
        (Message("user", "q\nc"), SAID),
    ),
    "sharegpt": (
        {
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
            "system": "s",
        },
        (Message("system", "s"), USER, SAID),
    ),
    "sharegpt with tools": (
        {
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "function_call", "value": '{"name": "f", "arguments": {"x": 1}}'},
                {"from": "observation", "value": "7"},
                {"from": "gpt", "value": "a"},
            ],
            "tools": '[{"name": "f"}]',
        },
        (
            USER,
            Message("assistant", "", tool_calls=({k: v for k, v in CALL.items() if k != "id"},)),
            Message("tool", "7"),
            SAID,
        ),
    ),
    "sharegpt turns under messages": (
        {"messages": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
        (USER, SAID),
    ),
    "messages under conversations": ({"conversations": [ASKED, ANSWERED]}, (USER, SAID)),
}


@pytest.mark.parametrize("name", CHATS)
def test_rows_that_are_conversations(name: str, tmp_path: Path) -> None:
    row, messages = CHATS[name]
    (example,) = reading(tmp_path, row, accepts=CHAT).examples
    assert isinstance(example, ChatExample)
    assert example.messages == messages
    if "tools" in row or "functions" in row:
        assert example.tools == ({"type": "function", "function": {"name": "f"}},)


LABELS: list[tuple[Any, tuple[str, ...]]] = [
    ("x", ("x",)),
    (" x ", ("x",)),
    ("a|b", ("a", "b")),
    (["b", "a"], ("b", "a")),
    ([], ()),
    ("|", ()),
    (3, ("3",)),
    (3.0, ("3",)),
    (0.5, ("0.5",)),
    (True, ("true",)),
    ([1, 2], ("1", "2")),
]


@pytest.mark.parametrize(("given", "labels"), LABELS)
def test_labels(given: Any, labels: tuple[str, ...], tmp_path: Path) -> None:
    (example,) = reading(tmp_path, {"text": "t", "label": given}, accepts=LABELLED).examples
    assert isinstance(example, LabelledExample)
    assert example.labels == labels


@pytest.mark.parametrize(
    "column", ["label", "category", "target", "intent", "sentiment", "class", "Etiqueta"]
)
def test_names_of_the_label(column: str, tmp_path: Path) -> None:
    (example,) = reading(tmp_path, {"utterance": "t", column: "x"}, accepts=LABELLED).examples
    assert isinstance(example, LabelledExample)
    assert (example.text, example.labels) == ("t", ("x",))


PREFERENCES: dict[str, dict[str, Any]] = {
    "texts": {"prompt": "q", "chosen": "a", "rejected": "b"},
    "turns": {"prompt": [ASKED], "chosen": [ANSWERED], "rejected": [turns("assistant", "b")]},
    "whole conversations": {
        "chosen": [ASKED, ANSWERED],
        "rejected": [ASKED, turns("assistant", "b")],
    },
    "both": {
        "prompt": "q",
        "chosen": [ASKED, ANSWERED],
        "rejected": [ASKED, turns("assistant", "b")],
    },
    "OpenAI": {
        "input": {"messages": [ASKED]},
        "preferred_output": [ANSWERED],
        "non_preferred_output": [turns("assistant", "b")],
    },
    "Alpaca": {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"},
}


@pytest.mark.parametrize("name", PREFERENCES)
def test_preference_pairs(name: str, tmp_path: Path) -> None:
    (example,) = reading(tmp_path, PREFERENCES[name], accepts=PAIRS).examples
    assert isinstance(example, PreferenceExample)
    assert (example.prompt, example.chosen, example.rejected) == (
        (USER,),
        (SAID,),
        (Message("assistant", "b"),),
    )


def test_raw_text(tmp_path: Path) -> None:
    (example,) = reading(tmp_path, {"text": "t"}, accepts=(TextExample,)).examples
    assert isinstance(example, TextExample)
    assert example.text == "t"


def test_the_recipe_names_columns(tmp_path: Path) -> None:
    row = {"body": "t", "text": "no", "queue": "x", "n": 4}
    found = reading(tmp_path, row, accepts=LABELLED, text="body", label="queue", id="n")
    (example,) = found.examples
    assert isinstance(example, LabelledExample)
    assert (example.text, example.labels, example.id) == ("t", ("x",), "4")
    assert "rows.jsonl: the column 'text' is not used" in found.notes
    row = {"q": "t", "a": "x"}
    (chat,) = reading(tmp_path, row, accepts=CHAT, prompt="q", completion="a").examples
    assert isinstance(chat, ChatExample)


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"text": "t", "score": 3}, {}, ("t", None, 3.0)),
        ({"review": "t", "stars": "4.5"}, {}, ("t", None, 4.5)),
        ({"sentence1": "t", "sentence2": "u", "score": -1e-3}, {}, ("t", "u", -0.001)),
        ({"a": "t", "b": "u", "c": 2}, {"text": "a", "text_b": "b", "number": "c"}, ("t", "u", 2)),
    ],
)
def test_numbers(row: Any, columns: Any, expected: Any, tmp_path: Path) -> None:
    (example,) = reading(tmp_path, row, accepts=(NumberExample,), **columns).examples
    assert isinstance(example, NumberExample)
    assert (example.text, example.second, example.number) == expected


@pytest.mark.parametrize("value", ["3,5", "many", True, [1], "1_000", "nan", "inf", {}])
def test_what_is_no_number(value: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no number") as caught:
        reading(tmp_path, {"text": "t", "number": value}, accepts=(NumberExample,))
    assert caught.value.where == "rows.jsonl: row 1, column number"


def test_a_row_without_a_number_is_listed(tmp_path: Path) -> None:
    rows = [{"text": "t", "number": 1}, {"text": "u", "number": None}, {"text": " ", "number": 2}]
    found = reading(tmp_path, *rows, accepts=(NumberExample,))
    assert [d.reason for d in found.dropped] == ["empty_answer", "empty_input"]


@pytest.mark.parametrize(
    "row",
    [
        {"premise": "t", "hypothesis": "u", "label": "x"},
        {"sentence1": "t", "sentence2": "u", "label": "x"},
        {"text": "t", "text_b": "u", "label": "x"},
        {"question": "t", "passage": "u", "label": "x"},
    ],
)
def test_pairs_of_texts(row: Any, tmp_path: Path) -> None:
    (example,) = reading(tmp_path, row, accepts=LABELLED).examples
    assert isinstance(example, LabelledExample)
    assert (example.text, example.second, example.labels) == ("t", "u", ("x",))
    alone = {k: v for k, v in row.items() if v != "u"}
    assert reading(tmp_path, alone, accepts=LABELLED).examples[0].id != example.id


def test_pairs_are_duplicates_only_if_both_texts_are(tmp_path: Path) -> None:
    rows = [{"premise": "t", "hypothesis": h, "label": "x"} for h in ("u", "U!", "v", "")]
    found = reading(tmp_path, *rows, accepts=LABELLED)
    assert [d.reason for d in found.dropped] == ["empty_input"]
    keys = [normal_input(e) for e in found.examples]
    assert keys[0] == keys[1] != keys[2]


def test_one_file_serves_the_task_that_asks(tmp_path: Path) -> None:
    row = {"text": "t", "label": "x", "prompt": "q", "completion": "a"}
    assert isinstance(reading(tmp_path, row, accepts=CHAT).examples[0], ChatExample)
    assert isinstance(reading(tmp_path, row, accepts=LABELLED).examples[0], LabelledExample)


def test_a_labelled_file_can_teach_to_generate(tmp_path: Path) -> None:
    row = {"text": "t", "label": "x"}
    with pytest.raises(DataError) as caught:
        reading(tmp_path, row, accepts=CHAT)
    assert (
        caught.value.do == "set task: classify; or data.columns: {prompt: text, completion: label}"
    )
    (example,) = reading(tmp_path, row, accepts=CHAT, prompt="text", completion="label").examples
    assert isinstance(example, ChatExample)


def test_empty_rows_are_listed_with_their_reason(tmp_path: Path) -> None:
    found = reading(
        tmp_path,
        {"prompt": "q", "completion": "a"},
        {"prompt": " ", "completion": "a"},
        {"prompt": "q", "completion": "\n"},
        accepts=CHAT,
    )
    assert found.rows == 3
    assert [(d.where, d.reason) for d in found.dropped] == [
        ("rows.jsonl: row 2", "empty_input"),
        ("rows.jsonl: row 3", "empty_answer"),
    ]
    found = reading(
        tmp_path, {"text": "a", "label": None}, {"text": "b", "label": ""}, accepts=LABELLED
    )
    assert [d.reason for d in found.dropped] == ["empty_answer"] * 2


def test_what_is_not_used_is_said(tmp_path: Path) -> None:
    row = {"messages": [ASKED, turns("assistant", "a", mood="glad")], "source": "web"}
    notes = reading(tmp_path, row, {"messages": [ASKED, ASKED, ANSWERED]}, accepts=CHAT).notes
    assert "messages: the key 'mood' of a turn is not used" in notes
    assert "rows.jsonl: the column 'source' is not used" in notes
    assert any("two user turns in a row" in n for n in notes)


def test_ids_come_from_the_content(tmp_path: Path) -> None:
    one, two = {"text": "a", "label": "x"}, {"text": "b", "label": "x"}
    first = {e.id for e in reading(tmp_path, one, two, one, accepts=LABELLED).examples}
    second = {e.id for e in reading(tmp_path, two, one, one, accepts=LABELLED).examples}
    assert first == second
    assert len(first) == 3
    assert sum(name.endswith("-2") for name in first) == 1


def test_optional_columns_may_come_later(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    rows = [{"messages": [ASKED, ANSWERED]}, {"messages": [ASKED, ANSWERED], "tools": tools}]
    found = reading(tmp_path, *rows, accepts=CHAT)
    assert [e.tools for e in found.examples if isinstance(e, ChatExample)] == [(), tuple(tools)]
    assert found.notes == ()
    rows = [{"instruction": "q", "output": "a"}, {"instruction": "q", "input": "i", "output": "a"}]
    found = reading(tmp_path, *rows, accepts=CHAT)
    asked = [e.messages[0].content for e in found.examples if isinstance(e, ChatExample)]
    assert asked == ["q", "q\ni"]
