"""``afina check RECIPE``: the data, before anything is trained."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.cli.arguments import Overrides, RecipePath
from afina.cli.terminal import Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.data.mend import Redaction

EXAMPLES = (
    "afina check recipe.yaml",
    "afina check recipe.yaml --out checked",
    "afina check recipe.yaml --fix --redact reversible --out checked",
    "afina check recipe.yaml --fix --remove personal",
    "afina check recipe.yaml --against served.jsonl",
    "afina check recipe.yaml --show-loss --rows 5",
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


class Redact(StrEnum):
    """What a redaction leaves."""

    reversible = "reversible"
    final = "final"


def verb(
    to: Terminal,
    recipe: RecipePath,
    overrides: Overrides = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Write a cleaned copy of the files and the list of changes."),
    ] = False,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="With --fix: leave out rows with this finding. May be repeated."
        ),
    ] = None,
    redact: Annotated[
        Redact | None,
        typer.Option(help="With --fix: replace personal data, with a file of keys or for good."),
    ] = None,
    out: Out = None,
    against: Against = None,
    show_loss: Annotated[
        bool,
        typer.Option("--show-loss", help="Show training rows with the tokens in the loss marked."),
    ] = False,
    rows: Annotated[int, typer.Option(min=1, help="With --show-loss: how many rows.")] = 3,
) -> None:
    """Nothing is written unless --fix or --out says so, and never over anything. With --fix the rows
    that the recipe drops are left out, and texts decoded wrongly are mended; findings are for a
    person to judge, so their rows stay unless --remove names the kind. With --show-loss, rows whose
    answer is cut off or whose loss is empty are refused. Marked tokens are in colour on a terminal
    and between ⟦ and ⟧ elsewhere.
    """
    from afina import flow
    from afina.cli import draw, draw_data
    from afina.recipe import load_recipe

    _refuse_without_fix(fix, remove, redact)
    asked = load_recipe(recipe, overrides or (), home=to.home)
    if show_loss:
        shown = flow.show_loss(asked, rows, say=to.say)
        value = {"rows": [draw_data.loss_row(row) for row in shown]}
        to.answer(value, lambda console: draw.loss_rows(console, shown))
        return
    dataset = flow.check(asked, say=to.say)
    facts = draw_data.checked(dataset, flow.special_tokens(asked, dataset))
    if against is not None:
        facts |= {"against": flow.against(asked, dataset, against).as_dict()}
    if fix:
        folder = out or recipe.with_name(f"{recipe.stem}-checked")
        done = flow.fix(asked, dataset, folder, remove=remove or (), redact=_kind(redact))
        facts |= {"fixed": done.as_dict()}
    elif out is not None:
        flow.write_findings(dataset, out)
        facts |= {"findings": str(out / "findings.jsonl")}
    to.answer(facts, lambda console: draw_data.check(console, facts))


def _kind(redact: Redact | None) -> Redaction | None:
    if redact is None:
        return None
    return "reversible" if redact is Redact.reversible else "final"


def _refuse_without_fix(fix: bool, remove: Any, redact: Any) -> None:
    for name, value in (("--remove", remove), ("--redact", redact)):
        if value and not fix:
            raise RequestError(
                "nothing is changed without --fix", where=name, do=f"add --fix, or leave {name} out"
            )
