"""``afina serve RUN``: models over HTTP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from afina.cli.terminal import Terminal
from afina.errors import RequestError

EXAMPLES = (
    "afina serve last",
    "afina serve soporte --port 8080",
    "AFINA_API_KEY=… afina serve soporte --host 0.0.0.0",
)


def verb(
    to: Terminal,
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="Runs or promoted names to serve.")
    ],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; beyond this machine needs a key.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File with the API key (else AFINA_API_KEY)."),
    ] = None,
) -> None:
    """Address and port are those of the recipe unless given. Point any OpenAI client at
    http://HOST:PORT/v1; a page to try the model is at http://HOST:PORT/. Ctrl-C stops. With --json
    the object with the address is printed as soon as the server listens.
    """
    from afina import flow
    from afina.models.predictor import TunedModel
    from afina.serve import serve
    from afina.store import Run

    key = _key(api_key_file)
    opened = [Run.open(to.home, name) for name in runs]
    asked = flow.recipe_of(opened[0]).serve
    models = [
        TunedModel.open(run.model_folder, name=name if name != "last" else run.id)
        for name, run in zip(runs, opened, strict=True)
    ]
    serve(
        models,
        host=host or asked.host,
        port=asked.port if port is None else port,
        api_key=key,
        say=lambda text: _say(to, text, [model.name for model in models]),
    )


def _say(to: Terminal, text: str, names: list[str]) -> None:
    """For people as it is; with --json the sentence with the address becomes the one object."""
    to.say(text)
    address = re.search(r"http://\S+/v1", text)
    if to.json and address:
        to.object({"address": address[0], "models": names})


def _key(file: Path | None) -> str | None:
    """The API key; it is never taken from the command line, where other users could read it."""
    if file is None:
        return os.environ.get("AFINA_API_KEY") or None
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"the key cannot be read: {getattr(error, 'strerror', None) or error}",
            where=f"--api-key-file {file}",
            do="name a readable text file with the key in its first line",
        ) from None
    if not key or len(key.splitlines()) != 1:
        raise RequestError(
            "the file does not hold one line with a key" if key else "the file is empty",
            where=f"--api-key-file {file}",
            do="write the key into it, one line",
        )
    return key
