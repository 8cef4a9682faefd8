"""Faults planted in published and in made rows: how many are found, and how many alarms are false."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from afina.data import cut_off, diversity, label_errors, language, leaks, outliers, prepare
from afina.data.findings import KINDS, Placed, Section
from afina.errors import DataError
from afina.recipe.knobs import Data
from afina.tasks import Classify, Generate
from afina.types import ChatExample, LabelledExample, Message
from tests.data.planted import SHARED, Rows, banking, made, reworded


def need_shared() -> None:
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")


def labelled(rows: Rows) -> list[Placed]:
    return [
        Placed(LabelledExample(id=f"r{i}", where=f"a: row {i}", text=t, labels=(n,)), "train")
        for i, (t, n) in enumerate(rows)
    ]


def chats(rows: list[tuple[str, str]]) -> list[Placed]:
    return [
        Placed(
            ChatExample(
                id=f"r{i}",
                where=f"a: row {i}",
                messages=(Message("user", ask), Message("assistant", say)),
            ),
            "train",
        )
        for i, (ask, say) in enumerate(rows)
    ]


def numbers(section: Section) -> set[int]:
    return {int(f.id[1:]) for f in section.findings}


# ---------------------------------------------------------------------------- labels


@pytest.mark.parametrize(("name", "precision"), [("made", 0.8), ("banking77", 0.5)])
def test_flipped_labels_are_ranked_first(name: str, precision: float) -> None:
    """5 % flipped: at least 60 % of them among the top 10 % (here: 85 %), by any of the lists.

    Banking77 has wrong labels of its own, which count as false alarms here.
    """
    if name == "banking77":
        need_shared()
    rows = made(1500) if name == "made" else banking()
    dice = random.Random(5)
    names = sorted({label for _, label in rows})
    flipped = set(dice.sample(range(len(rows)), len(rows) // 20))
    planted = [
        (t, dice.choice([other for other in names if other != n]) if i in flipped else n)
        for i, (t, n) in enumerate(rows)
    ]
    labels = np.array([names.index(n) for _, n in planted])
    ids = [f"r{i}" for i in range(len(rows))]
    table = label_errors.vectors([t for t, _ in planted])
    folds = label_errors.folds_of(labels, ids)
    ranked = label_errors.rank(labels, label_errors.out_of_fold(labels, table, folds))
    top = set(ranked.order[: len(rows) // 10].tolist())
    assert len(flipped & top) / len(flipped) >= 0.85
    section = label_errors.find(labelled(planted))
    reported = numbers(section)
    assert reported == set(ranked.errors.tolist())
    assert len(flipped & reported) / len(reported) >= precision
    assert len(flipped & reported) / len(flipped) >= 0.55
    scores = [f.score for f in section.findings]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    right = flipped & reported
    told = {int(f.id[1:]): f.facts["suggested"] for f in section.findings}
    assert sum(told[i] == rows[i][1] for i in right) / len(right) > 0.8


def test_clean_labels_raise_few_alarms() -> None:
    assert len(label_errors.find(labelled(made(1500))).findings) <= 15


def test_other_vectors_can_be_given() -> None:
    dice = np.random.default_rng(3)
    rows = labelled([("w", "ab"[i % 2]) for i in range(200)])
    centres = np.array([[-2.0, 0.0], [2.0, 0.0]])
    table = centres[np.arange(200) % 2] + dice.normal(size=(200, 2)) * 0.5
    table[7], table[8] = centres[0], centres[1]  # as the other class has it
    found = label_errors.find(rows, table)
    assert [f.id for f in found.findings[:2]] in (["r7", "r8"], ["r8", "r7"])
    assert label_errors.find(labelled([("a b", "x")] * 9)).findings == ()


def test_confident_learning_by_hand() -> None:
    """Two classes, thresholds 0.65 and 0.75: the third row is confidently of the other one."""
    labels = np.array([0, 0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.95, 0.05], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    ranked = label_errors.rank(labels, probabilities)
    assert ranked.errors.tolist() == [2]
    assert ranked.order[0] == 2
    assert ranked.margin[2] == pytest.approx(0.8)


# ---------------------------------------------------------------------------- answers cut off


def answers(name: str) -> list[tuple[str, str]]:
    if name == "gsm8k":
        need_shared()
        lines = (SHARED / "gsm8k/train.jsonl").read_text("utf-8").splitlines()
        return [(row["question"], row["answer"]) for row in map(json.loads, lines)]
    if name == "squad-es":
        need_shared()
        text = (SHARED / "squad-es/dev-first-half.json").read_text("utf-8")
        paragraphs = [p for d in json.loads(text)["data"] for p in d["paragraphs"]]
        return [(p["qas"][0]["question"], p["context"]) for p in paragraphs if p["qas"]]
    return [(f"{t}?", f"{t[:1].upper()}{t[1:]} is what we can do. We shall.") for t, _ in made(500)]


@pytest.mark.parametrize(("name", "alarms"), [("made", 0.0), ("gsm8k", 0.002), ("squad-es", 0.07)])
def test_answers_cut_off_are_found(name: str, alarms: float) -> None:
    """5 % cut at any place: at least 90 % found. ``alarms``: share of the others that are called cut.

    Of the paragraphs of squad-es 6.8 % end in a colon, a page number or a note as published.
    """
    rows = answers(name)
    dice = random.Random(8)
    cut = set(dice.sample(range(len(rows)), len(rows) // 20))
    planted = [
        (ask, say[: int(len(say) * dice.uniform(0.3, 0.9))] if i in cut else say)
        for i, (ask, say) in enumerate(rows)
    ]
    found = numbers(cut_off.find(chats(planted)))
    assert len(found & cut) / len(cut) >= 0.9
    assert len(found - cut) / len(rows) <= alarms


def test_each_sign_is_told() -> None:
    long = " ".join(["word"] * 100)
    rows = [
        ("q", "we went there with the"),
        ("q", "here it is: ```python\nprint(1)"),
        ("q", '{"a": 1, "b": ['),
        ("q", "one, two, three, four,"),
        ("q", "a plain answer without any mark"),
        *[("q", f"{long} number{i}") for i in range(3)],
    ]
    told = {int(f.id[1:]): f.what for f in cut_off.find(chats(rows)).findings}
    assert told.keys() == {0, 1, 2, 3, 5, 6, 7}
    assert "ends after 'the'" in told[0]
    assert "code is not closed" in told[1]
    assert "JSON" in told[2]
    assert "ends in ','" in told[3]
    assert "greatest length, 101 words" in told[5]
    tokens = {f"r{i}": 512 if i in (0, 3, 4) else 9 for i in range(8)}
    told = {int(f.id[1:]): f.what for f in cut_off.find(chats(rows), tokens).findings}
    assert "512 tokens" in told[4]


# ---------------------------------------------------------------------------- languages

SENTENCES = {
    "en": "I would like to know why my card was not accepted in the shop",
    "es": "quiero saber por qué no me han aceptado la tarjeta en la tienda",
    "pt": "eu quero saber por que não aceitaram o meu cartão na loja",
    "fr": "je voudrais savoir pourquoi ma carte n'a pas été acceptée dans le magasin",
    "de": "ich möchte wissen, warum meine Karte nicht in dem Laden angenommen wurde",
    "it": "vorrei sapere perché la mia carta non è stata accettata nel negozio",
    "ca": "voldria saber per què no m'han acceptat la meva targeta amb els altres",
    "nl": "ik wil graag weten waarom mijn kaart niet door de winkel is geaccepteerd",
    "eu": "nahi dut jakin zergatik ez duten nire txartela onartu eta zer egin behar dut",
    "gl": "eu quero saber por que non aceptaron a miña tarxeta na tenda e máis nada",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_ten_languages_are_told_apart(name: str) -> None:
    assert language.identify(SENTENCES[name]) == name
    assert language.identify(SENTENCES[name].upper()) == name


@pytest.mark.parametrize(
    "text", ["", "12345", "OK", "xyzzy plugh", "иду домой", "你好，世界", "{}"]
)
def test_what_cannot_be_told_is_unknown(text: str) -> None:
    assert language.identify(text) == "unknown"


def test_published_texts_are_told() -> None:
    """Of texts in English or Spanish at most 0.5 % are taken for another language."""
    need_shared()
    english = [t for t, _ in banking()]
    spanish = [ask for ask, _ in answers("squad-es")] + [say for _, say in answers("squad-es")]
    for name, texts in (("en", english), ("es", spanish)):
        told = [language.identify(t) for t in texts]
        assert told.count(name) / len(told) >= 0.95
        assert sum(one not in (name, "unknown") for one in told) / len(told) <= 0.005


def test_rows_in_another_language_are_listed() -> None:
    rows = made(400)
    planted = {i: SENTENCES[name] for i, name in zip(range(0, 100, 10), SENTENCES, strict=True)}
    texts = [(planted.get(i, t), n) for i, (t, n) in enumerate(rows)]
    section = language.find(labelled(texts))
    assert section.figures["main"] == ["en"]
    assert numbers(section) == {i for i, t in planted.items() if t != SENTENCES["en"]}


def test_answers_in_another_language_are_listed() -> None:
    rows = [(f"{SENTENCES['es']} {i}", f"{SENTENCES['es']} también") for i in range(60)]
    rows[3] = (rows[3][0], SENTENCES["en"])
    section = language.find(chats(rows))
    assert [(f.id, f.what) for f in section.findings] == [("r3", "asked in es, answered in en")]
    translations = [(SENTENCES["es"], SENTENCES["en"])] * 60
    assert language.find(chats(translations)).findings == []


# ---------------------------------------------------------------------------- outliers, diversity


@pytest.mark.parametrize("name", ["made", "banking77"])
def test_planted_outliers_are_found(name: str) -> None:
    """All of those planted; of the others at most 1 % are reported."""
    if name == "banking77":
        need_shared()
    rows = made(1000) if name == "made" else banking()
    texts = [t for t, _ in rows]
    planted = {
        10: "lorem " * 400,
        20: "ж≈≠∞☃☂♞♜ ☯☮✈✉",
        30: "zqxv wvkj plmk tgbn yhnu",
        40: "?",
    }
    for i, text in planted.items():
        texts[i] = text
    section = outliers.find(labelled([(t, "x") for t in texts]))
    found = numbers(section)
    assert planted.keys() <= found
    assert len(found - planted.keys()) <= 0.01 * len(rows)
    reasons = {int(f.id[1:]): f.what for f in section.findings}
    assert "far from the others" in reasons[10]
    assert "rare here" in reasons[20]
    assert "shares no word" in reasons[30]


def test_variety_is_measured() -> None:
    assert diversity.effective([5, 5, 5, 5]) == 4.0
    assert diversity.effective([20, 0]) == 1.0
    varied = diversity.measure(labelled(made(800))).figures
    alike = diversity.measure(
        labelled([(f"turn on the lamp number {i} now please", "x") for i in range(800)])
    )
    assert varied["openings"]["effective"] > 10 > alike.figures["openings"]["effective"] == 1.0
    assert alike.figures["openings"]["most_common"] == {"text": "turn on the", "share": 1.0}
    pairs = diversity.measure(labelled(made(2000))).figures["distinct_pairs"]
    assert pairs > 0.05
    few = diversity.measure(labelled([*made(300), ("rare one", "rare")]))
    assert few.figures["labels"]["hardly_covered"] == ["rare"]


# ---------------------------------------------------------------------------- leaks


@pytest.mark.parametrize("name", ["made", "gsm8k"])
def test_a_leaked_benchmark_is_found(name: str, tmp_path: Path) -> None:
    """Equal, in other case, reworded, and inside a longer row: each way at least 95 %, no alarms."""
    if name == "gsm8k":
        rows = answers("gsm8k")[:600]
        lines = (SHARED / "gsm8k/test.jsonl").read_text("utf-8").splitlines()
        asked = [json.loads(line)["question"] for line in lines]
    else:
        rows = answers("made")
        asked = [f"{t} for {t}" for t, _ in made(200, seed=31)]
    dice = random.Random(2)
    bench = tmp_path / "bench.jsonl"
    bench.write_text("".join(json.dumps({"question": q, "answer": "1"}) + "\n" for q in asked))
    ways = {
        "equal": lambda q: q,
        "equal but for case and marks": lambda q: q.upper() + " !!",
        "near": lambda q: reworded(q, dice),
        "within": lambda q: f"{rows[3][0]} {rows[4][0]} Now this: {q} {rows[5][0]} {rows[6][0]}",
    }
    each = len(asked) // 4
    planted = [
        (make(q), "42")
        for n, make in enumerate(ways.values())
        for q in asked[n * each : (n + 1) * each]
    ]
    data = Data(train="x", benchmark=str(bench))
    section = leaks.find(chats([*rows, *planted]), data)
    found = numbers(section)
    for n, way in enumerate(ways):
        own = set(range(len(rows) + n * each, len(rows) + (n + 1) * each))
        assert len(own & found) >= 0.95 * each, way
    assert not {i for i in found if i < len(rows)}
    assert section.figures["benchmark"] == len(asked)
    assert section.figures["leaked"] >= 0.95 * len(planted)
    assert leaks.find(chats(rows), data).findings == []


def test_rows_of_a_benchmark_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    bench = tmp_path / "bench.jsonl"
    lines = [{"question": "how much is it", "answer": a} for a in ("1", "", "3")]
    bench.write_text("".join(json.dumps(line) + "\n" for line in lines))
    figures = leaks.find(chats(answers("made")), Data(train="x", benchmark=str(bench))).figures
    assert (figures["benchmark"], figures["benchmark_dropped"]) == (2, 1)


def test_a_benchmark_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path, made(30))
    with pytest.raises(DataError, match="no such file"):
        prepare(Data(train=file, benchmark=str(tmp_path / "no.jsonl")), Classify(), thorough=True)


# ---------------------------------------------------------------------------- all together


def write(folder: Path, rows: Rows) -> str:
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("text", "label"), *rows])
    return str(folder / "a.csv")


def test_the_check_holds_every_section(tmp_path: Path) -> None:
    rows = made(300)
    file = write(tmp_path, [*rows, (f"{rows[0][0]} ana@example.com", rows[0][1])])
    found = prepare(Data(train=file, benchmark=file), Classify(), thorough=True)
    assert found.check.quality is not None
    shown: dict[str, Any] = found.check.as_dict()["quality"]
    assert shown.keys() == found.check.quality.sections.keys()
    assert {"leaks", "label_errors", "cut_off", "languages", "outliers"} < shown.keys()
    assert {f.kind for f in found.check.quality.findings} <= set(KINDS)
    assert shown["leaks"]["rows"] == len(found.train) + len(found.validation)
    json.dumps(shown, allow_nan=False)
    quick = prepare(Data(train=file), Classify())
    assert quick.check.quality is None
    assert quick.fingerprint == found.fingerprint
    assert quick.train == found.train
    found.write(tmp_path / "out")
    lines = (tmp_path / "out/findings.jsonl").read_text().splitlines()
    assert len(lines) == len(found.check.quality.findings)


def test_rows_without_labels_and_few_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"prompt": f"what is {n}", "completion": f"it is {n}."} for n in range(12)]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = prepare(Data(train=str(file)), Generate(), thorough=True)
    assert found.check.quality is not None
    assert {f.kind for f in found.check.quality.findings} <= {"near_duplicate"}
