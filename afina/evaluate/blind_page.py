"""The page of a blind comparison: one file that works without a network, opened from a disk.

Its policy allows the one script that stands in it; questions and answers are data, shown as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from afina.evaluate.blind import Key, rows_of
from afina.evaluate.figures import Language
from afina.evaluate.page import template

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Which answer is better?", "¿Qué respuesta es mejor?"),
    "about": (
        "Read the question and both answers, and choose. Who wrote which is hidden and changes from "
        "one question to the next. Your choices stay on this machine until you save them in a file.",
        "Lea la pregunta y las dos respuestas, y elija. Quién escribió cada una está oculto y cambia de "
        "una pregunta a otra. Lo elegido se queda en este equipo hasta que lo guarde en un fichero.",
    ),
    "name": ("Your name", "Su nombre"),
    "no_name": ("Write your name first.", "Escriba antes su nombre."),
    "question": ("Question", "Pregunta"),
    "answer": ("Answer", "Respuesta"),
    "better_a": ("A is better", "A es mejor"),
    "better_b": ("B is better", "B es mejor"),
    "tie": ("Equally good", "Igual de buenas"),
    "back": ("Back", "Atrás"),
    "next": ("Next", "Siguiente"),
    "open": ("Next open question", "Siguiente sin elegir"),
    "left": ("Still open:", "Faltan por elegir:"),
    "complete": ("All are chosen: save the file.", "Está todo elegido: guarde el fichero."),
    "save": ("Save the choices in a file", "Guardar lo elegido en un fichero"),
    "empty": ("(empty answer)", "(respuesta vacía)"),
}
"""Every word of the page, in English and Spanish."""


def blind_page(key: Key, language: Language) -> str:
    """The form of a key as HTML; nothing of the key stands in it."""
    from markupsafe import Markup

    script = _part("blind.js")
    rows = [{k: row[k] for k in ("item", "question", "a", "b")} for row in rows_of(key)]
    data = {"form": key.form, "language": language, "words": WORDS, "items": rows}
    plain = json.dumps(data, ensure_ascii=True).replace("<", "\\u003c")
    return str(
        template("blind.html").render(
            form=key.form,
            language=language,
            style=Markup(_part("blind.css")),
            script=Markup(script),
            script_sha256=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data=Markup(plain),
        )
    )


def _part(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text("utf-8")
