"""Every sentence and label stands in both languages, with the same places."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import afina
from afina.evaluate import evaluation, notes, samples, verdict
from afina.evaluate.metric_words import METRICS, SENTENCES_OF_METRICS
from afina.evaluate.scorers import SCORERS
from afina.evaluate.statement import SENTENCES, Statement
from afina.evaluate.words import CANDIDATES, DROPS, LENGTHS, WORDS
from afina.tasks import TASKS

VALUES = {
    "metric": "macro_f1",
    "unit": "share",
    "better": "higher",
    "confidence": 0.95,
    "margin": 0.01,
    "at_least": 0.8,
    "tuned": "tuned",
    "baseline": "linear",
    "candidate": "few_shot",
    "what": "no memory",
    "names": "a, b",
    "tasks": "a, b",
    "value": 0.9,
    "other": 0.8,
    "difference": 0.1,
    "low": 0.05,
    "high": 0.15,
    "p_value": 0.01,
    "rows": 100,
    "needed": 400,
    "seconds": 0.01,
    "other_seconds": 0.001,
    "classes": 3,
    "all": 77,
    "least": 5,
    "answers": 4,
    "saved": 200.0,
    "share": 0.9,
    "wrong": 2,
    "shown": 8,
    "errors": 9,
    "reward": 0.7,
    "before": 0.5,
    "after": 0.6,
    "was": 0.4,
    "now": 0.3,
    "tokens": 600,
    "most": 512,
    "labels": "bill, card",
    "file": "tests.jsonl",
    "failed": 2,
    "wanted": 5.0,
    "found": 4.0,
    "within": 0.5,
    "pattern": "^a",
    "words": 12,
    "limit": 0.05,
    "grown": 0.3,
    "first": "tuned",
    "second": "zero_shot",
    "leads": "tuned",
    "judge": "ana",
    "kappa": 0.5,
    "won": 20,
    "lost": 5,
    "cost": 0.4,
    "usual": 0.7,
    "label": "toxic",
    "positives": 3,
    "precision": 0.95,
    "chance": 0.04,
    "sure": 0.9,
    "right": 0.8,
    "slices": 2,
    "changes": 5,
    "openings": 1,
    "winner": "one",
    "loser": "another",
    "shared": 3,
    "others": 40,
    "key": "goal.at_least",
    "change": "typos",
    "swap": "first_names",
    "column": "gender",
}


REASONS = ("no_probabilities", "not_finite", "no_tokens_counted", "no_reference", "no_room",
           "no_row_of_label", "no_row_counts", "too_long")  # fmt: skip
"""They stand within another sentence."""


def places(text: str) -> set[tuple[str, str]]:
    return {(name, spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", SENTENCES)
def test_both_languages_have_the_same_places(code: str) -> None:
    english, spanish = SENTENCES[code]
    assert places(english) == places(spanish)
    assert english != spanish


@pytest.mark.parametrize("code", SENTENCES)
def test_every_sentence_can_be_said(code: str) -> None:
    said = Statement(code, VALUES)
    for language in ("en", "es"):
        text = said.say(language)  # type: ignore[arg-type]
        assert "{" not in text
        assert text.endswith((".", "memory")) or code in REASONS
    assert Statement.from_dict(said.as_dict()) == said


def test_every_sentence_is_used_and_none_is_missing() -> None:
    used: set[str] = set()
    for file in Path(afina.__file__).parent.rglob("*.py"):
        if file.name not in ("sentences.py", "finding_words.py"):
            used |= set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', file.read_text("utf-8")))
    assert set(SENTENCES) <= used
    for module in (notes, samples, verdict):
        source = Path(str(module.__file__)).read_text("utf-8")
        assert set(re.findall(r'Statement\(\s*"([a-z_]+)"', source)) <= set(SENTENCES)


@pytest.mark.parametrize("table", [WORDS, METRICS, CANDIDATES, LENGTHS, DROPS])
def test_no_translation_is_empty(table: dict[str, tuple[str, str]]) -> None:
    assert all(len(pair) == 2 and all(text.strip() for text in pair) for pair in table.values())


def test_every_word_of_the_template_is_in_the_table_and_every_one_is_used() -> None:
    folder = Path(str(evaluation.__file__)).parent
    pages = sorted((folder / "templates").glob("*.html"))
    template = "".join(page.read_text("utf-8") for page in pages if page.stem != "blind")
    source = template + (folder / "page.py").read_text("utf-8")
    asked = set(re.findall(r'\bt\("([a-z0-9_]+)"', template))
    asked |= set(re.findall(r'(?:w|g)\.word\("([a-z0-9_]+)"\)', template))
    asked |= set(re.findall(r"\bwords\.([a-z0-9_]+)", template))
    assert asked <= set(WORDS)
    named = set(re.findall(r'"([a-z0-9_]+)"', source)) | asked
    outcomes = {v + end for v in ("ship", "hold", "unproven") for end in ("", "_line")}
    parts = "".join(
        path.read_text("utf-8") for path in folder.glob("*.py") if "words" not in path.name
    )
    of_findings = set(re.findall(r'"([a-z0-9_]+)"', parts))
    of_findings |= {name + "_about" for name in re.findall(r'Finding\(\s*"([a-z]+)"', parts)}
    assert of_findings >= {"typos", "groups_about"}
    assert set(WORDS) <= named | outcomes | {"mcnemar", "permutation"} | of_findings


def test_every_scorer_has_a_name_and_a_spanish_sentence() -> None:
    assert set(METRICS) == set(SCORERS) == set(SENTENCES_OF_METRICS)


def test_every_usual_baseline_has_a_name() -> None:
    usual = {name for kind in TASKS for name in kind().baselines()}
    assert usual <= set(CANDIDATES)
