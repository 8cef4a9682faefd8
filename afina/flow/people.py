"""Who finds people's names in the rows: the run of task ``tag`` that ``data.names`` names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import RecipeError, RunError
from afina.recipe import Recipe

if TYPE_CHECKING:
    from afina.data.personal import People
    from afina.models.predictor import TunedModel

LABELS = ("per", "pers", "person", "persona", "name", "nombre")
"""Labels that mean a person, in any case."""
_PIECE = re.compile(r"\S+(?:[^\S\n]+\S+){0,59}")
"""What the model is asked at a time: sixty words of a line at most, which any base can take."""


def people_of(recipe: Recipe) -> People | None:
    """Finds names by the run of ``data.names``; None where the recipe names none.

    What it was asked once it does not ask the model again: whoever looks at the same texts twice keeps
    it, and the model with it.

    Raises RunError for a folder without a finished run, RecipeError for one that finds no people.
    """
    folder = recipe.data.names
    return None if folder is None else _opened(folder).find


class _Finder:
    """The names in texts; what was asked once is not asked again."""

    def __init__(self, model: TunedModel, labels: frozenset[str]) -> None:
        self._model, self._labels = model, labels
        self._known: dict[str, list[tuple[int, int]]] = {}

    def find(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        from afina.types import Input, Message

        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        pieces = [(text, match) for text in new for match in _PIECE.finditer(text)]
        asked = [Input((Message("user", match[0]),)) for _, match in pieces]
        self._known |= {text: [] for text in new}
        for (text, match), answer in zip(pieces, self._model.predict(asked), strict=True):
            self._known[text] += [
                (match.start() + span.start, match.start() + span.end)
                for span in answer.spans or ()
                if span.label in self._labels
            ]
        return [self._known[text] for text in texts]


def _opened(folder: str) -> _Finder:
    from afina.models.predictor import TunedModel
    from afina.tasks import Tag

    model_folder = Path(folder) / "model"
    if not model_folder.is_dir():
        raise RunError(
            "no finished run is here", where=f"data.names: {folder}", do="name the folder of a run"
        )
    model = TunedModel.open(model_folder)
    labels = model.task.known_labels if isinstance(model.task, Tag) else ()
    people = frozenset(label for label in labels if label.casefold() in LABELS)
    if not people:
        found = (
            f"its labels are {', '.join(labels)}" if labels else f"its task is {model.task.name}"
        )
        raise RecipeError(
            f"this run finds no names of people: {found}",
            where=f"data.names: {folder}",
            do=f"name a run of task tag with a label {', '.join(LABELS[:4]).upper()} …",
        )
    return _Finder(model, people)
