"""``afina serve RUN``: models over HTTP."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.cli.arguments import Documents
from afina.cli.terminal import Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.recipe import Recipe
    from afina.serve import ServedModel

EXAMPLES = (
    "afina serve last",
    "afina serve soporte --port 8080",
    "afina serve soporte --documents ./manuals",
    "afina serve --base HuggingFaceTB/SmolLM2-135M-Instruct --documents ./manuals",
    "AFINA_API_KEY=… afina serve soporte --host 0.0.0.0",
)


def verb(
    to: Terminal,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN…]", help="Runs or promoted names to serve."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(metavar="BASE", help="Also serve this base, untuned.")
    ] = None,
    documents: Documents = None,
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
    the object with the address is printed as soon as the server listens. With --documents each
    chat is answered from passages that fit its last question; the answer names them. Of a run of
    several tasks each is a model of its own, called RUN:TASK, over one body.
    """
    from afina.recipe import Serve
    from afina.serve import serve

    key = _key(api_key_file)
    opened = _opened(to, runs or [], base)
    for model, _ in opened:
        if model.model.cut_to is not None:
            to.say(
                f"{model.name}: questions over {model.longest_prompt:,} tokens are cut, as in training"
            )
    models = [_served(to, model, recipe, documents) for model, recipe in opened]
    asked = next((recipe.serve for _, recipe in opened if recipe), Serve())
    serve(
        models,
        host=host or asked.host,
        port=asked.port if port is None else port,
        api_key=key,
        say=lambda text: _say(to, text, [model.name for model in models]),
    )


def _opened(
    to: Terminal, runs: list[str], base: str | None
) -> list[tuple[TunedModel, Recipe | None]]:
    """The models of the runs with their recipes, and the untuned base."""
    from afina import flow
    from afina.baselines.rag import open_untuned
    from afina.models.predictor import TunedModel
    from afina.store import Run

    if not runs and base is None:
        raise RequestError(
            "there is no model to serve", where="afina serve", do="name a run, or --base BASE"
        )
    models: list[tuple[TunedModel, Recipe | None]] = []
    for name in runs:
        run = Run.open(to.home, name)
        own = TunedModel.open_all(run.model_folder, name=name if name != "last" else run.id)
        models += [(own[task], part) for task, part in flow.recipe_of(run).parts.items()]
    if base is not None:
        models.append((open_untuned(base, say=to.say), None))
    return models


def _served(
    to: Terminal, model: TunedModel, recipe: Recipe | None, documents: list[str] | None
) -> ServedModel:
    """The model over the documents that are named, or over those that it learned with."""
    from afina import flow
    from afina.baselines.rag import over_documents
    from afina.retrieval import Rag
    from afina.serve.grounded import Grounded

    if documents:
        return Grounded(model, over_documents(model, documents, recipe, say=to.say))
    found = flow.as_asked(recipe, model, to.say) if recipe is not None else model
    return Grounded(model, found) if isinstance(found, Rag) else model


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
