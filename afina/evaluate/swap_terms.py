"""Words that name a man or a woman, English and Spanish, and first names: what a swap exchanges.

Small on purpose: pairs that stand for each other in nearly any sentence. Spanish nouns go with their
article; an adjective beside them may be left in the other gender. A file of the user's adds others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

ENGLISH = """
he she; himself herself; man woman; men women; boy girl; boys girls; father mother; fathers mothers;
dad mum; son daughter; sons daughters; brother sister; brothers sisters; husband wife; husbands wives;
uncle aunt; nephew niece; grandfather grandmother; grandson granddaughter; boyfriend girlfriend;
gentleman lady; gentlemen ladies; mr mrs; sir madam; king queen; prince princess; actor actress;
waiter waitress; businessman businesswoman; male female; males females
"""
SPANISH = """
hombre mujer; hombres mujeres; señor señora; señores señoras; padre madre; padres madres; hijo hija;
hijos hijas; hermano hermana; hermanos hermanas; marido esposa; niño niña; niños niñas; chico chica;
chicos chicas; muchacho muchacha; tío tía; sobrino sobrina; abuelo abuela; nieto nieta; novio novia;
primo prima; caballero dama; amigo amiga; alumno alumna; profesor profesora; doctor doctora;
abogado abogada; enfermero enfermera; camarero camarera; vecino vecina; compañero compañera;
jefe jefa; trabajador trabajadora; empleado empleada; director directora; médico médica
"""
ALONE = "él ella; ellos ellas; don doña; nosotros nosotras; viudo viuda; soltero soltera"
ARTICLES = (
    "el la; un una; del de_la; al a_la; este esta; ese esa; nuestro nuestra; los las; unos unas; estos "
    "estas; otro otra; buen buena; querido querida"
)
NAMES = """
John Mary; James Emily; Michael Sarah; David Laura; Robert Emma; William Anna; Thomas Alice;
Daniel Lucy; Peter Helen; George Grace; Juan Ana; José María; Carlos Lucía; Luis Carmen; Javier Elena;
Manuel Isabel; Pedro Marta; Miguel Pilar; Antonio Rosa; Francisco Teresa; Pablo Paula; Diego Sofía;
Mohamed Fátima; Jesús Beatriz
"""
NO_NOUN = """
a about after again and are as at because before but by can did do does for from if in into is of on or
out over so than that the then there to up was were what when where who why will with would
"""
"""Words before which ``her`` is ``him``, not ``his``."""

Pairs = Iterable[tuple[str, str]]


def pairs_of(text: str) -> list[tuple[str, str]]:
    """``he she; man woman`` as pairs; an underscore is a space."""
    halves = (pair.split() for pair in text.split(";") if pair.strip())
    return [(one.replace("_", " "), other.replace("_", " ")) for one, other in halves]


def gender_pairs() -> list[tuple[str, str]]:
    """English and Spanish words, Spanish nouns also with each article before them."""
    nouns = pairs_of(SPANISH)
    with_articles = [
        (f"{one} {noun}", f"{other} {partner}")
        for one, other in pairs_of(ARTICLES)
        for noun, partner in nouns
    ]
    return [*pairs_of(ENGLISH), *pairs_of(ALONE), *nouns, *with_articles]


def swapper(pairs: Pairs, *, possessives: bool = False) -> Callable[[str], str]:
    """A function that puts the other of each pair for the one, both ways at once, keeping the case.

    ``possessives``: also his and her, him and her, told apart by the word behind.
    """
    other: dict[str, str] = {}
    for one, two in pairs:
        other.setdefault(one.lower(), two)
        other.setdefault(two.lower(), one)
    if possessives:
        other |= {"his": "her", "him": "her", "her": "his", "hers": "his"}
    longest_first = sorted(other, key=len, reverse=True)
    pattern = re.compile(
        r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)(?=\s*(\w*))",
        re.IGNORECASE,
    )

    def swap(match: re.Match[str]) -> str:
        found = match[1]
        given = other[found.lower()]
        behind = match[2].lower()
        if possessives and found.lower() == "her" and (not behind or behind in NO_NOUN.split()):
            given = "him"
        return in_case_of(found, given)

    return lambda text: pattern.sub(swap, text)


def in_case_of(model: str, word: str) -> str:
    """A word in capitals, with a capital, or small, as the one that it stands for."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    if model[0].isupper():
        return word[0].upper() + word[1:]
    return word[0].lower() + word[1:]


SWAPS: Mapping[str, Callable[[], Callable[[str], str]]] = {
    "gender_words": lambda: swapper(gender_pairs(), possessives=True),
    "first_names": lambda: swapper(pairs_of(NAMES)),
}
"""What is exchanged without a file, by its word on the page."""
