"""``afina runs``: what there is in the home folder."""

from __future__ import annotations

from afina.cli.terminal import Terminal

EXAMPLES = ("afina runs", "afina runs --json", "afina runs --home /data/afina-home")


def verb(to: Terminal) -> None:
    """Newest first, with the score on the sealed test and the verdict."""
    from afina.cli import draw
    from afina.cli.listing import rows_of

    rows = rows_of(to.home)
    to.answer({"runs": rows}, lambda console: draw.runs(console, rows))
