#!/usr/bin/env python
"""Spanish voice commands for the home, to learn from: rows of prompt, completion and pattern.

    python examples/hogar/sample.py             # writes AFINA_HOME/data/hogar/commands.jsonl
    python examples/hogar/sample.py --audit     # measures how honest the split is, writes nothing

The sentences are drawn from the Spanish templates of the Home Assistant community (package
``home-assistant-intents``, Apache-2.0) with the words of an invented house; hassil, the recogniser
that Home Assistant itself runs, says what each one means. Equal arguments and package versions give
equal bytes. Stands alone: imports nothing of Afina, reads no network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from house import WORDS
from patterns import Row, pattern, shape, wording

if TYPE_CHECKING:
    from templates import Drawn, Templates

FILE = "data/hogar/commands.jsonl"
PACKAGES = ("home-assistant-intents", "hassil")
FEWEST_ROWS, MOST_ROWS = 100, 2000

INTENTS = {
    "HassCancelTimer": 1,
    "HassClimateGetTemperature": 1,
    "HassClimateSetTemperature": 1,
    "HassGetCurrentDate": 1,
    "HassGetCurrentTime": 1,
    "HassGetState": 2,
    "HassGetWeather": 1,
    "HassLightSet": 2,
    "HassMediaPause": 1,
    "HassMediaSearchAndPlay": 1,
    "HassSetVolume": 1,
    "HassSetVolumeRelative": 1,
    "HassShoppingListAddItem": 1,
    "HassShoppingListCompleteItem": 1,
    "HassStartTimer": 2,
    "HassTimerStatus": 1,
    "HassTurnOff": 2,
    "HassTurnOn": 2,
    "HassVacuumStart": 1,
}
"""The everyday intents, and how many rows each gives in a turn: two where answers vary the most."""

TRIES_PER_INTENT = 9000
ENOUGH_PER_INTENT = 200
LONGEST_WORDS = 11
MOST_VALUES = 2
FEWEST_PATTERNS = 4
ROWS_PER_PATTERN = 4
ROWS_PER_VALUES = 3
POLITE_SHARE = 0.1

Judged = dict[str, dict[str, list["Drawn"]]]
"""Good sentences by intent and pattern."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows, and what was thrown away on the way, by reason."""

    rows: tuple[Row, ...]
    drawn: int
    dropped: Counter[str]
    left_out: dict[str, str]


def sample(rows: int, seed: int) -> Sample:
    """Draw, judge, understand and choose: ``rows`` commands, balanced over the intents."""
    from templates import Templates

    templates = Templates()
    dropped: Counter[str] = Counter()
    judged, drawn = _draw(templates, seed, dropped)
    others = {template.intent for template in templates} - INTENTS.keys()
    left_out = dict.fromkeys(sorted(others), "not among the everyday intents")
    for intent in INTENTS:
        if len(judged[intent]) < FEWEST_PATTERNS:
            left_out[intent] = f"only {len(judged.pop(intent))} patterns"
    return Sample(tuple(_choose(judged, rows, seed, templates, dropped)), drawn, dropped, left_out)


def _draw(templates: Templates, seed: int, dropped: Counter[str]) -> tuple[Judged, int]:
    """Sentences of every template until there are enough, and how many were drawn."""
    from spanish import fault

    judged: Judged = defaultdict(lambda: defaultdict(list))
    lines = [template for template in templates if template.intent in INTENTS]
    share = Counter(template.intent for template in lines)
    drawn = 0
    for number, template in enumerate(lines):
        rng = random.Random(f"{seed} {number} {template.text}")
        seen: set[str] = set()
        for _ in range(TRIES_PER_INTENT // share[template.intent]):
            if len(seen) * share[template.intent] >= ENOUGH_PER_INTENT:
                break
            sentence = templates.draw(template, rng)
            drawn += 1
            values = sum(bool(word.slot) for word in sentence.words)
            long = values > MOST_VALUES or len(sentence.text.split()) > LONGEST_WORDS
            reason = "too much for one breath" if long else fault(sentence)
            if reason:
                dropped[reason] += 1
            elif sentence.text not in seen:
                seen.add(sentence.text)
                name = pattern(template.intent, [(w.text, w.slot) for w in sentence.words])
                judged[template.intent][name].append(sentence)
    return judged, drawn


def _choose(
    judged: Judged, rows: int, seed: int, templates: Templates, dropped: Counter[str]
) -> list[Row]:
    """Rows in turn from every intent, in turn from every shape and pattern of it."""
    prompts: set[str] = set()
    queues = {
        intent: _understood(patterns, f"{seed} {intent}", templates, dropped, prompts)
        for intent, patterns in sorted(judged.items())
    }
    turns = [intent for intent in queues for _ in range(INTENTS[intent])]
    chosen: list[Row] = []
    while turns and len(chosen) < rows:
        for intent in list(turns):
            row = next(queues[intent], None)
            if row is None:
                turns.remove(intent)
            elif len(chosen) < rows:
                chosen.append(row)
    return sorted(chosen, key=lambda row: hashlib.sha256(row.prompt.encode()).digest())


def _in_turn(patterns: dict[str, list[Drawn]], rng: random.Random) -> Iterator[tuple[str, Drawn]]:
    """The sentences of an intent: its shapes take turns, and within a shape its patterns."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for name in sorted(patterns):
        shapes[shape(name)].append(name)
    queues = [rng.sample(names, len(names)) for _, names in sorted(shapes.items())]
    left = {name: rng.sample(found, len(found)) for name, found in sorted(patterns.items())}
    while queues:
        for names in list(queues):
            name = names.pop(0)
            yield name, left[name].pop()
            if left[name]:
                names.append(name)
            if not names:
                queues.remove(names)


def _understood(
    patterns: dict[str, list[Drawn]],
    seed: str,
    templates: Templates,
    dropped: Counter[str],
    prompts: set[str],
) -> Iterator[Row]:
    """The sentences that hassil understands as they were meant, and in one way only."""
    rng = random.Random(seed)
    of_pattern: Counter[str] = Counter()
    of_values: Counter[str] = Counter()
    for name, sentence in _in_turn(patterns, rng):
        prompt = _spoken(sentence.text, rng)
        values = " ".join(sorted(f"{w.slot}={w.text}" for w in sentence.words if w.slot))
        often = values and of_values[values] == ROWS_PER_VALUES
        if often or of_pattern[name] == ROWS_PER_PATTERN or prompt in prompts:
            continue
        answer, alone = templates.understand(prompt)
        if answer is None:
            dropped["hassil does not recognise it"] += 1
        elif not _as_meant(sentence, answer):
            dropped["hassil understands something else"] += 1
        elif not alone:
            dropped["ambiguous: two readings are as good"] += 1
        else:
            of_pattern[name] += 1
            of_values[values] += 1
            prompts.add(prompt)
            words = [(w.text, w.slot) for w in sentence.words]
            yield Row(prompt, _json(answer), name, wording(sentence.template.intent, words))


def _spoken(text: str, rng: random.Random) -> str:
    """As one says it: an infinitive asks "puedes …", and sometimes somebody says please."""
    from spanish import infinitive

    if infinitive(text):
        return f"{rng.choice(('puedes', 'podrías'))} {text}"
    return f"{text} por favor" if rng.random() < POLITE_SHARE else text


def _as_meant(sentence: Drawn, answer: dict[str, Any]) -> bool:
    """Whether hassil found the intent and the slots that were drawn, and the values word by word.

    A value that stands for another ("persianas" for ``blind``) is hassil's to say.
    """
    slots = {word.slot: word.text for word in sentence.words if word.slot}
    if answer["intent"] != sentence.template.intent or not slots.keys() <= answer.keys():
        return False
    own = {noun.text for nouns in WORDS.values() for noun in nouns}
    literal = {slot: text for slot, text in slots.items() if text.isdigit() or text in own}
    return all(str(answer[slot]).lstrip("-") == text for slot, text in literal.items())


def _json(value: dict[str, Any]) -> str:
    """Canonical and short: intent first, then the slots by name; every token is paid for."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write(path: Path, found: Sample) -> str:
    """Write the rows, whole or not at all; returns their sha256."""
    lines = [
        json.dumps(
            {
                "prompt": row.prompt,
                "completion": row.completion,
                "pattern": row.pattern,
                "wording": row.wording,
            },
            ensure_ascii=False,
        )
        for row in found.rows
    ]
    data = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(path.name + ".part")
    try:
        with staged.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    finally:
        staged.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return hashlib.sha256(data).hexdigest()


def describe(found: Sample) -> list[str]:
    """What was made and what was thrown away, in sentences."""
    intents = Counter(row.intent for row in found.rows)
    patterns = {row.pattern for row in found.rows}
    reasons: dict[str, list[str]] = defaultdict(list)
    for intent, why in found.left_out.items():
        reasons[why].append(intent.removeprefix("Hass"))
    few, many = min(intents.values()), max(intents.values())
    return [
        f"{len(found.rows)} commands, {len(intents)} intents ({few} to {many} each), "
        f"{len(patterns)} patterns",
        f"drawn {found.drawn:,}; thrown away: "
        + "; ".join(f"{n:,} {reason}" for reason, n in found.dropped.most_common()),
        *(f"left out, {why}: {' '.join(names)}" for why, names in sorted(reasons.items())),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code (2: the request is wrong, 3: the machine)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="home folder (AFINA_HOME, else ./afina-home)")
    parser.add_argument("--rows", type=int, default=1150, help="how many commands (1150)")
    parser.add_argument("--seed", type=int, default=7, help="seed of everything drawn (7)")
    parser.add_argument("--audit", action="store_true", help="measure the split, write nothing")
    chosen = parser.parse_args(arguments)
    try:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    except metadata.PackageNotFoundError as error:
        print(
            f"{error.name} is not installed\n  → pip install {' '.join(PACKAGES)}", file=sys.stderr
        )
        return 3
    if not FEWEST_ROWS <= chosen.rows <= MOST_ROWS:
        print(f"--rows {chosen.rows}: between {FEWEST_ROWS} and {MOST_ROWS}", file=sys.stderr)
        return 2
    found = sample(chosen.rows, chosen.seed)
    print("\n".join([versions, *describe(found)]), file=sys.stderr)
    if len(found.rows) < chosen.rows:
        print(f"the templates give no more than {len(found.rows)} rows", file=sys.stderr)
    if chosen.audit:
        from audit import audit

        print("\n".join(audit(found.rows, chosen.seed)))
        return 0
    home = chosen.home or Path(os.environ.get("AFINA_HOME") or "afina-home")
    path = home / FILE
    try:
        digest = write(path, found)
    except OSError as error:
        print(f"{path}: cannot be written: {error.strerror}", file=sys.stderr)
        return 3
    print(f"{path}  sha256 {digest}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
