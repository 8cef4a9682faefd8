"""The predictor that is shown passages: what it asks, what fits, what it says of its sources."""

from __future__ import annotations

import re

import pytest

from afina.errors import DataError
from afina.retrieval import Index, Rag
from afina.types import Answer, ChatExample, Input, LabelledExample, Likelihood, Message, Predictor
from tests.evaluate.candidates import Fixed, FixedLikelihood
from tests.retrieval.test_index import Letters, documents

TEXTS = (
    "The boiler is serviced every year in March.",
    "The key of the cellar hangs behind the door.",
    "Waste is collected on Tuesday. The boiler room is locked.",
)


def words(given: Input) -> int:
    return sum(len(m.content.split()) for m in given.messages)


def reader(name: str = "reader") -> Fixed:
    """Answers with the weekday or month that it was shown."""

    def answer(question: str) -> Answer:
        found = re.search(r"March|Tuesday", question)
        return Answer(text=found[0] if found else "I do not know")

    return Fixed(name, answer)


def rag(behind: Fixed | None = None, room: int = 1000, passages: int = 2) -> Rag:
    index = Index(documents(*TEXTS))
    return Rag(index, behind or reader(), count_tokens=words, room=room, passages=passages)


def asked(text: str) -> Input:
    turns = (Message("user", "Hello"), Message("assistant", "Hello"), Message("user", text))
    return Input((Message("system", "Be brief."), *turns))


def test_it_answers_from_what_it_found_and_names_it() -> None:
    behind = reader()
    predictor = rag(behind)
    assert isinstance(predictor, Predictor)
    (answer,) = predictor.predict([asked("When is the boiler serviced?")])
    assert answer.text == "March"
    assert answer.sources == ("d0", "d2")
    shown = behind.seen[0]
    assert [m.role for m in shown.messages] == ["system", "user", "assistant", "user"]
    assert shown.messages[:3] == asked("x").messages[:3]
    assert shown.text == f"[d0]\n{TEXTS[0]}\n\n[d2]\n{TEXTS[2]}\n\nWhen is the boiler serviced?"
    assert predictor.figures.tokens == words(shown) - words(asked("When is the boiler serviced?"))


def test_without_a_hit_the_question_stays_as_it_is() -> None:
    behind = reader()
    predictor = rag(behind)
    (answer,) = predictor.predict([asked("Xylophone?")])
    assert answer.sources == ()
    assert behind.seen == [asked("Xylophone?")]
    assert predictor.figures.without == 1


@pytest.mark.parametrize(("room", "kept"), [(1000, 2), (20, 1), (10, 0)])
def test_passages_that_do_not_fit_are_dropped_and_counted(room: int, kept: int) -> None:
    behind = reader()
    predictor = rag(behind, room)
    (answer,) = predictor.predict([asked("When is the boiler serviced?")])
    assert len(answer.sources) == kept
    assert (predictor.figures.passages, predictor.figures.dropped) == (kept, 2 - kept)
    assert words(behind.seen[0]) <= max(room, words(asked("When is the boiler serviced?")))
    told = predictor.figures.as_dict()
    assert (told["questions"], told["dropped"]) == (1, 2 - kept)


def test_questions_that_were_shortened_for_the_search_are_counted() -> None:
    index = Index(documents(*TEXTS), way="both", embedder=Letters(most=12))
    predictor = Rag(index, reader(), count_tokens=words, room=1000)
    predictor.predict(
        [asked("When is it?"), asked("please " * 20 + "when is the boiler serviced?")]
    )
    predictor.predict([asked("Where is the key?")])
    assert predictor.figures.as_dict()["questions_shortened"] == 1


def test_braces_in_texts_are_only_text() -> None:
    index = Index(documents("use {question} and {sources} and {other} here"))
    behind = reader()
    predictor = Rag(
        index, behind, count_tokens=words, room=99, prompt="<{sources}|{question}|{sources}>"
    )
    predictor.predict([Input((Message("user", "what is {sources} other"),))])
    passage = "[d0]\nuse {question} and {sources} and {other} here"
    assert behind.seen[0].text == f"<{passage}|what is {{sources}} other|{passage}>"


def test_rows_to_learn_from_get_the_same_passages_as_questions() -> None:
    behind = FixedLikelihood("r", lambda q: Answer(q), nats=0.5)
    predictor = rag(behind)
    question = asked("When is the boiler serviced?")
    row = ChatExample(
        id="1", where="r", messages=(*question.messages, Message("assistant", "March"))
    )
    learned = predictor.example(row)
    assert isinstance(learned, ChatExample)
    assert learned.messages[:-1] == predictor.with_sources([question])[0].given.messages
    assert learned.messages[-1].content == "March"
    assert isinstance(predictor, Likelihood)
    assert predictor.negative_log_likelihood([row]) == [(5.0, 10)]
    assert not isinstance(rag(), Likelihood)
    with pytest.raises(DataError, match="labels"):
        predictor.example(LabelledExample(id="1", where="r", text="t", labels=("a",)))
