"""Promote: a name for the model of a run, unless its report says that it should be held."""

from __future__ import annotations

from pathlib import Path

from afina.errors import RunError


def promote(home: Path, ref: str, name: str, *, anyway: bool = False) -> str:
    """Give a run a name; returns the run's id.

    Raises RunError for a run that has not succeeded, and for one whose verdict is ``hold`` unless
    ``anyway``. A run that was never measured has no verdict, and may have a name.
    """
    from afina.store import Registry, Run

    run = Run.open(home, ref)
    if not anyway and (run.folder / "report.json").is_file():
        report = run.read("report.json")
        if report["verdict"] == "hold":
            raise RunError(
                f"the verdict is hold: {report['reason']}",
                where=run.id,
                do=f"see {run.folder / 'report.html'}; to give it the name all the same: --anyway",
            )
    Registry(home).promote(name, run.id)
    return run.id
