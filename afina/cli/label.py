"""``afina label``: texts without an answer go to people, and come back as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.cli.terminal import Draw, Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = (
    "afina label recipe.yaml --texts asked.txt --out labelling",
    "afina label labelling ana.csv luis.csv --out new-rows.jsonl",
)


def verb(
    to: Terminal,
    subject: Annotated[
        Path, typer.Argument(metavar="RECIPE|FOLDER", help="A recipe, or the folder of its form.")
    ],
    filled: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Forms that were filled in, one a person."),
    ] = None,
    texts: Annotated[
        str | None, typer.Option(metavar="FILE", help="The texts to label, in any form of file.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="New folder for the form, or new file for the rows."),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Most texts of the form.")] = 200,
) -> None:
    """With a recipe: a form of the texts that the rows do not have, those first of which a linear model
    of the rows is least sure. Each person fills in right in a copy (labels joined by |, - for none;
    left empty: skipped). With that folder: what most answered is written as rows, and how far they
    agree is told."""
    from afina import flow

    if (subject / flow.ASKED).is_file():
        if texts is not None:
            raise RequestError(
                "is for making a form, and this folder has one",
                where="afina label --texts",
                do="leave it out",
            )
        _read(to, subject, filled or (), out or subject / "labelled.jsonl")
        return
    if filled:
        raise RequestError(
            f"{subject} is no folder of a form", where="afina label FILE", do="leave it out"
        )
    if texts is None or out is None:
        raise RequestError(
            "which texts, and where to?",
            where="afina label",
            do=f"afina label {subject} --texts FILE --out FOLDER",
        )
    recipe = flow.read_recipe(subject, (), to.home)
    facts = flow.write_labelling(recipe, texts, out, rows, say=to.say)
    labels = f" ({', '.join(facts['labels'])})" if facts["labels"] else ""
    first = ", those in doubt first" if facts["ordered_by"] == "doubt" else ""
    told = [
        f"{facts['rows']:,} texts{first}; {facts['beyond']:,} more are not in the form, "
        f"{facts['known_already']:,} are known or repeated",
        f"to fill in: right{labels}",
        *facts["files"],
    ]
    to.answer(facts, _lines(told))


def _read(to: Terminal, folder: Path, filled: Sequence[Path], out: Path) -> None:
    from afina import flow

    found = flow.read_labelling(folder, filled, out)
    facts = found.as_dict()
    told = [
        f"{found.rows:,} rows; {found.open:,} without a majority, {found.skipped:,} not answered",
        *found.files.values(),
    ]
    to.answer(facts, _lines(told, facts["agreement"]))


def _lines(told: Sequence[str], agreement: Sequence[Mapping[str, Any]] = ()) -> Draw:
    def drawn(console: Console) -> None:
        from afina.cli import draw_judge

        draw_judge.agreement(console, list(agreement))
        for line in told:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    return drawn
