"""Names in texts, from files to report and request, on a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from afina.baselines import build
from afina.models.sources import Base
from afina.tasks import Tag
from afina.types import Input, Message, Span, TaggedExample
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, predicted, write
from tests.tiny import Kind

NAMES = (("Madrid", "LOC"), ("Ana", "PER"), ("Sao Paulo", "LOC"))


def rows(count: int) -> list[dict[str, object]]:
    found = []
    for i in range(count):
        name, label = NAMES[i % 3]
        text = f"the door of {name} is {'red' if i % 2 else 'green'} {i}"
        found.append({"text": text, "spans": [[12, 12 + len(name), label]]})
    return found


def test_from_rows_to_report(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    said = measured(
        tmp_path,
        tiny("bert"),
        "tag",
        rows(90),
        train={"max_steps": 60, "batch_size": 16, "learning_rate": 5e-3, "threads": 1},
    )
    report = said["report"]
    assert report["metric"] == "entity_f1"
    by_name = {c["name"]: c["scores"] for c in report["candidates"]}
    assert list(by_name) == ["tuned", "majority", "gazetteer", "word_linear"]
    assert by_name["majority"]["entity_f1"]["value"] == 0.0
    assert by_name["gazetteer"]["entity_f1"]["value"] == 1.0
    assert by_name["word_linear"]["entity_f1"]["value"] == 1.0
    assert by_name["tuned"]["entity_f1"]["value"] > 0.9
    assert {row["label"] for row in report["per_class"]["tuned"]} == {"LOC", "PER"}
    page = (Path(said["folder"]) / "report.html").read_text("utf-8")
    assert "F1 de entidades" in page
    one, two = predicted(
        tmp_path, [{"text": "the door of Ana is red"}, {"tokens": ["the", "door"]}]
    )
    (span,) = one["spans"]
    assert (span["start"], span["end"], span["label"], span["text"]) == (12, 15, "PER", "Ana")
    assert two["spans"] == []


def test_the_check_counts_the_labels(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    path = write(tmp_path, rows(30))
    recipe.write_text(f"task: tag\nbase: {tiny('bert').folder}\ndata: {{train: {path}}}\n")
    code, answer = json_of(["check", str(recipe)])
    assert code == 0
    assert answer["balance"]["counts"] == {"LOC": 20, "PER": 10}
    assert answer["lengths"]["tokens"]["most"] > 5
    code, answer = json_of(["new", str(path), "--out", str(tmp_path / "new.yaml")])
    assert (code, answer["task"]) == (0, "tag")


def test_a_name_that_is_mostly_none_is_not_looked_up() -> None:
    texts = ["la Roma", "la rosa", "una rosa", "la rosa Roma"]
    spans: list[tuple[Span, ...]] = [(Span(3, 7, "LOC"),), (Span(3, 7, "PER"),), (), ()]
    train = [
        TaggedExample(id=str(i), where=f"row {i}", text=t, spans=s)
        for i, (t, s) in enumerate(zip(texts, spans, strict=True))
    ]
    model = build("gazetteer", task=Tag().resolve(train), train=train, base=None)
    (answer,) = model.predict([Input((Message("user", "ROMA y rosa"),))])
    assert [s.key for s in answer.spans or ()] == [(0, 4, "LOC")]
