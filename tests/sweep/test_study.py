"""Which trials of a sweep go on at a look: the best third of those that came to it."""

from __future__ import annotations

from pathlib import Path

from afina.sweep.study import PRUNED_AT, Study


def test_at_a_look_the_best_third_goes_on(tmp_path: Path) -> None:
    study, went_on = Study(tmp_path, 7), []
    for value in (0.5, 0.4, 0.6, 0.55, 0.7, 0.65, 0.3, 0.68):
        went_on.append(study.goes_on(study.ask(), PRUNED_AT[0], value))
    # The first; no; the best of 3; no: 1 of 4 goes on; the best of 5; 2 of 6 go on; no; the second of 8.
    assert went_on == [True, False, True, False, True, True, False, True]


def test_other_looks_stop_nothing_and_the_first_value_of_a_look_counts(tmp_path: Path) -> None:
    study = Study(tmp_path, 7)
    first, second = study.ask(), study.ask()
    other = next(look for look in range(1, 9) if look not in PRUNED_AT)
    assert study.goes_on(first, other, 0.9) and study.goes_on(second, other, 0.1)
    assert study.goes_on(first, PRUNED_AT[0], 0.5)
    assert not study.goes_on(second, PRUNED_AT[0], 0.4)
    assert not study.goes_on(second, PRUNED_AT[0], 0.9), "it was noted as 0.4"
