"""The command line: ``afina VERB …``. A verb is a file of this folder, imported when it is called.

Typer reads a verb's arguments from the signature of its function ``verb``; everything around the
call (where answers and errors go, exit codes) is here, so that a verb has a body of a few lines.
Knows no torch, no models and no rules of training.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from afina.errors import RequestError, nearest

VERBS: dict[str, dict[str, str]] = {
    "Prepare": {
        "new": "Write a first recipe for a file of examples.",
        "check": "Read the data of a recipe and say what is in it, and what is wrong with it.",
        "label": "Have people label texts: a form of the most telling ones, and rows of their answers.",
        "restore": "Put personal data back into a redacted file, with its keys.",
        "decide": "Measure prompts, documents and short trials: is fine-tuning the way?",
        "plan": "Show every derived value with its reason, and what the run will cost.",
        "explain": "Say what the keys of a recipe mean.",
        "schema": "Print the JSON schema of the recipe.",
    },
    "Train and measure": {
        "run": "The main job: check, plan, train, measure against the baselines, report.",
        "train": "Train a recipe, or go on with an interrupted run; no evaluation.",
        "sweep": "Search the settings that train best, on validation rows alone.",
        "eval": "Measure a trained run and its baselines on the sealed test.",
        "judge": "Have people, and a model, say which of two candidates answers better.",
    },
    "Use": {
        "predict": "Answer a file, or what comes through a pipe.",
        "chat": "Talk to a model in the terminal.",
        "serve": "Answer over HTTP, as the OpenAI API does.",
    },
    "Keep": {
        "runs": "List the runs of the home folder.",
        "show": "Show one run: its plan, its training, its scores, its files.",
        "compare": "Set two runs side by side: what was asked and what came out.",
        "promote": "Give the model of a run a name to serve it by.",
        "rollback": "Give a name back to the model that had it before.",
        "trace": "List the runs whose data held a value or a row.",
    },
    "Around": {
        "models": "List, fetch and describe base models.",
        "doctor": "Say whether this machine has what Afina needs.",
    },
}
"""What there is, by the heading under which ``afina --help`` shows it."""

SENTENCES = {name: sentence for group in VERBS.values() for name, sentence in group.items()}
READER_GONE = 141
"""Exit code when the reader of our output went away (128 + SIGPIPE, as other tools end)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and leave with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter gets its number
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(command_line(sys.argv[1:] if arguments is None else arguments))


def command_line(arguments: Sequence[str]) -> int:
    """Run one command line. Returns the exit code; raises nothing."""
    from afina.cli import border

    words = list(arguments)
    options, words = _before_the_verb(words)
    in_json = options.json or "--json" in words
    return border.guarded(
        lambda: _call(options, words), in_json=in_json, home=lambda: options.home_folder()
    )


class _Options:
    """What may stand before the verb as well as after it."""

    def __init__(self) -> None:
        self.home: Path | None = None
        self.json = False
        self.quiet = False

    def home_folder(self) -> Path:
        return self.home or Path(os.environ.get("AFINA_HOME") or "afina-home")


def _before_the_verb(words: list[str]) -> tuple[_Options, list[str]]:
    options = _Options()
    while words:
        if words[0] == "--json":
            options.json = True
        elif words[0] in ("--quiet", "-q"):
            options.quiet = True
        elif words[0] == "--home" and len(words) > 1:
            options.home = Path(words.pop(1))
        elif words[0].startswith("--home="):
            options.home = Path(words[0].removeprefix("--home="))
        else:
            break
        words.pop(0)
    return options, words


def _call(options: _Options, words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        return _help(words[1:], options)
    name = words[0]
    if name == "--version":
        from afina import __version__

        print(f"afina {__version__}")
        return 0
    if name.startswith("-"):
        known = ("--help", "--version", "--json", "--quiet", "--home")
        raise RequestError(f"no option {name} here", where="afina", do=nearest(name, known))
    if name not in SENTENCES:
        do = nearest(name, SENTENCES) + " (afina --help lists the verbs)"
        raise RequestError(f"no verb is called {name!r}", where="afina", do=do)
    from afina.cli.arguments import parse
    from afina.cli.terminal import Terminal

    _calm_libraries()
    verb: Callable[..., int | None] = import_module(f"afina.cli.{name}").verb
    given = parse(name, words[1:])
    if given is None:  # --help was asked and has been shown
        return 0
    options.home = given.pop("home") or options.home
    to = Terminal(
        home=options.home_folder(),
        json=given.pop("json") or options.json,
        quiet=given.pop("quiet") or options.quiet,
    )
    return verb(to, **given) or 0


def _help(words: list[str], options: _Options) -> int:
    if words and words[0] in SENTENCES:
        return _call(options, [words[0], "--help"])
    print(overview(), end="")
    return 0


def overview() -> str:
    """What ``afina --help`` shows."""
    lines = [
        "Usage: afina [--home DIR] [--json] [--quiet] VERB …",
        "",
        "A recipe goes in; a run comes out; a report says whether it was worth it.",
    ]
    for heading, verbs in VERBS.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:<10}{sentence}" for name, sentence in verbs.items()]
    lines += [
        "",
        "Options, before or after the verb:",
        "  --home DIR  Where runs and the registry are (else AFINA_HOME, else ./afina-home).",
        "  --json      One JSON object on standard output; all else on standard error.",
        "  --quiet     Say nothing but the answer and what is wrong.",
        "  --version   Print the version.",
        "",
        "Example: afina new tickets.csv && afina run recipe.yaml",
        "More on a verb: afina VERB --help",
    ]
    return "\n".join(lines) + "\n"


def _calm_libraries() -> None:
    """Keep other libraries' bars and notices off the terminal; a user's own settings stay."""
    import warnings

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TQDM_DISABLE", "1")  # bars of other libraries; ours are not tqdm's
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # What peft calls in Transformers is said to go away: news for their authors, not for ours.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")


__all__ = ["SENTENCES", "VERBS", "command_line", "main", "overview"]
