"""A data set of the Hugging Face hub, through the package ``datasets``; none of its code is run.

Name it ``id``, ``id@split``, ``id:config`` or ``id:config@split``; without a split it is ``train``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from afina.data.hub_address import why_cut_off
from afina.data.rows import Problem, Row, place
from afina.data.sources import HubSource
from afina.errors import DataError, MachineError

_OFFLINE = (
    "if it is a file or a folder, check the path; else check the network, or download the data set "
    "as Parquet or JSONL on a machine that has one and name that file"
)


def read_hub(source: HubSource) -> Iterator[Row | Problem]:
    """Rows of a hub data set; class numbers become class names.

    Raises MachineError where the hub or the package is not at hand, DataError where the data set,
    its configuration or its split does not exist or would need its own code.
    """
    name = source.id if source.config is None else f"{source.id}:{source.config}"
    rows = _load(source, name)
    features: Mapping[str, Any] = getattr(rows, "features", None) or {}
    classes = {c: list(f.names) for c, f in features.items() if hasattr(f, "names")}
    for number, values in enumerate(rows, 1):
        named = dict(values)
        for column, names in classes.items():
            value = named.get(column)
            if isinstance(value, int) and 0 <= value < len(names):
                named[column] = names[value]
        yield Row(named, place(f"{name}@{source.split}", number))


def _load(source: HubSource, name: str) -> Any:
    try:
        import datasets
    except ImportError:
        raise MachineError(
            f"no file or folder is called {name}, and hub data sets need the package datasets",
            where=name,
            do="check the path, or pip install 'afina[hub]'",
        ) from None
    cut_off = why_cut_off()
    try:
        with _offline(datasets, bool(cut_off)):
            return datasets.load_dataset(source.id, name=source.config, split=source.split)
    except ConnectionError as error:
        raise MachineError(
            "no file or folder of this name, no copy of such a data set here, and the hub cannot be "
            f"asked: {cut_off or _first_line(error)}",
            where=name,
            do=_OFFLINE,
        ) from None
    except datasets.exceptions.DatasetNotFoundError as error:
        raise DataError(
            f"no file, folder or hub data set of this name: {_first_line(error)}",
            where=name,
            do="check the name; a private one needs hf auth login",
        ) from None
    except RuntimeError as error:
        raise DataError(
            f"the hub data set cannot be read without running its code: {_first_line(error)}",
            where=name,
            do="use a version of it in Parquet or JSONL",
        ) from None
    except (
        ValueError
    ) as error:  # an unknown configuration or split; the message names those there are
        raise DataError(
            f"the hub data set cannot be read: {_first_line(error)}",
            where=name,
            do="name configuration and split as id:config@split",
        ) from None
    except OSError as error:
        raise MachineError(
            f"the hub data set cannot be read: {_first_line(error)}", where=name, do=_OFFLINE
        ) from None


@contextmanager
def _offline(datasets: Any, offline: bool) -> Iterator[None]:
    """Let ``datasets`` look at its copies alone: a hub that is not there, it asks for half a minute."""
    if not offline:
        yield
        return
    from huggingface_hub import constants

    kept = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = kept


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__
