"""Runs as the registry's tests need them."""

from __future__ import annotations

from pathlib import Path

from afina.store import Registry, Run


def succeeded(home: Path, name: str = "soporte") -> Run:
    run = Run.create(home, name)
    run.set_status("succeeded")
    Registry(home).record(run.id, {"name": name, "folder": str(run.folder), "status": "succeeded"})
    return run
