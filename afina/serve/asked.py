"""The shapes of the requests: fields, types and bounds. Decides nothing.

Names and meanings are those of the OpenAI API. A field whose meaning cannot be honoured is refused
with the reason, never ignored; those in ``ignored`` cannot change the answer.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    field_validator,
    model_validator,
)

from afina.errors import nearest
from afina.serve.body import Body, parse
from afina.serve.failure import ApiError
from afina.types import Message, Role

MAX_MESSAGES = 2048
MAX_CHOICES = 16
MAX_PROMPTS = 64

_TEMPLATE = "the template belongs to the model and cannot be sent with a request"
_FUNCTIONS = "this old form is not taken; use tools and tool_choice"
Text = Annotated[str, Field(min_length=1)]
StopText = Annotated[str, Field(min_length=1, max_length=256)]


class Part(Body):
    """A part of a message's content; only text can be read."""

    type: str
    text: str

    @model_validator(mode="before")
    @classmethod
    def _only_text(cls, value: Any) -> Any:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind != "text":
            raise ValueError(f"the model reads text only, not {kind}")
        return value


class CalledFunction(Body):
    """What an assistant called: a name and its arguments, a JSON object in a string."""

    name: Text
    arguments: str

    @field_validator("arguments")
    @classmethod
    def _an_object(cls, arguments: str) -> str:
        try:
            value = parse(arguments.encode(), "the text")
        except ApiError as error:
            raise ValueError(error.message) from None
        if not isinstance(value, dict):
            raise ValueError("the text must hold a JSON object")
        return arguments


class Call(Body):
    """A call of a tool in an earlier turn."""

    ignored: ClassVar[frozenset[str]] = frozenset({"index"})  # left by those who join a stream

    id: str
    type: Literal["function"]
    function: CalledFunction


class AskedMessage(Body):
    """One turn."""

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None
    # A client that sends an answer back as it came sends these too, as null.
    refusal: None = None
    audio: None = None
    function_call: None = None
    annotations: Annotated[list[Any], Field(max_length=0)] | None = None

    @field_validator("role")
    @classmethod
    def _known_role(cls, role: str) -> str:
        known = ("system", "developer", "user", "assistant", "tool")
        if role not in known:
            raise ValueError(f"the role {role!r} is not known; {nearest(role, known)}")
        return role

    @model_validator(mode="after")
    def _says_something(self) -> AskedMessage:
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise ValueError("content may be left out only where an assistant calls tools")
        if self.tool_calls and self.role != "assistant":
            raise ValueError("only an assistant calls tools")
        if self.role == "tool" and self.tool_call_id is None:
            raise ValueError("a tool's answer needs tool_call_id")
        return self

    @property
    def text(self) -> str:
        """The content as one text."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""

    @property
    def message(self) -> Message:
        """The turn as a model knows it."""
        role = cast(Role, "system" if self.role == "developer" else self.role)
        # Arguments as an object, the form in which chat templates write them, and in which they are
        # trained.
        calls = tuple(
            {
                "id": made.id,
                "type": made.type,
                "function": {
                    "name": made.function.name,
                    "arguments": parse(made.function.arguments.encode()),
                },
            }
            for made in self.tool_calls or ()
        )
        return Message(
            role, self.text, name=self.name, tool_calls=calls, tool_call_id=self.tool_call_id
        )


class Function(Body):
    """A function that may be called; ``strict`` arguments are checked against ``parameters``."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Body):
    """A tool on offer. ``given`` is it as it came, keys in order: templates write it out."""

    type: Literal["function"]
    function: Function
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler[Tool]) -> Tool:
        tool = handler(value)
        tool._given = value
        return tool

    @property
    def given(self) -> dict[str, Any]:
        """The tool as it came."""
        return self._given


class JsonSchema(Body):
    """A schema with its name. It is checked after the answer whether or not it is ``strict``."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """What form the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _schema_where_said(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("json_schema goes with type json_schema, and only with it")
        return self


class StreamOptions(Body):
    """What a stream tells besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class Drawn(Body):
    """The fields that chat and completions share: how the answer is drawn and sent."""

    model: Text
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    n: int | None = Field(None, ge=1, le=MAX_CHOICES)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopText | Annotated[list[StopText], Field(max_length=4)] | None = None
    max_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(
        None, max_length=1024
    )
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @field_validator("logit_bias")
    @classmethod
    def _token_ids(cls, biases: dict[str, float] | None) -> dict[str, float] | None:
        for key in biases or {}:
            if not (key.isascii() and key.isdecimal() and len(key) < 10):
                raise ValueError(f"the keys are ids of tokens, {key[:20]!r} is none")
        return biases

    def contradiction(self) -> tuple[str, str] | None:
        if self.stream_options is not None and not self.stream:
            return "stream_options", "only for stream: true"
        return None

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class ChatRequest(Drawn):
    """``POST /v1/chat/completions``."""

    ignored: ClassVar[frozenset[str]] = frozenset(
        {
            "metadata",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
            "user",
        }
    )
    refused: ClassVar[dict[str, str]] = {
        "audio": "the model answers in text only",
        "chat_template": _TEMPLATE,
        "chat_template_kwargs": _TEMPLATE,
        "function_call": _FUNCTIONS,
        "functions": _FUNCTIONS,
        "reasoning_effort": "the model has no such setting",
        "verbosity": "the model has no such setting",
        "web_search_options": "the model cannot search the web",
    }

    messages: list[AskedMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_completion_tokens: int | None = Field(None, ge=1, le=2**31 - 1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    modalities: list[Literal["text"]] | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = Field(None, max_length=128)
    tool_choice: Any = None

    @field_validator("parallel_tool_calls")
    @classmethod
    def _cannot_be_limited(cls, allowed: bool | None) -> bool | None:
        if allowed is False:
            raise ValueError("the number of calls cannot be limited; leave it out")
        return allowed

    @field_validator("tool_choice")
    @classmethod
    def _cannot_be_forced(cls, choice: Any) -> Any:
        if choice not in (None, "auto", "none"):
            raise ValueError("a call cannot be forced; auto and none are possible")
        return choice

    def contradiction(self) -> tuple[str, str] | None:
        if self.top_logprobs is not None and not self.logprobs:
            return "top_logprobs", "needs logprobs: true"
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            return "max_tokens", "means the same as max_completion_tokens; send one of them"
        if self.tool_choice is not None and not self.tools:
            return "tool_choice", "needs tools"
        return super().contradiction()


class CompletionRequest(Drawn):
    """``POST /v1/completions``."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})
    refused: ClassVar[dict[str, str]] = {
        "suffix": "the model writes on at the end of a text only",
    }

    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS)]
    echo: bool | None = None
    logprobs: int | None = Field(None, ge=0, le=20)
    best_of: int | None = Field(None, ge=1, le=MAX_CHOICES)

    def contradiction(self) -> tuple[str, str] | None:
        if self.best_of is not None and self.best_of != (self.n or 1):
            return "best_of", "must be n, or be left out: no answer is thrown away"
        if self.echo and self.logprobs is not None:
            return "echo", "cannot go with logprobs: those of the prompt are not measured"
        if len(self.prompts) * (self.n or 1) > MAX_PROMPTS:
            return "n", f"prompts × n may be {MAX_PROMPTS} at most"
        return super().contradiction()

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts."""
        return (self.prompt,) if isinstance(self.prompt, str) else tuple(self.prompt)
