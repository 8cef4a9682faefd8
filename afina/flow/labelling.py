"""Labelling: the texts whose answers would teach most go to people, and come back as rows."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import DataError, RecipeError, RequestError
from afina.flow.preparing import Say, silent
from afina.recipe import Columns, Recipe
from afina.tasks import Classify, Generate, Regress
from afina.types import Task

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.data.labelling import Kind, Labelling
    from afina.evaluate.agreement import Agreement

SHEET, ASKED = "form", "labelling.json"
"""The form's files, and what they are held against when they come back."""


@dataclass(frozen=True)
class Labelled:
    """What came back. ``rows``: with an answer that most gave; ``open``: with as many for one answer as
    for another; ``skipped``: that nobody answered."""

    rows: int
    open: int
    skipped: int
    agreement: tuple[Agreement, ...]
    files: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "open": self.open,
            "skipped": self.skipped,
            "agreement": [found.as_dict() for found in self.agreement],
            "files": dict(self.files),
        }


def write_labelling(
    recipe: Recipe, texts: str, folder: Path, most: int, *, say: Say = silent
) -> dict[str, Any]:
    """Write a form of the texts in a file that no row of the recipe has, into a new folder.

    Where labelled rows are there already, a linear model of their words is asked first, and the texts
    it is least sure of come first (margin sampling: Scheffer et al. 2001); else they are drawn by the
    recipe's seed. The model's own opinion is not shown: it would be followed. Returns the counts.

    Raises RecipeError for a task whose answers are no label, number or text, DataError for texts that
    cannot be read, or where none is new.
    """
    from afina.data.labelling import Labelling, named
    from afina.data.mend import make_new
    from afina.data.sheets import as_csv, as_lines
    from afina.store import durable

    _asked_for(recipe.task, recipe.data.columns)  # refused before anything is read
    dataset = _rows_of(recipe, say)
    task = recipe.task if dataset is None else dataset.task
    kind, columns = _asked_for(task, recipe.data.columns)
    labels = _labels(task)
    new, seen = _new_texts(recipe, texts, dataset)
    ordered = _most_telling(recipe, dataset, new)
    made = Labelling(kind, labels, columns, named(ordered[:most]))
    make_new(folder)
    durable.write_text(folder / f"{SHEET}.csv", as_csv(made.lines))
    durable.write_text(folder / f"{SHEET}.jsonl", as_lines(made.lines))
    durable.write_json(folder / ASKED, made.as_dict())
    return {
        "form": made.form,
        "rows": len(made.items),
        "beyond": len(new) - len(made.items),
        "known_already": seen,
        "labels": list(labels),
        "answer": kind,
        "ordered_by": "doubt" if dataset is not None and kind in ("label", "labels") else "chance",
        "files": [str(folder / f"{SHEET}{suffix}") for suffix in (".csv", ".jsonl")],
    }


def read_labelling(folder: Path, files: Sequence[Path], out: Path) -> Labelled:
    """Write what most people answered as rows of JSON into a new file; rows without a majority go into
    a list beside it (``OUT.open.csv``) with everybody's answer.

    Raises DataError for a form of other texts, a changed text, an answer that cannot be; RequestError
    where the file is there already.
    """
    from afina.data.mend import write_lines
    from afina.data.sheets import as_csv, check_sheet, read_sheet
    from afina.evaluate.agreement import majority
    from afina.store import durable

    made = _read_asked(folder)
    if not files:
        raise RequestError("no form is named", where=str(folder), do="name the filled forms")
    beside = out.with_name(f"{out.stem}.open.csv")
    for path in (out, beside):
        if path.exists():
            raise RequestError(
                "is there already, and nothing is written over",
                where=str(path),
                do="name another file with --out",
            )
    answers: dict[str, dict[str, str]] = {}
    for path in files:
        if path.stem in answers:
            raise DataError("two forms are of one person", where=path.name, do="name each once")
        rows = read_sheet(path)
        check_sheet(path.name, rows, made.form, made.asked, "form")
        given = {row["item"]: made.given(row, f"{path.name}: item {row['item']}") for row in rows}
        answers[path.stem] = {item: said for item, said in given.items() if said is not None}
    agreed = majority(answers)
    told = {item: said for item, said in agreed.items() if said is not None}
    if not agreed:
        raise DataError("nobody has answered anything", where=files[0].name, do="fill in right")
    lines = (json.dumps(made.row(item, said), ensure_ascii=False) for item, said in told.items())
    written = {"rows": str(out)}
    write_lines(out, lines)
    undecided = [
        {
            "item": item,
            "input": made.items[item],
            **{n: a.get(item, "") for n, a in answers.items()},
        }
        for item, said in agreed.items()
        if said is None
    ]
    if undecided:
        durable.write_text(beside, as_csv(undecided))
        written["open"] = str(beside)
    return Labelled(
        len(told),
        len(undecided),
        len(made.items) - len(agreed),
        _agreement(answers),
        written,
    )


# ---------------------------------------------------------------------------- inside


def _asked_for(task: Task, given: Columns) -> tuple[Kind, tuple[str, str]]:
    """What people are asked for, and the columns of a row."""
    if isinstance(task, Classify) and not task.pairs:
        kind: Kind = "labels" if task.several else "label"
        return kind, (given.text or "text", given.label or "label")
    if isinstance(task, Regress) and not task.pairs:
        return "number", (given.text or "text", given.number or "number")
    if isinstance(task, Generate):
        return "text", (given.prompt or "prompt", given.completion or "completion")
    raise RecipeError(
        f"a form asks for labels, numbers or answers to single texts, and this task is {task.name}",
        where="task",
        do="label in doccano, Label Studio or as SQuAD: their files are read as they are",
    )


def _rows_of(recipe: Recipe, say: Say) -> Dataset | None:
    """The labelled rows; None where their file is not there yet."""
    from afina.data import prepare
    from afina.data.sources import find

    try:
        find(recipe.data.train)
    except DataError as error:
        say(f"no rows yet ({error.what})")
        return None
    return prepare(recipe.data, recipe.task, shapes=recipe.shapes, fields=recipe.fields)


def _labels(task: Task) -> tuple[str, ...]:
    if not isinstance(task, Classify):
        return ()
    if not task.labels:
        raise RecipeError(
            "which labels may people give?",
            where="task.labels",
            do="state them (task: {name: classify, labels: [a, b]}), or give labelled rows",
        )
    return tuple(task.labels)


def _new_texts(recipe: Recipe, source: str, dataset: Dataset | None) -> tuple[list[str], int]:
    """The texts of a file, each once, and how many of it the rows have or another repeats."""
    from afina.data.asked import read_asked
    from afina.data.content import composed, normal_input, normalise

    known = {normal_input(e) for e in (*dataset.train, *dataset.validation)} if dataset else set()
    new: dict[str, str] = {}
    count = 0
    for number, given in read_asked(source, recipe.data.columns, recipe.data.encoding):
        turns = [m for m in given.messages if m.role != "system"]
        if len(turns) != 1 or given.second is not None or given.context is not None:
            raise DataError(
                "is more than one text",
                where=f"{Path(source).name}: row {number}",
                do="give a file of single texts",
            )
        text = composed(turns[0].content)
        count += 1
        if (normal := normalise(text)) not in known:
            new.setdefault(normal, text)
    if not new:
        raise DataError(
            "no text in it is new", where=source, do="the rows have them all: give other texts"
        )
    return list(new.values()), count - len(new)


def _most_telling(recipe: Recipe, dataset: Dataset | None, texts: list[str]) -> list[str]:
    """Those that a linear model of the rows is least sure of first; without rows, or without labels,
    as the seed draws them."""
    seed = recipe.train.seed
    order = list(texts)
    random.Random(seed).shuffle(order)
    if dataset is None or not isinstance(dataset.task, Classify):
        return order
    from afina.baselines import linear
    from afina.baselines.request import Request
    from afina.types import Input, Message

    request = Request(dataset.task, tuple(dataset.train), None, recipe.evaluate, seed)
    said = linear.build(request).predict([Input((Message("user", text),)) for text in order])
    doubt = [_margin(a.probabilities or {}, bool(dataset.task.several)) for a in said]
    return [order[i] for i in sorted(range(len(order)), key=lambda i: doubt[i])]


def _margin(probabilities: Mapping[str, float], several: bool) -> float:
    """How sure a model is: between the two likeliest labels, or of its least sure yes or no."""
    found = sorted(probabilities.values(), reverse=True)
    if several:
        return min((abs(p - 0.5) for p in found), default=0.0)
    return found[0] - found[1] if len(found) > 1 else 1.0


def _read_asked(folder: Path) -> Labelling:
    from afina.data.labelling import Labelling
    from afina.data.sheets import text_of

    try:
        return Labelling.from_dict(json.loads(text_of(folder / ASKED)))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            "is not the file that afina label wrote",
            where=str(folder / ASKED),
            do="make the form again",
        ) from None


def _agreement(answers: Mapping[str, Mapping[str, str]]) -> tuple[Agreement, ...]:
    """Over the texts that all have answered."""
    from afina.evaluate.agreement import agreements

    every = set.intersection(*(set(own) for own in answers.values()))
    if len(answers) < 2 or not every:
        return ()
    return agreements({n: {i: own[i] for i in sorted(every)} for n, own in answers.items()})
