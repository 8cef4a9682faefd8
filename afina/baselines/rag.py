"""The untuned base, shown passages of the user's documents that fit the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from afina.baselines.grounding import open_index
from afina.baselines.prompting import Prompted, first_that_fits, load_decoder
from afina.baselines.request import Baseline, Fitted, Request
from afina.errors import DataError, RecipeError
from afina.recipe import Recipe, Retrieval
from afina.retrieval import Index, Rag
from afina.types import Answer, Example, Input, Renderer, Task

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.models.sources import Base


class Grounded(Fitted):
    """RAG as a baseline; ``describe`` also gives what retrieval did so far."""

    def __init__(self, rag: Rag, plain: Prompted) -> None:
        what = f"{plain.facts.what}, and {rag.passages} passages ({rag.index.describe()})"
        super().__init__(rag.name, replace(plain.facts, what=what), rag.predict)
        self.rag = rag
        self.negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
        if hasattr(rag, "negative_log_likelihood"):
            self.negative_log_likelihood = rag.negative_log_likelihood

    def describe(self) -> dict[str, Any]:
        """The facts, and the figures of retrieval."""
        return super().describe() | {"retrieval": self.rag.figures.as_dict()}


def build(request: Request) -> Baseline:
    """A decoder with its instruction; the passages stand in the question. Raises RecipeError where
    the recipe names no documents."""
    name = "rag"
    settings = request.retrieval
    if settings is None:
        raise RecipeError(
            "rag answers from documents, and the recipe names none",
            where="retrieval.documents",
            do="name a folder of them, or leave rag out of evaluate.baselines",
        )
    plain = first_that_fits(request, load_decoder(request, name), name, [], 0)
    index = open_index(settings, request.base, cache=request.cache, **request.loading())
    behind = plain.predictor
    rag = Rag(
        index,
        plain,
        count_tokens=lambda given: len(behind.prompt(given)),
        room=behind.model.base.context_length - behind.answer_tokens,
        name=name,
        passages=settings.passages,
        prompt=settings.prompt,
    )
    return Grounded(rag, plain)


def ground(model: TunedModel, index: Index, settings: Retrieval, name: str = "tuned_rag") -> Rag:
    """A tuned model (or an untuned one as it is served) that answers from documents.

    Raises DataError for a classifier, which was trained on texts without passages.
    """
    if "chat" not in model.kinds:
        raise DataError(
            f"{model.name} is a classifier: it is not shown passages",
            where="retrieval.documents",
            do="leave the documents out, or take a model trained with task: generate",
        )
    return Rag(
        index,
        model,
        count_tokens=lambda given: len(model.whole_prompt(given)),
        room=model.longest_prompt,
        name=name,
        passages=settings.passages,
        prompt=settings.prompt,
    )


def reader(
    index: Index,
    settings: Retrieval,
    task: Task,
    base: Base,
    renderer: Renderer,
    max_length: int | None,
) -> Rag:
    """Puts passages into rows to learn from, as they will be put into questions; answers nothing."""
    from afina.models.predictor import MAX_NEW_TOKENS

    context = base.context_length
    return Rag(
        index,
        _Silent(),
        count_tokens=lambda given: len(task.prompt(given, renderer)),
        room=min(max_length or context, context) - min(MAX_NEW_TOKENS, context // 2),
        passages=settings.passages,
        prompt=settings.prompt,
    )


class _Silent:
    """Stands where nobody is asked."""

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        return [Answer("") for _ in inputs]


def over_documents(
    model: TunedModel,
    documents: Sequence[str],
    recipe: Recipe | None = None,
    *,
    say: Callable[[str], None] | None = None,
) -> Rag:
    """A model over documents that are named now, by the recipe's ``retrieval`` knobs if it has any."""
    asked = recipe.retrieval if recipe is not None else None
    knobs = asked.model_dump() if asked is not None else {}
    settings = Retrieval.model_validate({**knobs, "documents": tuple(documents)})
    index = open_index(settings, model.model.base, say=say)
    return ground(model, index, settings, name=model.name)


def open_untuned(
    base: str, *, max_new_tokens: int | None = None, say: Callable[[str], None] | None = None
) -> TunedModel:
    """A base that nobody tuned, ready to be served. Raises ModelError for an encoder."""
    import torch

    from afina.models.load import load
    from afina.models.predictor import TunedModel, find_device
    from afina.models.sources import resolve
    from afina.tasks import Generate

    device = find_device("auto")
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    found = resolve(base, say=say)
    task = Generate(answer="text", max_new_tokens=max_new_tokens)
    model = load(found, task, None, dtype=dtype, device=device)
    return TunedModel(model, name=found.name)
