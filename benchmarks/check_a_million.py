"""A million rows through the whole check of the data: time, processor time and memory.

    python benchmarks/check_a_million.py [--rows 1000000]

The rows are made: customers' requests of 50 to 120 characters with 40 labels; 1 % repeat another row,
1 % are near duplicates of one, 1 % carry personal data, 2 % a wrong label. The check is that of
``afina check`` without a base, that is without counting tokens. Wanted: within 120 seconds and 2 GB
on two cores; one is used. The last line is JSON; of a million rows it is kept in results/.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from afina.data import prepare
from afina.recipe.knobs import Data
from afina.tasks import Classify

VERBS = (
    "send",
    "return",
    "cancel",
    "change",
    "track",
    "repeat",
    "explain",
    "confirm",
    "delay",
    "move",
)
LABELS = [f"{verb} {what}" for verb in VERBS for what in ("order", "card", "account", "invoice")]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BEGINNINGS = ("please", "could you", "I want to", "why can nobody", "how do I", "who is to")


def write(file: Path, rows: int, seed: int = 7) -> None:
    """The rows as JSON lines."""
    dice = random.Random(seed)
    words = ["".join(dice.choices(LETTERS, k=dice.randint(3, 9))) for _ in range(30_000)]
    last: list[tuple[str, str]] = []
    with file.open("w", encoding="utf-8") as out:
        for _ in range(rows):
            kind = dice.random()
            if kind < 0.02 and last:
                text, label = dice.choice(last)
                text = text if kind < 0.01 else f"{text} now"
            else:
                label = dice.choice(LABELS)
                some = dice.choices(words, k=dice.randint(4, 9))
                verb, thing = label.split()
                text = f"{dice.choice(BEGINNINGS)} {verb} my {thing} {' '.join(some)}"
                if kind < 0.03:
                    text += f" {dice.choice(words)}@example.com"
                last = [*last[-99:], (text, label)]
            if 0.5 < kind < 0.52:
                label = dice.choice(LABELS)
            out.write(json.dumps({"text": text, "label": label}) + "\n")


def main() -> None:
    """Make the rows, check them, print what it took."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rows", type=int, default=1_000_000)
    asked = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        write(file, asked.rows)
        before = resource.getrusage(resource.RUSAGE_SELF)
        begin = time.perf_counter()
        found = prepare(Data(train=str(file)), Classify(), thorough=True)
        seconds = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_SELF)
    quality = found.check.quality
    assert quality is not None
    result = {
        "rows": asked.rows,
        "seconds": round(seconds, 1),
        "processor_seconds": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
        "peak_memory_bytes": after.ru_maxrss * 1024,
        "dropped": found.check.dropped,
        "near_duplicate_rows": found.check.near_duplicates.rows,
        "findings": {n: len(s.findings) for n, s in quality.sections.items()},
    }
    if asked.rows >= 1_000_000:
        import bench  # brings PyTorch, which the check does without

        bench.write("check_a_million", {"machine": bench.machine(1), **result})
    print(json.dumps(result))


if __name__ == "__main__":
    main()
