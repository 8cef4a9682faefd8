"""``afina judge``: a blind comparison for people, and for a model that agrees with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from afina.cli.arguments import Language
from afina.cli.terminal import Terminal
from afina.errors import RequestError

EXAMPLES = (
    "afina judge last --out compared",
    "afina judge last --against few_shot --questions asked.txt --rows 100 --people 40 --out compared",
    "afina judge compared ana.json luis.csv",
    "afina judge compared ana.json --model HuggingFaceTB/SmolLM2-135M-Instruct",
)


Subject = Annotated[
    str,
    typer.Argument(metavar="RUN|FOLDER", help="A run to compare, or the folder of its form."),
]
Filled = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[FILE]...", help="Forms that were filled in, one a judge."),
]
Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="New folder for the form and its key.")
]
Against = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The baseline to compare with; else the plain prompt."),
]
Questions = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Questions to ask in place of the sealed test."),
]
Rows = Annotated[int, typer.Option(min=1, help="How many questions are drawn.")]
People = Annotated[
    int | None,
    typer.Option(min=1, help="How many of them people get; the others are for --model."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the rows, their order and sides.")]
Judge = Annotated[
    str | None,
    typer.Option(metavar="BASE|RUN", help="A model that judges too, asked in both orders."),
]


def verb(
    to: Terminal,
    subject: Subject,
    filled: Filled = None,
    out: Out = None,
    against: Against = None,
    questions: Questions = None,
    rows: Rows = 40,
    people: People = None,
    seed: Seed = 7,
    model: Judge = None,
    language: Language = "en",
) -> int:
    """With a run: the tuned model and a baseline answer, and DIR gets form/ (a page, a CSV and JSON
    lines, for the judges) and key.json (keep it). With that folder: the filled forms are read, and
    wins, agreement and a sign test are told.

    Exit code 1 if people are shown to prefer the other candidate to the tuned model.
    """
    from afina import flow

    making = {"against": against, "questions": questions, "people": people}
    if (Path(subject) / flow.KEY).is_file():
        _refuse({"out": out, **making}, "is for making a form, and this folder has one")
        return _read(to, Path(subject), filled or (), model, language)
    _refuse({"model": model, "FILE": filled}, f"{subject} is no folder of a form")
    if out is None:
        raise RequestError("no folder is named", where="--out", do="afina judge RUN --out DIR")
    return _make(to, subject, out, {"rows": rows, "seed": seed, "language": language, **making})


def _refuse(given: Mapping[str, Any], what: str) -> None:
    for name, value in given.items():
        if value:
            where = name if name.isupper() else f"--{name}"
            raise RequestError(what, where=f"afina judge {where}", do="leave it out")


def _make(to: Terminal, subject: str, out: Path, asked: Mapping[str, Any]) -> int:
    from afina import flow
    from afina.cli import draw_judge
    from afina.cli.progress import Progress
    from afina.store import Run

    run = Run.open(to.home, subject)
    with Progress(to) as progress:
        key = flow.write_form(run, out, say=progress.say, **asked)
    facts = draw_judge.facts_of(key, out / flow.FORM, out / flow.KEY)
    to.answer(facts, lambda console: draw_judge.form(console, facts))
    return 0


def _read(
    to: Terminal, folder: Path, filled: Sequence[Path], model: str | None, language: str
) -> int:
    from afina import flow
    from afina.cli import draw_judge

    found, steady = flow.read_forms(folder, filled, model=model, home=to.home, say=to.say)
    facts = found.as_dict() | steady
    to.answer(facts, lambda console: draw_judge.judged(console, facts, language))
    return 1 if found.winner == found.key.second else 0
