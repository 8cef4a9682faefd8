"""A blind comparison: two candidates answer, people (and a model) judge, the key says who won."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import DataError, RequestError, RunError
from afina.flow.measuring import candidates, recipe_to_measure
from afina.flow.preparing import Say, silent
from afina.flow.record import recipe_of, reopen_datasets
from afina.recipe import of_task

if TYPE_CHECKING:
    from afina.evaluate.blind import Key
    from afina.evaluate.model_judge import Asked
    from afina.evaluate.preferred import Outcome
    from afina.models.sources import Base
    from afina.store import Run
    from afina.types import Input, Predictor

KEY, FORM = "key.json", "form"


def write_form(
    run: Run,
    folder: Path,
    *,
    against: str | None = None,
    questions: str | None = None,
    rows: int = 40,
    people: int | None = None,
    seed: int = 7,
    language: str = "en",
    say: Say = silent,
) -> Key:
    """Ask the tuned model and a baseline, and write the form and its key into a new folder.

    ``questions``: a file in place of the sealed test; ``people``: how many of the items people get.
    Raises RequestError for a folder that holds anything, and what data and models raise.
    """
    from afina.data.mend import make_new
    from afina.evaluate.blind import make_key
    from afina.evaluate.figures import language_named
    from afina.models.context import base_of

    recipe = of_task(recipe_to_measure(run), "")
    opens_in = language_named(language)
    names = (*(recipe.evaluate.baselines or ()), *recipe.task.baselines())
    rival = against or next((n for n in ("zero_shot", "base", *names) if n in names), None)
    if rival is None:
        raise RequestError("there is no baseline to compare with", where="--against", do="name one")
    base = base_of(recipe, say=say)
    pair = candidates(run, "", recipe, reopen_datasets(run)[""], base, say, rivals=(rival,))
    make_new(folder)
    asked, facts = _questions(run, base, questions, rows, seed)
    said = []
    for candidate in pair:
        answers = candidate.predict(asked)
        candidate.close()
        said.append((candidate.name, [answer.text for answer in answers]))
    texts = [given.joined().text for given in asked]
    facts |= {"run": run.id, "seed": seed}
    key = make_key(texts, said[0], said[1], seed=seed, people=people, facts=facts)
    _write(key, folder, opens_in)
    return key


def _questions(
    run: Run, base: Base, source: str | None, rows: int, seed: int
) -> tuple[list[Input], dict[str, Any]]:
    """What is asked, drawn by the seed, and where it comes from."""
    from random import Random

    from afina.data.asked import read_asked
    from afina.flow.lengths import measurable

    recipe = of_task(recipe_of(run), "")
    if source is not None:
        found = [asked for _, asked in read_asked(source, recipe.data.columns)]
        facts = {"questions": Path(source).name}
    else:
        dataset = reopen_datasets(run)[""]
        test = dataset.test.open(by=f"blind comparison of {run.id}")
        run.event("test_opened", sha256=dataset.test.sha256, rows=len(test))
        kept = measurable(test, recipe.task, base, recipe)
        found = [recipe.task.question(example) for example in kept]
        facts = {"test_sha256": dataset.test.sha256}
    if not found:
        raise RequestError("nothing is asked", where=source or "data.test", do="name questions")
    return Random(seed).sample(found, min(rows, len(found))), facts


def _write(key: Key, folder: Path, language: Any) -> None:
    import json

    from afina.data.sheets import as_csv, as_lines
    from afina.evaluate.blind import rows_of
    from afina.evaluate.blind_page import blind_page
    from afina.store import durable

    form = folder / FORM
    durable.make_folder(form, 0o777)
    rows = rows_of(key)
    durable.write_text(form / "form.html", blind_page(key, language))
    durable.write_text(form / "form.csv", as_csv(rows))
    durable.write_text(form / "form.jsonl", as_lines(rows))
    text = json.dumps(key.as_dict(), ensure_ascii=False, indent=1)
    durable.write_private(folder / KEY, text + "\n")


def read_forms(
    folder: Path,
    filled: Sequence[Path],
    *,
    model: str | None = None,
    home: Path,
    say: Say = silent,
) -> tuple[Outcome, dict[str, Any]]:
    """What people chose, and a model if one is named; and how steady the model was.

    Raises DataError for forms that cannot be read or are of one judge, RequestError without any.
    """
    from afina.evaluate.blind import read_filled, read_key
    from afina.evaluate.preferred import judged

    key = read_key(folder / KEY)
    if not filled and model is None:
        raise RequestError(
            "no filled form is named", where="afina judge", do="name the files, or --model"
        )
    people = [read_filled(path, key) for path in filled]
    names = [one.judge for one in people]
    for path, name in zip(filled, names, strict=True):
        if names.count(name) > 1:
            raise DataError(
                f"two forms are of the judge {name}",
                where=path.name,
                do="give each judge's form once; a form without a name is called as its file",
            )
    asked: Asked | None = None
    if model is not None:
        from afina.evaluate.model_judge import ask_model

        asked = ask_model(_judge(model, home, say), key.items, f"model {model}")
    outcome = judged(key, people, asked.filled if asked else None)
    return outcome, {} if asked is None else {"steadiness": asked.as_dict()}


def _judge(model: str, home: Path, say: Say) -> Predictor:
    """A run, as it answers; else a base, which says A or B, whichever it finds more probable."""
    from afina.baselines.rag import open_untuned
    from afina.evaluate.model_judge import LABELS
    from afina.flow.passages import as_asked
    from afina.models.predictor import TunedModel
    from afina.models.prompted import PromptedBase
    from afina.store import Run
    from afina.tasks import Classify

    try:
        run = Run.open(home, model)
    except RunError:
        untuned = open_untuned(model, say=say).model
        return PromptedBase(untuned, name=model, classify=Classify(labels=LABELS, several=False))
    tuned = TunedModel.open(run.model_folder)
    if "chat" not in tuned.kinds:
        raise RequestError(
            f"{model} writes no text, so it cannot judge", where="--model", do="name another"
        )
    return as_asked(of_task(recipe_of(run), ""), tuned, say)
