"""Hub data sets, through a stand-in for the package ``datasets``."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from afina.data import hub, hub_address, read
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
    config = SimpleNamespace(HF_HUB_OFFLINE=False)
    module = SimpleNamespace(load_dataset=load_dataset, exceptions=errors, config=config)
    monkeypatch.setattr(hub, "why_cut_off", lambda: "")
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
        (ConnectionError("no route"), MachineError, "hub cannot be asked: no route"),
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


def test_a_hub_out_of_reach_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The package itself tries for half a minute before it gives up."""
    datasets = pytest.importorskip("datasets")
    tries: list[float] = []

    def unreachable() -> None:
        raise hub_address.HubUnreachableError("Name or service not known")

    monkeypatch.setattr(hub_address, "reach", unreachable)
    monkeypatch.setattr("time.sleep", tries.append)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    before = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(MachineError, match="cannot be asked: Name or service not known") as caught:
        read("org/afina-has-no-such-set", accepts=LABELLED)
    assert caught.value.where == "org/afina-has-no-such-set"
    assert tries == []
    assert before == datasets.config.HF_HUB_OFFLINE
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MachineError, match="HF_HUB_OFFLINE is set"):
        read("org/afina-has-no-such-set", accepts=LABELLED)
