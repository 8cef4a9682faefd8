"""Whether a drawn sentence is Spanish that somebody would say; if not, which rule it breaks.

The templates accept more than anybody says ("enciende las luz cocina"): right for understanding,
wrong for examples. Nothing is mended here: a sentence that breaks a rule is thrown away, counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from templates import Drawn, Word

_NOUNS = {
    "fs": "luz lámpara bombilla temperatura cuenta música pista canción velocidad posición lista "
    "fecha persiana cortina puerta ventana aspiradora base cerradura llave película peli serie "
    "petición reproducción escena compra persona hora",
    "ms": "foco ventilador temporizador volumen tema vídeo elemento brillo color silencio sonido "
    "audio listado día tiempo estado valor aspirador toldo estor álbum disco artista podcast "
    "programa reproductor calor frío cerrojo pestillo mundo interruptor dato",
}
_PLURALS = {"luz": "luces", "canción": "canciones"}
_SINGULAR = {noun: form for form, words in _NOUNS.items() for noun in words.split()}
FORMS = _SINGULAR | {
    _PLURALS.get(noun, noun + ("s" if noun[-1] in "aeiou" else "es")): form[0] + "p"
    for noun, form in _SINGULAR.items()
}
"""Gender and number (``ms fs mp fp``) of the nouns that the templates bring along."""

_DETERMINERS = {
    "el": "ms", "la": "fs", "los": "mp", "las": "fp", "del": "ms", "al": "ms", "un": "ms",
    "una": "fs", "todos": "mp", "todas": "fp", "cuántos": "mp", "cuántas": "fp", "algún": "ms",
    "alguna": "fs", "este": "ms", "esta": "fs", "mi": "?s", "mis": "?p",
}  # fmt: skip
_ARTICLES = {"el", "la", "los", "las", "del", "al"}
_BARE = {
    ("hay", "p"), ("qué", "p"), ("qué", "temperatura"), ("qué", "hora"), ("qué", "día"),
    ("qué", "fecha"), ("qué", "tiempo"), ("en", "silencio"), ("en", "color"), ("de", "color"),
    ("a", "color"), ("con", "llave"), ("con", "cerrojo"), ("con", "brillo"), ("de", "compras"),
    ("cuántas", "p"), ("cuántos", "p"), ("hace", "calor"), ("hace", "frío"),
    ("", "hora"), ("", "tiempo"), ("", "estado"), ("color", "luz"),
}  # fmt: skip
"""Where a noun stands without a determiner: the word before, and the noun or its number."""

_LEADS = {
    "brightness": ("a", "al", "brillo"),
    "color": ("a", "en", "color"),
    "temperature": ("a", "de", "en"),
    "volume_level": ("a", "al"),
    "volume_step": ("un", "en"),
}
"""The words that lead to a value, by slot."""
_PLACE_AS_OBJECT = {"HassTurnOn", "HassTurnOff", "HassLightSet"}
_INFINITIVE = re.compile("[a-záéíóúñ]+(ar|er|ir)(me)?")
_UNIT = re.compile("(hora|minuto|segundo)(s?)")
_STATE = re.compile("(?:ad|id|ert)([oa])(s?)\\b")
_VERBS = {"está": "s", "es": "s", "va": "s", "están": "p", "son": "p", "van": "p"}
_GLUED = re.compile(r"\b(paus|par|det|salt|cont|sig|segu|rean)\w*[aeáéirn](en|del?|el|la|con)\b")

_TURNS = {
    "articles and prepositions that do not follow each other": (
        r"\b(de el|a el|de del|en en|en del|de de|al el|al la|a al|de?l? est[ea])\b",
        r"\b(el|la|los|las|del|al|un|una|mis?) (el|la|los|las|un|una|mis?)\b",
        r"\b(qué|hay|lo|restante|cuánt[oa]s?) (el|la|los|las|mis?)\b",
        r"\btodas? (en|de)\b",
        r"^(el|la|los|las|un|una|mis?|de|del) ",
        r"estado para",
    ),
    "words that are rare, misspelt or half a word": (
        r"\b(actual(mente)?|ahora mismo|denominad[oa]|hacen|hech(a|os|as)|lo)\b",
        r"\b(porcien|porciento|por cien|script|video)\b",
        r"^(que (le|tiempo|falta|queda|resta)|cuanto|cual|como|cuales|indíque)\b",
    ),
    "measures": (
        r"[0-9](k| °| k)|\b(temperatura|brillo|volumen|velocidad) [0-9]",
        r"\b(horas?|minutos?) ([0-9]|un\b|una\b)",
        r"^(añad|agreg|apunt|pon|quit|rest|crea|inici)\w* .*\b(en|por) ([0-9]|una?\b|medi|tres)",
        r"^\w+ (en|por) ([0-9]|una?\b|medi|tres)|(temporizador|cuenta atrás).* dentro de",
    ),
    "questions and orders of one kind": (
        r"^(a qué|cuánt\w+|qué) (la )?temperatura (?!hace\b)|^a qué temperatura hace",
        r"hace (calor|frío) del?\b|el día$|(es|cómo va) el día",
        r"^(cuál es|cuáles son) (el |la |los |las )?(de|del|para|mis?|temporizador(es)?|cuenta)\b",
    ),
}
"""Turns that the templates allow and nobody uses."""
_ODD = re.compile("|".join(turn for turns in _TURNS.values() for turn in turns))


def fault(drawn: Drawn) -> str:
    """The first rule that a sentence breaks, or nothing."""
    if _ODD.search(drawn.text):
        return "a turn that nobody uses"
    if _GLUED.search(drawn.text) or _glued_value(drawn):
        return "words run together"
    if _unfit(drawn):
        return "words that do not fit"
    positions = range(len(drawn.words))
    broken = (name for name, rule in _RULES.items() if any(rule(drawn, i) for i in positions))
    return next(broken, "")


def infinitive(text: str) -> bool:
    """Whether a sentence begins with an infinitive ("encender la luz")."""
    return _INFINITIVE.fullmatch(text.split()[0]) is not None


def form(word: Word) -> str:
    """Gender and number of a noun, known from the house or from the list above."""
    return word.form or FORMS.get(word.text.split()[0], "")


def _before(drawn: Drawn, position: int) -> str:
    return drawn.words[position - 1].text if position > 0 else ""


def _agree(wanted: str, has: str) -> bool:
    return bool(has) and wanted[1] == has[1] and wanted[0] in ("?", has[0])


def _glued_value(drawn: Drawn) -> bool:
    values = (re.escape(word.text) for word in drawn.words if word.slot)
    return any(re.search(f"[a-záéíóúñ]{value}", drawn.text) for value in values)


def _unfit(drawn: Drawn) -> bool:
    """Words that do not belong together: a window that is lifted, a device that is a question."""
    slots = {word.slot: word for word in drawn.words}
    moved, name = slots.get("device_class"), slots.get("name")
    if moved and drawn.text.startswith(("sub", "baj")):
        return not moved.text.startswith(("persiana", "toldo"))
    if drawn.template.intent == "HassSetVolume" and "volumen" not in drawn.text:
        return True
    asked = name is not None and drawn.text.startswith(("cuál es", "dime el", "dime la"))
    return asked and not {"estado", "valor", "temperatura", "tiempo"} & set(drawn.text.split())


def _determiner(drawn: Drawn, i: int) -> bool:
    """A determiner that does not agree with its noun, or has none."""
    word = drawn.words[i]
    wanted = "" if word.slot else _DETERMINERS.get(word.text, "")
    rest = drawn.words[i + 1 :]
    if not wanted:
        return False
    if not rest:
        return True
    noun = rest[0]
    if word.text in ("todos", "todas"):
        return noun.text != "en" and _DETERMINERS.get(noun.text) != wanted
    if noun.text[0].isdigit() or noun.slot == "brightness":
        return word.text not in ("al", "un")
    return not _agree(wanted, form(noun))


def _article(drawn: Drawn, i: int) -> bool:
    """A noun that needs a determiner and has none, or a proper name that has one."""
    word, before = drawn.words[i], _before(drawn, i)
    if word.slot in ("area", "name") and word.form:
        return before not in _ARTICLES
    if word.slot in ("name", "search_query", "item"):
        return before in _DETERMINERS
    counted = i > 0 and bool(drawn.words[i - 1].slot and _UNIT.fullmatch(word.text))
    if not form(word) or counted or before in _DETERMINERS:
        return False
    return not {(before, word.text), (before, form(word)[1])} & _BARE


def _place(drawn: Drawn, i: int) -> bool:
    """A place that hangs on nothing: "desconecta del baño", "sube la terraza la música"."""
    words = drawn.words
    if words[i].slot != "area":
        return False
    at = i - 1 if _before(drawn, i) == "del" else i - 2
    link = words[at].text if at >= 0 else ""
    if link in ("de", "del"):
        return at == 0 or not (form(words[at - 1]) or words[at - 1].text == "atrás")
    if link == "en":
        return at == 1
    more = any(word.text in ("el", "la", "los", "las") for word in words[i + 1 :])
    return at != 0 or more or drawn.template.intent not in _PLACE_AS_OBJECT


def _unit(drawn: Drawn, i: int) -> bool:
    """ "2 hora", "un horas", "cuarto minuto", "5 horas y medio", "temporizador 5 minutos"."""
    words = drawn.words
    word, before = words[i], _before(drawn, i)
    if word.slot.removeprefix("start_") not in ("hours", "minutes", "seconds"):
        return False
    if word.slot.startswith("start_") and before not in ("de", "para"):
        return True
    unit = _UNIT.fullmatch(words[i + 1].text) if i + 1 < len(words) else None
    part = word.text.startswith(("medi", "cuarto", "tres"))
    if not part:
        return unit is None or (word.text in ("un", "una")) == bool(unit.group(2))
    if unit is not None:
        half = "media" if unit.group(1) == "hora" else "medio"
        whole = unit.group(1) != "segundo" and not unit.group(2) and before != "y"
        return not whole or word.text not in (half, "tres cuartos de")
    units = [w.text for w in words[:i] if _UNIT.fullmatch(w.text)]
    half = "media" if units and units[-1].startswith("hora") else "medio"
    return before != "y" or word.text not in (half, "cuarto")


def _agreement(drawn: Drawn, i: int) -> bool:
    """State, participle and verb agree with what they are said of."""
    word = drawn.words[i]
    if word.text in ("llamado", "llamada"):
        named = next((form(w) for w in reversed(drawn.words[:i]) if form(w)), "")
        return not _agree("ms" if word.text == "llamado" else "fs", named)
    subject = next((w for w in drawn.words if form(w) and w.slot != "area"), None)
    if subject is None:
        return False
    if word.slot == "state" and not word.form and (end := _STATE.search(word.text)):
        return form(subject) != ("m" if end.group(1) == "o" else "f") + (
            "p" if end.group(2) else "s"
        )
    if not word.slot and word.text in _VERBS:
        return _VERBS[word.text] != form(subject)[1]
    return False


def _run_on(drawn: Drawn, i: int) -> bool:
    """A noun right after another: "sube una hora la cuenta atrás"."""
    word = drawn.words[i]
    if i == 0 or word.slot or word.text not in ("el", "la", "los", "las", "mi", "mis"):
        return False
    before = drawn.words[i - 1]
    noun = form(before) or _UNIT.fullmatch(before.text)
    return bool(noun)


def _value(drawn: Drawn, i: int) -> bool:
    """A value without the word that leads to it: "pon el foco 30", "pon el flexo verde"."""
    word, before = drawn.words[i], _before(drawn, i)
    if word.slot == "brightness" and not word.text.isdigit():
        return before != "al"
    return word.slot in _LEADS and before not in _LEADS[word.slot]


_RULES: dict[str, Callable[[Drawn, int], bool]] = {
    "article and noun": _determiner,
    "missing or needless article": _article,
    "place without a preposition": _place,
    "number and unit": _unit,
    "agreement of state or verb": _agreement,
    "noun after noun": _run_on,
    "value without its preposition": _value,
}
