"""Answers that end before they end: told by their last signs, and by what the others do.

Signs that need no comparison: a last word after which a sentence cannot end, an opened bracket,
fence or quotation that is not closed, JSON that breaks off. Signs by comparison, where nearly all
other answers do the same thing: they end with a full stop (a digit, a bracket), or begin their last
line with the same word. And rows that all have exactly the greatest length there is: a limit cut them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from afina.data.content import answer_text
from afina.data.findings import Finding, Placed, Section
from afina.types import ChatExample, PreferenceExample

HABIT = 0.85
"""Share of the answers that must do something for it to be what answers do here."""
FEWEST = 20
"""Answers from which a habit can be told."""
AT_THE_LIMIT = 3
"""Rows that share the greatest length before it is taken for a limit."""
SHORTEST_LIMIT = 64
"""Tokens or words below which a shared greatest length says nothing."""
_OPEN = (
    "a an the and or but of to in on at by for from with without than that which who whose "
    "because if when while as is are was were be been has have had will would can could should "
    "must not very its their his her my your our el la los las un una unos unas y e o u pero de "
    "del al en con sin por para que quien cuyo porque si cuando mientras como es son era eran fue "
    "ser está están ha han había será puede debe muy su sus mi mis tu tus nuestro nuestra le les "
    "se lo"
)
OPEN_WORDS = frozenset(_OPEN.split())
"""Words after which a sentence goes on, in English and Spanish."""
_CLOSERS = "\"'”’»)]}*_`"
_TERMINAL = ".!?…。！？"


def find(rows: Sequence[Placed], tokens: Mapping[str, int] | None = None) -> Section:
    """Rows with a written answer that is probably cut off. ``tokens``: of the whole row, by id."""
    written = [
        (row, answer_text(row.example).rstrip())
        for row in rows
        if isinstance(row.example, PreferenceExample)
        or (isinstance(row.example, ChatExample) and not row.example.messages[-1].tool_calls)
    ]
    answers = [answer for _, answer in written]
    ending, opening = _habit(map(_ending, answers)), _habit(map(_last_opening, answers))
    limits = _limits(written, tokens)
    findings = []
    for row, answer in written:
        reasons = _own_signs(answer)
        if ending and _ending(answer) != ending and len(answer.split()) > 1:
            reasons.append(f"does not end in a {ending}, as nearly all others do")
        if opening and _last_opening(answer) != opening:
            reasons.append(f"has no last line with {opening!r}, as nearly all others have")
        reasons += limits.get(row.example.id, ())
        if reasons:
            findings.append(
                Finding(
                    "cut_off",
                    row.example.id,
                    row.example.where,
                    row.part,
                    "; ".join(reasons),
                    float(len(reasons)),
                )
            )
    findings.sort(key=lambda f: (-(f.score or 0), f.id))
    return Section({"answers": len(written)}, findings)


def _own_signs(answer: str) -> list[str]:
    """What is wrong with an answer whatever the others look like."""
    reasons = []
    words = answer.split()
    if answer.count("```") % 2:
        reasons.append("a block of code is not closed")
    elif answer[:1] in ("{", "[") and not _is_json(answer):
        if answer[-1:] not in ("}", "]"):
            reasons.append("JSON that is not closed")
    elif len(words) > 3 and words[-1].casefold() in OPEN_WORDS:
        reasons.append(f"ends after {words[-1]!r}")
    elif len(words) > 3 and answer[-1:] in (
        ",",
        "(",
        "[",
        "{",
        "«",
        "“",
        "¿",
        "¡",
        "-",
        "–",
        "=",
        "<",
    ):
        reasons.append(f"ends in {answer[-1]!r}")
    return reasons


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _ending(answer: str) -> str:
    """What kind of sign an answer ends in."""
    last = answer[-1:]
    bare = answer.rstrip(_CLOSERS)[-1:]
    if last in ("}", "]"):
        return "bracket"
    if bare in _TERMINAL and bare:
        return "full stop"
    return "digit" if bare.isdigit() else ""


_FIRST_WORD = re.compile(r"\S+")


def _last_opening(answer: str) -> str:
    """The first word of the last line, of an answer of several lines."""
    *before, line = answer.split("\n")
    match = _FIRST_WORD.match(line.strip()) if before else None
    return match[0] if match else ""


def _habit(kinds: Iterable[str]) -> str:
    """What nearly all do; empty if there is nothing."""
    counts = Counter(kinds)
    total = sum(counts.values())
    if total < FEWEST:
        return ""
    kind, count = counts.most_common(1)[0]
    return kind if count >= HABIT * total else ""


def _limits(
    written: Sequence[tuple[Placed, str]], tokens: Mapping[str, int] | None
) -> dict[str, list[str]]:
    """Rows that share the greatest length, by what was counted."""
    found: dict[str, list[str]] = {}
    measures = [("words", [len(answer.split()) for _, answer in written])]
    measures.append(("characters", [len(answer) for _, answer in written]))
    if tokens is not None:
        measures.append(("tokens", [tokens.get(row.example.id, 0) for row, _ in written]))
    for name, lengths in measures:
        most = max(lengths, default=0)
        least = SHORTEST_LIMIT * (5 if name == "characters" else 1)
        if most < least or lengths.count(most) < AT_THE_LIMIT:
            continue
        for (row, _), length in zip(written, lengths, strict=True):
            if length == most:
                found.setdefault(row.example.id, []).append(
                    f"has exactly the greatest length, {most:,} {name}"
                )
    return found
