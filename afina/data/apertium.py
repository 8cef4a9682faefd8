"""Translation by Apertium (Forcada et al. 2011), where Debian's package has put it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from afina.errors import MachineError

CODES = {"en": "eng", "es": "spa"}
MODES = Path("/usr/share/apertium/modes")
SECONDS_FOR_A_TEXT = 1.0
"""After so long for each text, and a minute, the engine hangs."""


def translate(texts: Sequence[str], source: str, target: str) -> list[str]:
    """Each text from one language into the other (``en``, ``es``), its lines kept apart.

    Raises MachineError where the engine or its language pair is missing, or where it fails.
    """
    pair = f"{CODES[source]}-{CODES[target]}"
    engine = shutil.which("apertium")
    if engine is None or not (MODES / f"{pair}.mode").is_file():
        raise MachineError(
            f"Apertium's translation {pair} is not on this machine",
            where="data.augment.by: back_translation",
            do="apt-get install apertium-eng-spa, or name a model: data.augment.model",
        )
    lines = [line for text in texts for line in text.split("\n")]
    try:
        done = subprocess.run(
            [engine, "-n", "-u", "-f", "line", pair],
            input="\n".join(lines) + "\n",
            capture_output=True,
            encoding="utf-8",
            timeout=60 + SECONDS_FOR_A_TEXT * len(texts),
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeError) as error:
        raise _failed(pair, type(error).__name__) from None
    found = done.stdout.removesuffix("\n").split("\n")
    if len(found) != len(lines):
        raise _failed(pair, f"{len(found)} lines came back for {len(lines)}")
    out, rest = [], iter(found)
    for text in texts:
        out.append("\n".join(next(rest).strip() for _ in text.split("\n")))
    return out


def _failed(pair: str, why: str) -> MachineError:
    return MachineError(
        f"Apertium could not translate {pair}: {why}",
        where="data.augment.by: back_translation",
        do=f"try it by hand: echo hello | apertium {pair}; or name a model: data.augment.model",
    )
