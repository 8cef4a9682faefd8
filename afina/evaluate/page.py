"""report.html: the whole report as one file that needs nothing else, not even a script.

Language and theme are switched by style alone, so the page's own security policy can forbid every
script; whatever the data or the models wrote is shown as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from afina.evaluate import charts
from afina.evaluate.figures import LANGUAGES, language_named
from afina.evaluate.labels import OUTSIDE
from afina.evaluate.latency import FOR_P95
from afina.evaluate.marks import differences
from afina.evaluate.report import Report
from afina.evaluate.speaker import Speaker, visible
from afina.evaluate.words import WORDS

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
            findings=value.get("findings", ()),
            reliability=_reliability(value),
            data_counts=_data_counts(facts),
            estimate=_estimate(facts),
            training=_training(facts),
            recipe=_yaml(facts.get("recipe")),
            plain_value=_plain,
            outside=OUTSIDE,
            for_p95=FOR_P95,
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


def _reliability(report: Mapping[str, Any]) -> charts.Reliability | None:
    bins = [f["more"]["bins"] for f in report.get("findings", ()) if f["name"] == "calibration"]
    return charts.reliability(bins[0]) if bins else None


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
            ("temperature", "temperature", "plain"),
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
