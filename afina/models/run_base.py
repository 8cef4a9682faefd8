"""A run as a base: its tuned weights as a folder that any base could be, made once.

An adapter is merged: the next stage then trains over plain weights like every other, by any method,
and needs one adapter at a time in memory, on disk and in other tools. Stacked adapters would spare
the copy and the one rounding to the run's own precision, and would tie each later stage to the
method, and to the folder, of every earlier one.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from afina.errors import CorruptError, ModelError, RunError
from afina.models.base_cache import check_room, folder_of, is_complete, locked, staged
from afina.models.sources import Base, Say
from afina.store import durable, manifest

SENTENCE_FILES = ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json")
"""What says how the vectors of a sentence encoder are made; with the folders of its pooling."""


def weights_of(run: Path, cache: Path, say: Say) -> Path:
    """The cached folder with the weights of a run.

    Raises RunError where there is no finished run, CorruptError where its model is not the one that
    was sealed, ModelError where it cannot be a base.
    """
    key = f"run--{run.name}--{_digest(run)[:16]}"
    folder = folder_of(cache, key)
    if not is_complete(folder):
        with locked(cache, key, say):
            if not is_complete(folder):
                say(f"making a base of {run.name}, once")
                _make(run, cache, key)
    return folder


def _digest(run: Path) -> str:
    """SHA-256 over the hashes of the model's files, each compared with the seal."""
    if not (run / manifest.NAME).is_file():
        there = run.is_dir()
        raise RunError(
            "this run has no finished model" if there else "there is no such run",
            where=f"base: run:{run}",
            do=f"afina train --resume {run.name}"
            if there
            else "bring its folder back, or name another run (afina runs)",
        )
    _, files = manifest.read(run)
    own = [record for record in files if record.name.startswith("model/")]
    for record in own:
        wrong = manifest.difference(run, record)
        if wrong:
            raise CorruptError(
                f"its model is not the one that was sealed: {wrong}",
                where=f"base: run:{run}",
                do="restore the folder from a copy, or train that stage again",
            )
    text = "".join(f"{record.name} {record.sha256}\n" for record in own)
    return hashlib.sha256(text.encode()).hexdigest()


def _make(run: Path, cache: Path, key: str) -> None:
    from afina.models.save import merge, open_model

    model = open_model(run / "model")
    base = model.base
    if base.kind == "decoder" and model.task.head != "tokens":
        raise ModelError(
            "it put a head on a decoder and kept no output layer: nothing that could be gone on from",
            where=f"base: run:{run}",
            do="begin the later stage from its base, or learn both as tasks of one run",
        )
    try:
        model = merge(model)
    except ModelError as error:
        raise ModelError(
            f"a stage cannot begin from it: {error.what}",
            where=f"base: run:{run}",
            do="train that stage with method: full, partial or lora",
        ) from None
    check_room(cache, 2 * base.bytes, f"a base of {run.name}")
    card = {
        "name": f"run:{run}",
        "source": f"the run {run.name}, tuned from {base.name}",
        "licence": base.licence,
        "licence_note": base.licence_note,
    }
    with staged(cache, key, card) as stage:
        module = model.network.core
        module.save_pretrained(stage)
        model.renderer.tokenizer.save_pretrained(stage)
        _copy_sentence_files(base, stage)


def _copy_sentence_files(base: Base, stage: Path) -> None:
    for name in SENTENCE_FILES:
        if (base.folder / name).is_file():
            shutil.copyfile(base.folder / name, stage / name)
    for config in base.folder.glob("*_*/config.json"):
        durable.make_folder(stage / config.parent.name)
        shutil.copyfile(config, stage / config.parent.name / config.name)
