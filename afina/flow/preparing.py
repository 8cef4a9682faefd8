"""Check and plan: everything that can be known, and refused, before a run is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import DataError, RecipeError, nearest
from afina.flow.augmenting import made_rows, note_of
from afina.flow.general import with_probe
from afina.flow.lengths import check_test
from afina.flow.passages import documents_of, learning_reader, with_passages
from afina.recipe import Recipe
from afina.types import Derived, Example

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.data.augment import Made
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.train.machine import Machine
    from afina.train.plan import Plan
    from afina.train.rows import Rows

Say = Callable[[str], None]


def silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs, derived and checked, with nothing written yet."""

    plan: Plan
    dataset: Dataset
    base: Base
    renderer: ChatRenderer
    rows: Rows
    validation: Rows
    documents: str = ""
    """Hash of the passages that the rows are learned with; empty without any."""
    made: Made | None = None
    """Rows made of the training rows, if the recipe asks for any."""

    @property
    def learned(self) -> tuple[Example, ...]:
        """The rows to learn from, made ones behind the others."""
        return self.dataset.train + (self.made.rows if self.made else ())


@dataclass(frozen=True)
class LossRow:
    """One row as it is trained: pieces of text and whether the loss counts them."""

    where: str
    pieces: tuple[tuple[str, bool], ...]
    tokens: int
    loss_tokens: int


def check(recipe: Recipe, *, say: Say = silent) -> Dataset:
    """Read, examine and split the data, with lengths in tokens of the recipe's base.

    The base is fetched when the rows have been read: what is wrong with them is told at once.
    """
    from afina.data import prepare
    from afina.models.context import base_of
    from afina.models.load import load_renderer

    task = recipe.task

    @cache
    def renderer() -> ChatRenderer:
        return load_renderer(base_of(recipe, say=say))

    dataset = prepare(
        recipe.data,
        task,
        shapes=recipe.shapes,
        fields=recipe.fields,
        count_tokens=lambda e: task.length(e, renderer()),
        thorough=True,
    )
    said = dataset.task.remarks((*dataset.train, *dataset.validation), renderer())
    notes = (*dataset.check.notes, *said)
    return replace(dataset, check=replace(dataset.check, notes=notes))


def special_tokens(recipe: Recipe, dataset: Dataset, *, say: Say = silent) -> list[tuple[str, str]]:
    """(where, token) of rows whose text spells a special token of the base.

    Such text is encoded as text, never as the token itself; it is often a slip of an export. The
    sealed test is not looked at.
    """
    from afina.data.content import texts
    from afina.models.context import base_of
    from afina.models.load import load_renderer

    renderer = load_renderer(base_of(recipe, say=say))
    return [
        (example.where, token)
        for example in (*dataset.train, *dataset.validation)
        for token in dict.fromkeys(t for text in texts(example) for t in renderer.controls_in(text))
    ]


def show_loss(recipe: Recipe, count: int = 3, *, say: Say = silent) -> list[LossRow]:
    """The first training rows with the tokens in the loss marked.

    Raises DataError for rows whose answer would be cut off or whose loss is empty.
    """
    ready = prepare(recipe, Path.cwd(), say=say)
    if ready.plan.recipe.task.head != "tokens":
        raise DataError(
            "a task that writes no text has no tokens of an answer in the loss",
            where="task",
            do="--show-loss is for task: generate and task: transform",
        )
    where = {e.id: e.where for e in ready.learned}
    return [
        LossRow(
            where[row.row],
            ready.renderer.pieces(row),
            len(row.ids),
            sum(t >= 0 for t in row.targets),
        )
        for row in ready.rows.kept[:count]
    ]


def prepare(recipe: Recipe, home: Path, *, say: Say = silent, thorough: bool = False) -> Prepared:
    """Data, base and plan of a recipe; raises if the run could not be made.

    ``thorough``: with every analysis of the rows, for the record of a run.
    """
    return Ground.of(recipe, home, say=say, thorough=thorough).prepare(recipe)


@dataclass(frozen=True)
class Ground:
    """What recipes that differ only in how they train stand on: read, fetched and measured once."""

    dataset: Dataset
    base: Base
    renderer: ChatRenderer
    machine: Machine
    say: Say
    made: Made | None
    known: dict[str, tuple[Rows, Rows, str, tuple[str, ...]]] = field(default_factory=dict)
    """Rows as tokens, with what the plan says of the rows."""

    @classmethod
    def of(cls, recipe: Recipe, home: Path, *, say: Say, thorough: bool = False) -> Ground:
        """Read the data, fetch the base, measure the machine."""
        from afina.data import prepare as prepare_data
        from afina.models.context import base_of
        from afina.models.load import check_kind, load_renderer
        from afina.models.masked import check_objective
        from afina.train.machine import probe

        dataset = prepare_data(
            recipe.data, recipe.task, shapes=recipe.shapes, fields=recipe.fields, thorough=thorough
        )
        _check_evaluation(recipe, dataset)
        base = base_of(recipe, say=say)
        check_kind(base, dataset.task, recipe.method)
        check_objective(base, dataset.task, recipe.objective)
        renderer = load_renderer(base)
        _check_calls(dataset, renderer)
        made = made_rows(recipe, dataset, say)
        machine = probe(recipe.train.device, home, recipe.train.threads)
        return cls(dataset, base, renderer, machine, say, made)

    def for_rows(self, recipe: Recipe, dataset: Dataset) -> Ground:
        """The same for other rows of the same file."""
        made = made_rows(recipe, dataset, self.say)
        return replace(self, dataset=dataset, made=made, known={})

    def prepare(self, recipe: Recipe) -> Prepared:
        """The rows as tokens and the plan; raises if the run could not be made."""
        from afina.models.load import check_kind
        from afina.train.plan import make_plan

        dataset, base = self.dataset, self.base
        check_kind(base, dataset.task, recipe.method)
        rows, validation, documents, said = self._encoded(recipe)
        recipe = _with_data(recipe, dataset)
        tests = len(dataset.test)
        plan = make_plan(recipe, dataset.task, base, rows, validation, tests, self.machine)
        derived = (*_derived_of(dataset), *plan.derived)
        plan = replace(plan, derived=derived, notes=(*plan.notes, *said))
        plan = with_probe(plan, base, self.renderer)
        return Prepared(plan, dataset, base, self.renderer, rows, validation, documents, self.made)

    def _encoded(self, recipe: Recipe) -> tuple[Rows, Rows, str, tuple[str, ...]]:
        """As ``encoded``, and what the plan says of them; taken again for a like recipe."""
        from afina.evaluate.code import how_code_is_run
        from afina.models.load import context_of

        train = recipe.train
        limit = train.max_length or context_of(self.base, recipe.method)
        key = repr((recipe.objective, limit, train.on_too_long))
        if key not in self.known:
            own = (self.dataset, self.base, self.renderer, self.made)
            rows = encoded(recipe, *own, say=self.say)
            seen = (*self.dataset.train, *self.dataset.validation)
            said = (
                *note_of(self.made),
                *check_test(self.dataset, self.base, self.renderer, recipe),
                *self.dataset.task.remarks(seen, self.renderer),
                *how_code_is_run(self.dataset.task, seen),
            )
            self.known[key] = (*rows, said)
        return self.known[key]


def encoded(
    recipe: Recipe,
    dataset: Dataset,
    base: Base,
    renderer: ChatRenderer,
    made: Made | None,
    *,
    say: Say = silent,
) -> tuple[Rows, Rows, str]:
    """Training rows (made ones behind the others) and validation rows as tokens; the hash of the
    passages that they are learned with."""
    from afina.models.load import context_of
    from afina.train.rows import encode

    reader = learning_reader(recipe, dataset.task, base, renderer, say)
    rows, validation, general = (
        encode(
            examples,
            dataset.task,
            renderer,
            max_length=recipe.train.max_length or context_of(base, recipe.method),
            on_too_long=recipe.train.on_too_long,
            objective=recipe.objective,
        )
        for examples in (
            with_passages(reader, dataset.train + (made.rows if made else ())),
            with_passages(reader, dataset.validation),
            dataset.replay,
        )
    )
    if dataset.replay:
        rows = rows.with_general(general)
    return rows, validation, documents_of(reader)


def _with_data(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with what the data decided, so that they are prepared in the same way again."""
    handling = dataset.check.near_duplicates.handling
    data = recipe.data.model_copy(update={"near_duplicates": handling})
    return recipe.model_copy(update={"data": data})


def _derived_of(dataset: Dataset) -> tuple[Derived, ...]:
    near = dataset.check.near_duplicates
    return (Derived("data.near_duplicates", near.handling, near.reason, near.chosen),)


def _check_evaluation(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse scorers, baselines, documents, expectations and goals that are not there, before hours of
    training."""
    from afina.baselines import BASELINES
    from afina.evaluate.expectations import read_expectations
    from afina.evaluate.findings import check_further
    from afina.evaluate.scorers import check_rows, choose
    from afina.retrieval import read_documents

    rows = dataset.train
    usual = recipe.objective.scorers(dataset.task, type(rows[0]) if rows else Example)
    scorers = choose(dataset.task, recipe.evaluate.scorers or usual, recipe.goal)
    check_rows(scorers, rows)
    check_further(recipe.evaluate, scorers[0])
    if recipe.retrieval is not None:
        read_documents(recipe.retrieval.documents)
    if recipe.evaluate.tests is not None:
        read_expectations(recipe.evaluate.tests, dataset.task)
    for name in recipe.evaluate.baselines or ():
        if name not in BASELINES:
            raise RecipeError(
                f"no baseline is called {name}",
                where="evaluate.baselines",
                do=nearest(name, BASELINES),
            )


def _check_calls(dataset: Dataset, renderer: ChatRenderer) -> None:
    """Refuse calls of tools that the base's template writes in a form that could not be read back.

    What is learned would then be scored as wrong, and served as text. Raises DataError.
    """
    from afina.tasks import Generate, calls
    from afina.types import ChatExample

    task = dataset.task
    if not isinstance(task, Generate):
        return
    for example in (*dataset.train, *dataset.validation):
        if not isinstance(example, ChatExample) or not example.messages[-1].tool_calls:
            continue
        asked = task.question(example)
        before = len(renderer.prompt(asked.messages, asked.tools))
        written = renderer.decode(task.encode(example, renderer).ids[before:])
        if calls.of_answer(written.strip()) != task.gold(example).text:
            shown = repr(written.strip()[:80]) if written.strip() else "nothing"
            raise DataError(
                f"the chat template of the base writes the calls of tools as {shown}, which is "
                f"not {calls.OPEN}{{…}}{calls.CLOSE}: they could neither be scored nor served",
                where=example.where,
                do="take a base whose template writes that form (Qwen's, for one), or write the "
                "calls as text in the content of the turn",
            )
