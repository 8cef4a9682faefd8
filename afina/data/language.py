"""The language of a text by its small words: quick, and honest where they do not tell.

Every language has words so frequent that a sentence without any is rare. A word counts for each
language that has it, less the more languages have it; letters of their own count too. A text whose
best language is not clearly ahead of the second has none: ``unknown``. Ten languages are known.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from afina.data.content import answer_text, input_text
from afina.data.findings import Finding, Placed, Section
from afina.types import ChatExample

UNKNOWN = "unknown"
FOREIGN = 0.05
"""A language that fewer of the rows have is not one of the languages of the data."""
WORDS = {
    "en": "the of and to in is you that it he was for on are as with his they at be this have "
    "from or had by not but what some we can out other were all there when up use your how "
    "said an each she which do their if will about many then them would like so these her "
    "has him my i me why does did been who get a im dont cant isnt wont am any could please "
    "just more than its into only",
    "es": "de la que el en y los se del las un por con no una su para es al lo como más o pero "
    "sus le ya este sí porque esta son entre cuando muy sin sobre también me hasta hay "
    "donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e "
    "esto mí antes algunos qué unos yo otro él tanto esa estos mucho quiero puedo cómo está "
    "tiene ha han fue era ser mi si cuál cuánto dónde hola gracias necesito hacer estoy mis "
    "te tu usted",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi "
    "ao ele das tem à seu sua ou ser quando muito há nos já está eu também só pelo pela até "
    "isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles estão você "
    "tinha foram essa num nem suas meu minha têm numa pelos elas lhe obrigado olá quero "
    "posso fazer onde",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce "
    "il sont ou avec son mais comme on tout nous sa fait été aussi leur bien peut ces y "
    "cette ont être ses je vous elle lui même était deux sans très mon ma mes où quand "
    "bonjour merci veux quel quelle aux",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch "
    "es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über "
    "einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde wenn ich du "
    "wir mein meine kann mir was wo warum",
    "it": "di e il la che in un a per è una sono con non si da come le dei nel alla i gli del "
    "della più lo ha anche al ma questo se o delle ho mi ci sua suo dal nella cosa perché "
    "quando molto dopo essere io tu lui noi voi loro mio mia può fare dove sto grazie ciao "
    "vorrei quanto sul degli",
    "ca": "de la que i el en a les un per amb no una és del al els com més o però ser seva seu "
    "són està va hi ha ho si molt també quan sense sobre fins tot aquest aquesta aquests on "
    "jo meu meva vull puc gràcies hola des dels pel perquè què han fer això ens li",
    "gl": "de a que e o do da en un para é con non unha os no se na por máis as dos como pero foi "
    "ao dunha ten seu súa ou ser cando moi hai xa está eu tamén só pola polo ata iso ela "
    "entre era despois sen meu miña quero podo grazas ola onde nos das",
    "nl": "de het een van en in is dat op te zijn met voor niet aan er om ook als dan maar bij "
    "nog uit naar heeft hij ze door over ik je wat wel worden kan deze wordt mijn waar wij "
    "hoe dit geen had of",
    "eu": "eta da ez du bat zen izan dira baina ere dut hau hori zuen egin dute bere nire zer "
    "nola non noiz nahi dago dugu arte ondoren izango behar den dela zion kaixo eskerrik "
    "mesedez",
}
LETTERS = {"ñ": "es", "¿": "es", "¡": "es", "ã": "pt", "õ": "pt", "ß": "de"}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
LEAST, AHEAD = 1.0, 1.15
"""Weight that the best language needs, and how far it must be ahead of the second."""


def _table() -> dict[str, tuple[tuple[str, float], ...]]:
    languages: dict[str, list[str]] = defaultdict(list)
    for name, words in WORDS.items():
        for word in set(words.split()):
            languages[word].append(name)
    return {
        word: tuple((name, 1.0 / len(names)) for name in names) for word, names in languages.items()
    }


_WEIGHTS = _table()
_SIGNS = re.compile("[" + "".join(LETTERS) + "]")
_SCRIPTS = re.compile(
    "[\u0370-\u03ff\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]"
)


def identify(text: str) -> str:
    """``en``, ``es`` … or ``unknown``. Text in another script than Latin is not known."""
    scores: dict[str, float] = {}
    words = _WORD.findall(text.lower()[:4000])
    for word in words:
        weights = _WEIGHTS.get(word)
        if weights is None and not word.isalpha():
            weights = _WEIGHTS.get(word.replace("'", "").replace("’", ""))
        for name, weight in weights or ():
            scores[name] = scores.get(name, 0.0) + weight
    if not text.isascii():
        for sign in set(_SIGNS.findall(text.lower())):
            scores[LETTERS[sign]] = scores.get(LETTERS[sign], 0.0) + 1.0
        if len(_SCRIPTS.findall(text)) > len(text) / 4:
            return UNKNOWN
    if not scores:
        return UNKNOWN
    (best, most), *others = sorted(scores.items(), key=lambda s: (-s[1], s[0]))
    second = others[0][1] if others else 0.0
    sure = most >= LEAST and most >= AHEAD * second and most >= 0.06 * len(words)
    return best if sure else UNKNOWN


def find(rows: Sequence[Placed]) -> Section:
    """Rows in each language; rows in one that is rare here, or answered in another than asked."""
    asked = [identify(input_text(row.example)) for row in rows]
    counts = Counter(asked)
    known = sum(count for name, count in counts.items() if name != UNKNOWN)
    main = {name for name, n in counts.items() if name != UNKNOWN and n >= FOREIGN * known}
    figures = {
        "languages": dict(counts.most_common()),
        "main": sorted(main, key=lambda name: -counts[name]),
    }
    findings = [
        Finding("language", row.example.id, row.example.where, row.part, f"written in {name}")
        for row, name in zip(rows, asked, strict=True)
        if name not in main and name != UNKNOWN
    ]
    return Section(figures, [*findings, *_switched(rows, asked)])


def _switched(rows: Sequence[Placed], asked: Sequence[str]) -> list[Finding]:
    """Conversations answered in another language, unless that is what they are about."""
    pairs = [
        (row, question, identify(answer_text(row.example)))
        for row, question in zip(rows, asked, strict=True)
        if isinstance(row.example, ChatExample) and question != UNKNOWN
    ]
    told = [(row, question, answer) for row, question, answer in pairs if answer != UNKNOWN]
    other = [(row, question, answer) for row, question, answer in told if answer != question]
    if len(other) > len(told) * FOREIGN:
        return []
    return [
        Finding(
            "language",
            row.example.id,
            row.example.where,
            row.part,
            f"asked in {q}, answered in {a}",
        )
        for row, q, a in other
    ]
