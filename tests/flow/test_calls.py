"""Calls of tools that the base's template writes in a form of its own are refused before training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina.errors import DataError
from afina.flow import prepare
from afina.models.sources import Base
from afina.recipe import parse_recipe
from tests.tiny import CHATML, Kind

SPEAKS = CHATML.replace(
    "message['content'] + '<|im_end|>'",
    "message['content'] + (message['tool_calls'] | map(attribute='function') | map('tojson')"
    " | map('replace', '{\"', '<tool_call>{\"', 1) | join('</tool_call>')"
    " + '</tool_call>' if message['tool_calls'] else '') + '<|im_end|>'",
)
"""The form of Qwen: one block a call."""


def recipe(base: Base, folder: Path, template: str) -> Any:
    home = shutil.copytree(base.folder, folder / "base")
    (home / "chat_template.jinja").write_text(template, "utf-8")
    call = {"type": "function", "function": {"name": "light", "arguments": {"where": "salón"}}}
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"luz {i}"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
            ]
        }
        for i in range(20)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return parse_recipe(
        {
            "task": "generate",
            "base": str(home),
            "data": {"train": str(folder / "rows.jsonl")},
            "train": {"device": "cpu", "threads": 1},
        }
    )


def test_a_template_that_leaves_calls_out_is_refused(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="writes the calls of tools as nothing") as caught:
        prepare(recipe(tiny("llama"), tmp_path, CHATML), tmp_path)
    assert "rows.jsonl" in caught.value.where


def test_a_template_that_writes_them_in_blocks_is_taken(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    ready = prepare(recipe(tiny("llama"), tmp_path, SPEAKS), tmp_path)
    assert ready.plan.recipe.task.answer == "json"
    text = "".join(
        piece for piece, counts in ready.renderer.pieces(ready.only.rows.kept[0]) if counts
    )
    assert text.startswith('<tool_call>{"name": "light"')
