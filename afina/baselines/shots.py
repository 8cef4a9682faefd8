"""Which training rows are shown in a prompt: a few that are typical and unlike each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afina.baselines.features import TfIdf

ROWS_TO_CHOOSE = 2000
"""Rows drawn where there are more."""


def typical(
    texts: Sequence[str], strata: Sequence[str | None], count: int, seed: int
) -> tuple[int, ...]:
    """Row numbers of at most ``count`` different texts, one near the middle of each cluster.

    Clusters by k-means over TF-IDF of characters, the largest first; in each, the nearest row to
    its centre whose stratum (label, intent) is not shown yet.
    """
    from sklearn.cluster import KMeans

    first = {text: i for i, text in reversed(list(enumerate(texts)))}
    distinct = np.array(sorted(first.values()))
    if len(distinct) > ROWS_TO_CHOOSE:
        drawn = np.random.default_rng(seed).choice(len(distinct), ROWS_TO_CHOOSE, replace=False)
        distinct = distinct[np.sort(drawn)]
    if len(distinct) <= count:
        return tuple(int(i) for i in distinct)
    rows = TfIdf([texts[i] for i in distinct], words=False, characters=(2, 4)).matrix
    if rows.shape[0] <= count:
        return tuple(int(i) for i in distinct)
    means = KMeans(count, n_init=1, random_state=seed).fit(rows)
    far = means.transform(rows)
    sizes = np.bincount(means.labels_, minlength=count)
    chosen: list[int] = []
    shown: set[str | None] = set()
    for cluster in np.argsort(-sizes, kind="stable"):
        members = np.flatnonzero(means.labels_ == cluster)
        members = members[np.argsort(far[members, cluster], kind="stable")]
        inside = [int(i) for i in distinct[members]]
        if not inside:
            continue
        best = next((i for i in inside if strata[i] not in shown), inside[0])
        chosen.append(best)
        shown.add(strata[best])
    return tuple(chosen)
