"""``afina new FILE``: a first recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afina.cli.terminal import Terminal
from afina.errors import RequestError

EXAMPLES = (
    "afina new tickets.csv",
    "afina new commands.jsonl --out hogar.yaml --base HuggingFaceTB/SmolLM2-135M-Instruct",
)


def verb(
    to: Terminal,
    data: Annotated[
        str,
        typer.Argument(metavar="FILE", help="The examples: file, glob, folder or hub data set."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The recipe to write.")] = Path(
        "recipe.yaml"
    ),
    base: Annotated[
        str | None, typer.Option(metavar="BASE", help="The base; else one is proposed.")
    ] = None,
) -> None:
    """Reads the data, tells the task from its columns, proposes a base and a method, and says why
    in comments. An existing file is never overwritten.
    """
    from afina.cli.proposal import propose
    from afina.data.reading import read
    from afina.store.durable import write_text

    if out.exists() or out.is_symlink():
        raise RequestError(
            "there is a file already", where=str(out), do="name another with --out, or delete it"
        )
    if not out.parent.is_dir():
        raise RequestError("no such folder", where=str(out.parent), do="make it first")
    proposal = propose(read(data), data, base)
    write_text(out, proposal.text(data, out))
    to.answer(
        {"recipe": str(out), "task": proposal.task, "base": proposal.base, "why": proposal.why},
        lambda console: console.print(
            f"{out}: {proposal.why}\nNext: afina check {out}, then afina run {out}", markup=False
        ),
    )
