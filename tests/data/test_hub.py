"""Hub data sets, through a stand-in for the package ``datasets``."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from afina.data import read
from afina.errors import AfinaError, DataError, MachineError
from afina.types import LabelledExample

LABELLED = (LabelledExample,)


class NotFound(FileNotFoundError):
    pass


class Rows(list[dict[str, Any]]):
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        super().__init__(rows)
        self.features = {"label": SimpleNamespace(names=["neg", "pos"]), "text": SimpleNamespace()}


def stand_in(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = []

    def load_dataset(path: str, name: str | None = None, split: str | None = None) -> Any:
        asked.append((path, name, split))
        if isinstance(answer, Exception):
            raise answer
        return answer

    errors = SimpleNamespace(DatasetNotFoundError=NotFound)
    module = SimpleNamespace(load_dataset=load_dataset, exceptions=errors)
    monkeypatch.setitem(sys.modules, "datasets", module)  # type: ignore[arg-type]
    return asked


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("imdb", ("imdb", None, "train")),
        ("stanfordnlp/imdb@test", ("stanfordnlp/imdb", None, "test")),
        ("org/set:es", ("org/set", "es", "train")),
        ("org/set:es@train[:10%]", ("org/set", "es", "train[:10%]")),
    ],
)
def test_id_configuration_and_split(
    source: str, asked: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = stand_in(monkeypatch, Rows([{"text": "a", "label": 1}, {"text": "b", "label": 0}]))
    examples = read(source, accepts=LABELLED).examples
    assert calls == [asked]
    assert [e.labels for e in examples if isinstance(e, LabelledExample)] == [("pos",), ("neg",)]
    assert examples[0].where.endswith(f"@{asked[2]}: row 1")


@pytest.mark.parametrize(
    ("raised", "kind", "what"),
    [
        (ConnectionError("no route"), MachineError, "hub cannot be reached"),
        (OSError("no space"), MachineError, "cannot be read"),
        (NotFound("org/set"), DataError, "no file, folder or hub data set"),
        (RuntimeError("Dataset scripts are no longer supported"), DataError, "running its code"),
        (ValueError("Unknown split 'tset'"), DataError, "Unknown split"),
    ],
)
def test_each_failure_has_its_sentence_and_remedy(
    raised: Exception, kind: type[AfinaError], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, raised)
    with pytest.raises(kind, match=what) as caught:
        read("org/set", accepts=LABELLED)
    assert caught.value.where == "org/set"
    assert caught.value.do


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MachineError, match="no file or folder is called org/set"):
        read("org/set", accepts=LABELLED)
