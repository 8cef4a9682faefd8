"""Scores, intervals, paired comparison, verdict and report.

Knows neither who answers (a baseline and a tuned model are both Predictors) nor how it was trained.
"""

from __future__ import annotations

from afina.evaluate.evaluation import evaluate
from afina.evaluate.page import html
from afina.evaluate.paired import Comparison
from afina.evaluate.report import CandidateResult, Report, Score, Verdict
from afina.evaluate.scorer import Context, Scorer
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.several import (
    Reports,
    by_task,
    html_of_several,
    read_report,
    together,
)
from afina.evaluate.statement import Statement
from afina.evaluate.terminal import Table, table

__all__ = [
    "SCORERS",
    "CandidateResult",
    "Comparison",
    "Context",
    "Report",
    "Reports",
    "Score",
    "Scorer",
    "Statement",
    "Table",
    "Verdict",
    "by_task",
    "choose",
    "evaluate",
    "html",
    "html_of_several",
    "read_report",
    "table",
    "together",
]
