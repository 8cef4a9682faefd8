"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from afina.evaluate import figures


@pytest.mark.parametrize(
    ("kind", "given", "english", "spanish"),
    [
        ("count", (74,), "74", "74"),
        ("count", (9999,), "9,999", "9999"),
        ("count", (1234567,), "1,234,567", "1\u202f234\u202f567"),
        ("count", (None,), "–", "–"),
        ("tenths", (14.72,), "14.7", "14,7"),
        ("percent", (0.9365,), "93.7%", "93,7\u00a0%"),
        ("percent", (1.0,), "100.0%", "100,0\u00a0%"),
        ("score", (0.5, "share"), "50.0%", "50,0\u00a0%"),
        ("score", (57.32, "points"), "57.3", "57,3"),
        ("score", (1.0236, "perplexity"), "1.02", "1,02"),
        ("score", (None, "perplexity"), "–", "–"),
        ("difference", (0.0512, "share"), "+5.1\u00a0pp", "+5,1\u00a0p.\u00a0p."),
        ("difference", (-0.0512, "share"), "−5.1\u00a0pp", "−5,1\u00a0p.\u00a0p."),
        ("difference", (-0.0001, "share"), "0.0\u00a0pp", "0,0\u00a0p.\u00a0p."),
        ("difference", (2.25, "perplexity"), "+2.25", "+2,25"),
        ("probability", (0.0321,), "0.032", "0,032"),
        ("probability", (0.0004,), "<\u202f0.001", "<\u202f0,001"),
        ("duration", (0.0,), "0.00\u00a0ms", "0,00\u00a0ms"),
        ("duration", (0.000002,), "<\u202f0.01\u00a0ms", "<\u202f0,01\u00a0ms"),
        ("duration", (0.0123,), "12\u00a0ms", "12\u00a0ms"),
        ("duration", (3.21,), "3.2\u00a0s", "3,2\u00a0s"),
        ("duration", (59.97,), "1\u00a0min 00\u00a0s", "1\u00a0min 00\u00a0s"),
        ("duration", (245,), "4\u00a0min 05\u00a0s", "4\u00a0min 05\u00a0s"),
        ("duration", (7805,), "2\u00a0h 10\u00a0min", "2\u00a0h 10\u00a0min"),
        ("size", (1_620_000_000,), "1.6\u00a0GB", "1,6\u00a0GB"),
        ("size", (512,), "512\u00a0B", "512\u00a0B"),
        ("plain", (0.0012345,), "0.001234", "0,001234"),
        ("plain", (2e-05,), "2\u202f·\u202f10⁻⁵", "2\u202f·\u202f10⁻⁵"),
        ("plain", (2.51e-05,), "2.51\u202f·\u202f10⁻⁵", "2,51\u202f·\u202f10⁻⁵"),
        ("plain", (3.14159,), "3.142", "3,142"),
        ("plain", (0,), "0", "0"),
    ],
)
def test_in_both_languages(kind: str, given: tuple[Any, ...], english: str, spanish: str) -> None:
    function = getattr(figures, kind)
    assert (function(*given, "en"), function(*given, "es")) == (english, spanish)
