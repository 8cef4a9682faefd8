"""What ``afina doctor`` looks at. Every finding: what it is, its state, and what to do.

States: ``good``, ``note`` (works, worth knowing), ``bad`` (a run cannot work).
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Finding = dict[str, str]
OPTIONAL = {
    "bitsandbytes": "method: qlora",
    "datasets": "data of the Hugging Face Hub",
    "optuna": "afina sweep",
    "psycopg": "a PostgreSQL registry",
    "hassil": "examples/hogar",
    "home-assistant-intents": "examples/hogar",
}
"""Packages that only some work needs, and which."""
LEAST_FREE_BYTES = 2_000_000_000


def everything(home: Path) -> dict[str, Any]:
    """All findings, and the machine as the plan will see it (None without PyTorch)."""
    findings = [python(), *packages(), home_folder(home), cache(), hub()]
    machine, found = machine_of(home)
    return {"findings": [*findings, *found], "machine": machine}


def finding(name: str, state: str, what: str, do: str = "") -> Finding:
    return {"name": name, "state": state, "what": what, "do": do}


def python() -> Finding:
    shown = f"{platform.python_version()} at {sys.executable}"
    if sys.flags.optimize:
        return finding("python", "note", f"{shown}, with -O: inner checks are off")
    return finding("python", "good", shown)


# ---------------------------------------------------------------------------- packages


def tested_versions() -> dict[str, str]:
    """The versions that Afina is tested with (``constraints.txt`` of the repository)."""
    text = files("afina.cli").joinpath("tested.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def packages() -> list[Finding]:
    """Afina and each package it needs: which version is here, which one was tested."""
    tested = tested_versions()
    try:
        wanted = required_names(metadata.requires("afina") or [])
        found = [finding("afina", "good", metadata.version("afina"))]
    except metadata.PackageNotFoundError:
        wanted = {name: "" for name in tested if name not in OPTIONAL}
        found = [finding("afina", "note", "not installed: runs from its source", "make setup")]
    found += [_package(name, least, tested.get(name, "")) for name, least in wanted.items()]
    return found + [_optional(name, use, tested.get(name, "")) for name, use in OPTIONAL.items()]


def required_names(lines: Iterable[str]) -> dict[str, str]:
    """Package and least version from lines such as ``torch>=2.10``; extras are left out."""
    found = {}
    for line in lines:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[.*?\])?\s*(?:>=\s*([0-9.]+))?", line)
        if match and ";" not in line:
            found[match[1].lower()] = match[2] or ""
    return dict(sorted(found.items()))


def _package(name: str, least: str, tested: str) -> Finding:
    remedy = "install Afina again: make setup, or pip install afina"
    try:
        have = metadata.version(name)
    except metadata.PackageNotFoundError:
        return finding(name, "bad", "not installed", remedy)
    if least and _numbers(have) < _numbers(least):
        return finding(name, "bad", f"{have} is older than {least}", remedy)
    return _against_tested(name, have, tested)


def _optional(name: str, use: str, tested: str) -> Finding:
    try:
        have = metadata.version(name)
    except metadata.PackageNotFoundError:
        return finding(name, "note", f"not installed; only {use} needs it", f"pip install {name}")
    return _against_tested(name, have, tested)


def _against_tested(name: str, have: str, tested: str) -> Finding:
    if tested and _numbers(have) != _numbers(tested):
        return finding(name, "note", f"{have} (tested with {tested})")
    return finding(name, "good", have)


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13, 0)."""
    return tuple(int(n) for n in re.findall(r"\d+", version.split("+")[0])[:3])


# ---------------------------------------------------------------------------- disk


def home_folder(home: Path) -> Finding:
    """Whether the home can be written, or made, and how much room it has."""
    import shutil

    existing = home.resolve()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return finding(
            "home", "bad", f"{home} cannot be written", "set --home or AFINA_HOME to another folder"
        )
    free = shutil.disk_usage(existing).free
    shown = f"{home.resolve()}, {free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return finding("home", "note", shown, "a run with its base may need more: free some space")
    return finding("home", "good", shown)


def cache() -> Finding:
    """Where base models are kept, and how much they take."""
    from afina.errors import AfinaError
    from afina.models.base_cache import cache_folder

    try:
        folder = cache_folder()
    except AfinaError as error:
        return finding("cache", "bad", str(error.what), error.do)
    taken = (
        sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) if folder.exists() else 0
    )
    return finding("cache", "good", f"{folder}, {taken / 1e9:.1f} GB of base models")


# ---------------------------------------------------------------------------- network


def hub() -> Finding:
    """Whether the Hugging Face Hub answers, asked for two seconds at most."""
    from afina.data.hub_address import endpoint, is_switched_off, why_cut_off

    host = urlsplit(endpoint()).hostname or endpoint()
    if is_switched_off():
        return finding("hub", "note", "not asked: HF_HUB_OFFLINE is set")
    if not (reason := why_cut_off()):
        return finding("hub", "good", f"{host} answers")
    return finding(
        "hub",
        "note",
        f"{host} cannot be reached: {reason}",
        "bases come from packages, folders and .gguf files: afina models list",
    )


# ---------------------------------------------------------------------------- the machine


def machine_of(home: Path) -> tuple[dict[str, Any] | None, list[Finding]]:
    """The machine as measured by the plan, and what it means for training."""
    try:
        from afina.train.machine import probe
    except ImportError as error:
        return None, [finding("machine", "bad", f"cannot be measured: {error}", "make setup")]
    machine = probe("auto", home).as_dict()
    ratio = machine["bfloat16_gflops"] / max(machine["float32_gflops"], 1e-9)
    precision = (
        f"bfloat16 is {ratio:.1f} times as fast as float32 here"
        if ratio >= 1.1
        else "bfloat16 is no faster than float32 here: training stays in float32"
    )
    return machine, [
        finding(
            "machine",
            "good",
            f"{machine['device_name']} ({machine['device']}), {machine['cores']} cores, "
            f"{machine['free_memory_bytes'] / 1e9:.1f} of {machine['memory_bytes'] / 1e9:.1f} GB "
            "memory free",
        ),
        finding(
            "speed",
            "good",
            f"{machine['float32_gflops']:,.0f} Gflop/s in float32, "
            f"{machine['bfloat16_gflops']:,.0f} in bfloat16; {precision}",
        ),
    ]
