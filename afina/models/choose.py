"""Which of several answers a language model finds most probable, with nothing generated.

The options are laid out as a tree, so that a beginning which several of them share is worked once,
and all of them are worked in one forward pass behind each prompt: every token sees the prompt and
its own branch only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from afina.errors import RequestError
from afina.models.cache import takes_cache
from afina.models.decoder import Decoder, core_of, shared_length, work_prefix
from afina.models.generate import ROWS_AT_ONCE, TOKENS_AT_ONCE, check_prompt
from afina.models.likelihood import answer_losses
from afina.models.load import Model
from afina.models.virtual import virtual_tokens
from afina.types import IGNORED, Encoded

LOGITS_AT_ONCE = 2**26
"""Most scores (tokens × vocabulary) in memory at once."""


@dataclass(frozen=True)
class _Tree:
    """The beginnings of the options that are followed by something.

    Node n stands for ``tokens[n]`` behind node ``parents[n]`` (-1: behind the prompt), at
    ``depths[n]`` tokens after it. ``paths[k]``: for each token of option k, the node that it
    follows and the token itself.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]


def choose(
    model: Model,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    *,
    per_token: bool = False,
    batch_size: int | None = None,
) -> np.ndarray:
    """Log-probability (nats) of each option behind each prompt, float64 [prompts, options].

    ``per_token`` divides by the option's tokens. End the options with the end token of an answer:
    else one that begins another is always at least as probable. Raises ModelError where a prompt
    with its longest option does not fit the context.
    """
    _check(model, prompts, options)
    longest = max(len(o) for o in options)
    scores = np.zeros((len(prompts), len(options)))
    if prompts:
        worker = _by_tree if _tree_fits(model, prompts, longest) else _by_row
        worker(model, prompts, options, scores, batch_size or ROWS_AT_ONCE)
    if per_token:
        scores /= np.array([len(o) for o in options])
    return scores


def write_one(
    model: Model,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    *,
    batch_size: int | None = None,
) -> list[int]:
    """Which option each prompt is answered with, when nothing else can be written: greedy decoding
    in which only tokens that go on an option are allowed.

    Far less work than ``choose`` where the options are many, and no probabilities. Options as
    there; raises the same.
    """
    _check(model, prompts, options)
    known, ways = [tuple(o) for o in options], _ways(options)
    chosen = [0] * len(prompts)
    longest = max(len(o) for o in options)
    prefix = work_prefix(model, prompts[0][: shared_length(prompts)]) if prompts else None
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    while order:
        columns = len(prompts[order[0]]) + longest
        size = max(1, min(batch_size or ROWS_AT_ONCE, TOKENS_AT_ONCE // columns))
        rows, order = order[:size], order[size:]
        decoder = Decoder(model, [prompts[i] for i in rows], longest, prefix)
        places: list[tuple[int, ...]] = [()] * len(rows)
        while rows:
            tokens = [_best(ways[p], s) for p, s in zip(places, decoder.logits, strict=True)]
            places = [(*p, t) for p, t in zip(places, tokens, strict=True)]
            live = [n for n, place in enumerate(places) if ways.get(place)]
            for n, place in enumerate(places):
                if n not in live:
                    chosen[rows[n]] = known.index(place)
            rows, places = [rows[n] for n in live], [places[n] for n in live]
            if rows:
                decoder.keep(live)
                decoder.step([tokens[n] for n in live])
    return chosen


def tree_size(options: Sequence[Sequence[int]]) -> int:
    """Tokens that ``choose`` works behind every prompt."""
    return len(_tree(options).tokens)


def _best(allowed: Sequence[int], scores: torch.Tensor) -> int:
    return allowed[int(scores[list(allowed)].argmax())]


def _ways(options: Sequence[Sequence[int]]) -> dict[tuple[int, ...], list[int]]:
    """For each beginning of an option: the tokens that go on."""
    ways: dict[tuple[int, ...], list[int]] = {}
    for option in options:
        for depth, token in enumerate(option):
            following = ways.setdefault(tuple(option[:depth]), [])
            if token not in following:
                following.append(token)
    return ways


def _check(
    model: Model, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[int]]
) -> None:
    if not options or any(not o for o in options):
        raise RequestError("an option has no tokens", where="options", do="give each some text")
    longest = max(len(o) for o in options)
    for prompt in prompts:
        check_prompt(model, len(prompt) + longest - 1)


def _tree_fits(model: Model, prompts: Sequence[Sequence[int]], longest: int) -> bool:
    """Whether one mask serves all layers, and positions can be told to the network."""
    core = core_of(model)
    window = getattr(core.config, "sliding_window", None)
    reach = virtual_tokens(model.network.module) + max(len(p) for p in prompts) + longest
    plain = window is None or reach <= window
    return takes_cache(core) and Decoder.takes_positions(core) and plain


def _by_tree(
    model: Model,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    scores: np.ndarray,
    batch_size: int,
) -> None:
    tree = _tree(options)
    prefix = work_prefix(model, prompts[0][: shared_length(prompts)])
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    nodes = len(tree.tokens)
    in_memory = LOGITS_AT_ONCE // (max(1, nodes) * model.base.vocabulary)
    while order:
        columns = len(prompts[order[0]]) + nodes
        size = max(1, min(batch_size, in_memory, TOKENS_AT_ONCE // columns))
        rows, order = order[:size], order[size:]
        decoder = Decoder(model, [prompts[i] for i in rows], nodes, prefix)
        first = decoder.logits.float().log_softmax(-1)
        behind = decoder.branches(tree.tokens, tree.parents, tree.depths) if nodes else None
        for k, path in enumerate(tree.paths):
            total = torch.zeros(len(rows), dtype=torch.float64, device=first.device)
            for node, token in path:
                source = first if node < 0 or behind is None else behind[:, node]
                total += source[:, token].double()
            scores[rows, k] = total.cpu().numpy()


def _by_row(
    model: Model,
    prompts: Sequence[Sequence[int]],
    options: Sequence[Sequence[int]],
    scores: np.ndarray,
    batch_size: int,
) -> None:
    """Every prompt with every option as a row of its own: slower, and right for any network."""
    pairs = [(i, k) for i in range(len(prompts)) for k in range(len(options))]
    pairs.sort(key=lambda pair: -(len(prompts[pair[0]]) + len(options[pair[1]])))
    for start in range(0, len(pairs), batch_size):
        part = pairs[start : start + batch_size]
        rows = [
            Encoded("", (*prompts[i], *options[k]), (*[IGNORED] * len(prompts[i]), *options[k]))
            for i, k in part
        ]
        for (i, k), (loss, _) in zip(part, answer_losses(model, rows), strict=True):
            scores[i, k] = -loss


def _tree(options: Sequence[Sequence[int]]) -> _Tree:
    known: dict[tuple[int, ...], int] = {(): -1}
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    paths: list[tuple[tuple[int, int], ...]] = []
    for option in options:
        path = []
        for depth, token in enumerate(option):
            beginning = tuple(option[:depth])
            if beginning not in known:
                known[beginning] = len(tokens)
                parents.append(known[beginning[:-1]])
                tokens.append(beginning[-1])
                depths.append(depth - 1)
            path.append((known[beginning], token))
        paths.append(tuple(path))
    return _Tree(tuple(tokens), tuple(parents), tuple(depths), tuple(paths))
