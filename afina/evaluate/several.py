"""The reports of several tasks that one model learned, and the one verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from afina.evaluate.figures import LANGUAGES, language_named
from afina.evaluate.page import style, template
from afina.evaluate.report import Report, Verdict
from afina.evaluate.speaker import Speaker
from afina.evaluate.statement import Statement
from afina.evaluate.words import WORDS


@dataclass(frozen=True)
class Reports:
    """A report for each task by its name. One model is used or not: it ships if every task does."""

    tasks: Mapping[str, Report]

    @property
    def verdict(self) -> Verdict:
        found = {report.verdict for report in self.tasks.values()}
        if "hold" in found:
            return "hold"
        return "ship" if found == {"ship"} else "unproven"

    @property
    def reasons(self) -> tuple[Statement, ...]:
        """The tasks that decide it."""
        names = [name for name, each in self.tasks.items() if each.verdict == self.verdict]
        return (Statement(f"tasks_{self.verdict}", {"tasks": ", ".join(names)}),)

    def as_dict(self) -> dict[str, Any]:
        """The ``report`` object of a run of several tasks: ``tasks`` holds that of each."""
        return {
            "verdict": self.verdict,
            "reason": " ".join(reason.say("en") for reason in self.reasons),
            "statements": {"reasons": [reason.as_dict() for reason in self.reasons]},
            "tasks": {name: report.as_dict() for name, report in self.tasks.items()},
        }


def together(reports: Mapping[str, Report]) -> Report | Reports:
    """The report of a run: the only one (``""``), or all of them."""
    return reports[""] if "" in reports else Reports(reports)


def by_task(value: Mapping[str, Any]) -> dict[str, Any]:
    """The plain reports in a plain report, by task; ``""`` for the only one."""
    return dict(value["tasks"]) if "tasks" in value else {"": value}


def read_report(value: Mapping[str, Any]) -> Report | Reports:
    """Read back what ``as_dict`` of either wrote."""
    return together({name: Report.from_dict(each) for name, each in by_task(value).items()})


def html_of_several(reports: Reports, facts: Mapping[str, Any], language: str = "en") -> str:
    """The page of a run of several tasks: the verdict, the candidates of each task, and the way to the
    whole page of each (``report-NAME.html``). ``facts`` and errors: as for ``page.html``."""
    first = language_named(language)
    value = reports.as_dict()
    return str(
        template("several.html").render(
            several=value,
            tasks=value["tasks"],
            facts=facts,
            language=first,
            style=style(),
            w=Speaker("span"),
            words={key: pair[LANGUAGES.index(first)] for key, pair in WORDS.items()},
        )
    )
