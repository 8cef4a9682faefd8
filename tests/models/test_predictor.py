"""A tuned model on disk answers as the network that was saved; the prompted base as its prompt says."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import torch

from afina.errors import ModelError, RequestError
from afina.methods import Full, Lora
from afina.models.label_texts import join_labels, label_texts, labels_in
from afina.models.load import Model, load
from afina.models.predictor import MAX_NEW_TOKENS, TunedModel, find_device
from afina.models.prompted import PromptedBase
from afina.models.sampling import Sampling
from afina.models.save import save_model
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.tasks import Classify, Generate
from afina.types import (
    Batch,
    ChatExample,
    Input,
    LabelledExample,
    Likelihood,
    Message,
    Method,
    Predictor,
    Task,
)
from tests.tiny import CONTEXT_LENGTH, DECODERS, KINDS, LINES, Kind

Tiny = Callable[[Kind], Base]
ONE = Classify(labels=("bad", "good", "so so"), several=False)
MANY = Classify(labels=("bad", "good", "so so"), several=True)
WRITE = Generate(answer="text", system="Answer with one word.", max_new_tokens=12)


def saved(base: Base, task: Task, method: Method, folder: Path) -> Model:
    """A model whose trained weights were moved, written to ``folder``."""
    model = load(base, task, method, seed=3)
    torch.manual_seed(4)
    for parameter in model.trained().values():
        parameter.data += 0.05 * torch.randn_like(parameter)
    save_model(model, folder, model.trained(), {"run": "test"})
    return model


def asked(*texts: str) -> list[Input]:
    return [Input((Message("user", text),)) for text in texts]


def chat(question: str, answer: str) -> ChatExample:
    turns = (Message("user", question), Message("assistant", answer))
    return ChatExample(id=question, where="chat.jsonl: row 1", messages=turns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [Full(), Lora(rank=2)], ids=["full", "lora"])
@pytest.mark.parametrize("task", [ONE, MANY, WRITE], ids=["one", "many", "write"])
def test_what_is_opened_answers_as_what_was_saved(
    tiny: Tiny, tmp_path: Path, kind: Kind, method: Method, task: Task
) -> None:
    base = tiny(kind)
    if task is WRITE and base.kind == "encoder":
        with pytest.raises(ModelError, match="writes no text"):
            load(base, task, method)
        return
    before = TunedModel(saved(base, task, method, tmp_path))
    opened = TunedModel.open(tmp_path, device="cpu", base=base, name="soporte")
    assert isinstance(opened, Predictor)
    assert isinstance(opened, Likelihood)
    questions = asked(*LINES)
    assert opened.predict(questions) == before.predict(questions)
    assert opened.predict([]) == []
    assert (opened.name, opened.base) == ("soporte", base.name)
    assert opened.created > 1_600_000_000
    assert opened.context_length == CONTEXT_LENGTH


def test_answers_count_their_tokens_and_say_how_they_ended(tiny: Tiny, tmp_path: Path) -> None:
    tuned = TunedModel(saved(tiny("llama"), WRITE, Lora(rank=2), tmp_path))
    (question,) = asked("The capital of France?")
    (answer,) = tuned.predict([question])
    system = Message("system", "Answer with one word.")
    rendered = tuned.model.renderer.prompt((system, *question.messages))
    assert answer.prompt_tokens == len(rendered) == tuned.count_tokens(question)
    assert answer.answer_tokens <= 12
    assert answer.finish == ("length" if answer.answer_tokens == 12 else "stop")
    assert tuned.kinds == {"chat", "completion", "embedding"}
    own = Input((Message("system", "Other."), *question.messages))
    assert tuned.prompt(own) == tuned.model.renderer.prompt(own.messages)
    assert TunedModel(load(tiny("llama"), Generate())).max_new_tokens == MAX_NEW_TOKENS


def test_what_is_streamed_is_what_is_predicted(tiny: Tiny, tmp_path: Path) -> None:
    tuned = TunedModel(saved(tiny("llama"), WRITE, Lora(rank=2), tmp_path))
    for question in asked(*LINES[:3]):
        pieces = list(tuned.stream(question, Sampling(tuned.max_new_tokens)))
        (answer,) = tuned.predict([question])
        assert "".join(p.text for p in pieces) == answer.text
        assert pieces[-1].finish == answer.finish
        assert sum(p.token is not None for p in pieces) == answer.answer_tokens
    raw = list(tuned.stream("The capital of", Sampling(4)))
    assert tuned.count_tokens("The capital of") == len(tuned.model.renderer.text("The capital of"))
    assert raw[-1].finish in ("stop", "length")


def test_likelihood_is_the_training_loss(tiny: Tiny, tmp_path: Path) -> None:
    tuned = TunedModel(saved(tiny("llama"), WRITE, Lora(rank=2), tmp_path))
    rows = [chat(LINES[i], LINES[i + 1]) for i in range(5)]
    found = tuned.negative_log_likelihood(rows)
    for row, (nats, count) in zip(rows, found, strict=True):
        encoded = WRITE.encode(row, tuned.model.renderer)
        batch = Batch(
            torch.tensor([encoded.ids]),
            torch.tensor([len(encoded.ids)]),
            torch.tensor([encoded.targets]),
            "tokens",
            torch.zeros(1, dtype=torch.long),
        )
        with torch.no_grad():
            loss = Supervised().loss(tuned.model.network, batch)
        assert count == loss.weight
        assert nats == pytest.approx(float(loss.total), rel=1e-5)


@pytest.mark.parametrize("task", [ONE, MANY], ids=["one", "many"])
def test_label_likelihood_is_the_training_loss(tiny: Tiny, tmp_path: Path, task: Classify) -> None:
    tuned = TunedModel(saved(tiny("minilm"), task, Full(), tmp_path))
    labels = ("bad",) if not task.several else ("bad", "so so")
    rows = [LabelledExample(id=t, where="r", text=t, labels=labels) for t in LINES]
    for row, (nats, parts) in zip(rows, tuned.negative_log_likelihood(rows), strict=True):
        encoded = task.encode(row, tuned.model.renderer)
        batch = Batch(
            torch.tensor([encoded.ids]),
            torch.tensor([len(encoded.ids)]),
            torch.tensor([encoded.targets]),
            task.targets,
            torch.zeros(1, dtype=torch.long),
        )
        with torch.no_grad():
            loss = Supervised().loss(tuned.model.network, batch)
        assert parts == (3 if task.several else 1)
        assert nats / parts == pytest.approx(float(loss.total), rel=1e-4)


def test_a_classifier_gives_labels_and_nothing_else(tiny: Tiny, tmp_path: Path) -> None:
    tuned = TunedModel(saved(tiny("bert"), ONE, Full(), tmp_path))
    assert tuned.kinds == {"classify", "embedding"}
    (answer,) = tuned.predict(asked("good and bad"))
    assert answer.probabilities is not None
    assert set(answer.probabilities) == set(ONE.known_labels)
    assert math.isclose(sum(answer.probabilities.values()), 1.0, abs_tol=1e-9)
    assert answer.labels == (max(answer.probabilities, key=answer.probabilities.__getitem__),)
    assert answer.prompt_tokens == tuned.count_tokens("good and bad")
    with pytest.raises(RequestError, match="task: classify: it writes no text"):
        tuned.stream("a", Sampling(3))


@pytest.mark.parametrize("kind", ["llama", "minilm"])
def test_embeddings_have_length_one_and_do_not_depend_on_the_batch(tiny: Tiny, kind: Kind) -> None:
    task: Task = WRITE if kind == "llama" else ONE
    tuned = TunedModel(load(tiny(kind), task))
    vectors = tuned.embed(list(LINES))
    for text, vector in zip(LINES, vectors, strict=True):
        assert math.isclose(sum(x * x for x in vector), 1.0, abs_tol=1e-5)
        assert vector == pytest.approx(tuned.embed([text])[0], abs=1e-5)


def test_what_is_too_long_or_empty_is_refused(tiny: Tiny) -> None:
    long = "red green " * CONTEXT_LENGTH
    labels = TunedModel(load(tiny("minilm"), ONE))
    with pytest.raises(ModelError, match=f"takes {CONTEXT_LENGTH}"):
        labels.predict(asked("short", long))
    with pytest.raises(ModelError, match=f"takes {CONTEXT_LENGTH}"):
        labels.embed([long])
    writer = TunedModel(load(tiny("llama"), WRITE))
    with pytest.raises(ModelError, match=f"takes {CONTEXT_LENGTH}"):
        writer.predict(asked(long))
    with pytest.raises(ModelError, match=r"chat\.jsonl: row 1"):
        writer.negative_log_likelihood([chat(long, "red")])
    decoder = TunedModel(load(tiny("gpt2"), ONE))
    with pytest.raises(ModelError, match="no tokens"):
        decoder.predict(asked(""))


def test_a_gpu_that_is_not_there_is_told() -> None:
    if torch.cuda.is_available():
        assert find_device("auto") == "cuda"
    else:
        assert find_device("auto") == "cpu"
        with pytest.raises(ModelError, match="GPU"):
            find_device("cuda")


# ---------------------------------------------------------------------------- prompted


SHOTS = [(Message("user", "red?"), Message("assistant", "green")) for _ in range(2)]


def test_a_prompt_is_system_then_examples_then_the_question(tiny: Tiny) -> None:
    model = load(tiny("llama"), WRITE)
    prompted = PromptedBase(model, name="few_shot", instruction="Be short.", shots=SHOTS)
    (question,) = asked("one two three")
    expected = (
        Message("system", "Answer with one word.\nBe short."),
        *(m for shot in SHOTS for m in shot),
        *question.messages,
    )
    assert prompted.prompt(question) == model.renderer.prompt(expected)
    (answer,) = prompted.predict([question])
    assert answer.prompt_tokens == len(prompted.prompt(question))
    assert 0 < prompted.head_tokens < answer.prompt_tokens
    facts = prompted.describe()
    assert (facts["examples"], facts["head_tokens"]) == (2, prompted.head_tokens)


def test_a_template_without_system_messages_gets_the_instruction_first(tiny: Tiny) -> None:
    model = load(tiny("llama"), Generate())
    refuses = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    model.renderer.tokenizer.chat_template = refuses + model.renderer.tokenizer.chat_template
    prompted = PromptedBase(model, name="zero_shot", instruction="Be short.")
    expected = model.renderer.prompt((Message("user", "Be short.\n\none"),))
    assert prompted.prompt(asked("one")[0]) == expected


def test_only_the_examples_own_answer_is_in_the_likelihood(tiny: Tiny) -> None:
    model = load(tiny("llama"), WRITE)
    row = chat("one two", "three")
    plain, shown = (
        PromptedBase(model, name="x", shots=shots).negative_log_likelihood([row])[0]
        for shots in ((), SHOTS)
    )
    tuned = TunedModel(model).negative_log_likelihood([row])[0]
    assert plain == pytest.approx(tuned)
    assert shown[1] == plain[1], "the answers of the examples are not counted"
    assert shown[0] != pytest.approx(plain[0])


@pytest.mark.parametrize("kind", DECODERS)
def test_a_shared_head_does_not_change_the_likelihood(tiny: Tiny, kind: Kind) -> None:
    model = load(tiny(kind), WRITE)
    prompted = PromptedBase(model, name="few_shot", instruction="Be short.", shots=SHOTS)
    rows = [chat(LINES[i], LINES[i + 1]) for i in range(6)]
    together = prompted.negative_log_likelihood(rows)
    for row, (nats, count) in zip(rows, together, strict=True):
        alone = prompted.negative_log_likelihood([row])[0]  # one row shares its head with none
        assert nats == pytest.approx(alone[0], rel=1e-5)
        assert count == alone[1] > 0


def test_labels_are_chosen_by_their_probability(tiny: Tiny) -> None:
    model = load(tiny("llama"), Generate())
    prompted = PromptedBase(model, name="zero_shot", classify=ONE)
    for answer, text in zip(prompted.predict(asked(*LINES)), LINES, strict=True):
        scores = []
        for label in ("bad", "good", "so so"):
            row = chat(text, label)
            nats, count = TunedModel(model).negative_log_likelihood([row])[0]
            assert count > 0
            scores.append(-nats)
        best = cast(tuple[str, ...], ONE.labels)[scores.index(max(scores))]
        assert answer.labels == (best,)
        total = sum(math.exp(s - max(scores)) for s in scores)
        assert answer.probabilities is not None
        assert answer.probabilities[best] == pytest.approx(1 / total, rel=1e-3)


def test_many_labels_are_written_one_by_one(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    prompted = PromptedBase(load(tiny("llama"), Generate()), name="zero_shot", classify=ONE)
    assert not prompted.writes_labels
    monkeypatch.setattr("afina.models.prompted.MOST_LABEL_TOKENS", 1)
    prompted = PromptedBase(load(tiny("llama"), Generate()), name="zero_shot", classify=ONE)
    answers = prompted.predict(asked(*LINES))
    assert {a.labels[0] for a in answers} <= set(ONE.known_labels)
    assert all(a.probabilities is None and a.prompt_tokens > 0 for a in answers)


def test_labels_are_written_as_words() -> None:
    assert label_texts(["card_arrival", "CardLost", "a/b-c"]) == (
        "card arrival",
        "card lost",
        "a b c",
    )
    assert label_texts(["card_arrival", "card arrival"]) == ("card_arrival", "card arrival")
    assert label_texts(["_", "a"]) == ("_", "a")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("card arrival | top up", ("card_arrival", "top_up")),
        ("Top Up, Card Arrival.", ("card_arrival", "top_up")),
        ('- "top up"\n- nonsense', ("top_up",)),
        ("none", ()),
        ("I think top up fits", ()),
        ("", ()),
    ],
)
def test_labels_are_read_from_what_was_written(text: str, found: tuple[str, ...]) -> None:
    known = ("card_arrival", "other", "top_up")
    assert labels_in(text, known) == found
    assert labels_in(join_labels(found, known), known) == found


def test_a_label_with_a_comma_and_one_called_none_are_told_apart() -> None:
    assert labels_in("a, b | c", ("a, b", "c")) == ("a, b", "c")
    assert join_labels((), ("None", "c")) == "no label at all"
    assert labels_in("none", ("None", "c")) == ("None",)
