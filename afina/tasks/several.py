"""Several tasks at once, over one body: what a network is made for that learns them together."""

from __future__ import annotations

from typing import Literal

from pydantic import SerializeAsAny

from afina.types import Head, Task


class Several(Task):
    """Several tasks over one body: a new head for each, or the base's own for all that write text.

    It is asked for nothing but what all of them need; each task answers for itself.
    """

    name: Literal["several"] = "several"
    tasks: dict[str, SerializeAsAny[Task]]
    """Each task by its name, in order. Either all of them write tokens, or none does."""

    @property
    def head(self) -> Head:  # type: ignore[override]  # of these tasks, not of the class
        return self._first.head

    @property
    def reads_source(self) -> bool:  # type: ignore[override]
        return self._first.reads_source

    @property
    def outputs(self) -> int:
        """Scores of all new heads together."""
        return sum(task.outputs for task in self.tasks.values())

    def having(self, name: str, task: Task) -> Several:
        """The same with one of the tasks in another form."""
        return self.model_copy(update={"tasks": {**self.tasks, name: task}})

    @property
    def _first(self) -> Task:
        return next(iter(self.tasks.values()))
