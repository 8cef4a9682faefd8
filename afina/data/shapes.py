"""Which kind of example a row is, told by its columns.

A new shape is one function in ``builders.py`` and one line in ``SHAPES``; a new name for a column
is one word in ``PARTS``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from afina.errors import DataError, nearest
from afina.recipe.knobs import Columns
from afina.types import (
    ChatExample,
    Example,
    JudgedExample,
    LabelledExample,
    NumberExample,
    PairExample,
    PreferenceExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)

PARTS: dict[str, tuple[str, ...]] = {
    "text": (
        "text", "sentence", "utterance", "body", "content", "message", "query", "review", "comment",
        "tweet", "document", "question", "input", "description", "phrase", "headline", "texto",
        "frase", "mensaje", "pregunta", "entrada", "text_a", "text1", "sentence1", "premise",
        "question1", "texto1", "frase1", "premisa",
    ),
    "text_b": (
        "text_b", "text2", "sentence2", "hypothesis", "question2", "passage", "texto2", "frase2",
        "hipotesis", "hipótesis",
    ),
    "tokens": ("tokens", "words", "palabras"),
    "tags": ("tags", "ner_tags", "labels", "pos_tags", "ner", "etiquetas"),
    "spans": ("spans", "entities", "label", "labels", "annotations", "ner", "entidades"),
    "labelled": ("data",),
    "annotations": ("annotations", "completions"),
    "number": (
        "number", "score", "value", "rating", "stars", "grade", "similarity", "price", "label",
        "target", "numero", "número", "puntuacion", "puntuación", "valor", "nota", "estrellas",
        "precio",
    ),
    "label": (
        "label", "labels", "category", "categories", "target", "intent", "class", "sentiment",
        "topic", "topics", "tag", "tags", "queue", "emotion", "etiqueta", "etiquetas", "categoria",
        "categoría", "intencion", "intención", "clase", "sentimiento", "tema",
    ),
    "prompt": (
        "prompt", "question", "instruction", "query", "input", "problem", "source", "pregunta",
        "instruccion", "instrucción", "entrada",
    ),
    "completion": (
        "completion", "answer", "response", "output", "reply", "solution", "target", "respuesta",
        "salida",
    ),
    "source": (
        "source", "document", "article", "text", "dialogue", "original", "src", "fuente", "documento",
        "artículo", "articulo", "texto", "origen",
    ),
    "target": (
        "target", "summary", "highlights", "abstract", "translation", "tgt", "resumen", "traducción",
        "traduccion", "destino",
    ),
    "query": ("query", "anchor", "question", "search", "consulta", "pregunta", "búsqueda", "busqueda"),
    "positive": ("positive", "passage", "pos", "relevant", "document", "positivo", "pasaje"),
    "negative": ("negative", "negatives", "neg", "hard_negative", "hard_negatives", "negativo"),
    "history": ("history", "historial", "previous", "watched", "bought"),
    "item": ("item", "next", "next_item", "product", "artículo", "articulo", "producto"),
    "clicked": ("clicked", "click", "chosen", "purchased", "elegido"),
    "messages": ("messages",),
    "conversations": ("conversations", "conversation"),
    "chosen": ("chosen", "preferred_output", "preferred"),
    "rejected": ("rejected", "non_preferred_output", "rejected_text", "non_preferred"),
    "good": ("good", "label", "liked", "desirable", "thumbs_up", "bueno", "gusta"),
    "instruction": ("instruction", "instruccion", "instrucción"),
    "question": ("question", "query", "pregunta"),
    "passage": ("context", "passage", "paragraph", "document", "contexto", "pasaje", "documento"),
    "answers": ("answers", "answer", "respuestas", "respuesta"),
    "start": ("start", "answer_start", "inicio"),
    "impossible": ("is_impossible", "impossible"),
    "tests": ("tests", "test_list", "pruebas"),
    "context": ("input", "context", "entrada", "contexto"),
}  # fmt: skip
"""The usual names of each part; the first is the canonical one and wins over the others."""
EXTRAS = ("system", "tools", "functions", "history", "tests")
"""Columns that a conversation may have besides."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to read rows: its name, the example it makes, and the columns it takes."""

    name: str
    makes: type[Example]
    columns: Mapping[str, str] = field(default_factory=dict)
    """Part to column; only those that the rows have."""

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a row is not of this shape."""
        return tuple(c for part, c in self.columns.items() if part not in OPTIONAL)


OPTIONAL = {"context", "impossible", "negative", "clicked", *EXTRAS, "id", "group", "time"}
SHAPES: tuple[tuple[str, type[Example], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "question about a text",
        QuestionExample,
        ("question", "passage", "answers", "start"),
        ("impossible",),
    ),
    (
        "preference",
        PreferenceExample,
        ("prompt", "chosen", "rejected"),
        ("context", "system", "tools"),
    ),
    ("preference", PreferenceExample, ("chosen", "rejected"), ("system", "tools")),
    ("messages", ChatExample, ("messages",), ("system", "tools", "functions", "tests")),
    ("sharegpt", ChatExample, ("conversations",), ("system", "tools", "tests")),
    (
        "alpaca",
        ChatExample,
        ("instruction", "completion"),
        ("context", "system", "history", "tools", "tests"),
    ),
    (
        "prompt and completion",
        ChatExample,
        ("prompt", "completion"),
        ("system", "tools", "history", "tests"),
    ),
    (
        "judged answers",
        JudgedExample,
        ("prompt", "completion", "good"),
        ("system", "tools", "history"),
    ),
    ("pair of texts and label", LabelledExample, ("text", "text_b", "label"), ()),
    ("text and label", LabelledExample, ("text", "label"), ()),
    ("pair of texts and number", NumberExample, ("text", "text_b", "number"), ()),
    ("text and number", NumberExample, ("text", "number"), ()),
    ("source and target", ChatExample, ("source", "target"), ()),
    ("tokens and tags", TaggedExample, ("tokens", "tags"), ()),
    ("text and spans", TaggedExample, ("text", "spans"), ()),
    ("annotated texts of Label Studio", TaggedExample, ("labelled", "annotations"), ()),
    ("question about a text", QuestionExample, ("question", "passage", "answers"), ("impossible",)),
    ("query and text", PairExample, ("query", "positive"), ("negative",)),
    ("history and item", PairExample, ("history", "item"), ("clicked",)),
    ("query and item", PairExample, ("query", "item"), ("clicked",)),
    ("raw text", TextExample, ("text",), ()),
)
"""Name, example, parts it needs, parts it may have; the first that fits is taken, if the task
takes its examples."""

NEEDS: dict[type[Example], str] = {
    LabelledExample: "text and label (columns text, label; text_b for pairs)",
    NumberExample: "text and number (columns text, number; text_b for pairs)",
    TaggedExample: "labelled stretches (columns tokens, tags; or text, spans; or a CoNLL file)",
    QuestionExample: "questions about texts (columns question, context, answers; or a SQuAD file)",
    ChatExample: "conversations (columns prompt, completion; or messages; or instruction, output), or "
    "a source and a target",
    PreferenceExample: "preference pairs (columns prompt, chosen, rejected)",
    JudgedExample: "judged answers (columns prompt, completion, good)",
    PairExample: "pairs (columns query, positive; or history, item; or query, item)",
    TextExample: "raw text (column text)",
}


class Ambiguous(ValueError):
    """Two columns could play one part."""

    def __init__(self, part: str, columns: Sequence[str]) -> None:
        super().__init__(part)
        self.part = part
        self.columns = tuple(columns)


def same_name(name: str) -> str:
    """A column's name as it is compared: Unicode form, case and outer spaces do not count."""
    return unicodedata.normalize("NFKC", str(name)).strip().casefold()


def is_known(name: str, columns: Columns, also: Iterable[str | None]) -> bool:
    """Whether a column of this name plays a part, by itself or because the recipe says so."""
    own = {v for v in columns.model_dump().values() if v} | {a for a in also if a}
    if name.strip() in own:
        return True
    return any(same_name(name) in names for names in PARTS.values())


def by_position(columns: Columns) -> bool:
    """Whether columns are named by number (counted from 1), as in a file without a header."""
    stated = [v for v in columns.model_dump().values() if v]
    return bool(stated) and all(v.isdecimal() for v in stated)


def tell(keys: Sequence[str], columns: Columns, accepts: tuple[type[Example], ...]) -> Shape | None:
    """The shape of rows with these columns: one the task takes if any fits, else the first.

    None if no shape fits. Raises Ambiguous if two columns could play a part, DataError if a column
    that the recipe names does not exist.
    """
    stated = {p: c for p, c in columns.model_dump().items() if c and p != "id"}
    for part, column in stated.items():
        if column not in keys:
            raise DataError(
                f"no column is called {column!r} (data.columns.{part})", do=nearest(column, keys)
            )
    fitting: list[Shape] = []
    unclear: Ambiguous | None = None
    for name, makes, needed, optional in SHAPES:
        if not set(stated) <= {*needed, *optional}:
            continue
        try:
            found = {part: _column(part, keys, stated) for part in needed}
        except Ambiguous as error:
            if makes in accepts and not any(s.makes in accepts for s in fitting):
                unclear = unclear or error
            continue
        taken = [c for c in found.values() if c is not None]
        if len(taken) < len(needed) or len(set(taken)) < len(taken):
            continue
        for part in optional:
            column = _extra(part, keys, taken)
            if column is not None:
                found[part] = column
                taken.append(column)
        fitting.append(Shape(name, makes, {p: c for p, c in found.items() if c is not None}))
    chosen = next((s for s in fitting if s.makes in accepts), None)
    if chosen is None and unclear is not None:
        raise unclear
    return chosen or (fitting[0] if fitting else None)


def _column(part: str, keys: Sequence[str], stated: Mapping[str, str]) -> str | None:
    if part in stated:
        return stated[part]
    free = [k for k in keys if k not in stated.values()]
    names = PARTS[part]
    found = [k for k in free if same_name(k) in names]
    canonical = [k for k in found if same_name(k) == names[0]]
    if len(canonical) == 1:
        return canonical[0]
    if len(found) > 1:
        if part == "prompt":  # {instruction, input}: Alpaca's own pair is no ambiguity
            asked = [k for k in found if same_name(k) in PARTS["instruction"]]
            given = [k for k in found if same_name(k) in PARTS["context"]]
            if len(asked) == 1 and len(asked) + len(given) == len(found):
                return asked[0]
        raise Ambiguous(part, found)
    return found[0] if found else None


def _extra(part: str, keys: Sequence[str], taken: Sequence[str]) -> str | None:
    names = PARTS.get(part, (part,))
    found = [k for k in keys if same_name(k) in names and k not in taken]
    if len(found) > 1:
        raise Ambiguous(part, found)
    return found[0] if found else None
