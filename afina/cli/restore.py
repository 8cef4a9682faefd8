"""``afina restore FILE --keys KEYS --out FILE``: a redaction undone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afina.cli.terminal import Terminal

EXAMPLES = ("afina restore checked/train.jsonl --keys checked/keys.json --out whole.jsonl",)


def verb(
    to: Terminal,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A redacted file.")],
    keys: Annotated[Path, typer.Option(metavar="KEYS", help="The keys.json of the redaction.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The new file to write.")],
) -> None:
    """Only what `afina check --fix --redact reversible` replaced can be put back."""
    from afina import flow

    lines = flow.restore(file, keys, out)
    to.answer(
        {"file": str(out), "rows": lines},
        lambda console: console.print(f"{lines:,} lines written to {out}", markup=False),
    )
