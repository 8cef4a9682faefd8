"""Checkpoints: what is promised, and that rot is found."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.errors import AfinaError, MachineError
from afina.store import Checkpoints, disk
from tests.store.faults import failing_at, filler, holds, names

# ---------------------------------------------------------------------------- what it promises


def test_a_checkpoint_comes_back_with_its_facts(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path / "c", keep=2)
    assert (store.newest(), store.at(1), store.pinned(), store.steps()) == (None, None, None, [])
    facts = {"loss": 0.25, "best": None, "curve": [1, 2.5], "reason": "ñ"}
    made = store.commit(3, filler(3), facts)
    found = store.newest()
    assert found == made
    assert found is not None
    assert found.facts == facts
    assert holds(found, 3)
    assert holds(store.at(3), 3)
    assert store.at(4) is None


def test_the_newest_and_the_pinned_are_kept(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=2)
    for step in range(0, 50, 10):
        store.commit(step, filler(step), {}, pinned=step in (10, 20))
    assert store.steps() == [40, 30, 20]
    assert holds(store.pinned(), 20)
    store.commit(50, filler(50), {}, pinned=True)
    assert store.steps() == [50, 40]
    assert names(tmp_path) == {"step-50", "step-40"}


def test_an_older_pinned_one_stays_until_the_newer_is_whole(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path, keep=1)
    store.commit(1, filler(1), {}, pinned=True)
    store.commit(2, filler(2), {})
    with failing_at(1, errno.EIO, names=("rename",)), pytest.raises(MachineError):
        store.commit(3, filler(3), {}, pinned=True)
    assert holds(store.pinned(), 1)
    assert store.steps() == [2, 1]
    store.commit(3, filler(3), {}, pinned=True)
    assert store.steps() == [3]


@settings(max_examples=25, deadline=None)
@given(
    pins=st.lists(st.booleans(), min_size=1, max_size=9),
    keep=st.integers(1, 4),
)
def test_retention_is_the_newest_and_the_newest_pinned(
    pins: list[bool], keep: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Checkpoints(tmp_path_factory.mktemp("c"), keep=keep)
    for step, pinned in enumerate(pins):
        store.commit(step, lambda f: (f / "x").write_bytes(b"x") and None, {}, pinned=pinned)
        expected = set(range(max(0, step - keep + 1), step + 1))
        expected |= set([s for s in range(step + 1) if pins[s]][-1:])
        assert set(store.steps()) == expected


def test_a_step_that_is_there_already_is_replaced(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.commit(5, filler(5), {"seconds": 1.0})
    store.commit(5, filler(5, version=1), {"seconds": 2.0}, pinned=True)
    found = store.newest()
    assert holds(found, 5, 1)
    assert found is not None
    assert (found.facts, found.pinned) == ({"seconds": 2.0}, True)
    assert names(tmp_path) == {"step-5"}


@pytest.mark.parametrize(
    "mistake",
    [
        lambda c: c.commit(-1, filler(1), {}),
        lambda c: c.commit(True, filler(1), {}),
        lambda c: c.commit(2, lambda folder: None, {}),
        lambda c: c.commit(2, lambda folder: (folder / "manifest.json").touch(), {}),
        lambda c: c.commit(2, lambda folder: (folder / "x").symlink_to("/etc/passwd"), {}),
        lambda c: c.commit(2, filler(2), {"loss": float("nan")}),
        lambda c: Checkpoints(c.folder, keep=0),
    ],
)
def test_mistakes_of_a_caller_leave_nothing(
    tmp_path: Path, mistake: Callable[[Checkpoints], object]
) -> None:
    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {})
    with pytest.raises(AfinaError, match="fault of Afina"):
        mistake(store)
    assert names(tmp_path) == {"step-1"}


def test_an_exception_of_the_writer_passes_and_leaves_nothing(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)

    def broken(folder: Path) -> None:
        filler(1)(folder)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.commit(1, broken, {})
    assert names(tmp_path) == set()


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {})
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 1000)
    with pytest.raises(MachineError, match=r"1\.4 kB needed, 1\.0 kB free"):
        store.commit(2, lambda folder: pytest.fail("written"), {})
    assert holds(store.newest(), 1)


def test_what_must_come_first_comes_first(tmp_path: Path) -> None:
    seen: list[set[str]] = []
    store = Checkpoints(tmp_path, before_commit=lambda: seen.append(names(tmp_path) & {"step-1"}))
    store.commit(1, filler(1), {})
    assert seen == [set()]


# ---------------------------------------------------------------------------- rot


def flip(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "flip": lambda p, c: p.write_bytes(flip(p.read_bytes(), c)),
    "truncate": lambda p, c: os.truncate(p, c.randrange(p.stat().st_size)),
    "zero": lambda p, c: p.write_bytes(bytes(p.stat().st_size)),
    "empty": lambda p, c: os.truncate(p, 0),
    "delete": lambda p, c: p.unlink(),
    "longer": lambda p, c: p.write_bytes(p.read_bytes() + b" "),
    "link": lambda p, c: (p.rename(p.parent / "moved"), p.symlink_to(p.parent / "moved")),
    "folder": lambda p, c: (p.unlink(), p.mkdir()),
}


def test_every_damage_is_found_and_the_one_before_is_used(tmp_path: Path) -> None:
    """200 of 200, in the manifest as in the files; what is broken is kept for a person to see."""
    whole = Checkpoints(tmp_path / "whole")
    whole.commit(1, filler(1), {"seconds": 1.5, "best": 0.25})
    whole.commit(2, filler(2), {"seconds": 3.5, "best": 0.125}, pinned=True)
    chance = random.Random(7)
    found = 0
    for case in range(200):
        folder = tmp_path / f"case-{case}"
        shutil.copytree(whole.folder, folder)
        victim = chance.choice(["weights", "inner/optimizer", "manifest.json", "manifest.json"])
        DAMAGES[[*DAMAGES][case % len(DAMAGES)]](folder / "step-2" / victim, chance)
        told: list[str] = []
        store = Checkpoints(folder, told=told.append)
        assert store.at(2) is None
        assert store.pinned() is None
        assert holds(store.newest(), 1)
        assert store.steps() == [1]
        assert len(os.listdir(folder / "quarantine")) == 1
        assert "step-2 is broken" in told[0]
        found += 1
        shutil.rmtree(folder)
    assert found == 200


def test_a_flipped_bit_anywhere_in_a_manifest_is_found(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {"seconds": 1.5, "best_step": 10})
    path = tmp_path / "step-1" / "manifest.json"
    text = path.read_bytes()
    for place, byte in enumerate(text):
        path.write_bytes(text[:place] + bytes([byte ^ (1 << place % 7)]) + text[place + 1 :])
        assert store.at(1) is None, place
    path.write_bytes(text)
    assert holds(store.at(1), 1)


def test_files_of_two_checkpoints_cannot_be_swapped(tmp_path: Path) -> None:
    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {})
    store.commit(2, filler(2), {})
    shutil.copytree(tmp_path / "step-1", tmp_path / "step-3")
    assert store.at(3) is None
    shutil.copy(tmp_path / "step-1" / "weights", tmp_path / "step-2" / "weights")
    assert holds(store.newest(), 1)


def test_the_last_valid_one_is_never_removed(tmp_path: Path) -> None:
    """Newer ones that are broken do not count among those that are kept."""
    store = Checkpoints(tmp_path, keep=2)
    store.commit(1, filler(1), {})
    for step in (2, 3):
        shutil.copytree(tmp_path / "step-1", tmp_path / f"step-{step}")
        (tmp_path / f"step-{step}" / "manifest.json").write_text("{}")
    store.commit(4, filler(4), {})
    assert holds(store.at(1), 1)
    os.truncate(tmp_path / "step-4" / "weights", 3)
    assert holds(store.newest(), 1)
    assert sorted(n[:6] for n in os.listdir(tmp_path / "quarantine")) == [
        "step-2",
        "step-3",
        "step-4",
    ]


def test_an_unreadable_sector_is_a_broken_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.store import manifest

    store = Checkpoints(tmp_path)
    store.commit(1, filler(1), {})
    store.commit(2, filler(2), {})
    real = manifest.sha256_file
    number = errno.EIO

    def reading(path: Path) -> str:
        if path.parent.name == "step-2":
            with disk.storing(path, "read"):
                raise OSError(number, os.strerror(number))
        return real(path)

    monkeypatch.setattr(manifest, "sha256_file", reading)
    number = errno.EACCES
    with pytest.raises(MachineError, match="permission"):
        store.newest()
    number = errno.EIO
    assert holds(store.newest(), 1)
