"""Where base models come from: a folder, a .gguf file, the cache, the hub, or a package.

Whatever the way, the outcome is a ``Base``: a local folder that Transformers can load without
running code of it, checked, with its facts. Loads no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from afina.errors import AfinaError, MachineError, ModelError
from afina.models.base_cache import (
    cache_folder,
    check_room,
    folder_of,
    is_complete,
    locked,
    read_card,
    read_note,
    sha256_of,
    staged,
    write_note,
)

FACTS_VERSION = 1
"""Raise it when ``Base`` or its checks change: facts kept before are then worked out again."""
_HUB_ID = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?)"
    r"(?:@(?P<revision>[A-Za-z0-9][A-Za-z0-9._/-]{0,99}))?"
)
RUN = "run:"
"""Begins the name of a base that is a run."""
Say = Callable[[str], None]
Pooling = Literal["mean", "first", "last"]


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Base:
    """A base model in a local folder: config.json, tokenizer.json, model*.safetensors.

    ``parameters`` counts tied weights once; ``bytes`` are those of the weights files; ``pooling``
    is what a sentence encoder was made with; ``layers`` are those of the encoder and the decoder
    together where there are both; ``sha256`` is over the config's meaning and the
    weights.
    """

    name: str
    folder: Path
    kind: Literal["encoder", "decoder", "seq2seq"]
    architecture: str
    model_type: str
    parameters: int
    bytes: int
    dtype: str
    licence: str
    licence_note: str
    context_length: int
    hidden_size: int
    layers: int
    vocabulary: int
    pooling: Pooling | None
    chat_template: bool
    tunable: bool
    tunable_reason: str
    sha256: str
    source: str
    prompts: tuple[tuple[str, str], ...] = ()
    """What a sentence encoder wants before a text, by use: ``("query", "query: ")``."""
    unopened: tuple[str, ...] = ()
    """Pickle files beside the weights, which were not opened."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Keys of config.json that are to be other than in the folder (a longer context)."""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self) | {"folder": str(self.folder), "prompts": dict(self.prompts)}


# ---------------------------------------------------------------------------- resolve


def resolve(base: str, *, cache: Path | None = None, say: Say | None = None) -> Base:
    """The base that a recipe names: a folder, a .gguf file, a hub id (``org/name@revision``), or the
    folder of a run (``run:FOLDER``).

    A hub id is looked for in the cache, then on the hub, then among the packages. Raises ModelError
    for a base that is unknown, unsafe or unsound, MachineError where it cannot be had here and now.
    """
    from afina.models.safe import check_floors

    check_floors()
    where, tell = cache_folder(cache), say or _silent
    if base.startswith(RUN):
        from afina.models.run_base import weights_of

        return _describe(base, weights_of(Path(base.removeprefix(RUN)), where, tell), where)
    path = _local(base)
    if path is not None:
        return _from_path(path, where, tell)
    found = _HUB_ID.fullmatch(base)
    if found is None or ".." in base or "--" in base:
        raise ModelError(
            f"{base[:80]!r} is neither a folder, nor a .gguf file, nor a hub id (org/name)",
            where="base",
            do=f"the bases that need no hub: {', '.join(_packages())}",
        )
    folder = _from_hub_id(found["name"], found["revision"], where, tell)
    return _describe(base, folder, where)


def _local(base: str) -> Path | None:
    """The path that a base means, None if it is a hub id. Raises ModelError if it is not there."""
    path = Path(base).expanduser() if base.startswith("~") else Path(base)
    if "\0" in base or not base.strip():
        raise ModelError("it is empty or holds a zero byte", where="base", do="name a base")
    if path.is_dir() or path.is_file():
        return path.absolute()
    is_path = (
        base.startswith((".", "/", "~", "\\"))
        or "\\" in base
        or base.count("/") > 1
        or base.lower().endswith((".gguf", ".safetensors"))
        or re.match(r"[A-Za-z]:", base) is not None
    )
    if "@" in base and not base.startswith((".", "/", "~", "\\")):
        is_path = False
    if "://" in base:
        raise ModelError(
            f"{base[:80]!r} is an address; bases are not loaded from addresses",
            where="base",
            do="name the model as org/name, or download it and name its folder",
        )
    if is_path:
        raise ModelError(
            f"there is no folder and no file {base[:200]}",
            where="base",
            do=f"check the path (it is taken from {Path.cwd()}), or name a hub id: org/name",
        )
    return None


def _from_path(path: Path, cache: Path, say: Say) -> Base:
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise ModelError(
                "a base is a folder or a .gguf file",
                where=str(path),
                do="name the folder that holds config.json, tokenizer.json and the weights",
            )
        return _describe(str(path), _from_gguf(path, cache, say), cache)
    lone = sorted(path.glob("*.gguf"))
    if len(lone) == 1 and not (path / "config.json").exists():
        return _describe(str(path), _from_gguf(lone[0], cache, say), cache)
    return _describe(str(path), path, cache)


def _from_gguf(path: Path, cache: Path, say: Say) -> Path:
    """The folder that a GGUF file was turned into, on first use; the file is told by its hash."""
    from afina.models import gguf

    container = gguf.read_container(path)
    state = path.stat()
    stamp = [path.name, state.st_size, state.st_mtime_ns]
    noted = read_note(cache, path, stamp)
    digest = str(noted["sha256"]) if noted else sha256_of(path)
    key = f"gguf--{path.stem}--{digest[:16]}"
    folder = folder_of(cache, key)
    if not is_complete(folder):
        with locked(cache, key, say):
            if not is_complete(folder):
                check_room(cache, 5 * state.st_size, f"converting {path.name}")
                say(f"converting {path.name} ({state.st_size / 1e6:.0f} MB), once")
                card = {
                    "source": f"converted from {path.name} ({container.packing} weights, "
                    f"sha256 {digest})",
                    "licence": container.licence,
                    "licence_note": "",
                }
                with staged(cache, key, card) as stage:
                    gguf.convert(container, stage)
    if noted is None:
        write_note(cache, path, stamp, {"sha256": digest})
    return folder


def _from_hub_id(name: str, revision: str | None, cache: Path, say: Say) -> Path:
    from afina.models import hub, packages

    package = packages.PACKAGES.get(name) if revision is None else None
    if package is not None and is_complete(folder_of(cache, package.key)):
        return folder_of(cache, package.key)
    found = hub.cached(name, revision, cache)
    if found is not None:
        return found
    reason = "HF_HUB_OFFLINE is set"
    if not hub.is_switched_off():
        try:
            return hub.fetch(name, revision, cache=cache, say=say)
        except hub.HubUnreachableError as error:
            reason = f"the hub cannot be reached: {error}"
    if package is None:
        raise _not_here(name, revision, reason)
    say(f"{reason}; a package carries {name}")
    return packages.fetch(package, cache=cache, say=say)


def _not_here(name: str, revision: str | None, reason: str) -> MachineError:
    from difflib import get_close_matches

    known = _packages()
    short = {other.rsplit("/", 1)[-1].lower(): other for other in known}
    close = get_close_matches(name.rsplit("/", 1)[-1].lower(), short, n=1, cutoff=0.7)
    meant = f"did you mean {short[close[0]]}? " if close and revision is None else ""
    return MachineError(
        f"{name} is not in the cache, and {reason}",
        where="base",
        do=f"{meant}download it where there is network (hf download {name} --local-dir FOLDER) and "
        f"name the folder; or take one that needs no hub: {', '.join(known)}",
    )


def _packages() -> tuple[str, ...]:
    from afina.models.packages import PACKAGES

    return tuple(PACKAGES)


# ---------------------------------------------------------------------------- facts


def _describe(name: str, folder: Path, cache: Path) -> Base:
    """The facts of a folder; worked out once, then kept as long as no file of it changes."""
    folder = folder.absolute()
    stamp = _stamp(folder)
    noted = read_note(cache, folder, stamp)
    if noted is not None:
        prompts = tuple((str(k), str(v)) for k, v in noted.pop("prompts"))
        facts = noted | {"prompts": prompts, "unopened": tuple(noted["unopened"])}
        return Base(**facts | {"name": name, "folder": folder})
    from afina.models.facts import work_out

    fresh = replace(work_out(folder, read_card(folder)), name=name)
    write_note(cache, folder, stamp, asdict(fresh) | {"name": "", "folder": ""})
    return fresh


def _stamp(folder: Path) -> list[Any]:
    files = sorted(p for p in (*folder.iterdir(), *folder.glob("*/*")) if p.is_file())
    states = [(p.relative_to(folder).as_posix(), p.stat()) for p in files]
    return [FACTS_VERSION, [[n, s.st_size, s.st_mtime_ns] for n, s in states]]


# ---------------------------------------------------------------------------- list and add


@dataclass(frozen=True)
class Listed:
    """A line of ``afina models list``. ``where``: "here" (ready), "package" (fetched on first
    use). ``problem`` says why one that is here cannot be used; its figures are then 0.
    """

    name: str
    where: Literal["here", "package"]
    kind: str
    parameters: int
    bytes: int
    context_length: int
    licence: str
    licence_note: str
    chat_template: bool | None
    tunable: bool
    source: str
    folder: Path | None = None
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self) | {"folder": str(self.folder) if self.folder else None}


def list_bases(*, cache: Path | None = None) -> list[Listed]:
    """Every base that this machine has, and every packaged one that it could have; by name.

    Asks no network. What is here: packages and GGUF files that were converted, the hub's snapshots
    in either cache, folders that were added.
    """
    where = cache_folder(cache)
    here = [_listed(name, folder, where) for name, folder in _present(where)]
    names = {line.name for line in here}
    from afina.models.packages import PACKAGES

    waiting = [
        Listed(
            name=package.name,
            where="package",
            kind=package.kind,
            parameters=package.parameters,
            bytes=package.bytes,
            context_length=package.context_length,
            licence=package.licence,
            licence_note=package.licence_note,
            chat_template=None,
            tunable=True,
            source=package.source,
        )
        for package in PACKAGES.values()
        if package.name not in names
    ]
    return sorted([*here, *waiting], key=lambda line: line.name.lower())


def _listed(name: str, folder: Path, cache: Path) -> Listed:
    try:
        base = _describe(name, folder, cache)
    except AfinaError as error:
        return Listed(name, "here", "", 0, 0, 0, "", "", None, False, "", folder, error.what)
    return Listed(
        name=name,
        where="here",
        kind=base.kind,
        parameters=base.parameters,
        bytes=base.bytes,
        context_length=base.context_length,
        licence=base.licence,
        licence_note=base.licence_note,
        chat_template=base.chat_template,
        tunable=base.tunable,
        source=base.source,
        folder=base.folder,
    )


def _present(cache: Path) -> list[tuple[str, Path]]:
    """Name and folder of everything that is here."""
    from huggingface_hub import constants

    from afina.models import hub

    found: dict[str, Path] = {}
    bases = cache / "bases"
    for folder in sorted(bases.iterdir()) if bases.is_dir() else []:
        if is_complete(folder):
            found[str(read_card(folder).get("name", folder))] = folder
    for place in (cache / "hub", Path(constants.HF_HUB_CACHE)):
        for folder in sorted(place.glob("models--*")) if place.is_dir() else []:
            name = folder.name.removeprefix("models--").replace("--", "/")
            snapshot = hub.cached(name, None, cache) if _HUB_ID.fullmatch(name) else None
            if snapshot is not None:
                found.setdefault(name, snapshot)
    for added in _added(cache):
        if added.is_dir():
            found[str(added)] = added
    return list(found.items())


def add_base(base: str, *, cache: Path | None = None, say: Say | None = None) -> Base:
    """Have a base ready on this machine: fetched, converted and checked. A folder stays where it
    is and is remembered, so that ``list_bases`` shows it.
    """
    ready = resolve(base, cache=cache, say=say)
    where = cache_folder(cache)
    if _local(base) is not None and not ready.folder.is_relative_to(where):
        with locked(where, "added", say or _silent):
            folders = sorted({str(p) for p in _added(where)} | {str(ready.folder)})
            fresh = where / "added.json.new"
            fresh.write_text(json.dumps(folders, indent=2), encoding="utf-8")
            fresh.replace(where / "added.json")
    return ready


def _added(cache: Path) -> list[Path]:
    path = cache / "added.json"
    if not path.is_file():
        return []
    try:
        folders = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        folders = None
    if not isinstance(folders, list) or not all(isinstance(f, str) for f in folders):
        raise MachineError(
            "the list of added folders is damaged",
            where=str(path),
            do="delete it and add them again: afina models add FOLDER",
        )
    return [Path(folder) for folder in folders]
