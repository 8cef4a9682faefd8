"""Bases from the Hugging Face Hub: safetensors and text files alone, at a recorded revision.

Never fetches pickles or code. Without network it gives up within two seconds. Knows nothing of
packages: what to do when the hub cannot be had is its caller's business.
"""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Any

from afina.data.hub_address import HubUnreachableError, endpoint, is_switched_off, reach
from afina.errors import MachineError, ModelError
from afina.models.base_cache import Say, check_room
from afina.models.safe import INDEX, SINGLE, TOKENIZER
from afina.models.safe_config import CONFIG, read_json

ALLOWED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*",
           "USE_POLICY*", "NOTICE*"]  # fmt: skip
REFUSED = ["*.bin", "*.py", "*/*.safetensors", "onnx/*", "openvino/*", "original/*",
           "consolidated*", "coreml/*", "*.msgpack", "*.h5", "*.ot"]  # fmt: skip
ANSWER_SECONDS = 10.0


def cached(name: str, revision: str | None, cache: Path) -> Path | None:
    """The whole snapshot of a model in our cache or in Hugging Face's own, None if there is none.

    Asks no network. Without a revision: what ``main`` was when it was fetched.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    for place in (cache / "hub", Path(constants.HF_HUB_CACHE)):
        found = try_to_load_from_cache(name, CONFIG, cache_dir=place, revision=revision)
        if isinstance(found, str) and is_whole(Path(found).parent):
            return Path(found).parent
    return None


def is_whole(folder: Path) -> bool:
    """Whether config, tokenizer and every weights file are there; content is checked later."""
    if not all((folder / name).is_file() for name in (CONFIG, TOKENIZER)):
        return False
    if (folder / SINGLE).is_file():
        return True
    if not (folder / INDEX).is_file():
        return False
    places = read_json(folder / INDEX, 64 * 1024 * 1024).get("weight_map")
    return isinstance(places, dict) and all(
        (folder / Path(str(place)).name).is_file() for place in places.values()
    )


def fetch(name: str, revision: str | None, *, cache: Path, say: Say) -> Path:
    """Download a model's files into ``cache/hub`` and return its folder, named by the commit.

    Raises HubUnreachableError; ModelError for a model that is unknown, gated or without
    safetensors; MachineError where the disk is too small: all before anything large is downloaded.
    """
    reach()
    commit, size_bytes = _ask(name, revision)
    # A half more: a file lies under a temporary name until it is whole.
    check_room(cache, size_bytes + size_bytes // 2, f"downloading {name}")
    say(f"fetching {name} from the hub ({size_bytes / 1e6:.0f} MB, revision {commit[:12]})")
    folder = _download(name, revision, cache)
    if folder.name != commit:
        raise ModelError(
            f"the hub gave revision {folder.name}, not the pinned {commit}",
            where=f"base: {name}",
            do="try again; if it stays so, do not use this model",
        )
    return folder


def _ask(name: str, revision: str | None) -> tuple[str, int]:
    """The commit of a model and the bytes of the files that we would fetch."""
    from huggingface_hub import HfApi

    info = _hub_call(
        name,
        revision,
        lambda: HfApi(endpoint=endpoint()).model_info(
            name, revision=revision, files_metadata=True, timeout=ANSWER_SECONDS
        ),
    )
    sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or []}
    wanted = [file for file in sizes if _matches(file, ALLOWED) and not _matches(file, REFUSED)]
    if not any(file in (SINGLE, INDEX) for file in wanted):
        pickles = sorted(f for f in sizes if f.endswith((".bin", ".pt", ".pth", ".ckpt")))
        what = "has its weights as pickles alone" if pickles else f"has no {SINGLE}"
        raise ModelError(
            f"{name} {what}: safetensors only",
            where=f"base: {name}",
            do="take another revision or a copy in safetensors (many models have one as refs/pr/…)",
        )
    return str(info.sha), sum(sizes[file] for file in wanted)


def _matches(file: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(file, pattern) for pattern in patterns)


def _download(name: str, revision: str | None, cache: Path) -> Path:
    from huggingface_hub import snapshot_download

    path: str = _hub_call(
        name,
        revision,
        lambda: snapshot_download(
            name,
            # By its branch, so that the branch is found again without network.
            revision=revision,
            cache_dir=cache / "hub",
            allow_patterns=ALLOWED,
            ignore_patterns=REFUSED,
            etag_timeout=ANSWER_SECONDS,
            endpoint=endpoint(),
        ),
    )
    return Path(path)


def _hub_call(name: str, revision: str | None, call: Any) -> Any:
    """Run a call to the hub; its failures as ours."""
    from huggingface_hub import errors

    try:
        return call()
    except errors.GatedRepoError:
        raise ModelError(
            f"{name} is gated: its owner lets only those in who accept the terms",
            where=f"base: {name}",
            do=f"accept them at {endpoint()}/{name}, then log in: hf auth login (or set HF_TOKEN)",
        ) from None
    except errors.RevisionNotFoundError:
        raise ModelError(
            f"{name} has no revision {revision!r}",
            where=f"base: {name}",
            do=f"see {endpoint()}/{name}/commits/main for those it has",
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ModelError(
            f"the hub has no model {name}, or it is private",
            where=f"base: {name}",
            do="check the spelling; for a private one log in: hf auth login (or set HF_TOKEN)",
        ) from None
    except OSError as error:
        if error.errno is not None and not isinstance(error, errors.HfHubHTTPError):
            raise MachineError(
                f"{name} could not be written: {error.strerror}",
                where=str(error.filename or "the cache of base models"),
                do="make room, or set AFINA_CACHE to another folder",
            ) from None
        raise HubUnreachableError(_first_line(error)) from None
    except _transport_error() as error:
        raise HubUnreachableError(_first_line(error)) from None


def _transport_error() -> type[Exception]:
    """The root of every error of the HTTP library that this huggingface_hub was built on."""
    from huggingface_hub.errors import HfHubHTTPError

    root: type[Exception] = HfHubHTTPError.__bases__[0]
    return root


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


__all__ = [
    "HubUnreachableError",
    "cached",
    "endpoint",
    "fetch",
    "is_switched_off",
    "is_whole",
    "reach",
]
