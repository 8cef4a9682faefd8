"""The table for the terminal."""

from __future__ import annotations

from afina.evaluate import table
from tests.evaluate.test_evaluation import report_of_json


def test_the_table_has_a_row_for_each_candidate_and_a_column_for_each_score() -> None:
    report = report_of_json()
    found = table(report)
    assert found == table(report.as_dict())
    assert found.header == ("", *report.scorers)
    assert [row[0] for row in found.rows] == ["tuned", "zero_shot", "few_shot"]
    assert {len(row) for row in found.rows} == {len(found.header)}
    assert found.tuned == 0
    assert found.failures == (("few_shot", "too long"),)
    assert set(found.rows[2][1:]) == {"–"}
    score = report.candidate("tuned").scores["exact_match"]
    assert found.rows[0][1] == f"100.0% [{100 * score.low:.1f}%, 100.0%]"
    assert table(report, "es").rows[0][1].startswith("100,0\u00a0% [")
