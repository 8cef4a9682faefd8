"""The order of the main job: check, plan, train, evaluate, report.

The command line, the Python door and the server all call these functions; nothing here knows how
any step works inside, nor who is watching.
"""

from afina.flow.erasure import Trace, trace
from afina.flow.folds import cross_validate
from afina.flow.judging import FORM, KEY, read_forms, write_form
from afina.flow.labelling import ASKED, read_labelling, write_labelling
from afina.flow.lineage import located, read_recipe, stages_of
from afina.flow.main_job import gate_says_no, run_recipe
from afina.flow.measuring import evaluate, try_expectations, write_html
from afina.flow.mending import against, fix, restore, write_findings
from afina.flow.passages import as_asked
from afina.flow.people import people_of
from afina.flow.preparing import LossRow, Prepared, check, prepare, show_loss, special_tokens
from afina.flow.promoting import promote
from afina.flow.record import candidates_of, recipe_of, reopen_datasets
from afina.flow.reviewing import read_review, write_review
from afina.flow.training import outcome_of, resume, train

__all__ = [
    "ASKED",
    "FORM",
    "KEY",
    "as_asked",
    "LossRow",
    "Prepared",
    "Trace",
    "against",
    "candidates_of",
    "check",
    "cross_validate",
    "evaluate",
    "fix",
    "gate_says_no",
    "located",
    "outcome_of",
    "people_of",
    "prepare",
    "promote",
    "read_forms",
    "read_labelling",
    "read_recipe",
    "read_review",
    "recipe_of",
    "reopen_datasets",
    "restore",
    "resume",
    "run_recipe",
    "show_loss",
    "special_tokens",
    "stages_of",
    "trace",
    "train",
    "try_expectations",
    "write_findings",
    "write_form",
    "write_html",
    "write_labelling",
    "write_review",
]
