"""How a split was made, said from its facts: in English for the terminal, in both for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["en", "es"]

_PARTS = {
    "train": ("train", "entrenamiento"),
    "validation": ("validation", "validación"),
    "test": ("test", "prueba"),
}
_HOW = {
    "stratified": ("in proportion to the classes", "en proporción a las clases"),
    "no_classes": (
        "at random, as the task has no classes to keep in proportion",
        "al azar, pues la tarea no tiene clases cuya proporción guardar",
    ),
    "random": ("at random", "al azar"),
    "group": (
        "by whole groups of the column {column}",
        "por grupos enteros de la columna {column}",
    ),
    "time": (
        "by the time in the column {column}, the newest rows last",
        "por el tiempo de la columna {column}, con las filas más nuevas al final",
    ),
}
_SENTENCES = {
    "rows": ("{counts} rows", "{counts} filas"),
    "given": ("{parts} from files of their own", "{parts}, de ficheros propios"),
    "divided": (
        "{shares} divided {how}, with seed {seed}",
        "{shares}, repartidas {how}, con la semilla {seed}",
    ),
    "together": (
        "rows whose input is the same but for case, spacing and punctuation{near}{group} stay "
        "together ({rows} rows)",
        "las filas cuya entrada es igual salvo mayúsculas, espacios y puntuación{near}{group} van "
        "juntas ({rows} filas)",
    ),
    "taken": (
        "{rows} rows whose input also stands in {part} were taken out before it",
        "antes se quitaron {rows} filas cuya entrada está también en {part}",
    ),
    "taken_near": (
        "and {rows} that are near duplicates of rows of {part}",
        "y {rows} que son casi iguales a filas de {part}",
    ),
}
_NEAR = (", near duplicates", ", las casi iguales")
_GROUP = (", and rows of one group,", " y las de un mismo grupo")
_AND = (" and ", " y ")


def describe(split: Mapping[str, Any], language: Language = "en") -> str:
    """Sentences about a split. ``split`` as ``Dataset.split`` holds it."""
    at = 0 if language == "en" else 1

    def say(code: str, **values: Any) -> str:
        return _SENTENCES[code][at].format(**values)

    counts = ", ".join(f"{_count(n, at)} {_PARTS[part][at]}" for part, n in split["rows"].items())
    said = [say("rows", counts=counts)]
    if split["given"]:
        said.append(say("given", parts=_AND[at].join(_PARTS[p][at] for p in split["given"])))
    if split["shares"]:
        space = "" if at == 0 else "\u00a0"
        shares = " / ".join(
            f"{100 * share:.0f}{space}% {_PARTS[part][at]}"
            for part, share in split["shares"].items()
        )
        how = _HOW[split["how"]][at].format(column=split["column"])
        said.append(say("divided", shares=shares, how=how, seed=split["seed"]))
        near = _NEAR[at] if split["near"] else ""
        group = _GROUP[at] if split["how"] == "group" else ""
        rows = _count(split["together"], at)
        said.append(say("together", near=near, group=group, rows=rows))
    for part, (same, like) in split["taken"].items():
        said.append(say("taken", rows=_count(same, at), part=_PARTS[part][at]))
        if like:
            said.append(say("taken_near", rows=_count(like, at), part=_PARTS[part][at]))
    return "; ".join(said) + "."


def _count(number: int, at: int) -> str:
    """Digits in threes; in Spanish from five digits on, by a narrow space."""
    text = f"{number:,}"
    return text if at == 0 else text.replace(",", "\u202f" if number >= 10_000 else "")
