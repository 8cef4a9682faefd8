"""Whatever stands in a file, a reader ends in examples or in an error of ours."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from afina.data import read
from afina.errors import DataError
from tests.data.test_formats import FILES

NAMES = sorted(FILES)


def spoiled(content: bytes, dice: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled or put in."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data) + 1)
        change = dice.randrange(4)
        if change == 0 and at < len(data):
            data[at] = dice.randrange(256)
        elif change == 1:
            del data[at : at + dice.randint(1, 12)]
        elif change == 2:
            data[at:at] = data[at : at + 20]
        else:
            data[at:at] = dice.choice(
                [b'"', b"{", b"]", b"\n", b"\r", b"\0", b"\xff", b",", b"\\", b"\t"]
            )
    return bytes(data)


@pytest.mark.parametrize("seed", range(40))
def test_spoiled_files(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    ended = 0
    for name in NAMES:
        content = FILES[name]()
        if name.endswith(".gz"):
            content = gzip.compress(spoiled(gzip.decompress(content), dice))
        else:
            content = spoiled(content, dice)
        file = tmp_path / name
        file.write_bytes(content)
        try:
            reading = read(str(file))
        except DataError as error:
            assert error.where and error.do and error.what
        else:
            assert reading.rows >= 1
        ended += 1
    assert ended == len(NAMES)
