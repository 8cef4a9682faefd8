"""What can be learned. A new task is one file here, one line in ``TASKS`` and one test row."""

from __future__ import annotations

from afina.tasks.answer import FindAnswer
from afina.tasks.classify import Classify
from afina.tasks.embed import Embed
from afina.tasks.generate import Generate
from afina.tasks.judged import Judged
from afina.tasks.matched import Matched
from afina.tasks.pooled import Pooled
from afina.tasks.rank import Rank
from afina.tasks.regress import Regress
from afina.tasks.score import Score
from afina.tasks.several import Several
from afina.tasks.tag import Tag
from afina.tasks.text import Text
from afina.tasks.transform import Transform
from afina.tasks.written import Written
from afina.types import Task

TASKS: tuple[type[Task], ...] = (
    Classify,
    FindAnswer,
    Generate,
    Regress,
    Score,
    Tag,
    Text,
    Transform,
    Embed,
    Rank,
)
"""What a recipe can name. ``Several`` stands for more than one of them, in one run."""

__all__ = [
    "TASKS",
    "Classify",
    "Embed",
    "FindAnswer",
    "Generate",
    "Judged",
    "Matched",
    "Pooled",
    "Rank",
    "Regress",
    "Score",
    "Several",
    "Tag",
    "Text",
    "Transform",
    "Written",
]
