"""Says what stands on the page in both languages; the page's style shows one of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from afina.data.split_words import describe
from afina.evaluate import figures
from afina.evaluate.figures import LANGUAGES, Language
from afina.evaluate.metric_words import METRICS, SENTENCES_OF_METRICS
from afina.evaluate.statement import Statement
from afina.evaluate.words import CANDIDATES, DROPS, LENGTHS, WORDS


def visible(value: Any) -> Any:
    """Text with characters that cannot be shown, or that would reorder the page, made visible.

    Control characters, lone surrogates, noncharacters and bidirectional overrides become their code
    point in brackets. Everything that is not a string passes; so does what is already HTML.
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    if value.isascii() and value.isprintable():
        return value
    return "".join(f"[U+{ord(c):04X}]" if _unprintable(c) else c for c in value)


def _unprintable(character: str) -> bool:
    if character in "\n\t":
        return False
    code = ord(character)
    if code in range(0x202A, 0x202F) or code in range(0x2066, 0x206A):
        return True
    return unicodedata.category(character) in ("Cc", "Cs", "Cn")


class Speaker:
    """Says everything in both languages; the page's style shows one of them.

    ``element`` is ``span`` in text and ``tspan`` in a picture.
    """

    def __init__(self, element: str) -> None:
        self._element = element

    def both(self, english: str, spanish: str) -> Any:
        """Two texts; one alone if they are the same."""
        from markupsafe import Markup, escape

        english, spanish = visible(english), visible(spanish)
        if english == spanish:
            return escape(english)
        e = self._element
        return Markup(
            f'<{e} class="en" lang="en">{{}}</{e}><{e} class="es" lang="es">{{}}</{e}>'
        ).format(english, spanish)

    def word(self, key: str) -> Any:
        """A label of the page."""
        return self.both(*WORDS[key])

    def metric(self, name: str) -> Any:
        """The name of a score."""
        return self.both(*METRICS.get(name, (name, name)))

    def sentence(self, metric: str, english: str) -> Any:
        """What a score is."""
        return self.both(english, SENTENCES_OF_METRICS.get(metric, english))

    def candidate(self, name: str, length: int = 0) -> Any:
        """The name of a candidate, cut to ``length`` characters if that is not 0."""
        texts = CANDIDATES.get(name, (name, name))
        if length:
            texts = tuple(t if len(t) <= length else t[: length - 1] + "…" for t in texts)  # type: ignore[assignment]
        return self.both(*texts)

    def length(self, name: str) -> Any:
        """What a row of lengths measures."""
        return self.both(*LENGTHS.get(name, (name, name)))

    def drop(self, reason: str) -> Any:
        """Why rows were dropped."""
        return self.both(*DROPS.get(reason, (reason, reason)))

    def say(self, statement: Mapping[str, Any]) -> Any:
        """A sentence of the report."""
        said = Statement.from_dict(statement)
        texts = [_named(said, i).say(each) for i, each in enumerate(LANGUAGES)]
        return self.both(*(text[:1].upper() + text[1:] for text in texts))

    def failure(self, why: Mapping[str, Any]) -> Any:
        """Why a candidate was not measured; in English alone where only the error's words are known."""
        if why.get("told"):
            return self.say(why["told"])
        from markupsafe import Markup

        text = " → ".join(visible(part) for part in (why["what"], why.get("do")) if part)
        return Markup(f'<{self._element} lang="en">{{}}</{self._element}>').format(text)

    def split(self, how: Any) -> Any:
        """How the data were divided: facts as ``Dataset.split`` holds them, or a text."""
        if not isinstance(how, Mapping):
            return how
        return self.both(describe(how, "en"), describe(how, "es"))

    def alert(self, event: Mapping[str, Any]) -> Any:
        """What training warned of: its figures, or the English message of one without."""
        if "validation" not in event or "training" not in event:
            return event["message"]
        (before, after), (was, now) = event["validation"], event["training"]
        values = {"before": before, "after": after, "was": was, "now": now}
        return self.say(Statement("overfitting", values).as_dict())

    def number(self, kind: str, value: Any, unit: str = "share") -> Any:
        """A figure: count, tenths, percent, score, difference, probability, duration, size or plain."""
        if kind in ("score", "difference"):
            shown = [getattr(figures, kind)(value, unit, language) for language in LANGUAGES]
        else:
            shown = [getattr(figures, kind)(value, language) for language in LANGUAGES]
        return self.both(*shown)

    def interval(self, low: Any, high: Any, unit: str, kind: str = "score") -> Any:
        """``[low, high]``."""
        return self.both(*(self._interval(low, high, unit, kind, each) for each in LANGUAGES))

    def cell(self, value: Any, kind: str, unit: str) -> Any:
        """A cell of a finding: a text, a word, or a figure with its interval if it has one."""
        from markupsafe import Markup

        if kind in ("text", "word", "candidate", "metric"):
            if kind == "word" and value in WORDS:
                return self.word(value)
            said = getattr(self, kind)(value) if kind in ("candidate", "metric") else value
            return Markup("<bdi>{}</bdi>").format(visible(said))
        if not isinstance(value, Mapping):
            return self.number(kind, value, unit)
        ends = self.interval(value["low"], value["high"], unit, kind)
        return Markup("{}<small>{}</small>").format(self.number(kind, value["value"], unit), ends)

    @staticmethod
    def _interval(low: Any, high: Any, unit: str, kind: str, language: Language) -> str:
        function = getattr(figures, kind)
        separator = ";\u2009" if language == "es" else ",\u2009"
        return f"[{function(low, unit, language)}{separator}{function(high, unit, language)}]"


def _named(statement: Statement, index: int) -> Statement:
    """The same sentence with the names that a reader knows instead of those of the recipe."""
    values = dict(statement.values)
    for key in ("tuned", "baseline", "candidate", "metric"):
        table = METRICS if key == "metric" else CANDIDATES
        if values.get(key) in table:
            name = table[values[key]][index]
            # Within a sentence: "macro F1", but "F1 macro", "ROUGE-L" and "JSON válido".
            values[key] = name[:1].lower() + name[1:] if name[1:2].islower() else name
    return Statement(statement.code, values)
