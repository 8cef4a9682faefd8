"""A network that teaches: opened once, asked once about every row, and let go before training."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from afina.errors import ModelError, RunError
from afina.models.load import DTYPES, Model, load
from afina.models.render import ChatRenderer
from afina.models.save import open_model
from afina.models.sources import resolve
from afina.recipe import Recipe
from afina.store import Run
from afina.tasks import Classify
from afina.train.observe import observed
from afina.train.rows import Rows
from afina.types import Example


def taught(
    recipe: Recipe,
    parts: Sequence[tuple[Rows, Sequence[Example]]],
    renderer: ChatRenderer,
    home: Path,
) -> list[Rows]:
    """Rows with what the objective notes of the teacher; as they are for objectives without one.

    ``recipe`` is resolved. Raises ModelError for a teacher that cannot teach this task.
    """
    reference: str | None = getattr(recipe.objective, "teacher", None)
    if reference is None:
        return [rows for rows, _ in parts]
    teacher = _open(reference, recipe, renderer, home)
    found = [_noted(teacher, recipe, rows, examples) for rows, examples in parts]
    del teacher
    gc.collect()
    return found


def _noted(teacher: Model, recipe: Recipe, rows: Rows, examples: Sequence[Example]) -> Rows:
    asked = rows
    if isinstance(recipe.task, Classify):  # the teacher reads texts with its own tokenizer
        by_id = {example.id: example for example in examples}
        own = tuple(teacher.task.encode(by_id[r.row], teacher.renderer) for r in rows.kept)
        long = next((r for r in own if r.longest > teacher.base.context_length), None)
        if long is not None:
            raise ModelError(
                f"{long.longest} tokens, and the teacher {teacher.base.name} takes "
                f"{teacher.base.context_length}",
                where=by_id[long.row].where,
                do="shorten the text, or take a teacher with a longer context",
            )
        asked = replace(rows, kept=own)
    heard = observed(teacher, recipe.objective, asked)
    places = _places(recipe, teacher)
    kept = tuple(
        replace(row, noted=tuple(said.noted[i] for i in places) if places else said.noted)
        for row, said in zip(rows.kept, heard, strict=True)
    )
    return replace(rows, kept=kept)


def _places(recipe: Recipe, teacher: Model) -> list[int]:
    """Where each of our labels stands among the teacher's; nothing for text."""
    if not isinstance(recipe.task, Classify) or not isinstance(teacher.task, Classify):
        return []
    return [teacher.task.known_labels.index(label) for label in recipe.task.known_labels]


def _open(reference: str, recipe: Recipe, renderer: ChatRenderer, home: Path) -> Model:
    where = f"objective.teacher: {reference}"
    device = str(recipe.train.device)
    try:
        folder = Run.open(home, reference).model_folder
    except RunError:
        if isinstance(recipe.task, Classify):
            raise ModelError(
                "a base has not learned these labels, and no run is called so",
                where=where,
                do="name a run that was trained with task: classify on them",
            ) from None
        dtype = DTYPES[recipe.train.precision]
        teacher = load(resolve(reference), recipe.task, dtype=dtype, device=device)
    else:
        teacher = open_model(folder, device=device)
    _check(teacher, recipe, renderer, where)
    return teacher


def _check(teacher: Model, recipe: Recipe, renderer: ChatRenderer, where: str) -> None:
    task = recipe.task
    if teacher.task.name != task.name:
        raise ModelError(
            f"it was trained with task: {teacher.task.name}, and this is {task.name}",
            where=where,
            do="name a run of the same task",
        )
    if isinstance(task, Classify) and isinstance(teacher.task, Classify):
        alike = set(teacher.task.known_labels) == set(task.known_labels)
        if not alike or teacher.task.several != task.several:
            raise ModelError(
                "it knows other labels than the rows have",
                where=where,
                do="name a run that was trained on the same labels",
            )
    elif teacher.renderer.tokenizer.get_vocab() != renderer.tokenizer.get_vocab():
        raise ModelError(
            "it reads other tokens than the base that is taught, so what it finds probable at a "
            "place has no counterpart there",
            where=where,
            do="take a teacher with the same tokenizer, or let it write answers and learn those",
        )
