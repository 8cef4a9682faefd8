"""The house of the example: what its rooms, devices, lists and people are called in Spanish.

The templates of Home Assistant have holes for these words and leave them to each home. Every noun
carries gender and number, so that the sentences made from it agree ("la luz del salón").
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A name and its grammar. ``form``: ``ms fs mp fp``, or ``""`` for what takes no article.

    ``domain`` is the kind of device in Home Assistant's words; templates ask for it. Of music and
    films it holds the words that may stand before the title.
    """

    text: str
    form: str = ""
    domain: str = ""


def _nouns(form: str, words: str, domain: str = "") -> tuple[Noun, ...]:
    return tuple(Noun(word.strip(), form, domain) for word in words.split(","))


AREAS = (
    *_nouns("fs", "cocina, terraza, entrada, oficina"),
    *_nouns("ms", "salón, comedor, baño, pasillo, garaje, dormitorio"),
)
DEVICES = (
    *_nouns("fs", "lámpara de pie, tira led", "light"),
    *_nouns("ms", "flexo, farol", "light"),
    *_nouns("fs", "cafetera, lavadora", "switch"),
    *_nouns("ms", "horno, calefactor", "switch"),
    *_nouns("fs", "tele, radio", "media_player"),
    *_nouns("ms", "altavoz, proyector", "media_player"),
    *_nouns("ms", "termostato, radiador", "climate"),
    *_nouns("ms", "robot", "vacuum"),
    *_nouns("", "Sevilla, Bilbao, Murcia, Bogotá, Lima, Vigo", "weather"),
)
KINDS = frozenset({"light", "cover"})
"""What the house has several of, so that one may speak of all of them ("las luces del salón")."""
ABSENT = frozenset(
    {
        "color_temperature",
        "color_temperature_names",
        "fan_speed",
        "floor",
        "lock_states",
        "media_class",
        "todo_list_item",
        "zone",
    }
)
"""Lists of the templates that this house has no use for: it is a flat, without floors or locks."""

WORDS: dict[str, tuple[Noun, ...]] = {
    "area": AREAS,
    "name": DEVICES,
    "timer_name": _nouns("", "pasta, arroz, pizza, siesta, deberes, huevos, yoga, té"),
    "timer_command": _nouns(
        "",
        "apaga la tele, enciende el horno, apaga la radio, enciende la cafetera, apaga las luces",
    ),
    "shopping_list_item": _nouns(
        "",
        "leche, pan, huevos, tomates, café, aceite de oliva, arroz, manzanas, yogures, jabón, "
        "patatas, queso fresco, cebollas, harina, servilletas, atún, galletas, papel de cocina",
    ),
    "search_query": _nouns(
        "",
        "Rosalía, Vetusta Morla, Estopa, Bebo Valdés, Manu Chao, Camarón, Joaquín Sabina, Mecano, "
        "Paco de Lucía, Chavela Vargas, Los Planetas, La Casa Azul",
    ),
}
"""What goes into the holes that take words, by the name of the list in the templates."""

NUMBERS: dict[str, tuple[int, ...]] = {
    "temperature": tuple(range(16, 29)),
    "brightness": tuple(range(5, 101, 5)),
    "volume": tuple(range(5, 101, 5)),
    "volume_step_up": (5, 10, 15, 20, 25, 30, 40),
    "volume_step_down": (5, 10, 15, 20, 25, 30, 40),
    "timer_seconds": (5, 10, 15, 20, 30, 35, 40, 45, 50, 55),
    "timer_minutes": (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50),
    "timer_hours": (2, 3, 4, 5, 6, 8, 10, 12),
}
"""Values that people say, of the wider ranges that the templates take."""
