"""What is too long or has nothing to learn is found before training, by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import DataError
from afina.models.load import load_renderer
from afina.models.sources import Base
from afina.tasks import Classify, Generate
from afina.train.batches import loss_tokens
from afina.train.rows import Rows, encode
from afina.types import IGNORED, ChatExample, Encoded, LabelledExample, Message, Rendered
from tests.tiny import Kind


class Letters:
    """A renderer of one token a letter: prompt, then answer, then the end token 1."""

    def conversation(self, messages: tuple[Message, ...], tools: object = ()) -> Rendered:
        ids: list[int] = []
        in_loss: list[bool] = []
        for message in messages:
            answer = message.role == "assistant"
            piece = [2 + ord(c) for c in message.content] + ([1] if answer else [])
            ids += piece
            in_loss += [answer and bool(message.weight)] * len(piece)
        return Rendered(tuple(ids), tuple(in_loss))

    def prompt(self, messages: tuple[Message, ...], tools: object = ()) -> tuple[int, ...]:
        return self.conversation(messages).ids

    def text(self, text: str) -> tuple[int, ...]:
        return (0, *(2 + ord(c) for c in text), 1)


def chat(number: int, prompt: str, answer: str, weight: int = 1) -> ChatExample:
    messages = (Message("user", prompt), Message("assistant", answer, weight))
    return ChatExample(id=str(number), where=f"a.jsonl: row {number}", messages=messages)


@given(
    rows=st.lists(st.tuples(st.text("ab", min_size=1, max_size=12), st.text("cd", max_size=12))),
    limit=st.integers(2, 20),
    policy=st.sampled_from(["error", "drop", "truncate"]),
)
@settings(max_examples=200, deadline=None)
def test_no_answer_is_ever_cut(rows: list[tuple[str, str]], limit: int, policy: str) -> None:
    examples = [chat(i, p, a) for i, (p, a) in enumerate(rows, 1)]
    try:
        result = encode(examples, Generate(), Letters(), max_length=limit, on_too_long=policy)
    except DataError as error:
        assert "a.jsonl: row" in error.where
        assert error.do
        assert policy != "drop"
        return
    assert len(result.kept) + len(result.dropped) == len(rows)
    answers = {str(i): a for i, (_, a) in enumerate(rows, 1)}
    for row in result.kept:
        assert len(row.ids) <= limit
        learned = [t for t in row.targets if t != IGNORED]
        assert learned == [2 + ord(c) for c in answers[row.row]] + [1]
        assert loss_tokens(row, "tokens") == len(learned)


def test_a_row_without_loss_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be learned") as caught:
        encode(
            [chat(3, "q", "a", weight=0)],
            Generate(),
            Letters(),
            max_length=None,
            on_too_long="error",
        )
    assert "row 3" in caught.value.where


def test_a_text_keeps_its_closing_token(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("bert"))
    task = Classify(labels=("a", "b"), several=False)
    text = "the lights of the kitchen are on and the door of the garage is closed"
    example = LabelledExample(id="1", where="t.csv: row 1", text=text, labels=("a",))
    with pytest.raises(DataError, match="1 of 1 rows"):
        encode([example], task, renderer, max_length=6, on_too_long="error")
    rows = encode([example], task, renderer, max_length=6, on_too_long="truncate")
    whole = renderer.text(text)
    assert rows.kept[0].ids == (*whole[:5], whole[-1])
    assert rows.truncated == 1


def test_counts() -> None:
    rows = Rows((Encoded("a", (5, 6, 7), (IGNORED, 6, 7)), Encoded("b", (5, 6), (5, 6))), "tokens")
    assert (rows.longest, rows.tokens, rows.loss_tokens) == (3, 5, 3)
