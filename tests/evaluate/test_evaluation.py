"""The evaluation as a whole: what candidates see, what fails how, and what the report holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from afina.errors import DataError, Interrupted, MachineError, ModelError, RecipeError, RequestError
from afina.evaluate import SCORERS, Report, evaluate
from afina.recipe import Evaluate, Goal
from afina.tasks import Embed, FindAnswer, Generate, Regress, Tag
from afina.tasks.tag import said
from afina.tasks.thresholds import Wanted
from afina.types import (
    Answer,
    Example,
    Input,
    NumberExample,
    PairExample,
    QuestionExample,
    Span,
    TaggedExample,
    Task,
)
from tests.evaluate.candidates import (
    CLASSIFY,
    JSON,
    LABELS,
    TAGS,
    TEXT,
    Fixed,
    FixedLikelihood,
    chats,
    intents,
    labelled,
    labels_of,
    noisy,
    number,
    texts_of,
)

QUICK = Evaluate(resamples=100, latency_rows=0)
GOLD = [LABELS[i % 3] for i in range(45)]


def measure(candidates: Sequence[Any], test: Sequence[Any], task: Any, **given: Any) -> Report:
    settings = given.pop("settings", QUICK)
    goal = given.pop("goal", None)
    return evaluate(
        candidates, test, task=task, tuned="tuned", goal=goal, settings=settings, seed=7, **given
    )


class Broken(Fixed):
    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(name, lambda question: Answer(""))
        self.error = error
        self.closed = 0

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        raise self.error

    def close(self) -> None:
        self.closed += 1


def test_a_candidate_sees_every_question_once_and_no_answer() -> None:
    tuned = labels_of("tuned", GOLD)
    rows = labelled(GOLD)
    measure([tuned], rows, CLASSIFY)
    assert [given.text for given in tuned.seen] == [row.text for row in rows]
    assert {type(given) for given in tuned.seen} == {Input}
    chat = texts_of("tuned", intents(6))
    measure([chat], chats(intents(6)), JSON)
    assert all(m.role == "user" for given in chat.seen for m in given.messages)


@pytest.mark.parametrize(("size", "calls"), [(None, 1), (45, 1), (20, 3), (1, 45)])
def test_rows_are_asked_in_the_batches_of_the_recipe(size: int | None, calls: int) -> None:
    tuned = labels_of("tuned", GOLD)
    report = measure(
        [tuned], labelled(GOLD), CLASSIFY, settings=QUICK.model_copy(update={"batch_size": size})
    )
    assert tuned.calls == calls
    assert report.candidate("tuned").scores["accuracy"].value == 1.0


@pytest.mark.parametrize("name", ["tuned", "linear"])
@pytest.mark.parametrize("given", [0, 44, 46])
def test_a_wrong_number_of_answers_is_an_error(name: str, given: int) -> None:
    class Wrong(Fixed):
        def predict(self, inputs: Sequence[Input]) -> list[Answer]:
            return [Answer("")] * given

    wrong = Wrong(name, lambda question: Answer(""))
    others = [] if name == "tuned" else [labels_of("tuned", GOLD)]
    with pytest.raises(ModelError, match=f"{given} answers to 45 questions"):
        measure([*others, wrong], labelled(GOLD), CLASSIFY)


def test_a_baseline_that_cannot_run_is_carried_with_its_reason() -> None:
    broken = Broken("few_shot", MachineError("no memory", where="few_shot", do="take fewer"))
    heard: list[str] = []
    report = measure(
        [labels_of("tuned", GOLD), broken, labels_of("majority", ["bill"] * 45)],
        labelled(GOLD),
        CLASSIFY,
        say=heard.append,
    )
    found = report.candidate("few_shot")
    assert found.failure == {"what": "no memory", "where": "few_shot", "do": "take fewer"}
    assert found.scores == {}
    assert found.as_dict()["error"] == "no memory"
    assert [c.baseline for c in report.comparisons] == ["majority"]
    assert report.verdict == "ship"
    assert any(
        "few_shot" in note.say("en") and "no memory" in note.say("es") for note in report.notes
    )
    assert any("few_shot could not be measured: no memory" in line for line in heard)
    assert broken.closed == 1


def test_where_no_baseline_could_run_nothing_is_proven() -> None:
    report = measure(
        [labels_of("tuned", GOLD), Broken("linear", MachineError("no memory"))],
        labelled(GOLD),
        CLASSIFY,
        goal=Goal(metric="accuracy", at_least=0.5),
    )
    assert report.verdict == "unproven"
    assert report.comparison is None


def test_a_tuned_model_that_cannot_run_ends_the_evaluation() -> None:
    broken = Broken("tuned", MachineError("no memory"))
    with pytest.raises(MachineError, match="no memory"):
        measure([broken], labelled(GOLD), CLASSIFY)
    assert broken.closed == 1


def test_a_stop_is_a_stop_and_a_bug_is_a_bug() -> None:
    for error in (Interrupted("stopped"), ZeroDivisionError("a bug")):
        with pytest.raises(type(error)):
            measure([labels_of("tuned", GOLD), Broken("linear", error)], labelled(GOLD), CLASSIFY)


def test_candidates_are_opened_and_closed_one_after_the_other() -> None:
    story: list[str] = []

    class Lazy:
        def __init__(self, name: str) -> None:
            self.name = name
            self._real: FixedLikelihood | None = None

        @property
        def predictor(self) -> FixedLikelihood:
            if self._real is None:
                story.append(f"open {self.name}")
                self._real = FixedLikelihood(self.name, lambda q: Answer("x"), nats=1.0)
            return self._real

        def predict(self, inputs: Sequence[Input]) -> list[Answer]:
            return self.predictor.predict(inputs)

        def close(self) -> None:
            story.append(f"close {self.name}")
            self._real = None

    report = measure([Lazy("tuned"), Lazy("zero_shot")], chats(["x"] * 9), TEXT)
    assert story == ["open tuned", "close tuned", "open zero_shot", "close zero_shot"]
    assert "perplexity" in report.candidate("zero_shot").scores


def test_a_score_that_cannot_be_taken_says_why() -> None:
    tuned = FixedLikelihood("tuned", lambda q: Answer("x"), nats=0.5)
    infinite = FixedLikelihood("remote", lambda q: Answer("x"), nats=float("inf"))
    report = measure([tuned, texts_of("nearest", ["x"] * 9), infinite], chats(["x"] * 9), TEXT)
    assert report.candidate("tuned").scores["perplexity"].value == pytest.approx(1.6487, abs=1e-4)
    assert report.candidate("nearest").missing == {
        "perplexity": "it gives no probabilities of answers"
    }
    assert "not finite" in report.candidate("remote").missing["perplexity"]


def test_a_model_that_finds_everything_impossible_still_has_a_report() -> None:
    """e to 720 is no float any more, and a report holds only numbers."""
    report = evaluate(
        [
            FixedLikelihood(n, lambda _: Answer("x"), nats)
            for n, nats in (("tuned", 720.0), ("b", 2.0))
        ],
        chats(["a b"] * 12),
        task=TEXT,
        tuned="tuned",
        goal=None,
        settings=Evaluate(scorers=("perplexity",), resamples=100),
        seed=1,
    )
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["verdict"] != "ship"


def test_perplexity_can_be_judged_and_those_without_it_are_not_compared() -> None:
    rows = chats([f"answer {i}" for i in range(30)])

    class Varied(FixedLikelihood):
        def negative_log_likelihood(self, examples: Sequence[Any]) -> list[tuple[float, int]]:
            return [(self._nats * (8 + i % 5), 10) for i in range(len(examples))]

    tuned = Varied("tuned", lambda q: Answer("x"), nats=0.5)
    base = Varied("zero_shot", lambda q: Answer("x"), nats=2.0)
    report = measure(
        [tuned, base, texts_of("nearest", ["x"] * 30)],
        rows,
        TEXT,
        goal=Goal(metric="perplexity", at_least=2.0),
    )
    assert report.verdict == "ship"
    assert report.comparison is not None
    assert report.comparison.difference < 0
    assert [c.baseline for c in report.comparisons] == ["zero_shot"]
    assert any(n.code == "not_comparable" for n in report.notes)
    with pytest.raises(ModelError, match="tuned has no perplexity"):
        measure([texts_of("tuned", ["x"] * 30)], rows, TEXT, goal=Goal(metric="perplexity"))


def test_different_tokenizers_are_pointed_out() -> None:
    tuned = FixedLikelihood("tuned", lambda q: Answer("x"), nats=0.5)
    other = FixedLikelihood("other", lambda q: Answer("x"), nats=0.5, tokens=11)
    notes = measure([tuned, other], chats(["x"] * 9), TEXT).notes
    assert [n.values["names"] for n in notes if n.code == "tokenizers"] == ["tuned, other"]


@pytest.mark.parametrize(
    ("settings", "goal", "error", "where"),
    [
        (Evaluate(scorers=("acuracy",)), None, "no scorer is called acuracy", "evaluate.scorers"),
        (QUICK, Goal(metric="f1"), "no scorer is called f1", "goal.metric"),
        (Evaluate(scorers=("chrf",)), None, "compares texts", "evaluate.scorers"),
        (Evaluate(scorers=("accuracy", "accuracy")), None, "twice", "evaluate.scorers"),
        (Evaluate(scorers=("field_f1",)), None, "JSON", "evaluate.scorers"),
    ],
)
def test_scorers_that_do_not_fit_are_refused(
    settings: Evaluate, goal: Goal | None, error: str, where: str
) -> None:
    tuned = labels_of("tuned", GOLD)
    with pytest.raises(RecipeError, match=error) as caught:
        measure([tuned], labelled(GOLD), CLASSIFY, settings=settings, goal=goal)
    assert caught.value.where == where
    assert tuned.calls == 0


def test_a_right_answer_that_cannot_be_read_is_refused_before_anybody_is_asked() -> None:
    tuned = texts_of("tuned", intents(3))
    with pytest.raises(DataError, match="not one JSON value") as caught:
        measure([tuned], chats(['{"a": 1}', '{"a": NaN}', "{}"]), JSON)
    assert caught.value.where == "rows.jsonl: row 2"
    assert tuned.calls == 0


def test_an_unknown_scorer_names_the_nearest() -> None:
    with pytest.raises(RecipeError) as caught:
        measure(
            [labels_of("tuned", GOLD)],
            labelled(GOLD),
            CLASSIFY,
            settings=Evaluate(scorers=("macro_f",)),
        )
    assert "macro_f1" in caught.value.do


def test_the_goals_metric_is_measured_and_stands_first() -> None:
    report = measure(
        [labels_of("tuned", GOLD)],
        labelled(GOLD),
        CLASSIFY,
        settings=Evaluate(scorers=("accuracy",), resamples=100),
        goal=Goal(metric="micro_f1"),
    )
    assert list(report.scorers) == ["micro_f1", "accuracy"]
    assert report.metric == "micro_f1"


def test_nothing_to_measure_is_an_error() -> None:
    with pytest.raises(DataError, match="no rows"):
        measure([labels_of("tuned", GOLD)], [], CLASSIFY)
    with pytest.raises(RequestError, match="two candidates are called tuned"):
        measure([labels_of("tuned", GOLD)] * 2, labelled(GOLD), CLASSIFY)
    with pytest.raises(RequestError, match="no candidate is called tuned"):
        measure([labels_of("linear", GOLD)], labelled(GOLD), CLASSIFY)


def test_costs_are_means_a_request() -> None:
    tuned = labels_of("tuned", GOLD, prompt_tokens=20, answer_tokens=3)
    few = labels_of("few_shot", noisy(GOLD, 0.3, 1), prompt_tokens=220, answer_tokens=4)
    report = measure([tuned, few], labelled(GOLD), CLASSIFY)
    cost = report.costs["tuned"]
    assert (cost["prompt_tokens"], cost["answer_tokens"], cost["cut_off"]) == (20, 3, 0)
    assert cost["seconds"] > 0
    assert cost["seconds_per_request"] == pytest.approx(cost["seconds"] / 45)
    saved = next(n for n in report.notes if n.code == "tokens_saved")
    assert saved.values["saved"] == 200
    assert "200" in saved.say("en")
    assert not set(cost) & set(report.candidate("tuned").scores)


def test_answers_that_were_cut_off_are_counted() -> None:
    tuned = Fixed("tuned", lambda q: Answer("x", finish="length" if number(q) < 4 else "stop"))
    report = measure([tuned], chats(["x"] * 9), TEXT)
    assert report.costs["tuned"]["cut_off"] == 4
    assert any(n.code == "cut_off" and n.values["answers"] == 4 for n in report.notes)


def test_a_linear_model_that_is_as_good_is_said_with_what_both_cost() -> None:
    report = measure(
        [labels_of("tuned", noisy(GOLD, 0.9, 1)), labels_of("linear", noisy(GOLD, 0.9, 2))],
        labelled(GOLD),
        CLASSIFY,
    )
    note = next(n for n in report.notes if n.code == "simple_solves")
    assert note.values["baseline"] == "linear"
    assert note.values["seconds"] == report.costs["tuned"]["seconds_per_request"]
    assert "A simple model may already solve this task" in note.say("en")
    assert report.verdict == "unproven"


def test_few_rows_and_few_rows_in_a_class_are_said() -> None:
    gold = ["bill"] * 20 + ["card"] * 3
    codes = {n.code for n in measure([labels_of("tuned", gold)], labelled(gold), CLASSIFY).notes}
    assert {"few_rows", "few_rows_in_class"} <= codes


def test_samples_show_errors_and_hits() -> None:
    given = noisy(GOLD, 0.6, 3)
    report = measure(
        [labels_of("tuned", given), labels_of("linear", GOLD)],
        labelled(GOLD),
        CLASSIFY,
        settings=Evaluate(resamples=100, samples=10),
    )
    assert len(report.samples) == 10
    right = [sample["answers"]["tuned"]["right"] for sample in report.samples]
    assert right.count(False) == 5
    assert all(sample["answers"]["linear"]["right"] for sample in report.samples)
    ids = [int(sample["id"]) for sample in report.samples]
    assert ids == sorted(set(ids))
    first = report.samples[0]
    assert first["question"] == f"text {ids[0]}"
    assert first["where"] == f"rows.csv: row {ids[0] + 1}"
    assert first["gold"] == GOLD[ids[0]]


@pytest.mark.parametrize(("wanted", "shown"), [(0, 0), (1000, 45)])
def test_samples_can_be_none_or_all(wanted: int, shown: int) -> None:
    report = measure(
        [labels_of("tuned", noisy(GOLD, 0.6, 3))],
        labelled(GOLD),
        CLASSIFY,
        settings=Evaluate(resamples=100, samples=wanted),
    )
    assert len(report.samples) == shown


def test_several_labels_have_classes_but_no_confusion() -> None:
    gold: list[Any] = [("bill", "card"), (), ("loan",), ("bill",)]
    tuned = Fixed("tuned", lambda q: Answer("", labels=gold[number(q)]))
    report = measure([tuned], labelled(gold), TAGS)
    assert report.candidate("tuned").scores["exact_match"].value == 1.0
    assert [row["support"] for row in report.per_class["tuned"]] == [2, 1, 1]
    assert report.confusion == {}


def report_of_json() -> Report:
    gold = intents(40)
    broken = Broken("few_shot", MachineError("too long", do="shorten"))
    wrong = [g if i % 2 else g[:-1] for i, g in enumerate(gold)]
    tuned = FixedLikelihood("tuned", lambda q: Answer(gold[number(q)]), nats=0.1)
    return measure(
        [tuned, texts_of("zero_shot", wrong), broken],
        chats(gold),
        JSON,
        goal=Goal(metric="exact_match", at_least=0.9),
        test_sha256="ab" * 32,
    )


def test_a_report_survives_json() -> None:
    report = report_of_json()
    text = json.dumps(report.as_dict(), allow_nan=False)
    assert Report.from_dict(json.loads(text)) == report


def test_the_report_keeps_the_contract() -> None:
    value = report_of_json().as_dict()
    assert value["metric"] == "exact_match"
    assert value["verdict"] == "ship"
    score = value["candidates"][0]["scores"]["exact_match"]
    assert set(score) >= {"value", "low", "high"}
    assert score["low"] < score["value"] <= score["high"]
    assert value["test"] == {"rows": 40, "sha256": "ab" * 32}
    assert value["rule"].startswith("ship: ")
    assert "zero_shot" in value["reason"]
    assert all(isinstance(note, str) for note in value["notes"])
    assert value["comparison"]["baseline"] == "zero_shot"
    assert {"comparisons", "per_class", "confusion", "samples", "costs"} <= set(value)


def test_the_same_seed_gives_the_same_report() -> None:
    def plain(report: Report) -> Report:
        return replace(report, costs={}, notes=())

    assert plain(report_of_json()) == plain(report_of_json())


def test_every_scorer_works_on_some_task() -> None:
    tasks: list[tuple[Task, Sequence[Example], list[Fixed]]] = [
        (CLASSIFY, labelled(GOLD), [labels_of("tuned", GOLD)]),
        (
            JSON,
            chats(intents(5)),
            [FixedLikelihood("tuned", lambda q: Answer(intents(5)[number(q)]), nats=0.1)],
        ),
    ]
    costly = CLASSIFY.model_copy(update={"wanted_of": {GOLD[0]: Wanted(miss=2, false_alarm=1)}})
    tasks.append((costly, labelled(GOLD), [labels_of("tuned", GOLD)]))
    numbers: list[Example] = [
        NumberExample(id=str(i), where=f"row {i}", text=f"text {i}", number=i) for i in range(4)
    ]
    told = Fixed("tuned", lambda q: Answer(str(number(q)), number=float(number(q))))
    tasks.append((Regress().settle(numbers), numbers, [told]))
    span = Span(0, 4, "X", "text")
    tagged: list[Example] = [
        TaggedExample(id=str(i), where=f"row {i}", text=f"text {i}", spans=(span,))
        for i in range(4)
    ]
    tasks.append((Tag(labels=("X",)), tagged, [Fixed("tuned", lambda _: said([span]))]))
    asked: list[Example] = [
        QuestionExample(
            id=str(i),
            where=f"row {i}",
            question=f"text {i}",
            context="text",
            answers=(span,) * (i % 2),
        )
        for i in range(4)
    ]
    found = Fixed("tuned", lambda q: Answer("text" if number(q) % 2 else ""))
    tasks.append((FindAnswer().resolve(asked), asked, [found]))
    coded = [replace(e, tests="assert one == 1") for e in chats(["one = 1"] * 2)]
    coder = FixedLikelihood("tuned", lambda _: Answer("one = 1"), nats=0.1)
    tasks.append((Generate(answer="text", run_tests=True), coded, [coder]))
    pairs = [
        PairExample(id=str(i), where=f"row {i}", query=f"q{i}", positive="a") for i in range(4)
    ]
    tasks.append((Embed(), pairs, [Fixed("tuned", lambda _: Answer("a", ("a",)))]))
    schema = JSON.model_copy(update={"json_schema": {"type": "object"}})
    tasks.append((schema, *tasks[1][1:]))
    measured: set[str] = set()
    for task, test, candidates in tasks:
        for name in SCORERS:
            settings = Evaluate(scorers=(name,), resamples=100)
            try:
                report = measure(candidates, test, task, settings=settings)
            except RecipeError:
                continue
            measured.add(name)
            score, facts = report.candidate("tuned").scores[name], report.scorers[name]
            perfect = {
                "share": 1.0,
                "points": 100.0,
                "perplexity": pytest.approx(1.105, abs=1e-3),
                "number": 0.0,
                "correlation": pytest.approx(1.0),
            }
            if name == "bleu":
                assert 0 <= score.value <= 100
            else:
                assert score.value == perfect[facts["unit"]]
    of_pairs = {n for n, s in SCORERS.items() if s.source in ("preference", "gain")}
    assert measured == set(SCORERS) - of_pairs, "a scorer that no task was measured by"


def test_calls_of_tools_are_scored_as_values() -> None:
    """The turn with calls has no text; what a model writes for it is a block of JSON."""
    call = {"function": {"name": "light", "arguments": {"a": 1, "b": 2}}}
    rows = [
        replace(
            row,
            messages=(row.messages[0], replace(row.messages[1], content="", tool_calls=(call,))),
        )
        for row in chats(["ignored"] * 20)
    ]
    right = '<tool_call>{"arguments": {"b": 2, "a": 1}, "name": "light"}</tool_call>'
    wrong = '<tool_call>{"arguments": {"b": 2}, "name": "light"}</tool_call>'
    task = JSON.resolve(rows)
    report = measure(
        [texts_of("tuned", [right] * 20), texts_of("linear", ["", wrong] * 10)], rows, task
    )
    scores = {c.name: {k: s.value for k, s in c.scores.items()} for c in report.candidates}
    assert scores["tuned"]["exact_match"] == 1.0
    assert scores["linear"]["exact_match"] == 0.0
    assert scores["linear"]["json_valid"] == 0.5
    assert 0.0 < scores["linear"]["field_f1"] < 1.0


def test_a_score_that_no_candidate_has_is_an_error() -> None:
    only = Evaluate(scorers=("perplexity",), resamples=100)
    with pytest.raises(ModelError, match="tuned has no perplexity"):
        measure(
            [Fixed("tuned", lambda _: Answer("a"))],
            chats(["one"] * 3),
            Generate(answer="text"),
            settings=only,
        )
