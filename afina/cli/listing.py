"""Facts about runs for ``runs``, ``show`` and ``compare``, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError

if TYPE_CHECKING:
    from afina.store import Run


_SUMMARY = ("id", "folder", "status", "name", "task", "method", "base", "metric", "value", "low",
            "high", "verdict")  # fmt: skip


def rows_of(home: Path) -> list[dict[str, Any]]:
    """One row a run folder, the newest first; the status is that of now.

    A run that cannot be read has the status ``unreadable``, and its ``error``.
    """
    from afina.store import Registry, Run
    from afina.store.find import run_folders

    names: dict[str, list[str]] = {}
    if Registry.exists(home):
        for name, run_id in Registry(home).promoted().items():
            names.setdefault(run_id, []).append(name)
    rows = []
    for folder in run_folders(home):
        try:
            row = _summary(Run.open(home, folder))
        except AfinaError as error:  # one broken folder must not hide the others
            row = dict.fromkeys(_SUMMARY) | {"id": folder.name, "folder": str(folder),
                                             "status": "unreadable", "error": error.what}  # fmt: skip
        rows.append({**row, "promoted": sorted(names.get(row["id"], ()))})
    return rows


def _summary(run: Run) -> dict[str, Any]:
    recipe = _recipe(run)
    report = read_if_there(run, "report.json") or {}
    tuned = tuned_scores(report)
    metric = report.get("metric")
    score = tuned.get(metric, {}) if metric else {}
    return {
        "id": run.id,
        "folder": str(run.folder),
        "status": run.status,
        "name": recipe.get("name"),
        "task": (recipe.get("task") or {}).get("name") or ", ".join(recipe.get("tasks") or ()),
        "method": (recipe.get("method") or {}).get("name"),
        "base": _named(recipe.get("base")),
        "metric": metric,
        "value": score.get("value"),
        "low": score.get("low"),
        "high": score.get("high"),
        "verdict": report.get("verdict"),
    }


def facts_of(run: Run) -> dict[str, Any]:
    """Everything about one run that fits on a page."""
    events = [dict(event) for event in run.events()]
    return {
        **_summary(run),
        "run": run.id,
        "recipe": _recipe(run),
        "plan": (read_if_there(run, "plan.json") or {}).get("derived"),
        "estimate": (read_if_there(run, "plan.json") or {}).get("estimate"),
        "train": read_if_there(run, "train.json"),
        "report": read_if_there(run, "report.json"),
        "lineage": read_if_there(run, "lineage.json") or [],
        "error": next((e["error"] for e in reversed(events) if e.get("error")), None),
        "alerts": [e["message"] for e in events if e.get("event") == "overfitting"],
        "files": sorted(
            str(p.relative_to(run.folder)) for p in run.folder.rglob("*") if p.is_file()
        ),
    }


def _named(base: str | None) -> str | None:
    """A base as a person names it: of a run, its id and not its folder."""
    if base is None or not base.startswith("run:"):
        return base
    return f"run:{Path(base.removeprefix('run:')).name}"


def tuned_scores(report: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of the tuned model in a report; none where there is no report."""
    for candidate in report.get("candidates", ()):
        if candidate["name"] == "tuned":
            return dict(candidate.get("scores") or {})
    return {}


def _recipe(run: Run) -> dict[str, Any]:
    from afina import flow

    if not (run.folder / "recipe.yaml").exists():  # killed before anything was written
        return {}
    return flow.recipe_of(run).model_dump(mode="json")


def read_if_there(run: Run, name: str) -> Any:
    """The content of a file of the run; None where it was not written (yet)."""
    return run.read(name) if (run.folder / name).exists() else None
