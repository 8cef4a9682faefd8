"""Other libraries' reports and bars, kept away from users while a model is loaded or saved.

What they report (missing weights, a head that is new) is checked and told by Afina itself. Their own
switches are used and put back; a level or bars that the user asked for by environment stay.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

BARS, LEVEL = "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_VERBOSITY"


@contextmanager
def quiet() -> Iterator[None]:
    """A block, or as a decorator a function, in which Transformers and bitsandbytes say nothing."""
    from transformers.utils import logging as spoken

    # It warns of a kernel that this machine could download; 4-bit bases work without.
    notices = logging.getLogger("bitsandbytes")
    levels = spoken.get_verbosity(), notices.level
    bars = spoken.is_progress_bar_enabled() and BARS not in os.environ
    if LEVEL not in os.environ:
        spoken.set_verbosity_error()
    if bars:
        spoken.disable_progress_bar()
    notices.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # What peft calls in Transformers is said to go away: news for their authors, not ours.
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
            yield
    finally:
        spoken.set_verbosity(levels[0])
        notices.setLevel(levels[1])
        if bars:
            spoken.enable_progress_bar()
