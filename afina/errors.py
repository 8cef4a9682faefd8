"""One tree of errors. Each says what is wrong, where, and what to do.

The command line prints them as a sentence and exits with ``exit_code``; the server turns them
into JSON. None of them knows how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches


class AfinaError(Exception):
    """Anything that Afina tells the user instead of a traceback.

    ``what`` is one sentence, ``where`` names the file, row, column or key, ``do`` is the remedy.
    ``problems`` lists further places (row by row) when one file has many. ``told``: the same as a code
    and its values (``evaluate.statement``), for reports in other languages.
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        do: str = "",
        problems: Sequence[str] = (),
        told: tuple[str, Mapping[str, object]] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.do = do
        self.problems = tuple(problems)
        self.told = told

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {problem}" for problem in self.problems]
        if self.do:
            lines.append(f"  → {self.do}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, dict[str, object]]:
        """The ``--json`` form: ``{"error": {"what", "where", "do"}}`` (and ``problems`` if any)."""
        error: dict[str, object] = {"what": self.what, "where": self.where, "do": self.do}
        if self.problems:
            error["problems"] = list(self.problems)
        return {"error": error}


class RequestError(AfinaError):
    """The request is wrong: a file, a recipe or an argument. Exit code 2."""

    exit_code = 2


class RecipeError(RequestError):
    """A knob of the recipe is unknown, missing, of the wrong type or out of range."""


class DataError(RequestError):
    """A file of examples cannot be used as it is."""


class ModelError(RequestError):
    """A base model or a saved model cannot be used as it is."""


class RunError(RequestError):
    """A run is named that does not exist, is locked, or cannot do what was asked."""


class MachineError(AfinaError):
    """The environment failed: disk, memory, network, a model that cannot be had. Exit code 3."""


class CorruptError(MachineError):
    """A file that Afina wrote no longer has the content it was written with."""


class TrainingError(AfinaError):
    """Training ended and the acceptance gate says no: the run is ``failed``. Exit code 1."""

    exit_code = 1


class Interrupted(AfinaError):
    """Stopped on the user's wish, everything saved. Exit code 130."""

    exit_code = 130


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out. PyTorch's errors are told by name and words: it may not be there."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """The sentence that names the nearest known word, or the list of them."""
    words = sorted({str(k) for k in known})
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return "known: " + ", ".join(words[:30]) + (" …" if len(words) > 30 else "")
