"""``afina schema``: the JSON schema of the recipe, for editors and forms."""

from __future__ import annotations

from afina.cli.terminal import Terminal

EXAMPLES = ("afina schema > recipe.schema.json",)


def verb(to: Terminal) -> None:
    """Editors that know YAML (with yaml-language-server) complete and check a recipe with it."""
    from afina.recipe import json_schema

    to.object(json_schema())
