"""Check digits and letters of numbers that name a person or an account."""

from __future__ import annotations

import ipaddress

_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FO GL NL",
    19: "MK SI",
    20: "AT BA EE KZ LT LU XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HU LB PL SV",
    29: "BR EG PS QA UA",
    30: "JO KW MU",
    31: "MT SC",
    32: "LC",
}
IBAN_LENGTHS = {
    country: length for length, countries in _COUNTRIES.items() for country in countries.split()
}
"""Characters of an IBAN by country (the registry of ISO 13616)."""
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
CIF_LETTERS = "JABCDEFGHI"
CARD_LENGTHS: tuple[tuple[range, int, tuple[int, ...]], ...] = (
    (range(4, 5), 1, (16, 13, 19)),
    (range(51, 56), 2, (16,)),
    (range(2221, 2721), 4, (16,)),
    (range(34, 35), 2, (15,)),
    (range(37, 38), 2, (15,)),
    (range(6011, 6012), 4, (16, 19)),
    (range(644, 660), 3, (16, 19)),
    (range(3528, 3590), 4, (16, 19)),
    (range(300, 306), 3, (14, 16, 19)),
    (range(36, 37), 2, (14, 16, 19)),
    (range(38, 40), 2, (14, 16, 19)),
    (range(62, 63), 2, (16, 17, 18, 19)),
    (range(50, 51), 2, (16,)),
    (range(56, 59), 2, (16,)),
    (range(60, 70), 2, (16,)),
)
"""First digits of the issuers, how many digits that is, and the lengths of their numbers."""


def luhn(digits: str) -> bool:
    """Whether a card number's last digit fits the others (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def card_lengths(digits: str) -> tuple[int, ...]:
    """How long a card number that begins so may be; none where no issuer begins so."""
    return tuple(
        length
        for starts, width, lengths in CARD_LENGTHS
        if len(digits) >= width and int(digits[:width]) in starts
        for length in lengths
    )


def iban(text: str) -> bool:
    """Length by country and remainder 97 (ISO 7064); letters in upper case, no spaces."""
    if len(text) != IBAN_LENGTHS.get(text[:2]):
        return False
    turned = text[4:] + text[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def dni(number: str, letter: str) -> bool:
    """Letter of a Spanish identity card; also of a NIE, whose X, Y, Z stand for 0, 1, 2."""
    return DNI_LETTERS[int(number) % 23] == letter


def nie(first: str, number: str, letter: str) -> bool:
    """Letter of a Spanish foreigner's number."""
    return dni(str("XYZ".index(first)) + number, letter)


def cif(kind: str, number: str, control: str) -> bool:
    """Control sign of a Spanish company's number: a digit or a letter, by the kind of company."""
    odd = sum(sum(divmod(2 * int(d), 10)) for d in number[::2])
    value = -(odd + sum(int(d) for d in number[1::2])) % 10
    letter_only, digit_only = kind in "KPQRSNW", kind in "ABEH"
    fits_digit = control == str(value) and not letter_only
    return fits_digit or (control == CIF_LETTERS[value] and not digit_only)


def nuss(province: str, number: str, control: str) -> bool:
    """Control digits of a Spanish social security number."""
    if not (1 <= int(province) <= 53 or int(province) == 66):
        return False
    whole = int(number)
    # A number below ten million is joined to the province without its leading zero.
    joined = whole + int(province) * 10_000_000 if whole < 10_000_000 else int(province + number)
    return joined % 97 == int(control)


def us_ssn(area: str, group: str, serial: str) -> bool:
    """Whether a US social security number was ever given out; it has no check digit."""
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def ipv4(text: str) -> bool:
    """Four numbers up to 255, without leading zeros."""
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def ipv6(text: str) -> bool:
    """An address that says something: at least three groups, or two with a digit."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = [group for group in text.split(":") if group]
    return len(groups) >= 3 or (len(groups) == 2 and any(c.isdigit() for c in text))


__all__ = ["card_lengths", "cif", "dni", "iban", "ipv4", "ipv6", "luhn", "nie", "nuss", "us_ssn"]
