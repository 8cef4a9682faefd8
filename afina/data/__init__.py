"""From files to a Dataset: read, check, clean, split, fingerprint. Knows no tokens, no models."""

from __future__ import annotations

from afina.data.check import Check
from afina.data.dataset import Dataset, prepare
from afina.data.reading import Drop, Reading, read
from afina.data.sealed import SealedTest

__all__ = ["Check", "Dataset", "Drop", "Reading", "SealedTest", "prepare", "read"]
