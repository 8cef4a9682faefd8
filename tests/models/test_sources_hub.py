"""A base from the hub, on a hub of our own; and all that a machine without one must say."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import MachineError, ModelError
from afina.models import packages, wheels
from afina.models.sources import Base, list_bases, resolve
from tests.models.cut_off import cut_off, no_pip
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
COMMIT = "5" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut_off(monkeypatch, tmp_path)


# ---------------------------------------------------------------------------- the hub


class Hub(http.server.ThreadingHTTPServer):
    """What the Hugging Face client asks of a hub, for one model in a folder."""

    def __init__(self, folder: Path, extra: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        } | dict.fromkeys(extra, b"never to be fetched")
        self.asked: list[str] = []
        self.refuse = ""
        self.sizes = 0


class HubRequest(http.server.BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        return None

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = self.path.split("?")[0]
        files = self.server.files
        self.server.asked.append(path)
        if self.server.refuse or not path.startswith(("/api/models/org/tiny", "/org/tiny/")):
            self.send({"X-Error-Code": self.server.refuse or "RepoNotFound"}, b"{}", 403)
        elif "/resolve/" in path:
            data = files[path.split("/resolve/")[1].split("/", 1)[1]]
            tag = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            self.send({"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, data)
        elif "/tree/" in path:
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": "1" * 40}
                for name, data in files.items()
            ]
            self.send({"Content-Type": "application/json"}, json.dumps(tree).encode())
        else:
            siblings = [
                {"rfilename": name, "size": self.server.sizes or len(data)}
                for name, data in files.items()
            ]
            info = {"id": "org/tiny", "sha": COMMIT, "siblings": siblings}
            self.send({"Content-Type": "application/json"}, json.dumps(info).encode())

    def send(self, headers: dict[str, str], body: bytes, status: int = 200) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def open_hub(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub on this machine that has ``org/tiny``, with pickles and code beside its weights."""
    monkeypatch.undo()  # the real way to the hub
    extra = ("pytorch_model.bin", "modeling_tiny.py", "onnx/model.onnx", "original/x.safetensors")
    server = Hub(tiny("minilm").folder, extra)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nonexistent")
    monkeypatch.setattr(wheels, "run_pip", no_pip)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_hub_id_is_fetched_at_a_recorded_revision(open_hub: Hub, cache: Path, tiny: Tiny) -> None:
    said: list[str] = []
    base = resolve("org/tiny", cache=cache, say=said.append)
    assert base.name == "org/tiny"
    assert base.sha256 == tiny("minilm").sha256
    assert base.pooling == "mean"
    assert base.source == f"Hugging Face Hub, revision {COMMIT}"
    assert COMMIT[:12] in said[0]
    fetched = {path.rsplit("/", 1)[-1] for path in open_hub.asked if "/resolve/" in path}
    assert "model.safetensors" in fetched
    assert not {"pytorch_model.bin", "modeling_tiny.py", "model.onnx", "x.safetensors"} & fetched


def test_what_was_fetched_is_found_without_the_hub(open_hub: Hub, cache: Path) -> None:
    base = resolve("org/tiny", cache=cache)
    open_hub.asked.clear()
    assert resolve("org/tiny", cache=cache) == base
    assert resolve(f"org/tiny@{COMMIT}", cache=cache).folder == base.folder
    assert not open_hub.asked
    assert [b.name for b in list_bases(cache=cache) if b.where == "here"] == ["org/tiny"]


def test_a_half_fetched_model_is_fetched_again(open_hub: Hub, cache: Path) -> None:
    base = resolve("org/tiny", cache=cache)
    (base.folder / "model.safetensors").unlink()
    assert resolve("org/tiny", cache=cache).sha256 == base.sha256


def test_a_pinned_revision_that_is_another_is_refused(open_hub: Hub, cache: Path) -> None:
    open_hub.refuse = "RevisionNotFound"
    with pytest.raises(ModelError, match="no revision 'v9'"):
        resolve("org/tiny@v9", cache=cache)


@pytest.mark.parametrize(
    ("refusal", "said", "do"),
    [
        ("RepoNotFound", "the hub has no model org/tiny", "spelling"),
        ("GatedRepo", "org/tiny is gated", "accept them at http://127.0.0.1"),
    ],
)
def test_unknown_and_gated_are_two_errors(
    refusal: str, said: str, do: str, open_hub: Hub, cache: Path
) -> None:
    open_hub.refuse = refusal
    with pytest.raises(ModelError) as caught:
        resolve("org/tiny", cache=cache)
    assert said in caught.value.what
    assert do in caught.value.do


def test_a_model_of_pickles_alone_is_refused_before_the_download(
    open_hub: Hub, cache: Path
) -> None:
    del open_hub.files["model.safetensors"]
    with pytest.raises(ModelError, match="pickles alone: safetensors only"):
        resolve("org/tiny", cache=cache)
    assert not [path for path in open_hub.asked if "/resolve/" in path]


def test_a_model_larger_than_the_disk_is_refused_before_the_download(
    open_hub: Hub, cache: Path
) -> None:
    open_hub.sizes = 10**15
    with pytest.raises(MachineError, match=r"needs .* GB and the disk has"):
        resolve("org/tiny", cache=cache)
    assert not [path for path in open_hub.asked if "/resolve/" in path]


def test_the_hub_goes_before_a_package(
    open_hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = replace(packages.PACKAGES["google/gemma-3-270m"], name="org/tiny")
    monkeypatch.setitem(packages.PACKAGES, "org/tiny", package)
    assert "Hub" in resolve("org/tiny", cache=cache).source


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_a_hub_that_is_switched_off_is_not_asked(
    name: str, open_hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(MachineError, match="HF_HUB_OFFLINE is set"):
        resolve("org/tiny", cache=cache)
    assert not open_hub.asked


def test_offline_and_not_cached_says_both_ways_out(cache: Path) -> None:
    with pytest.raises(MachineError) as caught:
        resolve("huggingfacetb/smollm2-135m-instruct", cache=cache)
    error = caught.value
    assert "not in the cache, and the hub cannot be reached: Name or service" in error.what
    assert "did you mean HuggingFaceTB/SmolLM2-135M-Instruct?" in error.do
    assert "--local-dir" in error.do
    assert "intfloat/multilingual-e5-small" in error.do
    assert not cache.exists()


def test_a_silent_network_costs_at_most_two_seconds(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache / "hf"))
    released = threading.Event()

    def hang(*_: object, **__: object) -> socket.socket:
        released.wait(30)
        raise OSError("released")

    monkeypatch.setattr(socket, "create_connection", hang)
    begun = time.monotonic()
    with pytest.raises(MachineError, match="no answer in"):
        resolve("org/name", cache=cache)
    assert time.monotonic() - begun < 2.5
    released.set()
