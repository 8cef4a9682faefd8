"""Base models on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from afina.cli import draw


def listed(console: Console, rows: Sequence[Mapping[str, Any]]) -> None:
    drawn = draw.table("base", "parameters", "licence", "where", right=["parameters"])
    for row in rows:
        drawn.add_row(
            escape(str(row["name"])),
            draw.count(row["parameters"]) if row.get("parameters") else "",
            escape(str(row.get("licence") or "")),
            escape(str(row.get("source") or "")),
        )
    console.print(drawn)


def shown(console: Console, facts: Mapping[str, Any]) -> None:
    named = {
        "kind": facts["kind"],
        "architecture": f"{facts['architecture']} ({facts['model_type']})",
        "parameters": f"{draw.count(facts['parameters'])} ({facts['parameters']:,})",
        "size": draw.size(facts["bytes"]),
        "numbers": facts["dtype"],
        "layers": facts["layers"],
        "hidden size": facts["hidden_size"],
        "vocabulary": f"{facts['vocabulary']:,}",
        "context": f"{facts['context_length']:,} tokens",
        "chat template": "yes" if facts["chat_template"] else "no",
        "pooling": facts["pooling"],
        "tunable": "yes" if facts["tunable"] else f"no: {facts['tunable_reason']}",
        "licence": facts["licence"],
        "note": facts["licence_note"] or None,
        "from": facts["source"],
        "folder": facts["folder"],
        "sha256": facts["sha256"],
    }
    draw.facts(console, named.items(), title=str(facts["name"]))
