"""``afina chat RUN``: a conversation in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from afina.cli.arguments import RunName, TaskOption
from afina.cli.terminal import Terminal
from afina.errors import AfinaError, RequestError, nearest
from afina.types import Input, Message

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.retrieval import Rag

EXAMPLES = (
    "afina chat last",
    'afina chat soporte --system "Answer in one sentence."',
    'echo "enciende la luz de la cocina" | afina chat last',
)
COMMANDS = ("/reset", "/system", "/quit", "/help")
HELP = "/reset begins anew · /system TEXT sets the system message · /quit (or Ctrl-D) leaves"


def verb(
    to: Terminal,
    run: RunName,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="The system message.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Longest answer in tokens.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="0 always takes the likeliest token.")
    ] = 0.0,
    task: TaskOption = "",
) -> None:
    """/reset begins anew, /system TEXT sets the system message, /quit leaves. A run of
    task: classify answers each line with its labels and their probabilities, other tasks with what
    they find in it.
    """
    if to.json:
        raise RequestError(
            "a conversation is not one JSON object",
            where="afina chat --json",
            do="afina predict RUN FILE answers in JSON",
        )
    from afina import flow
    from afina.models.predictor import TunedModel
    from afina.recipe import of_task
    from afina.retrieval import Rag
    from afina.store import Run

    opened = Run.open(to.home, run)
    model = TunedModel.open(opened.model_folder, task=task)
    if model.model.cut_to is not None:
        to.say(f"what is over {model.longest_prompt:,} tokens is cut, as in training")
    if "chat" in model.kinds:
        found = flow.as_asked(of_task(flow.recipe_of(opened), task), model, to.say)
        rag = found if isinstance(found, Rag) else None
        talk = Conversation(to, model, system, max_tokens, temperature, rag)
        _loop(to, talk.command, talk.answer)
    else:
        model.candidates = flow.candidates_of(opened, task)
        _loop(to, lambda word, _: word == "/reset", lambda text: _say(to, model, text))


def _loop(to: Terminal, command: Callable[[str, str], bool], answer: Callable[[str], None]) -> None:
    to.say(HELP)
    for line in _lines():
        word, _, rest = line.strip().partition(" ")
        try:
            if not word:
                continue
            if word in ("/quit", "/exit"):
                return
            if word == "/help":
                to.say(HELP)
            elif word.startswith("/"):
                if not command(word, rest.strip()):
                    to.warn(f"no command {word}: {nearest(word, COMMANDS)}")
            else:
                answer(line.strip())
        except AfinaError as error:  # one bad question does not end the conversation
            to.warn(str(error))


def _lines() -> Iterator[str]:
    """What is typed, line by line, with editing on a terminal; ends at Ctrl-D."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    try:
        import readline  # noqa: F401  (gives input() its editing and history)
    except ImportError:  # not built into every Python
        pass
    while True:
        try:
            yield input("> ")
        except EOFError:
            print()
            return


class Conversation:
    """The turns so far and how to take the next one."""

    def __init__(
        self,
        to: Terminal,
        model: TunedModel,
        system: str | None,
        max_tokens: int | None,
        temperature: float,
        rag: Rag | None = None,
    ) -> None:
        self.to, self.model, self.rag = to, model, rag
        self.system, self.max_tokens, self.temperature = system, max_tokens, temperature
        self.turns: list[Message] = []

    def command(self, word: str, rest: str) -> bool:
        """Obey ``/reset`` and ``/system``; False if the command is another."""
        if word not in ("/reset", "/system"):
            return False
        self.turns.clear()
        if word == "/system":
            self.system = rest or None
            self.to.say(f"system message: {self.system or 'none of your own'}; a new conversation")
        else:
            self.to.say("a new conversation")
        return True

    def answer(self, text: str) -> None:
        """Stream the answer; Ctrl-C ends it, and what was said so far stays in the conversation."""
        from afina.models.sampling import Sampling

        head = (Message("system", self.system),) if self.system else ()
        given = Input((*head, *self.turns, Message("user", text)))
        if self.rag is not None:
            (found,) = self.rag.with_sources([given])
            given = found.given
            self.to.say(f"sources: {', '.join(found.sources) or 'none'}")
        limit = self.max_tokens or self.model.max_new_tokens
        sampling = Sampling(max_new_tokens=limit, temperature=self.temperature)
        said: list[str] = []
        finish = ""
        pieces = self.model.stream(given, sampling)
        try:
            for piece in pieces:
                said.append(piece.text)
                finish = piece.finish or finish
                print(piece.text, end="", flush=True)
        except KeyboardInterrupt:
            finish = "interrupted"
        print(flush=True)
        if finish == "length":
            self.to.warn(f"the answer was cut off at {limit} tokens (--max-tokens)")
        self.turns += [Message("user", text), Message("assistant", "".join(said))]


def _say(to: Terminal, model: TunedModel, text: str) -> None:
    answer = model.predict([Input((Message("user", text),))])[0]
    ranked = sorted((answer.probabilities or {}).items(), key=lambda pair: -pair[1])[:5]
    print(answer.text or "(nothing)")
    for other in answer.labels[1:] if answer.ranked else ():
        to.output.print(f"  {other}", style="dim", markup=False)
    for label, probability in ranked:
        bar = "█" * round(20 * probability)
        to.output.print(f"  {probability:6.1%}  {bar:<20}  {label}", style="dim", markup=False)
