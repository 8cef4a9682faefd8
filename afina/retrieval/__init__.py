"""Documents, passages, search, and how often it finds what answers.

Knows neither tokens nor models: what makes vectors is passed in.
"""

from afina.retrieval.documents import Document, Documents, read_documents
from afina.retrieval.hits import HitRate, hit_rate
from afina.retrieval.index import Embeds, Hit, Index
from afina.retrieval.passages import Passage, cut

__all__ = [
    "Document",
    "Documents",
    "Embeds",
    "Hit",
    "HitRate",
    "Index",
    "Passage",
    "cut",
    "hit_rate",
    "read_documents",
]
