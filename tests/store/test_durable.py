"""Durable writes: the old content or the new, and no value changed on the way."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.errors import AfinaError, CorruptError, MachineError
from afina.store import disk, durable, strict_json
from tests.store.faults import PowerCuts, failing_at

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("añ. \n", max_size=3), inner)
    ),
    max_leaves=12,
)


@given(value=PLAIN)
def test_a_value_comes_back_as_it_went(
    value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert strict_json.loads(strict_json.dumps(value, "x")) == value
    assert "\n" not in strict_json.dumps(value, "x")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"scores": [{"loss": math.nan}]}, "scores[0].loss is nan"),
        ({"a": math.inf}, "a is inf"),
        ({"a": {3: "x"}}, "the key 3 is not a word"),
        ({"a": {"b": {1, 2}}}, "a.b is of type set"),
        ({"a": "\ud800"}, "half a character"),
        (b"x", "the value is of type bytes"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_name(tmp_path: Path, value: Any, words: str) -> None:
    target = tmp_path / "value.json"
    target.write_text("old")
    with pytest.raises(AfinaError, match=r"value\.json") as raised:
        durable.write_json(target, value)
    assert words in raised.value.what
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["value.json"]


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": 1, "a": 2}', '{"a": 1', "[1,]", '{"a": -Infinity}', "[" * 100_000]
)
def test_a_file_that_is_not_strict_json_is_corrupt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(CorruptError) as raised:
        durable.read_json(path)
    assert raised.value.where == str(path)


def test_missing_and_binary_files_are_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="missing"):
        durable.read_json(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(CorruptError, match="byte 7"):
        durable.read_json(tmp_path / "binary.json")


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o640)
    durable.write_text(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(MachineError, match="folder of that name"):
        durable.write_text(tmp_path / "x", "new")


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES]
)
@pytest.mark.parametrize("old", ["old content", None])
def test_every_failed_call_leaves_the_old_or_the_new(
    tmp_path: Path, number: int, old: str | None
) -> None:
    """The N-th call fails, for N = 1, 2, … until none does (SQLite's I/O-error loop)."""
    path = tmp_path / "report.json"
    for call in range(1, 100):
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_text(old)
        with failing_at(call, number) as fault:
            error = None
            try:
                durable.write_text(path, "new content")
            except MachineError as raised:
                error = raised
        if error is not None:
            assert str(tmp_path) in error.where
            assert error.do
            assert ("are free" in error.what) == (number in (errno.ENOSPC, errno.EDQUOT))
        left = path.read_text() if path.exists() else None
        assert left in (old, "new content")
        assert os.listdir(tmp_path) in ([], ["report.json"])
        if not fault.happened:
            assert left == "new content"
            assert call > 5
            return
    pytest.fail("the loop never came to its end")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux for the open files")
def test_a_power_cut_at_any_call_leaves_what_was_acknowledged(tmp_path: Path) -> None:
    """Whole files are the last one written or the one being written; synced lines are all there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    cuts = PowerCuts(folder)
    acknowledged, writing, lines = -1, 0, 0

    def cut() -> None:
        for seed in range(4):
            target = tmp_path / "after"
            cuts.draw(target, seed=seed * 10_000 + cuts.calls)
            path = target / "state.json"
            if acknowledged >= 0 or path.exists():
                assert durable.read_json(path) in (acknowledged, writing), cuts.calls
            events = [value["n"] for value in durable.read_lines(target / "events.jsonl").values]
            assert events[:lines] == list(range(lines)), cuts.calls
            shutil.rmtree(target)

    with cuts.watching(cut):
        for n in range(6):
            writing = n
            durable.write_json(folder / "state.json", n)
            acknowledged = n
            durable.append_json(folder / "events.jsonl", {"n": n})
            lines = n + 1
    assert cuts.calls > 30


# ---------------------------------------------------------------------------- lines


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert durable.read_lines(path) == durable.Lines(())
    for n in range(5):
        durable.append_json(path, {"n": n, "text": "línea\nnueva"}, sync=n % 2 == 0)
    assert [v["n"] for v in durable.read_lines(path).values] == list(range(5))
    assert path.read_bytes().count(b"\n") == 5


@given(cut=st.integers(0, 400))
def test_a_torn_last_line_is_set_aside_and_told(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file cut anywhere: every whole line is there, the rest is kept, and appending goes on."""
    path = tmp_path_factory.mktemp("lines") / "events.jsonl"
    for n in range(8):
        durable.append_json(path, {"n": n, "text": "x" * n * 3}, sync=False)
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    whole = content.count(b"\n")
    found = durable.read_lines(path)
    assert [v["n"] for v in found.values] == list(range(whole))
    assert found.torn == content[content.rfind(b"\n") + 1 :]
    durable.append_json(path, {"n": 99})
    assert [v["n"] for v in durable.read_lines(path).values] == [*range(whole), 99]
    torn = path.with_name("events.jsonl.torn")
    assert (torn.read_bytes() if torn.exists() else b"") == (
        found.torn + b"\n" if found.torn else b""
    )


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":\n{"n":3}\n')
    with pytest.raises(CorruptError) as raised:
        durable.read_lines(path)
    assert raised.value.where == f"{path}: line 2"


def test_a_line_that_does_not_fit_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    durable.append_json(path, {"n": 1})
    before = path.read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    with pytest.raises(MachineError, match="are free"):
        durable.append_json(path, {"n": 2})
    assert path.read_bytes() == before


def test_many_writers_never_mix_their_lines(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "events.jsonl"

    def write(writer: int) -> None:
        for n in range(50):
            durable.append_json(path, {"writer": writer, "n": n, "pad": "x" * 500}, sync=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    values = durable.read_lines(path).values
    assert len(values) == 400
    for writer in range(8):
        assert [v["n"] for v in values if v["writer"] == writer] == list(range(50))


# ---------------------------------------------------------------------------- the disk


def test_the_filesystem_of_a_path_is_that_of_the_deepest_mount(tmp_path: Path) -> None:
    (tmp_path / "net work" / "home").mkdir(parents=True)
    table = tmp_path / "mounts"
    where = str(tmp_path / "net work").replace(" ", "\\040")
    table.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {where} nfs4 rw 0 0\nbroken\n")
    assert disk.filesystem_type(tmp_path, table) == "ext4"
    assert disk.filesystem_type(tmp_path / "net work" / "home" / "new", table) == "nfs4"
    assert disk.filesystem_type(tmp_path, tmp_path / "no such table") == ""
    with pytest.raises(MachineError, match="nfs4"):
        disk.refuse_network_filesystem(tmp_path / "net work" / "registry.sqlite", table)
    disk.refuse_network_filesystem(tmp_path / "registry.sqlite", table)


def test_too_little_space_is_said_with_both_figures(tmp_path: Path) -> None:
    free = durable.free_bytes(tmp_path / "not" / "there" / "yet")
    assert free > 0
    durable.require_free(tmp_path, 1, "a checkpoint")
    with pytest.raises(MachineError) as raised:
        durable.require_free(tmp_path, 10**18, "a checkpoint")
    assert "1000000.0 TB needed" in raised.value.what
    assert "free" in raised.value.what


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1_600_000_000, "1.6 GB")]
)
def test_amounts(size: int, words: str) -> None:
    assert disk.amount(size) == words


def test_a_tree_with_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("x")
    durable.fsync_tree(tmp_path)
    (tmp_path / "inner" / "link").symlink_to("/etc/passwd")
    with pytest.raises(AfinaError, match="plain files"):
        durable.fsync_tree(tmp_path)


def test_a_made_folder_is_private_and_an_old_one_stays_as_it_is(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    tmp_path.chmod(0o755)
    durable.make_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError):
        durable.make_folder(tmp_path / "file" / "x")


def test_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert durable.sha256_file(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_indented_json_keeps_order_and_letters(tmp_path: Path) -> None:
    durable.write_json(tmp_path / "x.json", {"z": "ñ", "a": (1, 2), "p": tmp_path})
    text = (tmp_path / "x.json").read_text()
    assert text.index('"z": "ñ"') < text.index('"a"')
    assert json.loads(text) == {"z": "ñ", "a": [1, 2], "p": str(tmp_path)}
