"""Numbers as people read them, in English and in Spanish."""

from __future__ import annotations

import math
from string import Formatter
from typing import Any, Literal

from afina.errors import RequestError

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "es")
NOTHING = "–"
"""Stands where there is no figure."""


def language_named(name: str) -> Language:
    """A language that a user asked for. Raises RequestError for one that there is not."""
    for known in LANGUAGES:
        if known == name:
            return known
    raise RequestError(
        f"no language is called {name}", where="--language", do=" or ".join(LANGUAGES)
    )


def decimal(value: float, places: int, language: Language, sign: bool = False) -> str:
    """A number with a fixed number of decimals.

    Digits are grouped in threes, in Spanish from five digits on, as each language does.
    """
    text = f"{value:{'+' if sign else ''},.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    whole = text.lstrip("+-").split(".")[0].replace(",", "")
    if len(whole) < 5 and language == "es":
        text = text.replace(",", "")
    text = text.replace("-", "−")
    if language == "es":
        text = text.replace(",", "\u202f").replace(".", ",")
    return text


def count(value: float | None, language: Language) -> str:
    """A whole number."""
    return NOTHING if value is None else decimal(value, 0, language)


def tenths(value: float | None, language: Language) -> str:
    """A mean of counts, with one decimal."""
    return NOTHING if value is None else decimal(value, 1, language)


def percent(value: float | None, language: Language, places: int = 1) -> str:
    """A share as a percentage."""
    if value is None:
        return NOTHING
    return decimal(100 * value, places, language) + ("%" if language == "en" else "\u00a0%")


_PLACES = {"points": 1, "perplexity": 2, "correlation": 3}


def score(value: float | None, unit: str, language: Language) -> str:
    """A score in its unit: a share in percent, points with one decimal, perplexity with two,
    a correlation with three, a number of the data with four digits."""
    if value is None:
        return NOTHING
    if unit == "share":
        return percent(value, language)
    if unit == "number":
        return plain(value, language)
    return decimal(value, _PLACES[unit], language)


def difference(value: float | None, unit: str, language: Language) -> str:
    """A difference of two scores, signed; of shares in percentage points."""
    if value is None:
        return NOTHING
    if unit == "share":
        return decimal(100 * value, 1, language, sign=True) + (
            "\u00a0pp" if language == "en" else "\u00a0p.\u00a0p."
        )
    if unit == "number":
        return ("+" if value > 0 else "") + plain(value, language)
    return decimal(value, _PLACES[unit], language, sign=True)


def probability(value: float | None, language: Language) -> str:
    """A p-value; very small ones as a bound."""
    if value is None:
        return NOTHING
    return "<\u202f" + decimal(0.001, 3, language) if value < 0.001 else decimal(value, 3, language)


def duration(seconds: float | None, language: Language) -> str:
    """Seconds as a person would say them: 0.21 ms, 3.2 s, 4 min 05 s, 2 h 10 min."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        thousandths = 1000 * seconds
        if 0 < thousandths < 0.01:
            return "<\u202f" + decimal(0.01, 2, language) + "\u00a0ms"
        return decimal(thousandths, 2 if thousandths < 10 else 0, language) + "\u00a0ms"
    if seconds < 59.95:
        return decimal(seconds, 1, language) + "\u00a0s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}\u00a0h {minutes:02d}\u00a0min"
    return f"{minutes}\u00a0min {left:02d}\u00a0s"


def size(value: float | None, language: Language) -> str:
    """Bytes in the largest decimal unit that leaves a number of at least 1."""
    if value is None:
        return NOTHING
    for exponent, unit in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB")):
        if abs(value) >= 10**exponent:
            return decimal(value / 10**exponent, 1, language) + "\u00a0" + unit
    return decimal(value, 0, language) + "\u00a0B"


def plain(value: float | None, language: Language) -> str:
    """Any number with four significant digits: losses, learning rates."""
    if value is None:
        return NOTHING
    if value == int(value) and abs(value) < 1e9:
        return decimal(value, 0, language)
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        digits, power = f"{value:.2e}".split("e")
        digits = digits.rstrip("0").rstrip(".").replace("-", "−")
        return (digits.replace(".", ",") if language == "es" else digits) + (
            "\u202f·\u202f10" + str(int(power)).translate(_RAISED)
        )
    places = max(0, 3 - math.floor(math.log10(abs(value))))
    return decimal(value, places, language)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Filled(Formatter):
    """Fills ``{name:kind}`` places; the kinds are the functions above.

    ``unit`` is the unit of ``score`` and ``difference``. An unknown kind is a KeyError: templates
    are ours, never a user's.
    """

    def __init__(self, language: Language, unit: str = "share") -> None:
        self._kinds: dict[str, Any] = {
            "": str,
            "count": lambda v: count(v, language),
            "percent": lambda v: percent(v, language),
            "whole_percent": lambda v: percent(v, language, 0),
            "score": lambda v: score(v, unit, language),
            "difference": lambda v: difference(v, unit, language),
            "probability": lambda v: probability(v, language),
            "duration": lambda v: duration(v, language),
            "plain": lambda v: plain(v, language),
        }

    def format_field(self, value: Any, format_spec: str) -> str:
        return str(self._kinds[format_spec](value))
