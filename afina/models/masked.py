"""Masked language models: some tokens of a text are hidden and guessed from both sides (BERT).

Of the chosen tokens eight in ten become the mask, one a token drawn at random, one stays what it is
(Devlin et al. 2019, arXiv 1810.04805); whole words are hidden together where that is asked for (Cui et
al. 2019, arXiv 1906.08101). For likelihoods every token is hidden exactly once, several at a time: a
pseudo-perplexity, as Salazar et al. 2020 (arXiv 1910.14659), with a share hidden together instead of one
by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from afina.errors import ModelError, RecipeError
from afina.models.network import Body, plain_logprobs, states_of
from afina.models.render import ChatRenderer
from afina.models.sources import Base
from afina.objectives import Continue
from afina.types import IGNORED, Batch, Encoded, Objective, Task

USUAL_SHARE = 0.15
MASK, RANDOM = 0.8, 0.9
"""Up to where a draw from 0 to 1 hides a token behind the mask, and behind a random token."""


def is_masked(base: Base, task: Task) -> bool:
    """Whether a task over tokens is one of guessing hidden ones, the base being an encoder."""
    return task.head == "tokens" and base.kind == "encoder"


def check_objective(base: Base, task: Task, objective: Objective) -> None:
    """Raises RecipeError for knobs of hiding where nothing is hidden."""
    if isinstance(objective, Continue) and not is_masked(base, task):
        for knob in ("masked", "whole_words"):
            if getattr(objective, knob):
                raise RecipeError(
                    f"{base.name} reads from left to right: none of its tokens is hidden",
                    where=f"objective.{knob}",
                    do="leave it out, or take an encoder with its masked head",
                )


def check_head(base: Base) -> None:
    """Raises ModelError for an encoder that is stored without the head that guesses tokens."""
    from afina.models.safe import check_folder
    from afina.models.structure import configure, missing_weights

    checked = check_folder(base.folder)
    config = configure(checked.config, base.folder)
    missing = missing_weights(config, "masked", checked.tensors)
    if missing:
        raise ModelError(
            f"{base.name} is stored without the head that guesses hidden tokens "
            f"({len(missing)} weights, {missing[0]} for one)",
            where=f"base: {base.name}",
            do="take the model it was made from (its BertForMaskedLM, for one), or a decoder",
        )


class MaskedNetwork(Body):
    """An encoder with its own head over the vocabulary: a target is guessed at its own place."""

    def outputs(self, batch: Batch) -> torch.Tensor:
        return self.token_logprobs(batch)

    def token_logprobs(self, batch: Batch) -> torch.Tensor:
        """Log-probability [N] of each target in the loss at its own place, float32."""
        counted = batch.targets != IGNORED
        head = getattr(self.core, "cls", None) or getattr(self.core, "lm_head", None)
        if head is None:
            logits = states_of(self, batch.ids, batch.lengths, batch=batch)[0].logits[counted]
        else:
            out, _ = states_of(self, batch.ids, batch.lengths, batch=batch, body=True)
            logits = head(out.last_hidden_state[counted])
        return plain_logprobs(logits, batch.targets[counted])


@dataclass(frozen=True)
class Masker:
    """Hides tokens of rows. ``ordinary`` are the tokens that may stand for a hidden one,
    ``continues`` those that go on with a word (empty: each token is one)."""

    mask: int
    ordinary: tuple[int, ...]
    continues: frozenset[int] = frozenset()
    share: float = USUAL_SHARE

    @classmethod
    def of(cls, renderer: ChatRenderer, objective: Objective | None = None) -> Masker:
        """As the objective wants it. Raises ModelError for a tokenizer that has no mask, or whose
        tokens do not show where a word begins."""
        tokenizer = renderer.tokenizer
        if tokenizer.mask_token_id is None:
            raise ModelError(
                "its tokenizer has no token for what is hidden", where="base", do="take another"
            )
        controls = set(tokenizer.all_special_ids)
        vocabulary = tokenizer.get_vocab()
        ordinary = tuple(sorted(i for i in vocabulary.values() if i not in controls))
        whole, share = False, None
        if isinstance(objective, Continue):
            whole, share = objective.whole_words, objective.masked
        continues = _continuing(vocabulary) if whole else frozenset()
        return cls(tokenizer.mask_token_id, ordinary, continues, share or USUAL_SHARE)

    def hide(self, row: Encoded, seed: Sequence[int]) -> Encoded:
        """The row with a share of its tokens hidden, at least one; only those are in the loss.

        A pure function of row and seed, so that a run that is resumed sees the same.
        """
        random = np.random.default_rng(list(seed))
        words = self._words(row)
        wanted = max(1, round(self.share * sum(map(len, words))))
        chosen: list[int] = []
        for number in random.permutation(len(words)):
            if len(chosen) >= wanted:
                break
            chosen += words[number]
        ids, draws = list(row.ids), random.random(len(chosen))
        others = random.choice(self.ordinary, len(chosen))
        for place, draw, other in zip(chosen, draws, others, strict=True):
            if draw < MASK:
                ids[place] = self.mask
            elif draw < RANDOM:
                ids[place] = int(other)
        return _only(row, ids, chosen)

    def each_once(self, row: Encoded) -> tuple[Encoded, ...]:
        """The row several times, so that every token of the loss is behind the mask in one of them."""
        places = [place for word in self._words(row) for place in word]
        times = min(len(places), round(1 / self.share))
        order = np.random.default_rng(0).permutation(places)
        found = []
        for turn in range(times):
            chosen = [int(place) for place in order[turn::times]]
            ids = list(row.ids)
            for place in chosen:
                ids[place] = self.mask
            found.append(_only(row, ids, chosen))
        return tuple(found)

    def _words(self, row: Encoded) -> list[list[int]]:
        """Places of the tokens in the loss, those of a word together."""
        words: list[list[int]] = []
        for place, target in enumerate(row.targets):
            if target == IGNORED:
                continue
            goes_on = row.ids[place] in self.continues
            if goes_on and words and words[-1][-1] == place - 1:
                words[-1].append(place)
            else:
                words.append([place])
        return words


def _only(row: Encoded, ids: Sequence[int], chosen: Sequence[int]) -> Encoded:
    kept = set(chosen)
    targets = tuple(t if i in kept else IGNORED for i, t in enumerate(row.targets))
    return replace(row, ids=tuple(ids), targets=targets)


def _continuing(vocabulary: dict[str, int]) -> frozenset[int]:
    """Tokens that go on with a word, by the marks of WordPiece or SentencePiece."""
    if any(token.startswith("##") for token in vocabulary):
        return frozenset(i for token, i in vocabulary.items() if token.startswith("##"))
    if any(token.startswith("▁") for token in vocabulary):
        return frozenset(i for token, i in vocabulary.items() if not token.startswith("▁"))
    raise ModelError(
        "its tokens do not show where a word begins",
        where="objective.whole_words",
        do="leave it out",
    )
