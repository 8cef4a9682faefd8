"""Documents, passages, search, and a predictor that answers from what was found.

Knows neither tokens nor models: who makes vectors, who counts tokens and who answers is passed in.
"""

from afina.retrieval.documents import Document, Documents, read_documents
from afina.retrieval.hits import HitRate, hit_rate
from afina.retrieval.index import Embeds, Hit, Index
from afina.retrieval.passages import Passage, cut
from afina.retrieval.rag import Figures, Rag, Sourced

__all__ = [
    "Document",
    "Documents",
    "Embeds",
    "Figures",
    "Hit",
    "HitRate",
    "Index",
    "Passage",
    "Rag",
    "Sourced",
    "cut",
    "hit_rate",
    "read_documents",
]
