"""A run while it goes: a live line on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from afina.cli import draw
from afina.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from afina.train.loop import Step

LOG_EVERY_SECONDS = 15.0
"""Where no one looks at a terminal: how often a line is worth writing."""


class Progress:
    """Shows the steps of a run on standard error; alerts in yellow, also when all else is quiet."""

    def __init__(self, to: Terminal) -> None:
        self.to = to
        self._bar: Bar | None = None
        self._task: Any = None
        self._last_line = 0.0
        self._loss = self._validation = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def say(self, text: str) -> None:
        """A sentence of the flow, above the bar."""
        self._close()
        self.to.say(text)

    def step(self, step: Step) -> None:
        """What the training loop tells (see ``afina.train.loop.Step``)."""
        if step.alert:
            self.to.warn(step.alert)
            return
        if step.validation_loss is not None:
            self._validation = f"validation {step.validation_loss:.4f}"
        if step.loss is not None:
            self._loss = f"loss {step.loss:.4f}"
        if self.to.quiet:
            return
        if self.to.people.is_terminal:
            self._draw(step)
        else:
            self._log(step)

    def _draw(self, step: Step) -> None:
        if self._bar is None:
            self._bar = self._make_bar()
            self._bar.start()
            self._task = self._bar.add_task("training", total=step.steps, figures="")
        if step.loss is None:  # an evaluation: the speeds of the last step stay on the screen
            return
        figures = "  ".join(
            part
            for part in (
                f"epoch {step.epoch:.2f}",
                self._loss,
                self._validation,
                f"{step.tokens_per_second:,.0f} tokens/s",
                f"{draw.duration(step.seconds_left)} left",
                draw.size(step.memory_bytes),
            )
            if part
        )
        self._bar.update(self._task, completed=step.step, total=step.steps, figures=figures)
        if step.step >= step.steps:
            self._close()

    def _make_bar(self) -> Bar:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        return Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.to.people,
        )

    def _log(self, step: Step) -> None:
        now = time.monotonic()
        worth = step.validation_loss is not None or step.step in (1, step.steps)
        if not worth and now - self._last_line < LOG_EVERY_SECONDS:
            return
        self._last_line = now
        line = f"step {step.step}/{step.steps}  epoch {step.epoch:.2f}"
        if step.validation_loss is not None:
            self.to.say(f"{line}  {self._validation}")
            return
        self.to.say(
            f"{line}  {self._loss}  {step.tokens_per_second:,.0f} tokens/s  "
            f"{draw.duration(step.seconds_left)} left  {draw.size(step.memory_bytes)}"
        )

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
