"""The outer border of the command line: whatever happens inside ends in a sentence and a code.

The one place of the house that catches every exception: a traceback goes into a file, never at
the user.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from afina.cli.terminal import as_json
from afina.errors import AfinaError, Interrupted, MachineError, RequestError, is_out_of_memory


def guarded(action: Callable[[], int], *, in_json: bool, home: Callable[[], Path]) -> int:
    """Run ``action``; tell what went wrong; return the exit code."""
    from afina.cli import READER_GONE

    try:
        code = action()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The interpreter flushes standard output once more at its end: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), _descriptor_of_stdout())
        return READER_GONE
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 3
    except (KeyboardInterrupt, Exception) as error:
        told = translate(error, home())
    try:
        tell(told, in_json=in_json)
    except BrokenPipeError:
        return READER_GONE
    return told.exit_code


def translate(error: BaseException, home: Path) -> AfinaError:
    """Any exception as one of ours. Writes a crash file for those that are our own mistake."""
    if isinstance(error, AfinaError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("stopped", do="afina runs shows what was saved")
    if _is_usage_error(error):
        return _usage(error)
    if is_out_of_memory(error):
        return MachineError(
            "there is not enough memory for this",
            where=str(error).splitlines()[0][:200] if str(error) else "memory",
            do="set train.micro_batch_size or train.max_length lower, take a smaller base, or "
            "close other programs; afina plan shows what a run needs",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _from_the_system(error)
    return _our_mistake(error, home)


def tell(error: AfinaError, *, in_json: bool) -> None:
    """Print an error: JSON on standard output if asked, else in red on standard error."""
    if in_json:
        print(as_json(error.as_json()))
        return
    text = str(error)
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    first, newline, rest = text.partition("\n")
    print(f"\033[31m{first}\033[0m{newline}{rest}" if colour else text, file=sys.stderr)


def _is_usage_error(error: BaseException) -> bool:
    """Whether Typer refused the arguments (its errors derive from Click's, packaged or its own)."""
    return any(kind.__name__ == "ClickException" for kind in type(error).__mro__)


def _usage(error: BaseException) -> AfinaError:
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", None) or "afina"
    message = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    what = (message[:1].lower() + message[1:]).removesuffix(".").replace(". Did you", ": did you")
    return RequestError(what, where=command, do=f"{command} --help shows what it takes")


def _from_the_system(error: OSError) -> AfinaError:
    words = {
        errno.ENOSPC: "free some space, or set --home to another disk",
        errno.EDQUOT: "free some of your quota, or set --home to another disk",
        errno.EROFS: "this disk is read-only: set --home to another",
        errno.EACCES: "check the permissions, or set --home to a folder of your own",
        errno.EPERM: "check the permissions, or set --home to a folder of your own",
        errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
        errno.ENAMETOOLONG: "use a shorter path",
    }
    number = error.errno or 0
    where = str(error.filename) if error.filename is not None else "the operating system"
    what = (error.strerror or os.strerror(number)).lower()
    return MachineError(what, where=where, do=words.get(number, "see afina doctor"))


def _our_mistake(error: BaseException, home: Path) -> AfinaError:
    text = "".join(traceback.format_exception(error))
    place = _write_crash(text, home)
    if place is None:  # nowhere to write: the traceback itself is better than nothing
        print(text, file=sys.stderr)
    return MachineError(
        f"something went wrong inside Afina that is not your fault ({type(error).__name__})",
        where=str(place or "afina"),
        do="please report it with that file; it holds the steps in the code and no data of yours"
        if place
        else "please report it with the lines above",
    )


def _write_crash(text: str, home: Path) -> Path | None:
    from afina import __version__

    folder = home / "crashes"
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    place = folder / f"{stamp}-{os.getpid()}.txt"
    facts = f"afina {__version__} · Python {sys.version.split()[0]} · {sys.platform}\n\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place.write_text(facts + text, encoding="utf-8")
    except OSError:
        return None
    return place


def _descriptor_of_stdout() -> int:
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError):  # standard output is not a file (a test, a notebook)
        return os.open(os.devnull, os.O_WRONLY)
