"""Rows with passages of the recipe's documents, where the model is to learn and to answer with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from afina.recipe import Recipe
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.retrieval import Rag

Say = Callable[[str], None]


def learning_reader(
    recipe: Recipe, task: Task, base: Base, renderer: ChatRenderer, say: Say
) -> Rag | None:
    """What puts passages into the rows; None where the recipe does not ask for it
    (``retrieval.learn``). Raises what the documents raise."""
    from afina.baselines.grounding import open_index
    from afina.baselines.rag import reader

    asked = recipe.retrieval
    if asked is None or not asked.learn:
        return None
    index = open_index(asked, base, say=say)
    return reader(index, asked, task, base, renderer, recipe.train.max_length)


def with_passages(reader: Rag | None, examples: Sequence[Example]) -> Sequence[Example]:
    """The rows as they are learned. Raises DataError for rows that are no conversations."""
    return examples if reader is None else [reader.example(example) for example in examples]


def documents_of(reader: Rag | None) -> str:
    """Hash of the passages; empty where rows are learned without any."""
    return "" if reader is None else reader.index.sha256


def as_asked(recipe: Recipe, model: TunedModel, say: Say | None = None) -> TunedModel | Rag:
    """A tuned model as it answers: with its documents, if it learned with them."""
    from afina.baselines.grounding import open_index
    from afina.baselines.rag import ground

    asked = recipe.retrieval
    if asked is None or not asked.learn:
        return model
    index = open_index(asked, model.model.base, say=say)
    return ground(model, index, asked, name=model.name)
