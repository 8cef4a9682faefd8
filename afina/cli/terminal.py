"""Where a verb speaks: answers on standard output, everything for people on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

Draw = Callable[["Console"], None]


@dataclass(frozen=True)
class Terminal:
    """The way out of a verb, and where its runs are.

    With ``json`` an answer is one JSON object on standard output; without it, it is drawn there.
    """

    home: Path
    json: bool = False
    quiet: bool = False

    def say(self, text: str) -> None:
        """A sentence about what is going on, for people."""
        if not self.quiet:
            self.people.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A sentence that must be seen, even when all else is quiet."""
        self.people.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def answer(self, value: Mapping[str, Any], draw: Draw) -> None:
        """What the verb was asked for: as JSON, or drawn by ``draw``."""
        if self.json:
            self.object(value)
        else:
            draw(self.output)

    def object(self, value: Mapping[str, Any]) -> None:
        """One JSON object, readable where a person looks at it."""
        indent = 2 if sys.stdout.isatty() else None
        print(as_json(value, indent), flush=True)

    @cached_property
    def output(self) -> Console:
        return _console(sys.stdout)

    @cached_property
    def people(self) -> Console:
        return _console(sys.stderr)


def as_json(value: Any, indent: int | None = None) -> str:
    """Strict JSON, with letters beyond ASCII as they are where standard output can carry them."""
    plain = not (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    return json.dumps(value, ensure_ascii=plain, allow_nan=False, indent=indent)


def _console(stream: Any) -> Console:
    from rich.console import Console

    # A pipe or a file has no width: wide enough that few cells are folded there.
    width = None if stream.isatty() else 160
    return Console(file=stream, width=width, soft_wrap=False, highlight=False, emoji=False)
