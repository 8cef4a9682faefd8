"""Check and plan: everything that can be known, and refused, before a run is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from afina.errors import DataError, RecipeError, nearest
from afina.flow.augmenting import made_rows, note_of
from afina.flow.general import with_probe
from afina.flow.lengths import check_test
from afina.flow.passages import documents_of, learning_reader, with_passages
from afina.flow.people import people_of
from afina.recipe import Recipe
from afina.types import Derived, Example

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.data.augment import Made
    from afina.data.personal import People
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
    parts: Mapping[str, PartRows]
    """What each task learns from, by its name in ``Recipe.parts``."""
    base: Base
    renderer: ChatRenderer

    @property
    def only(self) -> PartRows:
        """Of a recipe of one task."""
        (part,) = self.parts.values()
        return part


@dataclass(frozen=True)
class PartRows:
    """The data of one task, and its rows as they are learned."""

    dataset: Dataset
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


def check(recipe: Recipe, *, say: Say = silent, people: People | None = None) -> Dataset:
    """Read, examine and split the data, with lengths in tokens of the recipe's base.

    The base is fetched when the rows have been read: what is wrong with them is told at once.
    ``people``: ``people_of`` the recipe, from who needs it again afterwards.
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
        people=people or people_of(recipe),
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
    part = ready.only
    if ready.plan.recipe.task.head != "tokens":
        raise DataError(
            "a task that writes no text has no tokens of an answer in the loss",
            where="task",
            do="--show-loss is for task: generate and task: transform",
        )
    where = {e.id: e.where for e in part.learned}
    return [
        LossRow(
            where[row.row],
            ready.renderer.pieces(row),
            len(row.ids),
            sum(t >= 0 for t in row.targets),
        )
        for row in part.rows.kept[:count]
    ]


def prepare(recipe: Recipe, home: Path, *, say: Say = silent, thorough: bool = False) -> Prepared:
    """Data, base and plan of a recipe; raises if the run could not be made.

    ``thorough``: with every analysis of the rows, for the record of a run.
    """
    return Ground.of(recipe, home, say=say, thorough=thorough).prepare(recipe)


@dataclass(frozen=True)
class Ground:
    """What recipes that differ only in how they train stand on: read, fetched and measured once."""

    datasets: Mapping[str, Dataset]
    """The data of each task, by its name in ``Recipe.parts``."""
    base: Base
    renderer: ChatRenderer
    machine: Machine
    say: Say
    made: Mapping[str, Made | None]
    known: dict[str, tuple[PartRows, tuple[str, ...]]] = field(default_factory=dict)
    """Rows as tokens, with what the plan says of the rows."""

    @property
    def dataset(self) -> Dataset:
        """Of a recipe of one task."""
        (dataset,) = self.datasets.values()
        return dataset

    @classmethod
    def of(cls, recipe: Recipe, home: Path, *, say: Say, thorough: bool = False) -> Ground:
        """Read the data, fetch the base, measure the machine."""
        from afina.data import prepare as prepare_data
        from afina.models.context import base_of
        from afina.models.load import check_kind, load_renderer
        from afina.models.masked import check_objective
        from afina.train.machine import probe

        datasets = {}
        for name, view in recipe.parts.items():
            datasets[name] = prepare_data(
                view.data,
                view.task,
                shapes=view.shapes,
                fields=view.fields,
                thorough=thorough,
                people=people_of(view) if thorough else None,
            )
            _check_evaluation(view, datasets[name])
        recipe = _with_data(recipe, datasets)
        base = base_of(recipe, say=say)
        check_kind(base, recipe.learned, recipe.method)
        renderer = load_renderer(base)
        made = {}
        for name, view in recipe.parts.items():
            check_objective(base, view.task, view.objective)
            _check_calls(datasets[name], renderer)
            made[name] = made_rows(view, datasets[name], say)
        machine = probe(recipe.train.device, home, recipe.train.threads)
        return cls(datasets, base, renderer, machine, say, made)

    def for_rows(self, recipe: Recipe, dataset: Dataset) -> Ground:
        """The same for other rows of the same file, of a recipe of one task."""
        made = {"": made_rows(recipe, dataset, self.say)}
        return replace(self, datasets={"": dataset}, made=made, known={})

    def prepare(self, recipe: Recipe) -> Prepared:
        """The rows as tokens and the plan; raises if the run could not be made."""
        from afina.models.load import check_kind
        from afina.train.plan import make_plan

        recipe = _with_data(recipe, self.datasets)
        check_kind(self.base, recipe.learned, recipe.method)
        parts, said = {}, []
        for name, view in recipe.parts.items():
            parts[name], notes = self._encoded(name, view)
            said += [f"{name}: {note}" if name else note for note in notes]
        rows = {name: part.rows for name, part in parts.items()}
        held = {name: part.validation for name, part in parts.items()}
        tests = sum(len(dataset.test) for dataset in self.datasets.values())
        plan = make_plan(recipe, self.base, rows, held, tests, self.machine)
        derived = (*_derived_of(self.datasets), *plan.derived)
        plan = replace(plan, derived=derived, notes=(*plan.notes, *said))
        plan = with_probe(plan, self.base, self.renderer)
        return Prepared(plan, parts, self.base, self.renderer)

    def _encoded(self, name: str, recipe: Recipe) -> tuple[PartRows, tuple[str, ...]]:
        """The rows of a task, and what the plan says of them; taken again for a like recipe."""
        from afina.evaluate.code import how_code_is_run
        from afina.models.load import context_of

        train = recipe.train
        limit = train.max_length or context_of(self.base, recipe.method)
        key = repr((name, recipe.objective, limit, train.on_too_long))
        if key not in self.known:
            dataset, made = self.datasets[name], self.made[name]
            rows = encoded(recipe, dataset, self.base, self.renderer, made, say=self.say)
            seen = (*dataset.train, *dataset.validation)
            said = (
                *note_of(made),
                *check_test(dataset, self.base, self.renderer, recipe),
                *dataset.task.remarks(seen, self.renderer),
                *how_code_is_run(dataset.task, seen),
            )
            self.known[key] = (PartRows(dataset, *rows, made), said)
        return self.known[key]


def encode_parts(
    recipe: Recipe,
    datasets: Mapping[str, Dataset],
    base: Base,
    renderer: ChatRenderer,
    say: Say,
) -> dict[str, PartRows]:
    """The rows of each task as they are learned. Raises what ``encode`` and the documents raise."""
    parts = {}
    for name, view in recipe.parts.items():
        made = made_rows(view, datasets[name], say)
        rows = encoded(view, datasets[name], base, renderer, made, say=say)
        parts[name] = PartRows(datasets[name], *rows, made)
    return parts


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


def _with_data(recipe: Recipe, datasets: Mapping[str, Dataset]) -> Recipe:
    """The recipe with what the data decided, so that they are prepared in the same way again."""
    parts = recipe.parts
    for name, part in parts.items():
        handling = datasets[name].check.near_duplicates.handling
        data = part.data.model_copy(update={"near_duplicates": handling})
        parts[name] = part.model_copy(update={"data": data, "task": datasets[name].task})
    return recipe.with_parts(parts)


def _derived_of(datasets: Mapping[str, Dataset]) -> list[Derived]:
    found = []
    for name, dataset in datasets.items():
        near = dataset.check.near_duplicates
        key = f"tasks.{name}.data.near_duplicates" if name else "data.near_duplicates"
        found.append(Derived(key, near.handling, near.reason, near.chosen))
    return found


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
