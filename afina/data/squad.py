"""SQuAD's nested files: articles of paragraphs with questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from afina.data.rows import Problem, Row, kind, place


def is_squad(value: object) -> bool:
    """Whether a JSON value is a file of SQuAD: ``data``, a list of articles with ``paragraphs``."""
    data = value.get("data") if isinstance(value, Mapping) else None
    return isinstance(data, list) and any(
        isinstance(a, Mapping) and "paragraphs" in a for a in data
    )


def rows_of_squad(value: Mapping[str, Any], name: str) -> Iterator[Row | Problem]:
    """One row a question, numbered through the file, with its text and the title of its article."""
    number = 0
    for i, article in enumerate(value["data"]):
        at = f"{name}: data[{i}]"
        paragraphs = article.get("paragraphs") if isinstance(article, Mapping) else None
        if not isinstance(paragraphs, list):
            yield Problem(at, "an article without a list of paragraphs", '{"paragraphs": […]}')
            continue
        title = {"title": article["title"]} if "title" in article else {}
        for j, paragraph in enumerate(paragraphs):
            asked = paragraph.get("qas") if isinstance(paragraph, Mapping) else None
            if not isinstance(asked, list) or "context" not in paragraph:
                do = '{"context": "…", "qas": […]}'
                yield Problem(f"{at}.paragraphs[{j}]", "a paragraph without context and qas", do)
                continue
            for k, question in enumerate(asked):
                number += 1
                if isinstance(question, Mapping):
                    values = {**title, "context": paragraph["context"], **question}
                    yield Row(values, place(name, number))
                else:
                    what = f"{kind(question)} where a question is expected"
                    yield Problem(f"{at}.paragraphs[{j}].qas[{k}]", what, '{"question": "…"}')
