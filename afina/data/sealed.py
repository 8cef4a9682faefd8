"""The test rows, shut until the evaluation; every opening is noted, none shows changed rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from afina.data.content import canonical, content, digest, normal_input
from afina.data.near import near_to
from afina.errors import CorruptError
from afina.types import Example


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opened the test, and which rows that was."""

    by: str
    sha256: str
    rows: int


class SealedTest:
    """Test rows that only ``open`` gives out. Says how many there are, and their hash."""

    __slots__ = ("_openings", "_rows", "_sha256")

    def __init__(self, rows: Sequence[Example]) -> None:
        self._rows = tuple(rows)
        self._sha256 = rows_sha256(self._rows)
        self._openings: tuple[Opening, ...] = ()

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"<SealedTest of {len(self)} rows, sha256 {self._sha256[:12]}…>"

    @property
    def sha256(self) -> str:
        """Hash of the content of all rows, whatever their order, place and id."""
        return self._sha256

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the rows: names, no content."""
        return tuple(row.id for row in self._rows)

    @property
    def openings(self) -> tuple[Opening, ...]:
        """Every time the seal was opened, in order."""
        return self._openings

    def measure(self, number: Callable[[Example], int]) -> tuple[tuple[str, int], ...]:
        """The place of each row and one number about it, its length for one: no content."""
        return tuple((row.where, int(number(row))) for row in self._rows)

    def near(self, inputs: Sequence[str]) -> set[str]:
        """Those of the normalised inputs that a row asks, or nearly so: nothing of the row itself."""
        return near_to(inputs, [normal_input(row) for row in self._rows])

    def open(self, by: str) -> tuple[Example, ...]:
        """The rows. ``by`` says what they are for, and is kept in ``openings``.

        Raises CorruptError if they are not the rows that were sealed, ValueError without ``by``.
        """
        if not by.strip():
            raise ValueError("the test is not opened by nobody: say what it is for")
        found = rows_sha256(self._rows)
        if found != self._sha256:
            raise CorruptError(
                "the test rows are not those that were sealed",
                where=f"test, sha256 {self._sha256[:12]}…",
                do="prepare the data again",
            )
        self._openings = (*self._openings, Opening(by, found, len(self._rows)))
        return self._rows


def rows_sha256(rows: Sequence[Example]) -> str:
    """SHA-256 over the canonical content of the rows, sorted; hexadecimal."""
    lines = sorted(canonical([type(row).__name__, content(row)]) for row in rows)
    return digest("\n".join(lines))
