"""What the doctor found, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from afina.cli import draw

SIGNS = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "bold red")}


def drawn(console: Console, found: Mapping[str, Any]) -> None:
    table = draw.table("", "", "", "")
    table.show_header = False
    for line in found["findings"]:
        sign, style = SIGNS[line["state"]]
        do = f"→ {line['do']}" if line["do"] else ""
        table.add_row(
            Text(sign, style=style), escape(line["name"]), escape(line["what"]), escape(do)
        )
    console.print(table)
    bad = [line["name"] for line in found["findings"] if line["state"] == "bad"]
    console.print()
    if bad:
        console.print(Text(f"A run cannot work here: {', '.join(bad)}.", style="bold red"))
    else:
        console.print("Ready.")
