"""Tunes on a file of questions in Spanish, shows the scores, and asks the model about a text of yours.

    python examples/preguntas/ask.py FILE [--limit 2400] [--epochs 1] [--home FOLDER]

``FILE`` has SQuAD's form (https://rajpurkar.github.io/SQuAD-explorer/); SQUAD_ES may name it instead.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import afina

RECIPE = Path(__file__).with_name("recipe.yaml")
TEXT = (
    "El acueducto de Segovia fue construido por los romanos hacia el año 112, en tiempos del emperador "
    "Trajano. Tiene 167 arcos de granito y llevaba el agua desde la sierra de Guadarrama."
)
QUESTIONS = (
    "¿Quién construyó el acueducto?",
    "¿Cuántos arcos tiene?",
    "¿De dónde venía el agua?",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("file", nargs="?", default=os.environ.get("SQUAD_ES"))
    options.add_argument("--limit", type=int, help="use this many questions")
    options.add_argument("--epochs", type=int)
    options.add_argument("--base", help="another base model")
    options.add_argument("--home", type=Path)
    asked = options.parse_args()
    if asked.file is None:
        options.error("name a file of SQuAD's form, or set SQUAD_ES")
    knobs: dict[str, Any] = {"data.train": str(Path(asked.file).resolve()), "train.threads": 1}
    for key, value in (
        ("data.limit", asked.limit),
        ("train.epochs", asked.epochs),
        ("base", asked.base),
    ):
        if value is not None:
            knobs[key] = value
    run = afina.run(RECIPE, set=knobs, home=asked.home, say=print)
    assert run.report is not None
    for candidate in run.report.candidates:
        scores = candidate.scores.items()
        print(
            f"{candidate.name:10}",
            *(f"{n} {s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" for n, s in scores),
        )
    print(run.verdict)
    rows = [{"question": question, "context": TEXT} for question in QUESTIONS]
    for question, answer in zip(QUESTIONS, run.predict(rows), strict=True):
        print(question, "→", answer.text)


if __name__ == "__main__":
    main()
