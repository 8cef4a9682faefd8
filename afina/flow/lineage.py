"""Stages in sequence: a run whose base is a run, and the chain of runs behind it.

``lineage.json`` in a run's folder names its earlier stages, the oldest first, each with the hash of
its weights and the fingerprint of its data. A stage begins, goes on and is measured only while all
of them are what they were.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import RunError
from afina.flow.record import fingerprint_of_run, recipe_of
from afina.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from afina.store import Run

FILE = "lineage.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """An earlier stage of a run. ``tasks``: the task by its name in the recipe (``""``: the only one);
    ``data``: the fingerprint, or that of each task."""

    run: str
    folder: str
    tasks: dict[str, str]
    base: str
    weights_sha256: str
    data: Any


def read_recipe(
    path: str | Path, overrides: Sequence[str], home: Path, *, several: bool = False
) -> Recipe:
    """The recipe of a file; a run that it names as its base is found in the home."""
    return located(load_recipe(path, overrides, home=home, several=several), home)


def located(recipe: Recipe, home: Path) -> Recipe:
    """The recipe with the folder of the run that is its base, however that run was named.

    Raises RunError for a run that is not there.
    """
    from afina.models.sources import RUN
    from afina.store import Run

    base = recipe.base
    if base.startswith(RUN):
        run = Run.open(home, base.removeprefix(RUN))
    elif (Path(base) / "model/afina.json").is_file():
        run = Run.open(home, Path(base).absolute())
    else:
        return recipe
    return recipe.model_copy(update={"base": f"{RUN}{run.folder.resolve()}"})


def lineage_of(recipe: Recipe, home: Path) -> list[Stage]:
    """The stages before a run of this recipe, the oldest first; none where its base is no run.

    Raises RunError, naming the stage, if one of them is gone or has other weights.
    """
    from afina.models.sources import RUN

    if not recipe.base.startswith(RUN):
        return []
    parent = open_stage(recipe.base.removeprefix(RUN), home)
    before = stages_of(parent)
    for stage in before:
        _check(stage, home)
    return [*before, _as_stage(parent)]


def stages_of(run: Run) -> list[Stage]:
    """The earlier stages that a run has noted."""
    noted = run.read(FILE) if (run.folder / FILE).is_file() else []
    return [Stage(**stage) for stage in noted]


def write(run: Run, stages: Sequence[Stage]) -> None:
    if stages:
        run.write(FILE, [asdict(stage) for stage in stages])


def earlier(run: Run) -> list[Run]:
    """The runs of a run's earlier stages, the oldest first. Raises RunError for a broken lineage."""
    return [_check(stage, run.home) for stage in stages_of(run)]


def _check(stage: Stage, home: Path) -> Run:
    run = open_stage(stage.folder, home)
    now = _as_stage(run)
    for what, then, found in (
        ("its weights", stage.weights_sha256, now.weights_sha256),
        ("its data", stage.data, now.data),
    ):
        if then != found:
            raise RunError(
                f"the lineage is broken: {what} are not those of the stage {stage.run}",
                where=stage.folder,
                do="restore its folder from a copy, or train the stages again from there",
            )
    return run


def open_stage(folder: str, home: Path) -> Run:
    """The run in that folder. Raises RunError."""
    from afina.store import Run

    if not Path(folder).is_dir():
        raise RunError(
            f"the lineage is broken: the run {Path(folder).name} is gone",
            where=folder,
            do="bring its folder back, or train the stages again from there",
        )
    return Run.open(home, Path(folder))


def _as_stage(run: Run) -> Stage:
    from afina.models.save import read_card

    recipe = recipe_of(run)
    return Stage(
        run=run.id,
        folder=str(run.folder.resolve()),
        tasks={name: part.task.name for name, part in recipe.parts.items()},
        base=recipe.base,
        weights_sha256=str(read_card(run.model_folder)["weights_sha256"]),
        data=fingerprint_of_run(run, recipe),
    )
