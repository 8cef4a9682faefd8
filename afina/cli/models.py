"""``afina models list|add|show|student|untrained``: base models."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.cli.terminal import Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.models.sources import Base

EXAMPLES = (
    "afina models list",
    "afina models show HuggingFaceTB/SmolLM2-135M-Instruct",
    "afina models add ./a-folder-or-a-file.gguf",
    "afina models student sentence-transformers/all-MiniLM-L6-v2 --layers 3 --out student",
    "afina models untrained sentence-transformers/all-MiniLM-L6-v2 --out untrained",
)


class Action(StrEnum):
    """What to do with base models."""

    list = "list"
    add = "add"
    show = "show"
    student = "student"
    untrained = "untrained"


def verb(
    to: Terminal,
    action: Annotated[
        Action, typer.Argument(metavar="list|add|show|student|untrained", help="What to do.")
    ],
    base: Annotated[
        str | None, typer.Argument(metavar="[BASE]", help="Hub id, folder or .gguf file.")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help="student: how many of the base's layers it keeps.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="student, untrained: the folder to write.")
    ] = None,
) -> None:
    """add fetches a base into this user's cache, so that later runs need no network; student writes a
    base with fewer of its layers, to be distilled (objective: distill); untrained one of the same shape
    with random weights, to see what training from scratch gives."""
    from afina.cli import draw_models
    from afina.models.sources import add_base, list_bases, resolve

    if action is Action.list:
        if base is not None:
            raise RequestError(
                "list takes no base", where="afina models list", do=f"afina models show {base}"
            )
        rows = [plain(b) for b in list_bases()]
        to.answer({"models": rows}, lambda console: draw_models.listed(console, rows))
        return
    if base is None:
        raise RequestError(
            "which base?",
            where=f"afina models {action.value}",
            do=f"afina models {action.value} BASE; afina models list shows some",
        )
    if action is Action.student:
        found = _student(to, base, layers, out)
    elif action is Action.untrained and layers is None:
        found = _untrained(to, base, out)
    elif layers is not None or out is not None:
        raise RequestError(
            "--layers is for a student, --out for one or for an untrained base",
            where=f"afina models {action.value}",
            do=f"afina models student {base} --layers N --out FOLDER",
        )
    else:
        found = (resolve if action is Action.show else add_base)(base, say=to.say)
    facts = plain(found)
    to.answer(facts, lambda console: draw_models.shown(console, facts))


def _student(to: Terminal, name: str, layers: int | None, out: Path | None) -> Base:
    from afina.models.sources import resolve
    from afina.models.student import make_student

    if layers is None or out is None:
        raise RequestError(
            "how many layers, and where to?",
            where="afina models student",
            do=f"afina models student {name} --layers N --out FOLDER",
        )
    make_student(resolve(name, say=to.say), layers, out)
    return resolve(str(out.absolute()))


def _untrained(to: Terminal, name: str, out: Path | None) -> Base:
    from afina.models.sources import resolve
    from afina.models.untrained import make_untrained

    if out is None:
        raise RequestError(
            "where to?",
            where="afina models untrained",
            do=f"afina models untrained {name} --out FOLDER",
        )
    make_untrained(resolve(name, say=to.say), out)
    return resolve(str(out.absolute()))


def plain(base: Any) -> dict[str, Any]:
    """A dataclass about a base as JSON values."""
    return {
        key: str(value) if isinstance(value, Path) else value for key, value in asdict(base).items()
    }
