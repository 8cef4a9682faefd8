"""``afina models list|add|show``: base models."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from afina.cli.terminal import Terminal
from afina.errors import RequestError

EXAMPLES = (
    "afina models list",
    "afina models show HuggingFaceTB/SmolLM2-135M-Instruct",
    "afina models add ./a-folder-or-a-file.gguf",
)


class Action(StrEnum):
    """What to do with base models."""

    list = "list"
    add = "add"
    show = "show"


def verb(
    to: Terminal,
    action: Annotated[Action, typer.Argument(metavar="list|add|show", help="What to do.")],
    base: Annotated[
        str | None, typer.Argument(metavar="[BASE]", help="Hub id, folder or .gguf file.")
    ] = None,
) -> None:
    """add fetches a base into this user's cache, so that later runs need no network."""
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
    found = resolve(base, say=to.say) if action is Action.show else add_base(base, say=to.say)
    facts = plain(found)
    to.answer(facts, lambda console: draw_models.shown(console, facts))


def plain(base: Any) -> dict[str, Any]:
    """A dataclass about a base as JSON values."""
    return {
        key: str(value) if isinstance(value, Path) else value for key, value in asdict(base).items()
    }
