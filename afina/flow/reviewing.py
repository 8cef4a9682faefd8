"""A review of rows: the form for people, and their decisions with the agreement between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import DataError

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.evaluate.agreement import Agreement

DROP = "(drop)"
"""Stands for the wish to leave a row out, among answers."""
FORM, UNRESOLVED, PROVENANCE = "review", "unresolved.csv", "review.json"


@dataclass(frozen=True)
class Reviewed:
    """What people decided. ``changes``: place of a row to its old and its new answer (None: left out)
    and who wanted what."""

    form: str
    changes: Mapping[str, tuple[str, str | None, Mapping[str, str]]]
    items: int
    unresolved: tuple[dict[str, str], ...]
    """The form's rows on which as many wanted one thing as another: they stay as they are."""
    sealed: int
    agreement: tuple[Agreement, ...]
    files: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Counts, agreement and where it comes from; no content of rows."""
        out = [new for _, new, _ in self.changes.values()]
        return {
            "form": self.form,
            "files": dict(self.files),
            "items": self.items,
            "changed": sum(new is not None for new in out),
            "dropped": sum(new is None for new in out),
            "kept": self.items - len(out) - len(self.unresolved),
            "unresolved": len(self.unresolved),
            "test_rows_not_shown": self.sealed,
            "agreement": [found.as_dict() for found in self.agreement],
        }


def write_review(dataset: Dataset, folder: Path, most: int) -> dict[str, Any]:
    """Write review.csv and review.jsonl into a folder that is there. Returns the counts.

    Raises DataError if no row needs a look.
    """
    from afina.data.review import to_review
    from afina.data.sheets import as_csv, as_lines
    from afina.store import durable

    found = to_review(dataset, most)
    rows = list(found.lines.values())
    durable.write_text(folder / f"{FORM}.csv", as_csv(rows))
    durable.write_text(folder / f"{FORM}.jsonl", as_lines(rows))
    return {
        "form": found.form,
        "rows": len(rows),
        "beyond": found.beyond,
        "test_rows_not_shown": found.sealed,
        "files": [str(folder / f"{FORM}{suffix}") for suffix in (".csv", ".jsonl")],
    }


def read_review(dataset: Dataset, files: Sequence[Path]) -> Reviewed:
    """The decisions of one or several people, each in a copy of the form.

    What most want is done; a row without a majority stays as it is. Raises DataError for a form of
    other rows, and for one that was changed or not filled in.
    """
    from afina.data.content import answer_text
    from afina.data.review import outcome, to_review
    from afina.data.sheets import check_sheet, read_sheet
    from afina.evaluate.agreement import agreements, majority
    from afina.evaluate.scorer import Context
    from afina.store.durable import sha256_file

    sheets = {path: read_sheet(path) for path in files}
    names = [path.stem for path in files]
    for path in files:
        if names.count(path.stem) > 1:
            raise DataError("two forms are of one person", where=path.name, do="name each once")
    review = to_review(dataset, _most(sheets))
    labels = Context.of(dataset.task).labels
    wishes: dict[str, dict[str, str]] = {}
    for path, rows in sheets.items():
        check_sheet(path.name, rows, review.form, review.asked, "decision")
        wishes[path.stem] = {}
        for row in rows:
            where = f"{path.name}: item {row['item']}"
            wanted = outcome(row, review.examples[row["item"]], labels, where)
            wishes[path.stem][row["item"]] = DROP if wanted is None else wanted
    changes, unresolved = {}, []
    for item, agreed in majority(wishes).items():
        example = review.examples[item]
        was = answer_text(example)
        if agreed is None:
            unresolved.append(review.lines[item])
        elif agreed != was:
            by = {name: "drop" if own[item] == DROP else "keep" if own[item] == was else "change"
                  for name, own in wishes.items()}  # fmt: skip
            changes[example.where] = (was, None if agreed == DROP else agreed, by)
    return Reviewed(
        review.form,
        changes,
        len(review.lines),
        tuple(unresolved),
        review.sealed,
        agreements(wishes),
        {path.name: sha256_file(path) for path in files},
    )


def _most(sheets: Mapping[Path, Sequence[Mapping[str, str]]]) -> int:
    """How many rows the form had, as its name says."""
    for path, rows in sheets.items():
        form = rows[0].get("form", "") if rows else ""
        if form.rpartition("-")[2].isdecimal():
            return int(form.rpartition("-")[2])
        do = "give copies of the review.csv or review.jsonl that afina check --review wrote"
        raise DataError("is no filled form", where=path.name, do=do)
    raise DataError("no form is named", where="--reviewed", do="name the filled forms")


def write_provenance(reviewed: Reviewed, fingerprint: str, folder: Path) -> None:
    """review.json beside the cleaned files, and what is still open as a form."""
    from afina.data.sheets import as_csv
    from afina.store import durable, versions

    facts = {"data": fingerprint, "versions": versions(), **reviewed.as_dict()}
    durable.write_json(folder / PROVENANCE, facts)
    if reviewed.unresolved:
        durable.write_text(folder / UNRESOLVED, as_csv(reviewed.unresolved))
