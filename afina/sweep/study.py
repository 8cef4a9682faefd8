"""The memory of a sweep: Optuna's study in one SQLite file, written in transactions.

What is suggested follows from the seed, the place of the trial and what is known by then, so a sweep
that was killed and gone on with tries the same as one that was not. A trial whose process was killed
is told as failed and tried again, from its own checkpoint, at most ``MOST_TRIES`` times in all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from afina.errors import MachineError
from afina.sweep.outcome import LOOKS, Tried

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

FILE = "study.db"
MOST_TRIES = 2
"""A trial that killed its process twice (memory, most often) is left."""
AT_RANDOM = 5
"""Trials drawn at random before the others follow from them."""
PRUNED_AT = (LOOKS // 4, LOOKS // 2)
"""The looks at which only the best go on (successive halving without waiting, arXiv 1810.05934)."""
ONE_IN = 3
"""Of so many that came to a look, one goes on."""
LEAST_FOR_IMPORTANCE = 10
PLACE, TRIES, RETRIES = "place", "tries", "retries"


class Study:
    """The trials of one sweep, on the disk. Raises MachineError without Optuna."""

    def __init__(self, folder: Path, seed: int) -> None:
        optuna = _optuna()
        self._optuna: Any = optuna
        self._seed = seed
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / FILE}")
        self._study: Any = optuna.create_study(
            storage=storage, study_name="sweep", direction="maximize", load_if_exists=True
        )
        self._set_right()

    def begin(self, usual: Mapping[str, Any]) -> None:
        """Let the first trial have these values; nothing if it was begun before."""
        if usual and not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(dict(usual), user_attrs={PLACE: 0})

    def ask(self) -> Trial:
        """The next trial: one that was killed, or a new one."""
        place = self._next_place()
        seed = (self._seed * 100_003 + place) % 2**32
        sampler = self._optuna.samplers.TPESampler
        self._study.sampler = sampler(n_startup_trials=AT_RANDOM, seed=seed)
        trial: Trial = self._study.ask()
        if PLACE not in trial.user_attrs:
            trial.set_user_attr(PLACE, place)
        return trial

    def tell(self, trial: Trial, value: float) -> None:
        """A trial is complete. ``value``: more is better."""
        self._study.tell(trial, value)

    def give_up(self, trial: Trial, reason: str, told: str = "") -> None:
        """A trial ends without a score. What comes next keeps away from it."""
        trial.set_user_attr("reason", reason)
        trial.set_user_attr("told", told)
        self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)

    def take_up(self, trial: Trial) -> None:
        """Note again what a trial had come to before its process was killed."""
        again = trial.user_attrs.get(RETRIES)
        if again is not None:
            for look, value in sorted(self._frozen(again).intermediate_values.items()):
                trial.report(value, look)

    def pause(self, trial: Trial) -> None:
        """A trial is stopped by the user: it will be tried again, as often as that happens."""
        trial.set_user_attr(TRIES, trial.user_attrs.get(TRIES, 1) - 1)

    def goes_on(self, trial: Trial, look: int, value: float) -> bool:
        """Note what a trial has come to; whether it is among the best third of those seen so far.

        Of several evaluations in one part of the steps, the first counts.
        """
        own = trial.number
        noted = self._frozen(own).intermediate_values
        if look not in noted:
            trial.report(value, look)
        if look not in PRUNED_AT:
            return True
        value = noted.get(look, value)
        seen = [t.intermediate_values.get(look) for t in self._counted() if t.number != own]
        better = sum(1 for other in seen if other is not None and other > value)
        return better < max(1, (1 + sum(other is not None for other in seen)) // ONE_IN)

    @property
    def over(self) -> int:
        """How many trials have come to their end."""
        return sum(t.state.is_finished() for t in self._counted())

    @property
    def complete(self) -> bool:
        """Whether one of them is complete."""
        return any(t.state.name == "COMPLETE" for t in self._counted())

    @property
    def interrupted(self) -> int:
        """How often a process was killed while it tried."""
        return sum(t.state.name == "FAIL" for t in self._study.get_trials(deepcopy=False))

    @property
    def seconds(self) -> float:
        """What all trials took, of those that came to their end."""
        return sum(float(t.user_attrs.get("seconds", 0.0)) for t in self._counted())

    def tried(self) -> list[Tried]:
        """The trials that have come to their end, by their place."""
        over = [t for t in self._counted() if t.state.is_finished()]
        return sorted((_tried(t) for t in over), key=lambda t: t.number)

    def importance(self) -> dict[str, float]:
        """How much of the differences at the first look each knob explains (fANOVA: Hutter et al.
        2014), of knobs that all trials have; empty for fewer than ten trials."""
        optuna = self._optuna
        seen = [t for t in self._counted() if t.state.is_finished() and 1 in t.intermediate_values]
        values = {t.intermediate_values[1] for t in seen}
        if len(seen) < LEAST_FOR_IMPORTANCE or len(values) < 2:
            return {}
        looked = optuna.create_study(direction="maximize")
        for t in seen:
            looked.add_trial(
                optuna.trial.create_trial(
                    params=t.params, distributions=t.distributions, value=t.intermediate_values[1]
                )
            )
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        found = optuna.importance.get_param_importances(looked, evaluator=evaluator)
        return {key: float(share) for key, share in found.items() if math.isfinite(share)}

    # ------------------------------------------------------------------ inside

    def _set_right(self) -> None:
        """Tell the trials of a killed process, and put them in line again."""
        failed = self._optuna.trial.TrialState.FAIL
        trials = self._study.get_trials(deepcopy=False)
        in_line = {t.user_attrs.get(RETRIES) for t in trials}
        for trial in trials:
            if trial.state.name != "RUNNING":
                continue
            tries = trial.user_attrs.get(TRIES, 1)
            again = PLACE in trial.user_attrs and tries < MOST_TRIES
            if again and trial.number not in in_line:
                noted = {PLACE: trial.user_attrs[PLACE], TRIES: tries + 1, RETRIES: trial.number}
                self._study.enqueue_trial(trial.params, user_attrs=noted)
            self._study.tell(trial.number, state=failed)

    def _counted(self) -> list[FrozenTrial]:
        """The trials without those that are tried again, or that were killed before they began."""
        trials: list[FrozenTrial] = self._study.get_trials(deepcopy=False)
        again = {t.user_attrs.get(RETRIES) for t in trials}
        return [t for t in trials if PLACE in t.user_attrs and t.number not in again]

    def _next_place(self) -> int:
        waiting = [t for t in self._counted() if t.state.name == "WAITING"]
        if waiting:
            return int(waiting[0].user_attrs[PLACE])
        return 1 + max((t.user_attrs[PLACE] for t in self._counted()), default=-1)

    def _frozen(self, number: int) -> FrozenTrial:
        trials: list[FrozenTrial] = self._study.get_trials(deepcopy=False)
        return trials[number]


def _tried(trial: FrozenTrial) -> Tried:
    noted = trial.user_attrs
    states: dict[str, Literal["complete", "pruned", "failed"]] = {"COMPLETE": "complete"}
    reason = noted.get("reason", "killed" if trial.state.name == "FAIL" else "")
    return Tried(
        number=noted[PLACE],
        state=states.get(trial.state.name, "pruned" if reason in ("worse", "late") else "failed"),
        knobs=noted.get("knobs", {}),
        value=noted.get("value"),
        low=noted.get("low"),
        high=noted.get("high"),
        looks=dict(trial.intermediate_values),
        seconds=noted.get("seconds", 0.0),
        reason=reason,
        told=noted.get("told", ""),
    )


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MachineError(
            "a sweep needs the package optuna", where="afina sweep", do="pip install 'afina[sweep]'"
        ) from None
    return optuna
