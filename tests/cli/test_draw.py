"""What is drawn: figures with units, marked tokens, progress on a terminal and in a log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from afina.cli import draw
from afina.cli.progress import Progress
from afina.cli.terminal import Terminal
from afina.evaluate.intervals import between
from afina.flow import LossRow
from afina.train.loop import Step


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (75, "1 min 15 s"), (7320, "2 h 2 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert draw.duration(seconds) == shown


def test_sizes_and_counts() -> None:
    assert draw.size(999) == "999 bytes"
    assert draw.size(1_500_000) == "1.5 MB"
    assert draw.size(2e9) == "2.0 GB"
    assert draw.count(134_515_008) == "134.5 M"
    assert draw.count(1_234) == "1,234"


def test_values_of_a_plan_are_shown_in_one_line() -> None:
    assert draw.plain(None) == "none"
    assert draw.plain(True) == "yes"
    assert draw.plain(0.0002) == "0.0002"
    assert draw.plain({"name": "lora", "rank": 16, "alpha": None}) == "lora (rank 16)"
    assert draw.plain(list(range(10))) == "0, 1, 2, 3, 4, 5, 6, 7 … (10)"


def test_tokens_in_the_loss_are_marked_with_and_without_colour() -> None:
    row = LossRow("a.jsonl: row 1", (("ask [b]x[/b]", False), ("answer", True)), 5, 2)
    plain, colour = io.StringIO(), io.StringIO()
    draw.loss_rows(Console(file=plain, width=80), [row])
    terminal = Console(file=colour, width=80, force_terminal=True, color_system="standard")
    draw.loss_rows(terminal, [row])
    assert "ask [b]x[/b]⟦answer⟧" in plain.getvalue()
    assert "⟦" not in colour.getvalue()
    assert "\033[" in colour.getvalue()
    assert "a.jsonl: row 1 · 5 tokens, 2 in the loss" in plain.getvalue()


def test_the_interval_of_a_difference_is_that_of_zou_and_donner() -> None:
    """Two proportions, 56/70 and 48/80: Newcombe's interval (1998, table II, method 10)."""
    from afina.evaluate.intervals import wilson

    scores = []
    for hits, rows in ((48, 80), (56, 70)):
        low, high = wilson(hits, rows, 0.95)
        scores.append({"value": hits / rows, "low": low, "high": high})
    found = between(*scores)
    assert found["value"] == pytest.approx(0.2)
    assert found["low"] == pytest.approx(0.0524, abs=5e-4)
    assert found["high"] == pytest.approx(0.3339, abs=5e-4)


def test_a_difference_without_intervals_has_none() -> None:
    open_end = {"value": 5.0, "low": 4.0, "high": None}
    assert between(open_end, open_end) == {"value": 0.0, "low": None, "high": None}
    assert draw.interval({"value": 0.25, "low": None, "high": None}, "+") == "+0.250"
    assert draw.interval({"value": 5.0, "low": 4.0, "high": None}) == "5.000 [4.000, ∞]"
    assert draw.interval(None) == "—"


# ---------------------------------------------------------------------------- progress


def step(number: int, **facts: float | str) -> Step:
    return Step(number, 10, number / 5, **{"memory_bytes": 5, "seconds_left": 1.0, **facts})  # type: ignore[arg-type]


def told(steps: list[Step], *, terminal: bool = False, quiet: bool = False) -> str:
    out = io.StringIO()
    to = Terminal(Path("home"), quiet=quiet)
    console = Console(file=out, width=140, force_terminal=terminal)
    object.__setattr__(to, "__dict__", {**to.__dict__, "people": console})
    with Progress(to) as progress:
        for one in steps:
            progress.step(one)
    return out.getvalue()


RUN = [
    step(1, loss=2.5, tokens_per_second=300.0),
    step(2, loss=2.25, tokens_per_second=310.0),
    step(2, validation_loss=2.125),
    step(2, alert="validation loss rises"),
    step(10, loss=1.0, tokens_per_second=320.0),
]


def test_a_log_gets_the_first_the_last_and_the_evaluations() -> None:
    lines = told(RUN).splitlines()
    assert lines[0] == "step 1/10  epoch 0.20  loss 2.5000  300 tokens/s  1.0 s left  5 bytes"
    assert lines[1] == "step 2/10  epoch 0.40  validation 2.1250"
    assert lines[2] == "validation loss rises"
    assert lines[3].startswith("step 10/10")
    assert len(lines) == 4


def test_a_terminal_gets_a_bar_with_the_figures() -> None:
    drawn = told(RUN, terminal=True)
    for part in ("10/10", "loss 1.0000", "validation 2.1250", "320 tokens/s", "left", "5 bytes"):
        assert part in drawn
    assert "validation loss rises" in drawn


def test_quiet_keeps_the_alerts() -> None:
    assert told(RUN, quiet=True) == "validation loss rises\n"
