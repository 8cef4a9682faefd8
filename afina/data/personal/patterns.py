"""What personal data look like, kind by kind: a pattern, and what must hold of what it matches.

Names of people are not among them: no pattern tells them. A pattern with a check digit is believed
wherever it stands; one without stands in the form that people write, or after a word that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from afina.data.personal import checksums
from afina.data.personal.checksums import IBAN_LENGTHS

Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]
BEFORE = 48
"""Characters before a number in which a word may say what it is."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of personal data."""

    name: str
    needs: str
    """A character class of which every instance has one: a quick look spares the pattern."""
    find: Finder
    checked: bool = False
    """Whether a check digit or letter proves it."""


def _compact(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text).upper()


# ---------------------------------------------------------------------------- on the net

_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w+%-](?:[\w.+%'-]{0,62}[\w+%-])?@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[A-Za-z]{2,24}"
    r"(?![\w@-])"
)
_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_VERSION = re.compile(
    r"(?:\bv|versi[oó]n|release|firmware|chapter|section|secci[oó]n|§)\.?\s*$", re.I
)
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\d{0,3}(?:\.\d{1,3}){3})?(?![\w:])"
)


def _email(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        if ".." not in match[0]:
            yield match.span()


def _ipv4(text: str) -> Iterator[Span]:
    for match in _IPV4.finditer(text):
        told = _VERSION.search(text, max(0, match.start() - 20), match.start())
        if checksums.ipv4(match[0]) and not told:
            yield match.span()


def _ipv6(text: str) -> Iterator[Span]:
    for match in _IPV6.finditer(text):
        if checksums.ipv6(match[0]):
            yield match.span()


# ---------------------------------------------------------------------------- accounts

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[ -]?\d{2}(?=(?:[ .-]?[A-Za-z0-9]){11})")
_DIGITS = re.compile(r"(?<![\w.,])\d(?:[ -]?\d){12,24}(?![\w]|[.,]\d)")


def _iban(text: str) -> Iterator[Span]:
    for match in _IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match[0][:2].upper())
        end = _end_after(text, match.start(), length) if length else None
        number = _compact(text[match.start() : end])
        digits = sum(c.isdigit() for c in number)
        # Words can be so unlucky as to pass, and the numbers of no country have so few digits.
        if end is not None and 2 * digits >= len(number) and checksums.iban(number):
            yield match.start(), end


def _end_after(text: str, start: int, count: int) -> int | None:
    """Where ``count`` letters and digits have been passed, single signs between them left out."""
    at, seen = start, 0
    while at < len(text) and seen < count:
        if text[at].isascii() and text[at].isalnum():
            seen += 1
        elif text[at] not in " .-" or not text[at - 1].isalnum():
            return None
        at += 1
    whole = seen == count and not (at < len(text) and text[at].isalnum())
    return at if whole else None


def _card(text: str) -> Iterator[Span]:
    """A card number in a run of digits, which may have other numbers before or after it."""
    for run in _DIGITS.finditer(text):
        after = run.start()
        for start in (m.start() + run.start() for m in re.finditer(r"(?<!\d)\d", run[0])):
            if start < after:
                continue
            end = _card_end(text, start, run.end())
            if end is not None:
                yield start, end
                after = end


def _card_end(text: str, start: int, stop: int) -> int | None:
    digits = _compact(text[start:stop])
    for length in checksums.card_lengths(digits):
        if len(digits) >= length and checksums.luhn(digits[:length]):
            end = _end_after(text, start, length)
            if end is not None:
                return end
    return None


# ---------------------------------------------------------------------------- numbers of people

_DNI = re.compile(r"(?<![\w.-])(\d{7,8}|\d{1,2}\.\d{3}\.\d{3})[ -]?([A-Za-z])(?!\w)")
_NIE = re.compile(r"(?<![\w-])([XYZxyz])[ .-]?(\d{7}|\d\.?\d{3}\.\d{3})[ .-]?([A-Za-z])(?!\w)")
_CIF = re.compile(
    r"(?<![\w-])([A-HJNP-SUVWa-hjnp-suvw])[ .-]?(\d{7}|\d{2}\.?\d{3}\.?\d{2})[ .-]?([0-9A-Ja-j])(?!\w)"
)
_NUSS = re.compile(r"(?<![\w.,])(\d{2})([ /-]?)(\d{7,8})\2(\d{2})(?![\w]|[.,/-]\d)")
_US_SSN = re.compile(r"(?<![\w-])(\d{3})([- ])(\d{2})\2(\d{4})(?![\w-])")
_PASSPORT = re.compile(r"(?<!\w)(?:[A-Za-z]{1,3}[ -]?\d{6,7}|\d{9})(?!\w)")
_PASSPORT_WORD = re.compile(r"passport|pasaporte", re.I)
_SSN_WORD = re.compile(r"\bssn\b|social security", re.I)


def _dni(text: str) -> Iterator[Span]:
    for match in _DNI.finditer(text):
        if checksums.dni(match[1].replace(".", ""), match[2].upper()):
            yield match.span()


def _nie(text: str) -> Iterator[Span]:
    for match in _NIE.finditer(text):
        if checksums.nie(match[1].upper(), match[2].replace(".", ""), match[3].upper()):
            yield match.span()


def _cif(text: str) -> Iterator[Span]:
    for match in _CIF.finditer(text):
        if checksums.cif(match[1].upper(), match[2].replace(".", ""), match[3].upper()):
            yield match.span()


def _nuss(text: str) -> Iterator[Span]:
    for match in _NUSS.finditer(text):
        if checksums.nuss(match[1], match[3], match[4]):
            yield match.span()


def _us_ssn(text: str) -> Iterator[Span]:
    for match in _US_SSN.finditer(text):
        said = match[2] == "-" or _said_before(_SSN_WORD, text, match.start())
        if said and checksums.us_ssn(match[1], match[3], match[4]):
            yield match.span()


def _passport(text: str) -> Iterator[Span]:
    for match in _PASSPORT.finditer(text):
        if _said_before(_PASSPORT_WORD, text, match.start()):
            yield match.span()


def _said_before(word: re.Pattern[str], text: str, start: int) -> bool:
    return word.search(text, max(0, start - BEFORE), start) is not None


# ---------------------------------------------------------------------------- telephones

_PHONE = re.compile(
    r"(?<![\w.,/+<=*-])(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ .-]?\(0?\d{1,4}\))?(?:[ .-]?\d{1,4}){2,6}"  # with the country
    r"|[6-9]\d{2}([ .-])\d{3}\1\d{3}"  # Spain, by threes
    r"|[6-9]\d{2}([ .-])\d{2}\2\d{2}\2\d{2}"  # Spain, 3-2-2-2
    r"|[89]\d([ .-])\d{3}\3\d{2}\3\d{2}"  # Spain, provinces
    r"|(?:6\d|7[1-9])\d{7}"  # Spain, mobiles as one number
    r"|\([2-9]\d{2}\) ?[2-9]\d{2}[ .-]\d{4}"  # North America
    r"|(?:1[ .-])?[2-9]\d{2}([ .-])[2-9]\d{2}\4\d{4}"
    r"|(?<=\()\d{3}\) ?\d{3}[ .-]\d{4}"
    r")(?![\w]|[.,/-]\d| ?=)"
)
_PHONE_LOOSE = re.compile(r"(?<![\w.,/-])\d(?:[ .-]?\d){6,13}(?![\w]|[.,/-]\d)")
_PHONE_WORD = re.compile(
    r"\b(?:tel[eé]?f?o?n?o?s?|tfnos?|tlfs?|tlfno|m[oó]vil|fax|phone|call|mobile|cell|whatsapp|ll[aá]m\w*)"
    r"\b[^\d\n]{0,20}$",
    re.I,
)


def _phone(text: str) -> Iterator[Span]:
    for match in _PHONE.finditer(text):
        if 8 <= len(_compact(match[0])) <= 15:
            yield match.span()
    for match in _PHONE_LOOSE.finditer(text):
        if _said_before(_PHONE_WORD, text, match.start()):
            yield match.span()


# ---------------------------------------------------------------------------- dates of birth

_MONTHS = (
    r"(?:enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre"
    r"|diciembre|january|february|march|april|may|june|july|august|september|october|november"
    r"|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_YEAR = r"(?:19\d{2}|20[0-2]\d)"
_DATE = re.compile(
    rf"(?<!\d)(?:(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|[12]\d|3[01])[/.-](?:{_YEAR}|\d{{2}})"
    rf"|{_YEAR}[/.-](?:0?[1-9]|1[0-2])[/.-](?:0?[1-9]|[12]\d|3[01])"
    rf"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?(?: de| of)? {_MONTHS}\.?,?(?: del?)? {_YEAR}"
    rf"|{_MONTHS}\.? (?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?,? {_YEAR})(?!\d)",
    re.I,
)
_BORN = re.compile(
    r"\bborn\b|\bbirth|\bdob\b|\bd\.o\.b|\bnac[ií](?:d[oa]s?|miento|ó|eron)?\b|\bnaci[oó]\b|cumplea[ñn]os",
    re.I,
)


def _birth(text: str) -> Iterator[Span]:
    for match in _DATE.finditer(text):
        if _said_before(_BORN, text, match.start()):
            yield match.span()


# ---------------------------------------------------------------------------- addresses

_NAME = r"[A-ZÁÉÍÓÚÑ][\w'’-]+"
_ADDRESS_ES = re.compile(
    r"(?<!\w)(?:C/|[Cc]alle|CALLE|[Cc]l\.|[Aa]vda\.?|[Aa]venida|AVENIDA|[Aa]v\.|[Pp]laza|PLAZA"
    r"|[Pp]za\.?|[Pp]aseo|PASEO|[Pp]º|[Cc]amino|[Cc]arrer|[Rr]onda|[Tt]raves[ií]a|[Uu]rb\."
    r"|[Uu]rbanizaci[oó]n|(?:[Cc]arretera|[Cc]tra\.?)(?! (?:[A-Z]{1,3}-? ?\d|[Nn]acional|[Cc]omarcal)))"
    r" ?(?:(?:(?:de|del|la|las|los|el|[iye]) ){0,3}(?:[dl]['’])?"
    rf"(?:{_NAME}|[A-ZÁÉÍÓÚÑ]{{1,3}}\.),? ?){{1,6}}"
    r"(?:,? ?(?:n[º°.]|nº\.?|n[uú]m\.?|n[uú]mero)? ?)\d{1,4}(?:[ ,-]*(?:bis|[A-D]\b))?"
    r"(?:,? ?(?:\d{1,2}[ºª°]|bajo|[aá]tico|esc\.? ?\w|piso \d+|pta\.? ?\w+|puerta \w+)[ ,]?"
    r"(?:[A-Z]\b|izda\.?|dcha\.?|\d[ºª])?)*"
    r"(?:,? ?\(?(?:0[1-9]|[1-4]\d|5[0-2])\d{3}\b"
    rf"(?:,? ?{_NAME}(?: (?:de|del|la|los)? ?{_NAME})*)?\)?)?"
)
_ADDRESS_EN = re.compile(
    r"(?<![\w.,$€£-])\d{1,5}[A-D]? (?:[NSEW]\.? )?(?:[A-Z][\w'’-]* ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq"
    r"|Terrace|Close|Crescent)\b\.?"
    r"(?:,? (?:Apt|Apartment|Suite|Unit|Flat|#)\.? ?\w+)?"
    r"(?:,? [A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?)?"
    r"(?:,? (?:[A-Z]{2} \d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}))?"
)


def _address(text: str) -> Iterator[Span]:
    for pattern in (_ADDRESS_ES, _ADDRESS_EN):
        for match in pattern.finditer(text):
            yield match.start(), match.start() + len(match[0].rstrip(" ,"))


KINDS: tuple[Kind, ...] = (
    Kind("email", "@", _email),
    Kind("iban", "0-9", _iban, checked=True),
    Kind("card", "0-9", _card, checked=True),
    Kind("nuss", "0-9", _nuss, checked=True),
    Kind("dni", "0-9", _dni, checked=True),
    Kind("nie", "0-9", _nie, checked=True),
    Kind("cif", "0-9", _cif, checked=True),
    Kind("us_ssn", "0-9", _us_ssn),
    Kind("ipv4", "0-9", _ipv4),
    Kind("ipv6", ":", _ipv6),
    Kind("passport", "0-9", _passport),
    Kind("birth_date", "0-9", _birth),
    Kind("phone", "0-9", _phone),
    Kind("address", "0-9", _address),
)
"""In order of trust: where two overlap, the first is taken."""
