"""How honest the split is: how near each test command comes to the training commands.

Divides the rows within each intent, in the shares of the recipe, by whole patterns (as the recipe
does) and at random, and compares. The division is the example's own; it needs nothing of Afina.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from statistics import mean

from patterns import Row

TEST, VALIDATION = 0.15, 0.08
"""Shares of the rows of each intent."""
SEEDS = 3
PAIRS = 8


def audit(rows: Sequence[Row], seed: int) -> list[str]:
    """A table of nearness for each way to divide, over a few seeds, in lines of text."""
    ways: dict[str, Callable[[Row], str]] = {
        "by wording (the recipe)": lambda row: row.wording,
        "by pattern": lambda row: row.pattern,
        "at random": lambda row: row.prompt,
    }
    lines = [
        f"the nearest training command of each test command; mean of {SEEDS} splits",
        "",
        f"{'split':<26}{'train':>6}{'test':>6}{'edit similarity':>24}{'words shared':>14}"
        f"{'same pattern':>14}{'same answer':>13}{'copying it':>12}",
        f"{'':<38}{'median   90 %   max':>24}{'mean':>14}",
    ]
    for name, group in ways.items():
        figures = [nearness(*divide(rows, group, seed + i)) for i in range(SEEDS)]
        average = [mean(column) for column in zip(*figures, strict=True)]
        train, test, median, high, top, shared, pattern, answer, copied = average
        lines.append(
            f"{name:<26}{train:>6.0f}{test:>6.0f}{median:>12.2f}{high:>7.2f}{top:>6.2f}"
            f"{shared:>13.2f}{pattern:>13.1%}{answer:>13.1%}{copied:>12.1%}"
        )
    train, test = divide(rows, ways["by pattern (the recipe)"], seed)
    near = sorted(((*nearest(row, train), row.prompt) for row in test), key=lambda x: -x[1])
    pairs = [f"  {ratio:.2f}  {asked}  |  {other.prompt}" for other, ratio, asked in near[:PAIRS]]
    lines += [
        "",
        "edit similarity: 2·matching characters / characters of both (difflib); words shared: "
        "Jaccard; same pattern, same answer: test rows for which training holds such a row; "
        "copying it: exact match of answering as the nearest training command is answered.",
    ]
    return [*lines, "", "the nearest pairs of the first split by pattern (test, training):", *pairs]


def divide(
    rows: Sequence[Row], group: Callable[[Row], str], seed: int
) -> tuple[list[Row], list[Row]]:
    """Training and test rows: whole groups, every intent in proportion and in training."""
    intents: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        intents[row.intent][group(row)].append(row)
    train: list[Row] = []
    test: list[Row] = []
    for intent, groups in sorted(intents.items()):
        names = random.Random(f"{seed} {intent}").sample(sorted(groups), len(groups))
        count = sum(map(len, groups.values()))
        wanted = {"test": max(1, round(TEST * count)), "validation": round(VALIDATION * count)}
        for name in names:
            size = len(groups[name])
            part = next((part for part in wanted if size <= wanted[part]), "train")
            if part == "train":
                train += groups[name]
            else:
                wanted[part] -= size
                test += groups[name] if part == "test" else []
    return train, test


def nearness(train: Sequence[Row], test: Sequence[Row]) -> tuple[float, ...]:
    """Rows of both, then the columns of the table that ``audit`` prints."""
    patterns = {row.pattern for row in train}
    answers = {row.completion for row in train}
    similar, shared, copied = [], [], 0
    for row in test:
        near, ratio = nearest(row, train)
        similar.append(ratio)
        shared.append(max(_jaccard(row.prompt, other.prompt) for other in train))
        copied += json.loads(near.completion) == json.loads(row.completion)
    similar.sort()
    count = len(test)
    return (
        len(train),
        count,
        similar[count // 2],
        similar[int(0.9 * count)],
        similar[-1],
        mean(shared),
        sum(row.pattern in patterns for row in test) / count,
        sum(row.completion in answers for row in test) / count,
        copied / count,
    )


def nearest(row: Row, train: Sequence[Row]) -> tuple[Row, float]:
    """The training row whose command is most alike, and how alike: 0 to 1."""
    return max(((o, _similarity(row.prompt, o.prompt)) for o in train), key=lambda pair: pair[1])


def _similarity(a: str, b: str) -> float:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() > 0.5 else 0.0


def _jaccard(a: str, b: str) -> float:
    left, right = set(a.split()), set(b.split())
    return len(left & right) / len(left | right)
