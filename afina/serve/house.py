"""What the routes share: the models by name, and the one worker that runs them."""

from __future__ import annotations

from collections.abc import Sequence

from afina.errors import RequestError, nearest
from afina.serve.failure import ApiError
from afina.serve.model import KINDS, ServedModel
from afina.serve.worker import Worker

_USES = {
    "chat": "chat",
    "completion": "go on from a text",
    "embedding": "turn texts into vectors",
    "classify": "label texts",
    "regress": "give texts a number",
    "tag": "find labelled stretches",
    "answer": "find answers in texts",
    "score": "judge answers",
}


class House:
    """The models that are served. Raises RequestError if they cannot be told apart, or are none.

    ``default_max_tokens``: the longest chat answer where the request states no limit.
    """

    def __init__(
        self, models: Sequence[ServedModel], *, max_waiting: int, default_max_tokens: int
    ) -> None:
        if not models:
            raise RequestError("there is no model to serve", do="name at least one run")
        self.models: dict[str, ServedModel] = {}
        for model in models:
            if model.name in self.models:
                raise RequestError(
                    f"two models have the name {model.name}",
                    do="serve one of them, or promote each under a name of its own",
                )
            if unknown := model.kinds - set(KINDS):
                raise ValueError(f"{model.name}: unknown kinds {sorted(unknown)}")
            self.models[model.name] = model
        self.worker = Worker(max_waiting)
        self.default_max_tokens = default_max_tokens

    def model(self, name: str, kind: str | None = None) -> ServedModel:
        """The model of that name. Raises ApiError 404, or 400 if it cannot do ``kind``."""
        model = self.models.get(name)
        if model is None:
            raise ApiError(
                404,
                f"the model {name[:200]!r} is not served here; {nearest(name[:200], self.models)}",
                code="model_not_found",
                param="model",
            )
        if kind is not None and kind not in model.kinds:
            can = ", ".join(_USES[k] for k in KINDS if k in model.kinds)
            raise ApiError(
                400,
                f"the model {name} cannot {_USES[kind]}; it can {can or 'do nothing over HTTP'}",
                code="model_not_suitable",
                param="model",
            )
        return model

    def room(
        self, model: ServedModel, prompt_tokens: int, wanted: int | None, default: int, param: str
    ) -> int:
        """Tokens that an answer may have. Raises ApiError if the context cannot hold it."""
        length = model.context_length
        if prompt_tokens + (wanted or 1) > length:
            asked = f" and {wanted} for the answer" if wanted else ""
            raise ApiError(
                400,
                f"the context of {model.name} is {length} tokens; the request has {prompt_tokens} "
                f"in the prompt{asked}",
                code="context_length_exceeded",
                param=param,
            )
        return wanted or min(default, length - prompt_tokens)
