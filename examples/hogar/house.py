"""The house of the example: what its rooms, devices, lists and people are called in Spanish.

The templates of Home Assistant have holes for these words and leave them to each home. Every noun
carries gender and number, so that the sentences made from it agree ("la luz del salón").
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Noun:
    """A name and its grammar. ``form``: ``ms fs mp fp``, or ``""`` for what takes no article.

    ``domain`` is the kind of device in Home Assistant's words, which templates ask for; for music
    and films, the words that may stand before the title. Of music and
    films it holds the words that may stand before the title.
    """

    text: str
    form: str = ""
    domain: str = ""


def _nouns(form: str, words: str, domain: str = "") -> tuple[Noun, ...]:
    return tuple(Noun(word.strip(), form, domain) for word in words.split(","))


AREAS = (
    *_nouns("fs", "cocina, terraza, entrada, oficina, lavandería, despensa, biblioteca"),
    *_nouns("ms", "salón, comedor, baño, pasillo, garaje, dormitorio, despacho, jardín"),
)
FLOORS = (
    *_nouns("fs", "planta baja, primera planta, segunda planta, buhardilla, azotea"),
    *_nouns("ms", "sótano, ático"),
)
DEVICES = (
    *_nouns("fs", "lámpara de pie, lamparita roja, tira led, guirnalda", "light"),
    *_nouns("ms", "plafón, aplique, flexo, farol", "light"),
    *_nouns("fs", "cafetera, lavadora, freidora", "switch"),
    *_nouns("ms", "enchufe, horno, lavavajillas", "switch"),
    *_nouns("ms", "ventilador de techo, extractor", "fan"),
    *_nouns("fs", "tele, radio", "media_player"),
    *_nouns("ms", "altavoz, proyector, tocadiscos", "media_player"),
    *_nouns("ms", "termostato, aire acondicionado, radiador", "climate"),
    *_nouns("fs", "persiana eléctrica, claraboya, puerta corredera", "cover"),
    *_nouns("ms", "toldo grande, estor blanco", "cover"),
    *_nouns("fs", "llave del gas, válvula del riego", "valve"),
    *_nouns("fs", "puerta principal, puerta trasera, caja fuerte", "lock"),
    *_nouns("ms", "trastero, cobertizo", "lock"),
    *_nouns("ms", "robot, conga", "vacuum"),
    *_nouns("ms", "humidificador, medidor de luz", "sensor"),
    *_nouns("fs", "puerta del balcón, ventana del fondo", "binary_sensor"),
    *_nouns("ms", "sensor de movimiento, sensor de humo", "binary_sensor"),
    *_nouns("", "noche de cine, buenas noches, lectura, fiesta", "scene"),
    *_nouns("fs", "rutina de mañana, rutina de noche", "script"),
    *_nouns("", "Marta, Javier, Lucía, Andrés, Inés", "person"),
    *_nouns("", "tareas, regalos, recados, libros, ideas, facturas", "todo"),
    *_nouns("", "Sevilla, Bilbao, Murcia, Bogotá, Lima, Vigo", "weather"),
)
ZONES = (
    Noun("casa"),
    *_nouns("ms", "trabajo, colegio, gimnasio, parque, hospital"),
    *_nouns("fs", "oficina, universidad, playa, piscina"),
)

WORDS: dict[str, tuple[Noun, ...]] = {
    "area": AREAS,
    "floor": FLOORS,
    "name": DEVICES,
    "zone": ZONES,
    "timer_name": _nouns(
        "", "pasta, arroz, pizza, lavadora, siesta, deberes, huevos, yoga, té, bizcocho"
    ),
    "timer_command": _nouns(
        "",
        "apaga la tele, enciende el horno, cierra la puerta, abre el toldo, apaga la radio, "
        "enciende la cafetera, sube la persiana, apaga las luces",
    ),
    "shopping_list_item": _nouns(
        "",
        "leche, pan, huevos, tomates, café, aceite de oliva, arroz, manzanas, yogures, papel de "
        "cocina, jabón, patatas, queso fresco, cebollas, harina, servilletas, atún, galletas",
    ),
    "todo_list_item": _nouns(
        "",
        "pagar la luz, llamar al dentista, regar las plantas, lavar el coche, comprar entradas, "
        "pasear al perro, planchar, renovar el seguro, reservar mesa, coser la falda",
    ),
    "search_query": (
        *_nouns("", "Rosalía, Vetusta Morla, Estopa, Bebo Valdés, Manu Chao, Camarón", "artista"),
        *_nouns("", "Motomami, El mal querer, Mediterráneo, Entre mareas", "álbum disco"),
        *_nouns("", "Bailando, Despacito, Volare, Lobo hombre en París, Malamente", "canción"),
        *_nouns("", "Entiende tu mente, Nadie sabe nada, Crims", "podcast"),
        *_nouns("", "Volver, Torrente, Ocho apellidos vascos, Mar adentro", "película peli"),
        *_nouns("", "Aquí no hay quien viva, Élite, La casa de papel", "serie"),
    ),
}
"""What goes into the holes that take words, by the name of the list in the templates."""

NUMBERS: dict[str, tuple[int, ...]] = {
    "temperature": tuple(range(16, 29)),
    "position": tuple(range(5, 101, 5)),
    "fan_speed": tuple(range(10, 101, 5)),
    "brightness": tuple(range(5, 101, 5)),
    "color_temperature": (2200, 2700, 3000, 3500, 4000, 5000, 6500),
    "volume": tuple(range(5, 101, 5)),
    "volume_step_up": (5, 10, 15, 20, 25, 30, 40),
    "volume_step_down": (5, 10, 15, 20, 25, 30, 40),
    "timer_seconds": (5, 10, 15, 20, 30, 35, 40, 45, 50, 55),
    "timer_minutes": (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50),
    "timer_hours": (2, 3, 4, 5, 6, 8, 10, 12),
}
"""Values that people say, of the wider ranges that the templates take."""
