"""``afina check RECIPE``: the data, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.cli.arguments import Overrides, RecipePath, TaskOption
from afina.cli.terminal import Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.data.mend import Redaction
    from afina.recipe import Recipe

EXAMPLES = (
    "afina check recipe.yaml",
    "afina check recipe.yaml --out checked",
    "afina check recipe.yaml --fix --redact reversible --out checked",
    "afina check recipe.yaml --fix --remove personal",
    "afina check recipe.yaml --against served.jsonl",
    "afina check recipe.yaml --review 200 --out review",
    "afina check recipe.yaml --fix --reviewed ana.csv --reviewed luis.csv --out reviewed",
    "afina check recipe.yaml --show-loss --rows 5",
    "afina check several.yaml --task intent",
    "afina check recipe.yaml --json | jq .dropped",
)


Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="New folder for the list of findings and for --fix."),
]
Against = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Compare with a sample of what is really asked."),
]


Review = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="With --out: write a form of the N rows that most need a look."
    ),
]
ReviewedBy = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE", help="With --fix: a form that somebody filled in. May be repeated."
    ),
]


class Redact(StrEnum):
    """What a redaction leaves."""

    reversible = "reversible"
    final = "final"


Fix = Annotated[
    bool,
    typer.Option("--fix", help="Write a cleaned copy of the files and the list of changes."),
]
Remove = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND", help="With --fix: leave out rows with this finding. May be repeated."
    ),
]
RedactAs = Annotated[
    Redact | None,
    typer.Option(help="With --fix: replace personal data, with a file of keys or for good."),
]
ShowLoss = Annotated[
    bool,
    typer.Option("--show-loss", help="Show training rows with the tokens in the loss marked."),
]
LossRows = Annotated[int, typer.Option(min=1, help="With --show-loss: how many rows.")]


def verb(
    to: Terminal,
    recipe: RecipePath,
    overrides: Overrides = None,
    fix: Fix = False,
    remove: Remove = None,
    redact: RedactAs = None,
    out: Out = None,
    review: Review = None,
    reviewed: ReviewedBy = None,
    against: Against = None,
    show_loss: ShowLoss = False,
    rows: LossRows = 3,
    task: TaskOption = "",
) -> None:
    """Nothing is written unless --fix or --out says so, and never over anything. With --fix the rows
    that the recipe drops are left out, and texts decoded wrongly are mended; findings are for a
    person to judge, so their rows stay unless --remove names the kind. --review writes a form (decide
    keep, change or drop for each row; with change the right answer), --reviewed reads what several
    people filled in: what most want is done, and their agreement is told. With --show-loss, rows whose
    answer is cut off or whose loss is empty are refused. Marked tokens are in colour on a terminal
    and between ⟦ and ⟧ elsewhere.
    """
    from afina import flow
    from afina.cli import draw_data
    from afina.recipe import of_task

    _refuse_without_fix(fix, {"--remove": remove, "--redact": redact, "--reviewed": reviewed})
    _refuse_without_folder(review, fix, out)
    asked = of_task(flow.read_recipe(recipe, overrides or (), to.home, several=True), task)
    if show_loss:
        _show_loss(to, asked, rows)
        return
    people = flow.people_of(asked)
    dataset = flow.check(asked, say=to.say, people=people)
    facts = draw_data.checked(dataset, flow.special_tokens(asked, dataset))
    if against is not None:
        facts |= {"against": flow.against(asked, dataset, against).as_dict()}
    if fix:
        folder = out or recipe.with_name(f"{recipe.stem}-checked")
        judged = flow.read_review(dataset, reviewed) if reviewed else None
        done = flow.fix(
            asked,
            dataset,
            folder,
            remove=remove or (),
            redact=_kind(redact),
            reviewed=judged,
            people=people,
        )
        facts |= {"fixed": done.as_dict()}
        facts |= {"reviewed": judged.as_dict()} if judged else {}
    elif out is not None:
        flow.write_findings(dataset, out)
        facts |= {"findings": str(out / "findings.jsonl")}
        facts |= {"review": flow.write_review(dataset, out, review)} if review else {}
    to.answer(facts, lambda console: draw_data.check(console, facts))


def _show_loss(to: Terminal, recipe: Recipe, count: int) -> None:
    from afina import flow
    from afina.cli import draw, draw_data

    shown = flow.show_loss(recipe, count, say=to.say)
    value = {"rows": [draw_data.loss_row(row) for row in shown]}
    to.answer(value, lambda console: draw.loss_rows(console, shown))


def _kind(redact: Redact | None) -> Redaction | None:
    if redact is None:
        return None
    return "reversible" if redact is Redact.reversible else "final"


def _refuse_without_folder(review: int | None, fix: bool, out: Path | None) -> None:
    if review is not None and (fix or out is None):
        raise RequestError(
            "the form goes into a new folder of its own",
            where="--review",
            do="name one with --out, without --fix",
        )


def _refuse_without_fix(fix: bool, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if value and not fix:
            raise RequestError(
                "nothing is changed without --fix", where=name, do=f"add --fix, or leave {name} out"
            )
