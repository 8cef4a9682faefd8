"""Invented personal data of every kind, in the forms in which people write it."""

from __future__ import annotations

import random
from collections.abc import Callable

DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
CIF = "JABCDEFGHI"
NAMES = ["ana", "luis.perez", "m_gomez", "j-smith", "o.connor", "laura99"]
STREETS = ["Mayor", "de Alcalá", "Gran Vía", "del Príncipe de Vergara", "San Juan de la Cruz"]
CITIES = ["Madrid", "Sevilla", "Las Palmas", "Vigo"]
MONTHS = ["enero", "mayo", "agosto", "noviembre"]


def digits(dice: random.Random, count: int) -> str:
    return "".join(dice.choices("0123456789", k=count))


def email(dice: random.Random) -> str:
    host = dice.choice(["example.com", "mail.example.org", "correo.example.es"])
    return f"{dice.choice(NAMES)}{dice.choice(['', '+shop', '.7'])}@{host}"


def iban(dice: random.Random) -> str:
    country, body = dice.choice(
        [
            ("ES", digits(dice, 20)),
            ("DE", digits(dice, 18)),
            ("PT", digits(dice, 21)),
            ("GB", "".join(dice.choices("ABCDWXYZ", k=4)) + digits(dice, 14)),
        ]
    )
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    whole = f"{country}{98 - number % 97:02d}{body}"
    form = dice.choice(["plain", "fours", "fours", "lower"])
    if form == "fours":
        return " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))
    return whole.lower() if form == "lower" else whole


def card(dice: random.Random) -> str:
    start, length = dice.choice([("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16)])
    body = start + digits(dice, length - len(start) - 1)
    total = sum(
        int(d) if place % 2 else sum(divmod(2 * int(d), 10))
        for place, d in enumerate(reversed(body))
    )
    whole = body + str(-total % 10)
    sign = dice.choice(["", " ", "-"])
    cuts = [4, 10, 15] if length == 15 else [4, 8, 12, 16]
    return sign.join(whole[a:b] for a, b in zip([0, *cuts], cuts, strict=False))


def dni(dice: random.Random) -> str:
    number = digits(dice, 8)
    letter = DNI[int(number) % 23]
    dotted = f"{number[:2]}.{number[2:5]}.{number[5:]}"
    return dice.choice(
        [number + letter, f"{number}-{letter}", f"{number} {letter}", f"{dotted}-{letter}"]
    )


def nie(dice: random.Random) -> str:
    first, number = dice.choice("XYZ"), digits(dice, 7)
    letter = DNI[int(str("XYZ".index(first)) + number) % 23]
    return dice.choice([f"{first}{number}{letter}", f"{first}-{number}-{letter}"])


def cif(dice: random.Random) -> str:
    kind, number = dice.choice("ABCDEFGHJNPQRSUVW"), digits(dice, 7)
    odd = sum(sum(divmod(2 * int(d), 10)) for d in number[::2])
    value = -(odd + sum(map(int, number[1::2]))) % 10
    control = CIF[value] if kind in "KPQRSNW" else str(value)
    return dice.choice([f"{kind}{number}{control}", f"{kind}-{number}{control}"])


def nuss(dice: random.Random) -> str:
    province, number = f"{dice.randint(1, 53):02d}", digits(dice, 8)
    joined = int(number) + int(province) * 10**7 if int(number) < 10**7 else int(province + number)
    sign = dice.choice(["", "/", " ", "-"])
    return f"{province}{sign}{number}{sign}{joined % 97:02d}"


def us_ssn(dice: random.Random) -> str:
    return f"{dice.randint(1, 665):03d}-{dice.randint(1, 99):02d}-{dice.randint(1, 9999):04d}"


def ipv4(dice: random.Random) -> str:
    return ".".join(str(dice.randint(0, 255)) for _ in range(4))


def ipv6(dice: random.Random) -> str:
    groups = [f"{dice.randint(0, 65535):x}" for _ in range(8)]
    return dice.choice([":".join(groups), ":".join(groups[:3]) + "::" + groups[3]])


def passport(dice: random.Random) -> str:
    word = dice.choice(["passport number", "pasaporte nº", "pasaporte"])
    return f"{word} {''.join(dice.choices('ABCXZ', k=3))}{digits(dice, 6)}"


def birth_date(dice: random.Random) -> str:
    day, month, year = dice.randint(1, 28), dice.randint(1, 12), dice.randint(1930, 2015)
    return dice.choice(
        [
            f"born on {day:02d}/{month:02d}/{year}",
            f"date of birth: {year}-{month:02d}-{day:02d}",
            f"nací el {day} de {dice.choice(MONTHS)} de {year}",
            f"fecha de nacimiento {day:02d}-{month:02d}-{year}",
        ]
    )


def phone(dice: random.Random) -> str:
    mobile = dice.choice("67") + dice.choice("12345678") + digits(dice, 7)
    land = "91" + digits(dice, 7)
    return dice.choice(
        [
            mobile,
            f"{mobile[:3]} {mobile[3:6]} {mobile[6:]}",
            f"+34 {mobile[:3]} {mobile[3:5]} {mobile[5:7]} {mobile[7:]}",
            f"+34{land}",
            f"{land[:2]} {land[2:5]} {land[5:7]} {land[7:]}",
            f"(415) 555-{digits(dice, 4)}",
            f"+44 20 {digits(dice, 4)} {digits(dice, 4)}",
            f"212-555-{digits(dice, 4)}",
        ]
    )


def address(dice: random.Random) -> str:
    street, number = dice.choice(STREETS), dice.randint(1, 240)
    return dice.choice(
        [
            f"calle {street}, {number}",
            f"C/ {street} {number}, 2º B, 280{dice.randint(10, 55)} {dice.choice(CITIES)}",
            f"Avda. {street}, nº {number}",
            f"plaza {street} {number}",
            f"{number} Old Mill Road",
            f"{number} Baker Street, London",
            f"{number} N. Lincoln Ave, Apt 4, Springfield, IL 62704",
        ]
    )


PEOPLE: dict[str, Callable[[random.Random], str]] = {
    "email": email,
    "iban": iban,
    "card": card,
    "dni": dni,
    "nie": nie,
    "cif": cif,
    "nuss": nuss,
    "us_ssn": us_ssn,
    "ipv4": ipv4,
    "ipv6": ipv6,
    "passport": passport,
    "birth_date": birth_date,
    "phone": phone,
    "address": address,
}
CHECKED = ("iban", "card", "dni", "nie", "cif", "nuss")
