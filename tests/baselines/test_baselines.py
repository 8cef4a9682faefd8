"""Each baseline learns from the training rows alone, and says what it is."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from afina.baselines import BASELINES, build
from afina.errors import DataError, ModelError, RecipeError
from afina.models.sources import Base
from afina.recipe import Evaluate
from afina.tasks import TASKS, Classify, Generate, Transform
from afina.types import (
    Answer,
    ChatExample,
    Example,
    Input,
    LabelledExample,
    Likelihood,
    Message,
    Predictor,
    Task,
)
from tests.tiny import CONTEXT_LENGTH, ENCODERS, Kind

Tiny = Callable[[Kind], Base]
WORDS = {
    "light": ["light", "lamp", "bulb", "bright", "switch", "glow"],
    "money": ["card", "bank", "pay", "cash", "euro", "account"],
    "weather": ["rain", "sun", "wind", "cloud", "snow", "storm"],
}


def texts(count: int, seed: int) -> list[tuple[str, str]]:
    """(text, label): two words of the label among words that say nothing."""
    chance = random.Random(seed)
    filler = ["the", "a", "please", "now", "my", "of", "in", "house", "today"]
    rows = []
    for i in range(count):
        label = sorted(WORDS)[i % len(WORDS)]
        words = chance.sample(WORDS[label], 2) + chance.sample(filler, 4)
        chance.shuffle(words)
        rows.append((" ".join(words), label))
    return rows


def labelled(count: int, seed: int) -> list[Example]:
    return [
        LabelledExample(id=str(i), where=f"row {i}", text=text, labels=(label,))
        for i, (text, label) in enumerate(texts(count, seed))
    ]


def several(count: int, seed: int) -> list[Example]:
    """No label, one, or two of them joined."""
    rows = texts(2 * count, seed)
    result: list[Example] = []
    for i in range(count):
        (one, first), (two, second) = rows[i], rows[i + count - i % 2]
        text, labels = (f"{one} {two}", tuple(sorted({first, second})))
        if i % 5 == 0:
            text, labels = "the a please now", ()
        result.append(LabelledExample(id=str(i), where=f"row {i}", text=text, labels=labels))
    return result


def commands(count: int, seed: int) -> list[Example]:
    result: list[Example] = []
    for i, (text, label) in enumerate(texts(count, seed)):
        answer = {"intent": f"Get{label.title()}"}
        if label == "light":
            answer["area"] = "kitchen"
        turns = (Message("user", text), Message("assistant", json.dumps(answer)))
        result.append(ChatExample(id=str(i), where=f"row {i}", messages=turns))
    return result


def questions(task: Task, rows: Sequence[Example]) -> list[Input]:
    return [task.question(row) for row in rows]


def right(task: Task, rows: Sequence[Example], predictor: Predictor) -> float:
    answers = predictor.predict(questions(task, rows))
    golds = [task.gold(row) for row in rows]
    same = [
        set(a.labels) == set(g.labels) if isinstance(task, Classify) else a.text == g.text
        for a, g in zip(answers, golds, strict=True)
    ]
    return sum(same) / len(same)


def test_every_baseline_of_a_task_is_known() -> None:
    for kind in TASKS:
        assert set(kind().baselines()) <= set(BASELINES)


@pytest.mark.parametrize(
    ("name", "kind", "at_least"),
    [
        ("majority", None, 0.3),
        ("nearest", None, 0.9),
        ("linear", None, 0.95),
        ("embedding_linear", "minilm", 0.7),
        ("embedding_linear", "llama", 0.4),
        ("few_shot", "minilm", 0.5),
        ("zero_shot", "minilm", 0.0),
        ("zero_shot", "llama", 0.0),
        ("few_shot", "llama", 0.0),
    ],
)
def test_labels(tiny: Tiny, name: str, kind: Kind | None, at_least: float) -> None:
    train, test = labelled(90, 1), labelled(30, 2)
    task = Classify().resolve(train)
    told: list[str] = []
    base = tiny(kind) if kind else None
    predictor = build(name, task=task, train=train, base=base, device="cpu", say=told.append)
    assert isinstance(predictor, Predictor)
    assert predictor.name == name
    assert right(task, test, predictor) >= at_least
    again = build(name, task=task, train=train, base=base, device="cpu")
    answers = predictor.predict(questions(task, test))
    assert answers == again.predict(questions(task, test)), "the same seed, the same answers"
    for some, one in zip(answers, predictor.predict(questions(task, test[:5])), strict=False):
        assert some.labels == one.labels, "an answer does not depend on the others"
        assert some.probabilities == pytest.approx(one.probabilities, abs=1e-4)
    assert predictor.predict([]) == []
    for answer in answers:
        assert answer.text == " | ".join(answer.labels)
        if answer.probabilities is not None:
            assert set(answer.probabilities) == set(task.known_labels)
            assert sum(answer.probabilities.values()) == pytest.approx(1.0)
        if kind:
            assert answer.prompt_tokens > 0
    assert len(told) == 1
    assert predictor.facts.disk_bytes == (base.bytes if base else None), (
        "who asks the base weighs it"
    )
    facts = predictor.describe()
    assert facts["seconds_to_fit"] > 0
    assert facts["what"]


@pytest.mark.parametrize(
    ("name", "kind", "at_least"),
    [
        ("majority", None, 0.1),
        ("nearest", None, 0.3),
        ("linear", None, 0.7),
        ("embedding_linear", "minilm", 0.4),
        ("few_shot", "minilm", 0.2),
        ("zero_shot", "minilm", 0.0),
    ],
)
def test_several_labels(tiny: Tiny, name: str, kind: Kind | None, at_least: float) -> None:
    train, test = several(150, 1), several(40, 2)
    task = Classify().resolve(train)
    assert task.several
    base = tiny(kind) if kind else None
    predictor = build(name, task=task, train=train, base=base, device="cpu")
    assert right(task, test, predictor) >= at_least
    if kind:  # an encoder gives as many labels as the training rows have
        given = sum(len(a.labels) for a in predictor.predict(questions(task, train)))
        if name != "embedding_linear":
            assert given == pytest.approx(sum(len(task.gold(row).labels) for row in train), abs=3)


@pytest.mark.parametrize("name", ["zero_shot", "few_shot", "few_shot_nearest", "few_shot_random"])
def test_a_decoder_writes_several_labels(
    tiny: Tiny, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, test = several(30, 1), several(6, 2)
    task = Classify().resolve(train)
    predictor = build(
        name,
        task=task,
        train=train,
        base=tiny("llama"),
        settings=Evaluate(few_shot=2),
        device="cpu",
    )
    facts = predictor.describe()
    assert 'separated by "|", or with "none". The labels are: light, money' in facts["instruction"]
    for answer in predictor.predict(questions(task, test)):
        assert set(answer.labels) <= set(task.known_labels)
        assert answer.text == " | ".join(answer.labels)
        assert answer.probabilities is None
        assert answer.prompt_tokens > facts["head_tokens"]
        assert answer.answer_tokens > 0 or not answer.labels
    assert not hasattr(predictor, "negative_log_likelihood")
    said = iter(["Weather | light", "none", "the money."])

    def written(model: object, prompts: Sequence[object], most: int, size: object) -> list[Answer]:
        return [Answer(text=next(said)) for _ in prompts]

    monkeypatch.setattr("afina.models.prompted.write_answers", written)
    answers = predictor.predict(questions(task, test[:3]))
    assert [a.labels for a in answers] == [("light", "weather"), (), ()]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("name", ["zero_shot", "few_shot"])
def test_written_answers(tiny: Tiny, name: str, kind: Kind) -> None:
    train, test = commands(24, 1), commands(3, 2)
    task = Generate(max_new_tokens=8).resolve(train)
    settings = Evaluate(few_shot=2)
    base = tiny(kind)
    predictor = build(name, task=task, train=train, base=base, settings=settings, device="cpu")
    answers = predictor.predict(questions(task, test))
    facts = predictor.describe()
    assert '"intent"' in facts["instruction"]
    assert '"area"' in facts["instruction"]
    assert "GetLight, GetMoney, GetWeather" in facts["instruction"]
    assert facts["examples"] == (2 if name == "few_shot" else 0)
    for answer in answers:
        assert answer.prompt_tokens > facts["head_tokens"] > 16
        assert 0 <= answer.answer_tokens <= 8
    assert isinstance(predictor, Likelihood)
    losses = predictor.negative_log_likelihood(test)
    assert all(nats > 0 and count > 0 for nats, count in losses)


def test_written_answers_without_a_model() -> None:
    train, test = commands(60, 1), commands(12, 2)
    task = Generate().resolve(train)
    nearest = build("nearest", task=task, train=train, base=None)
    assert right(task, test, nearest) > 0.9
    majority = build("majority", task=task, train=train, base=None)
    assert len({a.text for a in majority.predict(questions(task, test))}) == 1
    assert not isinstance(majority, Likelihood)


def test_fewer_examples_where_more_do_not_fit(tiny: Tiny) -> None:
    train = commands(40, 1)
    task = Generate(max_new_tokens=8).resolve(train)
    settings = Evaluate(few_shot=30)
    predictor = build(
        "few_shot", task=task, train=train, base=tiny("llama"), settings=settings, device="cpu"
    )
    facts = predictor.describe()
    assert 1 <= facts["examples"] < 30
    assert f"{facts['examples']} of 30" in facts["notes"][0]
    answers = predictor.predict(questions(task, train))
    assert len(answers) == 40
    assert all(a.prompt_tokens + 8 < CONTEXT_LENGTH for a in answers), "answers have their room"


def test_labels_that_do_not_fit_are_not_listed_and_this_is_told(tiny: Tiny) -> None:
    rows: list[Example] = [
        LabelledExample(id=str(i), where="r", text=f"text {i}", labels=(f"label number {i}",))
        for i in range(60)
    ]
    task = Classify().resolve(rows)
    predictor = build("zero_shot", task=task, train=rows, base=tiny("llama"), device="cpu")
    assert "label number" not in predictor.describe()["instruction"]
    assert "not listed" in predictor.describe()["notes"][0]


@pytest.mark.parametrize(
    ("name", "task", "kind", "error", "words"),
    [
        ("linear", "write", None, DataError, "this task is generate"),
        ("embedding_linear", "write", "llama", DataError, "this task is generate"),
        ("embedding_linear", "one", None, ModelError, "base"),
        ("zero_shot", "write", "minilm", DataError, "this task is generate"),
        ("linaer", "one", None, RecipeError, "linaer"),
    ],
)
def test_what_makes_no_sense_is_said(
    tiny: Tiny, name: str, task: str, kind: Kind | None, error: type[Exception], words: str
) -> None:
    train = {"write": commands, "one": labelled}[task](12, 1)
    resolved = (Generate() if task == "write" else Classify()).resolve(train)
    base = tiny(kind) if kind else None
    with pytest.raises(error, match=words) as caught:
        build(name, task=resolved, train=train, base=base, device="cpu")
    assert caught.value.do  # type: ignore[attr-defined]


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        build("linaer", task=Classify(), train=labelled(3, 1), base=None)
    assert "linear" in caught.value.do


@pytest.mark.parametrize("name", ["majority", "nearest", "linear"])
def test_without_rows_there_is_nothing_to_learn(name: str) -> None:
    with pytest.raises(DataError, match="no training rows"):
        build(name, task=Classify(labels=("a", "b"), several=False), train=[], base=None)


def test_labels_without_training_rows_and_tiny_sets(tiny: Tiny) -> None:
    train = labelled(4, 1)
    task = Classify(labels=("light", "money", "never", "weather")).resolve(train)
    for name, kind in (("linear", None), ("embedding_linear", "bert")):
        base = tiny(kind) if kind else None
        predictor = build(name, task=task, train=train, base=base, device="cpu")
        for answer in predictor.predict(questions(task, labelled(9, 3))):
            assert answer.probabilities is not None
            assert answer.probabilities["never"] < 1e-6
    with pytest.raises(DataError, match="never"):
        build("few_shot", task=task, train=train, base=tiny("bert"), device="cpu")
    alike = [row for row in labelled(9, 1) if row.labels == ("light",)]  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="same labels"):
        build("linear", task=task, train=alike, base=None)


def test_vectors_are_kept_where_a_folder_is_given(tiny: Tiny, tmp_path: Path) -> None:
    train = labelled(12, 1)
    task = Classify().resolve(train)
    for kind in ENCODERS:
        build(
            "embedding_linear",
            task=task,
            train=train,
            base=tiny(kind),
            cache=tmp_path,
            device="cpu",
        )
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_texts_of_odd_characters(tiny: Tiny) -> None:
    rows: list[Example] = [
        LabelledExample(id=str(i), where="r", text=text, labels=(label,))
        for i, (text, label) in enumerate(
            [("🙂🙂", "a"), ("🙂😀", "a"), ("!!", "b"), ("!?", "b"), ("漢字", "c"), ("漢語", "c")]
        )
    ]
    task = Classify().resolve(rows)
    for name in ("linear", "nearest"):
        predictor = build(name, task=task, train=rows, base=None)
        assert right(task, rows, predictor) == 1.0
    empty: list[Example] = [
        LabelledExample(id=str(i), where="r", text=" ", labels=(label,))
        for i, label in enumerate("ab")
    ]
    with pytest.raises(DataError, match="no characters"):
        build("linear", task=Classify().resolve(empty), train=empty, base=None)


def test_the_room_is_imported_without_torch() -> None:
    code = "import afina.models, afina.baselines, sys; print({'torch', 'sklearn'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def articles(count: int, gold: int) -> list[Example]:
    """Four sentences; the right summary is the first ``gold`` of them, in other words at the end."""
    chance = random.Random(gold)
    vocabulary = [word for words in WORDS.values() for word in words]
    rows: list[Example] = []
    for i in range(count):
        said = [f"{' '.join(chance.choices(vocabulary, k=6))}." for _ in range(4)]
        turns = (Message("user", " ".join(said)), Message("assistant", " ".join(said[:gold])))
        rows.append(ChatExample(id=str(i), where=f"row {i}", messages=turns))
    return rows


@pytest.mark.parametrize("gold", [1, 3])
def test_lead_takes_as_many_sentences_as_the_summaries_have(gold: int) -> None:
    task, rows = Transform(kind="summary"), articles(20, gold)
    found = build("lead", task=task, train=rows[:12], base=None)
    assert right(task, rows[12:], found) == 1.0
    (one,) = found.predict([Input((Message("user", "¿Sólo una? Sí! Fin… y más"),))])
    assert one.text == {1: "¿Sólo una?", 3: "¿Sólo una? Sí! Fin…"}[gold]


def test_copy_gives_the_source_back() -> None:
    task, rows = Transform(kind="translation"), articles(4, 1)
    found = build("copy", task=task, train=rows, base=None)
    assert [a.text for a in found.predict(questions(task, rows))] == [
        q.text for q in questions(task, rows)
    ]


def test_an_encoder_decoder_is_asked_untuned(tiny: Tiny) -> None:
    from afina.models.load import load
    from afina.models.predictor import TunedModel

    rows = articles(4, 1)
    task = Transform(kind="summary", prefix="summarize: ", max_new_tokens=8)
    found = build("zero_shot", task=task, train=rows, base=tiny("t5"))
    asked = questions(task, rows)
    plain = TunedModel(load(tiny("t5"), task))
    assert found.predict(asked) == plain.predict(asked)
    assert isinstance(found, Likelihood)
    assert found.negative_log_likelihood(rows) == plain.negative_log_likelihood(rows)
    with pytest.raises(DataError, match="asks for labels or text in a prompt"):
        build("few_shot", task=task, train=rows, base=tiny("t5"))
