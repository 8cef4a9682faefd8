"""The training loop, read from top to bottom: ``run(plan, …)`` moves the weights of a run.

Three things are promised here: a resumed run ends in the same bits as one that was never stopped,
an accumulated batch has the gradient of the whole batch, and nothing is called ``succeeded`` that
has not passed the gate.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from afina.errors import Interrupted, TrainingError
from afina.models.load import DTYPES, Model, load
from afina.models.masked import MaskedNetwork, Masker
from afina.models.memory import kept_memory
from afina.models.render import ChatRenderer
from afina.models.shelf import Shelf
from afina.models.sources import Base
from afina.store import Run
from afina.tasks import Pooled, Several
from afina.train import gate, state
from afina.train.batches import loss_tokens, micro_batches
from afina.train.bottom import find_bottom
from afina.train.gradients import accumulate
from afina.train.head_start import fit_head
from afina.train.machine import MemoryPeak
from afina.train.observe import observed, surveyed
from afina.train.overfitting import overfitting
from afina.train.plan import Plan
from afina.train.prepare import lay_flat, prepare
from afina.train.rollouts import Rollouts
from afina.train.rows import Rows
from afina.train.steps import Step, Watcher
from afina.train.stopping import stop_on_signal
from afina.train.temperature import fit_temperature
from afina.train.thresholds import settle_thresholds
from afina.train.turns import Turns, turns_of
from afina.train.validation import validate_each
from afina.train.weights import rate_share, sha256_of
from afina.types import Batch, Encoded

TRIM_EVERY = 16
"""Steps between two times that unused memory is given back; the pages of one step in so many."""


def run(
    plan: Plan,
    base: Base,
    rows: Mapping[str, Rows],
    validation: Mapping[str, Rows],
    run: Run,
    *,
    renderer: ChatRenderer | None = None,
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Train by the plan, from the newest checkpoint of the run if it has one.

    ``rows`` and ``validation``: of each task by its name in ``Recipe.parts``. Returns the figures of
    the contract's ``train`` object. Raises Interrupted after Ctrl-C (saved, resumable), TrainingError
    if a loss or weight is not finite or the gate refuses the result.
    """
    training = Training(plan, base, rows, validation, run, renderer, watch or (lambda _: None))
    training.go()
    return training.finish()


class Training:
    """One run in the making: the model, its weights, and where it stands."""

    def __init__(
        self,
        plan: Plan,
        base: Base,
        rows: Mapping[str, Rows],
        validation: Mapping[str, Rows],
        run: Run,
        renderer: ChatRenderer | None,
        watch: Watcher,
        shelf: Shelf | None = None,
    ) -> None:
        """``shelf``: where bases that are loaded again and again are kept."""
        recipe = plan.recipe
        train = recipe.train
        assert recipe.method is not None
        assert train.batch_size
        assert train.threads
        self.plan = plan
        self.heats: dict[str, float] = {}
        self.objectives = {task: view.objective for task, view in recipe.parts.items()}
        self.train = train
        self.run = run
        self.watch = watch
        self.kinds = {task: own.kind for task, own in rows.items()}
        torch.set_num_threads(train.threads)
        self.memory = MemoryPeak(str(train.device))
        self.model: Model = load(
            base,
            recipe.learned,
            recipe.method,
            dtype=DTYPES[train.precision],
            device=str(train.device),
            seed=train.seed,
            renderer=renderer,
            exact=train.exact,
            shelf=shelf,
        )
        self.model.cut_to = train.max_length if train.on_too_long == "truncate" else None
        self.weights = prepare(self.model, plan)
        if train.flat and not lay_flat(self.model):
            run.event("padded", reason="this network does not give the same for rows end to end")
        self.rollouts = Rollouts.of(self.model, self.objectives.get(""), run, train.seed)
        every = (*rows.values(), *validation.values())
        self.bottom = find_bottom(self.model, train.frozen_bottom, every, run)
        self.models = {task: self.model.of(task) for task in rows}
        self._take(rows, validation)
        found = state.restore(run, self.weights)
        for task, model in self.models.items() if found is None else ():
            if isinstance(model.task, Pooled) and model.task.head_start == "fitted":
                objective = self.objectives[task]
                fit_head(model, self.rows[task], objective, self.kinds[task], self.bottom)
        self.progress = found or state.Progress(
            initial_sha256=sha256_of(self.weights.tensors()),
            frozen_sha256=sha256_of(_frozen(self.model)),
        )
        run.rewind_metrics(self.progress.step)
        self.evaluate_every = max(1, plan.steps_per_epoch // train.evaluations_per_epoch)

    def _take(self, rows: Mapping[str, Rows], validation: Mapping[str, Rows]) -> None:
        """The rows of each task as they are learned, and whose turn each step is."""
        recipe, train = self.plan.recipe, self.train
        assert train.batch_size
        self.rows = self._observed(rows)
        self.validation = self._observed(validation)
        self.masker: Masker | None = None
        if isinstance(self.model.network, MaskedNetwork):
            self.masker = Masker.of(self.model.renderer, self.objectives[""])
            held = enumerate(self.validation[""])
            hidden = (self.masker.hide(r, (train.seed, 1, i)) for i, r in held)
            self.validation = {"": tuple(hidden)}
        lengths = {task: [r.longest for r in own] for task, own in self.rows.items()}
        turns = turns_of(recipe, {t: len(own) for t, own in lengths.items()}, train.batch_size)
        self.turns = Turns(lengths, turns, train.batch_size, train.seed)

    def _observed(self, rows: Mapping[str, Rows]) -> dict[str, tuple[Encoded, ...]]:
        return {
            task: observed(self.models[task], self.objectives[task], own)
            for task, own in rows.items()
        }

    # ------------------------------------------------------------------ the loop

    def go(self) -> None:
        """Steps until the plan, early stopping or the user ends them."""
        with kept_memory() as trim_memory, stop_on_signal() as stop:
            self._go(stop, trim_memory)

    def _go(self, stop: threading.Event, trim_memory: Callable[[], object]) -> None:
        at = self.progress
        self.run.event("training", step=at.step, steps=self.plan.steps)
        while at.step < self.plan.steps and not at.stopped:
            started = time.perf_counter()
            figures = self.step(at.step)
            at.step += 1
            at.seconds += time.perf_counter() - started
            self.note(figures)
            if at.step % TRIM_EVERY == 0:
                trim_memory()
            last = at.step == self.plan.steps
            improved = False
            if any(self.validation.values()) and (last or at.step % self.evaluate_every == 0):
                started = time.perf_counter()
                improved = self.evaluate()
                at.seconds += time.perf_counter() - started
            due = at.step % int(self.train.save_every_steps or 1) == 0
            if due or improved or last or at.stopped or stop.is_set():
                state.commit(self.run, self.weights, at, best=improved)
            if stop.is_set() and not last:
                raise Interrupted(
                    f"stopped at step {at.step} of {self.plan.steps}; everything is saved",
                    where=self.run.id,
                    do=f"afina train --resume {self.run.id}",
                )

    def step(self, step: int) -> dict[str, Any]:
        """One optimiser step: forward and backward over the micro-batches, then AdamW.

        The loss is a sum over the whole batch, divided by the weight of the whole batch, so it does
        not matter how the batch is cut.
        """
        task, places = self.turns.step(step)
        model, kind, objective = self.models[task], self.kinds[task], self.objectives[task]
        rows = [self._as_seen(task, i, step) for i in places]
        told: dict[str, Any] = {"task": task} if task else {}
        if self.rollouts is not None:
            rows, told = self.rollouts.rows_of(rows, step)
        passes = surveyed(
            model,
            objective,
            micro_batches(rows, int(self.train.micro_batch_size or len(rows))),
            kind,
            self.bottom,
        )
        self.weights.begin(step // self.plan.steps_per_epoch)
        self.model.network.train()

        def done(loss: float, batch: Batch) -> None:
            self._refuse_not_finite(loss, "loss", step, batch.rows)
            self.weights.collect_gradients()

        seeds = [_seed_of(self.train.seed, step, index) for index in range(len(passes))]
        total, weight = accumulate(model.network, objective, passes, seeds, done)
        norm = self.weights.gradient_norm()
        self._refuse_not_finite(norm, "gradient", step, tuple(r.row for r in rows))
        warmup = math.ceil(self.train.warmup * self.plan.steps)
        share = rate_share(self.train.schedule, step, self.plan.steps, warmup)
        self.weights.step(share, norm)
        at = self.progress
        at.tokens += sum(r.tokens for r in rows)
        at.loss_tokens += sum(loss_tokens(r, kind) for r in rows)
        at.rows += len(rows)
        at.stretch_sum += total * weight
        at.stretch_weight += weight
        rate = float(self.train.learning_rate or 0.0) * share
        return {"loss": total, "learning_rate": rate, "gradient_norm": norm, **told}

    def _as_seen(self, task: str, row: int, step: int) -> Encoded:
        """A row as it is learned at a step: some of its tokens hidden, if that is what is learned."""
        if self.masker is None:
            return self.rows[task][row]
        epoch = step // self.plan.steps_per_epoch
        return self.masker.hide(self.rows[task][row], (self.train.seed, 0, epoch, row))

    def note(self, figures: dict[str, Any]) -> None:
        """Write the step into the run's metrics and tell the watcher."""
        at = self.progress
        speed = at.tokens / max(at.seconds, 1e-9)
        memory = self.memory.bytes()
        self.run.metric(
            step=at.step,
            epoch=round(at.step / self.plan.steps_per_epoch, 4),
            **figures,
            tokens=at.tokens,
            seconds=round(at.seconds, 3),
            tokens_per_second=round(speed, 2),
            memory_bytes=memory,
        )
        self.watch(
            Step(
                step=at.step,
                steps=self.plan.steps,
                epoch=at.step / self.plan.steps_per_epoch,
                loss=figures["loss"],
                tokens_per_second=speed,
                seconds_left=at.seconds / at.step * (self.plan.steps - at.step),
                memory_bytes=memory,
            )
        )

    # ------------------------------------------------------------------ validation

    def evaluate(self) -> bool:
        """Measure the validation rows; whether this is the best so far. Warns and stops early.

        Better means: a lower loss for text, more rows right for labels (ties: the lower loss), a
        higher reward for a policy, whose loss is the reward with its sign turned. Of several tasks
        the mean of their losses.
        """
        at = self.progress
        loss, right, each = self._validated()
        self._refuse_not_finite(loss, "validation loss", at.step - 1, ("of validation",))
        at.validation.append(loss)
        at.training.append(at.stretch_sum / max(at.stretch_weight, 1e-9))
        at.stretch_sum = at.stretch_weight = 0.0
        score = loss if right is None else (1.0 - right) + 1e-6 * loss
        improved = at.best is None or score < at.best
        if improved:
            at.best, at.best_step, at.evaluations_without_gain = score, at.step, 0
        else:
            at.evaluations_without_gain += 1
        figures: dict[str, Any] = {"validation_loss": loss} | (
            {} if right is None else {"validation_accuracy": right}
        )
        if len(each) > 1:
            figures["validation_losses"] = each
        self.run.metric(step=at.step, **figures)
        self.watch(self._told(validation_loss=loss, score=score))
        self._warn_of_overfitting()
        patience = self.train.early_stopping
        if patience is not None and at.evaluations_without_gain >= patience:
            at.stopped = f"validation has not improved for {patience} evaluations"
            self.run.event("early_stop", step=at.step, reason=at.stopped, best_step=at.best_step)
        return improved

    def _validated(self) -> tuple[float, float | None, dict[str, float]]:
        """The loss, the share of rows right where one task has labels, and the loss of each task."""
        if self.rollouts is not None:
            reward = self.rollouts.validate(self.validation[""])
            return -reward, None, {}
        parts = (self.models, self.objectives, self.validation, self.kinds)
        return validate_each(*parts, self.train, self.bottom)

    def _warn_of_overfitting(self) -> None:
        at = self.progress
        found = None if self.rollouts is not None else overfitting(at.validation, at.training)
        if found is not None:
            self.run.event("overfitting", step=at.step, message=found.sentence(), **found.as_dict())
            self.watch(self._told(alert=found.sentence()))

    def _told(self, **extra: Any) -> Step:
        at = self.progress
        return Step(at.step, self.plan.steps, at.step / self.plan.steps_per_epoch, **extra)

    # ------------------------------------------------------------------ the end

    def best(self) -> Model:
        """The model with the weights of the best evaluation, and the temperatures and thresholds that
        suit them."""
        self.weights.begin()
        state.restore_best(self.run, self.weights, self.progress)
        for task, model in self.models.items():
            heat = fit_temperature(model, self.validation[task])
            if heat is not None:
                self.heats[task] = heat
            settle_thresholds(model, self.validation[task], self.run, task)
            if isinstance(self.model.task, Several):
                self.model.task = self.model.task.having(task, model.task)
        return self.model

    def finish(self) -> dict[str, Any]:
        """Restore the best weights, publish the model, pass the gate, and give the figures."""
        at = self.progress
        peak = self.memory.bytes()
        self.best()
        figures = self.figures(peak)
        if "" in self.heats:
            figures["temperature"] = self.heats[""]
        elif self.heats:
            figures["temperatures"] = self.heats
        gate.publish(self.model, self.weights, at, self.run, self.rows, figures, self.kinds)
        return figures

    def figures(self, peak_memory_bytes: int) -> dict[str, Any]:
        at = self.progress
        trained, total = self.model.count()
        assert self.plan.recipe.method is not None
        return {
            "method": self.plan.recipe.method.name,
            "objective": ", ".join(dict.fromkeys(o.name for o in self.objectives.values())),
            "epochs": round(at.step / self.plan.steps_per_epoch, 2),
            "steps": at.step,
            "best_step": at.best_step or at.step,
            "stopped": at.stopped,
            "tokens": at.tokens,
            "loss_tokens": at.loss_tokens,
            "rows": at.rows,
            "seconds": round(at.seconds, 3),
            "tokens_per_second": round(at.tokens / max(at.seconds, 1e-9), 2),
            "examples_per_second": round(at.rows / max(at.seconds, 1e-9), 2),
            "peak_memory_bytes": peak_memory_bytes,
            "trainable_parameters": trained,
            "total_parameters": total,
            "precision": self.train.precision,
            "device": self.train.device,
            "weights_sha256": sha256_of(self.weights.tensors()),
        }

    def _refuse_not_finite(self, value: float, what: str, step: int, rows: Sequence[str]) -> None:
        if math.isfinite(value):
            return
        self.run.event("not_finite", step=step + 1, what=what, rows=list(rows))
        raise TrainingError(
            f"the {what} is not a finite number at step {step + 1}",
            where=f"{self.run.id}: rows {', '.join(rows[:8])}",
            do="lower train.learning_rate, set train.precision to float32, or look at those rows",
        )


def _frozen(model: Model) -> dict[str, torch.Tensor]:
    return {n: p for n, p in model.network.named_parameters() if not p.requires_grad}


def _seed_of(seed: int, step: int, micro_batch: int) -> int:
    """Dropout's seed: of this run, step and pass, whatever came before."""
    return (seed * 1_000_003 + step * 1_009 + micro_batch) % (2**63)


__all__ = ["Step", "Training", "Watcher", "prepare", "run"]
