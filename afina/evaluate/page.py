"""report.html: the whole report as one file that needs nothing else, not even a script.

Language and theme are switched by style alone, so the page's own security policy can forbid every
script; whatever the data or the models wrote is shown as text.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from afina.data.split_words import describe
from afina.evaluate import charts, figures
from afina.evaluate.figures import LANGUAGES, Language, language_named
from afina.evaluate.labels import OUTSIDE
from afina.evaluate.marks import differences
from afina.evaluate.metric_words import METRICS, SENTENCES_OF_METRICS
from afina.evaluate.report import Report
from afina.evaluate.statement import Statement
from afina.evaluate.words import CANDIDATES, DROPS, LENGTHS, WORDS

FINDINGS = {
    "label_error": "found_label_error",
    "leak": "found_leak",
    "cut_off": "found_cut_off",
    "language": "found_language",
    "outlier": "found_outlier",
    "personal": "found_personal",
}
"""Kinds of findings that the data part counts, with the word of the page."""
SORTED_FROM = 13
"""Classes from which the table is sorted by F1 instead of standing in the task's order."""


def html(report: Report | Mapping[str, Any], facts: Mapping[str, Any], language: str = "en") -> str:
    """The page. ``report`` as ``Report.as_dict`` gives it.

    ``facts`` (all optional; what is missing does not appear): ``run`` id, ``recipe``, ``plan`` rows
    of key, value, reason, unit, chosen; ``estimates`` and ``train`` figures; ``metrics`` rows;
    ``events`` with step and message; ``data`` as in check.json with the split's counts and words;
    ``base``; ``machine``; ``command``; ``versions``. ``language`` (en, es) is the one shown first;
    the page holds both.
    Raises RequestError for another language.
    """
    first = language_named(language)
    value = report.as_dict() if isinstance(report, Report) else report
    span, tspan = Speaker("span"), Speaker("tspan")
    return str(
        template("report.html").render(
            report={"expectations": {}, **value},
            facts=facts,
            language=first,
            style=style(),
            w=span,
            g=tspan,
            words={key: pair[LANGUAGES.index(first)] for key, pair in WORDS.items()},
            hardest=value["comparison"],
            tuned=_candidate(value, value["tuned"]),
            bars=charts.bars(value),
            curves=charts.curves(
                facts.get("metrics") or (),
                facts.get("events") or (),
                _mapping(facts, "train").get("best_step"),
            ),
            plot=charts.PLOT,
            rate=charts.RATE,
            edges=(charts.LEFT, charts.RIGHT, charts.ROW),
            confusion=_confusion(value),
            classes=_classes(value),
            scatter=charts.scatter(value.get("points", {}).get(value["tuned"], ())),
            samples=_samples(value),
            data_counts=_data_counts(facts),
            estimate=_estimate(facts),
            training=_training(facts),
            recipe=_yaml(facts.get("recipe")),
            plain_value=_plain,
            outside=OUTSIDE,
        )
    )


# ---------------------------------------------------------------------------- the template


@cache
def template(name: str, package: str = "afina.evaluate") -> Any:
    """A template of a room, in which text is escaped and made visible, and nothing may be missing."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(p, "templates") for p in (package, "afina.evaluate")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def style() -> Any:
    """The style that the pages share."""
    from markupsafe import Markup

    return Markup((Path(__file__).parent / "templates" / "report.css").read_text("utf-8"))


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


# ---------------------------------------------------------------------------- the parts


def _mapping(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = facts.get(key)
    return found if isinstance(found, Mapping) else {}


def _candidate(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(c for c in report["candidates"] if c["name"] == name)
    return found


def _confusion(report: Mapping[str, Any]) -> dict[str, Any] | None:
    found = report["confusion"].get(report["tuned"])
    if found is None:
        return None
    return {"matrix": charts.matrix(found), "pairs": charts.most_confused(found)}


def _classes(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The tuned model's classes, numbered as in the task, with the hardest baseline's F1."""
    own = report["per_class"].get(report["tuned"])
    if not own:
        return None
    rival = report["comparison"]["baseline"] if report["comparison"] else None
    others = report["per_class"].get(rival) or [{"f1": None}] * len(own)
    rows = [
        {**row, "number": i + 1, "other": other["f1"]}
        for i, (row, other) in enumerate(zip(own, others, strict=True))
    ]
    by_f1 = len(rows) >= SORTED_FROM
    if by_f1:
        rows.sort(key=lambda r: (r["f1"] is None, r["f1"] or 0.0, r["number"]))
    return {"rows": rows, "rival": rival, "sorted": by_f1}


def _samples(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """Each sample with the answers of the base and the tuned model, word by word."""
    if not report["samples"]:
        return None
    tuned = report["tuned"]
    names = list(report["samples"][0]["answers"])
    rival = report["comparison"]["baseline"] if report["comparison"] else None
    shown = next((n for n in ("zero_shot", "few_shot", rival) if n in names), None)
    labels = bool(report["per_class"] or report.get("points"))
    rows = []
    for sample in report["samples"]:
        answers = []
        for name in (shown, tuned):
            if name is None:
                continue
            answer = sample["answers"][name]
            text = answer["text"]
            pieces = [("same", text)] if labels and text else differences(sample["gold"], text)
            answers.append({"name": name, "right": answer["right"], "pieces": pieces})
        others = {n: a for n, a in sample["answers"].items() if n not in (shown, tuned)}
        rows.append({**sample, "shown": answers, "others": others})
    return {"rows": rows, "marked": not labels}


def _data_counts(facts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(label, rows) of what the check counted; the parts of ``data`` are those of check.json."""
    data = _mapping(facts, "data")
    near, quality = _mapping(data, "near_duplicates"), _mapping(data, "quality")
    kinds = {k: n for section in quality.values() for k, n in section["kinds"].items()}
    duplicates, faults = _mapping(data, "duplicates"), _mapping(data, "encoding_faults")
    found = (
        ("rows_read", data.get("rows")),
        ("rows_kept", data.get("kept")),
        ("training", data.get("train")),
        ("made_rows", data.get("made")),
        ("validation", data.get("validation")),
        ("sealed", data.get("test")),
        ("replayed", _mapping(data, "replay").get("used")),
        ("exact_duplicates", duplicates.get("exact")),
        ("similar_inputs", duplicates.get("similar_inputs")),
        ("near_duplicates", near.get("rows")),
        ("near_across", _mapping(near, "across").get("test")),
        ("contradictions", _mapping(data, "contradictions").get("rows")),
        *((word, kinds.get(kind, 0)) for kind, word in FINDINGS.items() if quality),
        ("encoding_faults", sum(fault["rows"] for fault in faults.values()) if faults else None),
    )
    return [(label, rows) for label, rows in found if rows is not None]


def _estimate(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the plan expected and what was measured, where both are known."""
    expected, train = _mapping(facts, "estimates"), _mapping(facts, "train")
    pairs = (
        ("training_time", "seconds", "seconds", "duration"),
        ("memory", "memory_bytes", "peak_memory_bytes", "size"),
        ("disk", "disk_bytes", "disk_bytes", "size"),
        ("tokens", "tokens", "tokens", "count"),
    )
    rows = []
    for label, there, here, kind in pairs:
        estimated, measured = expected.get(there), train.get(here)
        if estimated and measured is not None:
            ratio = measured / estimated
            rows.append(
                {"label": label, "kind": kind, "from": estimated, "to": measured, "ratio": ratio}
            )
    return rows


def _training(facts: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """(label, kind of number or "", value) of what training took."""
    train = _mapping(facts, "train")
    rows: list[tuple[str, str, Any]] = [
        (label, kind, train[key])
        for label, key, kind in (
            ("training_time", "seconds", "duration"),
            ("memory", "peak_memory_bytes", "size"),
            ("tokens", "tokens", "count"),
            ("speed", "tokens_per_second", "count"),
            ("rows_speed", "examples_per_second", "plain"),
            ("precision_of", "precision", ""),
        )
        if train.get(key) is not None
    ]
    moved, whole = train.get("trainable_parameters"), train.get("total_parameters")
    if moved is not None and whole:
        rows.insert(2, ("trained", "parameters", (moved, whole, moved / whole)))
    device = _mapping(facts, "machine").get("device_name")
    if device:
        rows.append(("device", "", device))
    return rows


def _yaml(recipe: Any) -> str:
    if not isinstance(recipe, Mapping) or not recipe:
        return ""
    import yaml

    return str(yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=100))


def _plain(value: Any) -> str:
    """A value of the plan or the recipe in a table."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return ", ".join(_plain(v) for v in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


__all__ = ["Speaker", "html", "style", "template", "visible"]
