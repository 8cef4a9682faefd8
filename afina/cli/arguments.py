"""What the words after a verb mean: read by Typer from the signature of the verb's function.

Typer only reads here; it calls nothing, so that errors and exit codes stay in one place.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe's YAML file.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, the beginning of one, its folder, last, or a promoted name.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Set a key of the recipe, for example -s train.epochs=5. May be repeated.",
    ),
]
TaskOption = Annotated[
    str,
    typer.Option("--task", metavar="NAME", help="Which of the several tasks of the recipe."),
]
Documents = Annotated[
    list[str] | None,
    typer.Option(
        "--documents",
        metavar="PATH",
        help="Answer from these documents: a folder, file or pattern. May be repeated.",
    ),
]
Language = Annotated[
    str, typer.Option(help="Language in which report.html opens: en or es (it holds both).")
]

_EVERYWHERE: dict[str, Any] = {
    "home": (
        Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Where runs and the registry are.", show_default=False
            ),
        ],
        None,
    ),
    "json": (
        Annotated[
            bool,
            typer.Option("--json", help="One JSON object on standard output, all else on error."),
        ],
        False,
    ),
    "quiet": (
        Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the answer.")],
        False,
    ),
}


def parse(name: str, words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of a verb by name, or None if its help was asked for (and has been shown).

    Raises Typer's usage errors.
    """
    given = _reader(name).main(list(words), prog_name=f"afina {name}", standalone_mode=False)
    return given if isinstance(given, dict) else None


def help_text(name: str, width: int = 100) -> str:
    """What ``afina NAME --help`` shows."""
    reader = _reader(name)
    with reader.make_context(f"afina {name}", [], resilient_parsing=True) as context:
        context.terminal_width = width
        return str(context.get_help())


def _reader(name: str) -> Any:
    from afina.cli import SENTENCES

    module = import_module(f"afina.cli.{name}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    details = inspect.getdoc(module.verb) or ""
    examples = "\n".join(f"  {line}" for line in module.EXAMPLES)
    app.command(
        name,
        help="\n\n".join(part for part in (SENTENCES[name], details) if part),
        epilog=f"\b\nExamples:\n{examples}",
        context_settings={"help_option_names": ["--help", "-h"]},
    )(_collector(module.verb))
    return typer.main.get_command(app)


def _collector(verb: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """A function with the verb's parameters (without its terminal) that gives them back."""

    def collect(**given: Any) -> dict[str, Any]:
        return given

    kinds = typing.get_type_hints(verb, include_extras=True)
    signature = inspect.signature(verb)
    parameters = [
        p.replace(annotation=kinds[p.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for p in list(signature.parameters.values())[1:]
    ]
    for name, (kind, default) in _EVERYWHERE.items():
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
            )
        )
    collect.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=inspect.Signature.empty
    )
    collect.__annotations__ = {p.name: p.annotation for p in parameters}
    return collect
