"""``afina predict RUN FILE``: answers for a file or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afina.cli.arguments import Documents, RunName, TaskOption
from afina.cli.terminal import Terminal, as_json
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.types import Answer, Input, Predictor

EXAMPLES = (
    "afina predict last questions.txt",
    "afina predict soporte new-tickets.csv --out answers.jsonl",
    "afina predict last questions.txt --documents ./manuals",
    "afina predict last questions.txt --task intent",
    'echo "enciende la luz de la cocina" | afina predict last -',
)


def verb(
    to: Terminal,
    run: RunName,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="Lines of text, or rows with the columns of the data; - is a pipe."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the answers there.")
    ] = None,
    documents: Documents = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Questions answered at once.")] = 32,
    task: TaskOption = "",
) -> None:
    """Text (one question a line), CSV, TSV, JSON, JSONL or Parquet; through a pipe each line is a
    text or a JSON object. Columns that hold right answers are not shown to the model. Answers are
    JSON lines with the number of their row; with --json they are one object.
    """
    from afina import flow
    from afina.baselines.rag import over_documents
    from afina.data.asked import asked_in_lines, read_asked
    from afina.models.predictor import TunedModel
    from afina.recipe import of_task
    from afina.store import Run

    opened = Run.open(to.home, run)
    recipe = of_task(flow.recipe_of(opened), task)
    columns = recipe.data.columns
    judges = recipe.task.judges_answer
    asked = (
        asked_in_lines(sys.stdin, columns, answered=judges)
        if file == "-"
        else read_asked(file, columns, answered=judges)
    )
    questions = list(asked)  # all of them are checked before the first is answered
    if not questions:
        raise RequestError("nothing is asked", where=file, do="one question a line")
    tuned = TunedModel.open(opened.model_folder, task=task)
    tuned.candidates = flow.candidates_of(opened, task)
    model: Predictor = (
        over_documents(tuned, documents, recipe, say=to.say)
        if documents
        else flow.as_asked(recipe, tuned, to.say)
    )
    answers = _answers(model, questions, batch_size)
    if to.json:
        rows = list(answers)
        to.object({"run": opened.id, "answers": rows})
    elif out is None:
        for answer in answers:
            print(as_json(answer), flush=True)
    if out is not None:
        _write(out, rows if to.json else answers)
        to.say(f"{len(questions):,} answers in {out}")


def _answers(
    model: Any, questions: Iterable[tuple[int, Input]], batch_size: int
) -> Iterator[dict[str, Any]]:
    rest = iter(questions)
    while batch := list(islice(rest, batch_size)):
        found = model.predict([question for _, question in batch])
        for (row, _), answer in zip(batch, found, strict=True):
            yield _plain(row, answer)


def _plain(row: int, answer: Answer) -> dict[str, Any]:
    value: dict[str, Any] = {"row": row, "answer": answer.text, **answer.facts()}
    if not answer.facts():
        value |= {
            "prompt_tokens": answer.prompt_tokens,
            "answer_tokens": answer.answer_tokens,
            "finish": answer.finish,
        }
        if answer.sources:
            value["sources"] = list(answer.sources)
    if answer.cut_tokens:
        value["cut_tokens"] = answer.cut_tokens
    return value


def _write(out: Path, answers: Iterable[dict[str, Any]]) -> None:
    """All answers or no file: an interrupted prediction leaves nothing half-written."""
    from afina.store.durable import write_text

    lines = [json.dumps(answer, ensure_ascii=False) for answer in answers]
    write_text(out, "\n".join(lines) + "\n")
