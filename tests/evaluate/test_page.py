"""report.html: self-contained, in two languages, and safe whatever data and models wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

from afina.data.split_words import describe
from afina.errors import ModelError, RequestError
from afina.evaluate import Report, evaluate, html
from afina.evaluate.page import visible
from afina.recipe import Evaluate, Goal
from afina.tasks import Classify
from afina.types import Answer, Input, LabelledExample
from tests.evaluate.candidates import CLASSIFY, Fixed, labelled, labels_of, number
from tests.evaluate.test_evaluation import report_of_json

ATTACKS = (
    "<script>alert(1)</script>",
    "</style><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    '"><svg onload=alert(4)>',
    "' onmouseover='alert(5)",
    '" autofocus onfocus="alert(6)',
    "<iframe src=javascript:alert(7)></iframe>",
    "javascript:alert(8)",
    "<a href='javascript:alert(9)'>x</a>",
    "</title><script>alert(10)</script>",
    "</script><script>alert(11)</script>",
    "<!--<script>alert(12)//-->",
    "<math><mtext></p><style><img src onerror=alert(13)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "${alert(15)} #{alert(15)}",
    "<body onload=alert(16)>",
    "<base href=https://example.org/>",
    "<meta http-equiv=refresh content=0;url=https://example.org>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "\u202e<b>gnp.exe\u2066 \x00\x1b[31m \ud800 \ufdd0",
    "<form action=https://example.org><input type=submit>",
    "&lt;script&gt;alert(22)&lt;/script&gt; &amp; &#60;script&#62;",
)


class Reader(HTMLParser):
    """Collects elements with their attributes, and the text in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def facts_of(text: str = "plain") -> dict[str, Any]:
    """All facts, with ``text`` wherever a text can stand."""
    return {
        "run": text,
        "recipe": {"name": text, "task": {"name": text}, "base": text, text: [text]},
        "plan": [{"key": text, "value": text, "reason": text, "unit": text, "chosen": False}],
        "estimates": {"seconds": 80.0, "memory_bytes": 2e9, "disk_bytes": 1e8, "tokens": 1000},
        "train": {
            "method": text,
            "seconds": 75.0,
            "peak_memory_bytes": 1_600_000_000,
            "disk_bytes": 90_000_000,
            "tokens": 1000,
            "tokens_per_second": 13.3,
            "examples_per_second": 2.5,
            "trainable_parameters": 10,
            "total_parameters": 100,
            "precision": text,
            "weights_sha256": text,
            "best_step": 6,
            "stopped": text,
        },
        "metrics": [
            *({"step": s, "loss": 2 / s, "learning_rate": 1e-3 * s} for s in range(1, 9)),
            {"step": 4, "validation_loss": 0.5, "validation_accuracy": 0.5},
            {"step": 8, "validation_loss": 0.6, "validation_accuracy": 0.6, "alert": text},
        ],
        "events": [{"event": "overfitting", "step": 8, "message": text}],
        "data": {
            "rows": 50,
            "kept": 45,
            "dropped": {text: 5},
            "train": 30,
            "validation": 5,
            "test": 10,
            "split": text,
            "fingerprint": text,
            "notes": [text],
            "duplicates": {"exact": 5, "similar_inputs": 2},
            "contradictions": {"inputs": 1, "rows": 2, "examples": []},
            "encoding_faults": {text: {"rows": 1, "where": [text]}},
            "lengths": {
                text: {"least": 1, "median": 4, "p95": 9, "most": 12, "mean": 4.5, "total": 90}
            },
            "balance": {"classes": 1, "imbalance": 1.0, "smallest": {}, "counts": {text: 4}},
        },
        "base": {"name": text, "sha256": text, "licence": text},
        "machine": {"device_name": text},
        "command": text,
        "versions": {text: text},
    }


def report_of_labels(text: str = "plain") -> Mapping[str, Any]:
    labels = (text, "other " + text, "third")
    rows = [
        LabelledExample(id=str(i), where=text, text=f"{text} {i}", labels=(labels[i % 3],))
        for i in range(18)
    ]

    def answer(question: str) -> Answer:
        label = labels[number(question) % 2]
        return Answer(text=label, labels=(label,))

    candidates = [Fixed("tuned", answer), Fixed(text, lambda q: Answer(text=text))]
    report = evaluate(
        candidates,
        rows,
        task=Classify(labels=labels, several=False),
        tuned="tuned",
        goal=Goal(metric="macro_f1", at_least=0.5),
        settings=Evaluate(resamples=100, samples=6),
        seed=1,
        test_sha256=text,
    )
    return report.as_dict()


def test_the_page_is_well_formed_and_needs_nothing_else() -> None:
    for report in (report_of_json().as_dict(), report_of_labels()):
        page = html(report, facts_of())
        reader = Reader(page)
        assert reader.open == []
        allowed = {"class", "id", "lang", "href", "name", "content", "charset", "http-equiv"}
        for tag, attributes in reader.elements:
            assert tag not in ("script", "link", "iframe", "object", "embed", "img", "form", "base")
            assert not any(name.startswith("on") or name == "src" for name in attributes)
            if tag == "a":
                assert str(attributes["href"]).startswith("#")
                assert set(attributes) <= allowed
        assert not re.search(r"https?://|url\(|@import", page)
        policy = next(a["content"] for t, a in reader.elements if a.get("http-equiv"))
        assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'")


def test_every_link_of_the_contents_leads_somewhere() -> None:
    for facts in ({}, facts_of()):
        reader = Reader(html(report_of_labels(), facts))
        ids = [a["id"] for _, a in reader.elements if "id" in a]
        assert len(ids) == len(set(ids))
        links = {str(a["href"])[1:] for t, a in reader.elements if t == "a"}
        assert links <= set(ids)
        assert ("curves" in links) == bool(facts)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_data_and_models_wrote_is_only_text(attack: str) -> None:
    plain, hostile = (html(report_of_labels(t), facts_of(t)) for t in ("plain", attack))
    hostile.encode("utf-8")
    expected, found = Reader(plain), Reader(hostile)
    shape = [(tag, sorted(a)) for tag, a in found.elements if tag not in ("span", "tspan")]
    assert shape == [
        (tag, sorted(a)) for tag, a in expected.elements if tag not in ("span", "tspan")
    ]
    text = "".join(found.text)
    assert visible(attack) in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", hostile)


def test_the_generated_answers_are_escaped_and_marked() -> None:
    value = report_of_json().as_dict()
    value["samples"][0]["gold"] = "turn on <b>lamp</b>"
    value["samples"][0]["answers"]["zero_shot"]["text"] = "turn off <b>lamp</b>"
    page = html(value, {})
    assert "<mark>off</mark>" in page
    assert '<del class="missing">on</del>' in page
    assert "<b>lamp" not in page


@pytest.mark.parametrize(("language", "title"), [("en", "Report"), ("es", "Informe")])
def test_both_languages_are_in_the_page(language: str, title: str) -> None:
    page = html(report_of_json().as_dict(), facts_of(), language)
    reader = Reader(page)
    assert reader.elements[0] == ("html", {"lang": language, "class": f"first-{language}"})
    assert f"<title>{title} ·" in page
    checked = [a["id"] for _, a in reader.elements if "checked" in a]
    assert checked == [f"language-{language}", "theme-auto"]
    marked = [
        a["class"] for t, a in reader.elements if "class" in a and a.get("lang") and t != "html"
    ]
    assert marked.count("en") == marked.count("es") > 60
    text = "".join(reader.text)
    for sentence in ("Tuning was worth it.", "Ha valido la pena afinar.", "100.0%", "100,0\u00a0%"):
        assert sentence in text
    assert "p. p." not in re.sub(r"\u00a0", "_", page)


def test_another_language_is_refused() -> None:
    with pytest.raises(RequestError, match="no language is called fr"):
        html(report_of_json().as_dict(), {}, "fr")


def test_missing_facts_do_not_appear() -> None:
    page = "".join(Reader(html(report_of_json().as_dict(), {})).text)
    for word in ("Learning curves", "Estimate against fact", "Versions", "Command", "Dropped"):
        assert word not in page
    assert "None" not in page
    whole = "".join(Reader(html(report_of_json().as_dict(), facts_of())).text)
    for word in ("Learning curves", "Estimate against fact", "Versions", "Command", "Dropped"):
        assert word in whole
    for word in ("Exact duplicates", "Rows with signs of a wrong encoding", "95th percentile"):
        assert word in whole


@pytest.mark.parametrize("part", sorted(facts_of()))
def test_each_fact_may_be_missing_or_empty(part: str) -> None:
    facts = facts_of()
    del facts[part]
    assert html(report_of_labels(), facts)
    facts[part] = type(facts_of()[part])()
    assert html(report_of_labels(), facts)


def test_the_figures_of_the_report_are_shown() -> None:
    report = report_of_json()
    text = re.sub(r"\s+", " ", "".join(Reader(html(report, facts_of())).text))
    score = report.candidate("tuned").scores["exact_match"]
    assert f"[{100 * score.low:.1f}%,\u2009100.0%]".replace("\u2009", " ") in text.replace(
        "\u2009", " "
    )
    for shown in (
        "1 min 20 s",
        "1 min 15 s",
        "1.6 GB",
        "0.94",
        "too long → shorten",
        "not measured",
    ):
        assert shown in text.replace("\u00a0", " ")


def test_the_page_is_the_same_each_time() -> None:
    value = report_of_json().as_dict()
    assert html(value, facts_of()) == html(value, facts_of())


def test_a_report_with_one_candidate_or_few_of_anything_is_drawn() -> None:
    value = dict(report_of_labels())
    value |= {"comparison": None, "comparisons": [], "samples": [], "per_class": {}}
    value |= {"candidates": value["candidates"][:1], "confusion": {}}
    assert "Tuned minus" not in html(value, {})


def test_dangerous_characters_are_made_visible() -> None:
    assert visible("a\x00b\u202ec\ud800") == "a[U+0000]b[U+202E]c[U+D800]"
    assert visible("tab\tline\n áñ漢🙂") == "tab\tline\n áñ漢🙂"
    assert visible(3) == 3


def test_what_training_and_data_say_is_said_in_both_languages() -> None:
    """From facts: counts, shares and losses are figures, and the words are those of the language."""
    facts = facts_of()
    split = {
        "rows": {"train": 12_000, "validation": 0, "test": 300},
        "given": ["test"],
        "shares": {"train": 0.9, "validation": 0.1},
        "how": "group",
        "column": "cliente",
        "seed": 7,
        "near": True,
        "together": 1_234,
        "taken": {"test": [5, 2]},
    }
    facts["data"] = {**facts["data"], "split": split}
    facts["metrics"] = [{"step": s, "loss": 2 / s} for s in range(1, 9)]
    alert = {"validation": [0.5, 0.75], "training": [0.25, 0.125], "message": "English alone"}
    facts["events"] = [{"event": "overfitting", "step": 8, **alert}]
    page = html(report_of_labels(), facts)
    for words in (
        "12,000 train, 0 validation, 300 test rows; test from files of their own; 90% train / 10% "
        "validation divided by whole groups of the column cliente, with seed 7; rows whose",
        "12\u202f000 entrenamiento, 0 validación, 300 prueba filas; prueba, de ficheros propios; "
        "90\u00a0% entrenamiento / 10\u00a0% validación, repartidas por grupos enteros de la columna "
        "cliente, con la semilla 7; las filas cuya entrada es igual salvo mayúsculas, espacios y "
        "puntuación, las casi iguales y las de un mismo grupo van juntas (1234 filas); antes se "
        "quitaron 5 filas cuya entrada está también en prueba; y 2 que son casi iguales",
        "Validation loss rises (0.5000 to 0.7500) while training loss falls (0.2500 to 0.1250)",
        "La pérdida de validación sube (de 0,5000 a 0,7500) mientras la de entrenamiento baja",
    ):
        assert words in page
    assert "English alone" not in page


@pytest.mark.parametrize(
    ("error", "english", "spanish"),
    [
        (
            ModelError("x", told=("too_long", {"tokens": 600, "most": 512})),
            "could not be measured, so nothing is said about it: a row has 600 tokens and",
            "se pudo medir, así que nada se afirma sobre ello: una fila tiene 600 tokens y la base",
        ),
        (
            ModelError("no words", do="mend"),
            "about it: no words",
            '<span lang="en">no words → mend',
        ),
    ],
)
def test_a_failure_is_said_in_both_languages_where_its_words_are_known(
    error: ModelError, english: str, spanish: str
) -> None:
    class Broken(Fixed):
        def predict(self, inputs: Sequence[Input]) -> list[Answer]:
            raise error

    gold = ["bill", "card", "loan"] * 6
    report = evaluate(
        [labels_of("tuned", gold), Broken("linear", lambda question: Answer(""))],
        labelled(gold),
        task=CLASSIFY,
        tuned="tuned",
        goal=None,
        settings=Evaluate(resamples=100),
        seed=7,
    )
    page = html(Report.from_dict(report.as_dict()), {})
    assert english in page
    assert spanish in page


@pytest.mark.parametrize("how", ["stratified", "no_classes", "random", "group", "time"])
@pytest.mark.parametrize("language", ["en", "es"])
def test_every_way_to_split_has_words(how: str, language: Any) -> None:
    shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    rows = {"train": 8, "validation": 1, "test": 1}
    plain = {"rows": rows, "given": [], "shares": shares, "column": "when", "seed": 3}
    text = describe({**plain, "how": how, "near": False, "together": 0, "taken": {}}, language)
    assert text.endswith(".")
    assert ("when" in text) == (how in ("group", "time"))
    assert "{" not in text
