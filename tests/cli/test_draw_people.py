"""What people see of expectations, of a blind comparison and of a review."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from afina.cli import draw_findings, draw_judge, draw_run
from afina.evaluate import Statement
from afina.evaluate.blind import Filled
from afina.evaluate.model_judge import Asked
from afina.evaluate.preferred import judged
from tests.evaluate.test_blind import fill, key_of, likes_good, mixed_key


def seen(draw: Any, *given: Any) -> str:
    out = io.StringIO()
    draw(Console(file=out, width=200), *given)
    return out.getvalue()


def test_expectations() -> None:
    reason = Statement("lacks", {"wanted": "4711"}).as_dict()
    line = {"where": "tests.jsonl: line 3", "question": "where is it?", "answer": "[gone]",
            "reasons": [reason]}  # fmt: skip
    facts = {"file": "tests.jsonl", "rows": 5, "candidate": "zero_shot", "failed": [line]}
    text = seen(draw_run.expectations, facts)
    for part in ("zero_shot meets 4 of 5", "line 3: where is it?", "lacks: 4711", "[gone]"):
        assert part in text
    assert "meets 5 of 5" in seen(draw_run.expectations, facts | {"failed": []})


def test_a_form_that_was_made() -> None:
    key = key_of(people=12)
    text = seen(draw_judge.form, draw_judge.facts_of(key, Path("x/form"), Path("x/key.json")))
    for part in (
        "tuned and zero_shot",
        "12 in the form",
        "24 more",
        "4: ties",
        "afina judge x FILE",
    ):
        assert part in text
    assert "first_is" not in text


@pytest.mark.parametrize(("language", "says"), [("en", "People prefer tuned"), ("es", "La gente")])
def test_what_judges_said(language: str, says: str) -> None:
    key = mixed_key()
    ana, luis = (fill(key, likes_good, name) for name in ("ana", "luis"))
    model = Filled("model m", dict(ana.choices))
    asked = Asked(model, len(key.items), 7, 2)
    facts = judged(key, [ana, luis], model).as_dict() | {"steadiness": asked.as_dict()}
    text = seen(draw_judge.judged, facts, language)
    for part in (says, "Cohen's kappa", "Krippendorff's alpha", "ana, luis", "model m, people",
                 "7 of 90", "2 replies unreadable", "1.000 ["):  # fmt: skip
        assert part in text, text


def test_a_review() -> None:
    made = {"rows": 50, "beyond": 12, "files": ["d/review.csv"], "test_rows_not_shown": 3}
    text = seen(draw_findings.review, made)
    for part in ("50 rows (12 more need one)", "d/review.csv", "3 test rows", "--reviewed FILE"):
        assert part in text
    read = {"items": 9, "kept": 4, "changed": 3, "dropped": 1, "unresolved": 1, "agreement": []}
    text = seen(draw_findings.reviewed, read)
    assert "9 rows: 4 kept, 3 changed, 1 dropped, 1 unresolved" in text
