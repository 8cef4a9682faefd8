"""Conversations: OpenAI's ``messages`` and ShareGPT's ``conversations`` become ``Message`` tuples.

Every departure from the format is a RowFault that says where in the row it stands. What a model's
template can render is not known here: two turns of one role in a row are accepted and noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from afina.data.jsonrows import StrictError, parse_all
from afina.data.rows import Notes, kind, shown
from afina.errors import nearest
from afina.types import Message, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_ALSO_CALLED = {
    "human": "user", "person": "user", "customer": "user", "client": "user", "usuario": "user",
    "bot": "assistant", "gpt": "assistant", "chatgpt": "assistant", "ai": "assistant",
    "model": "assistant", "agent": "assistant", "asistente": "assistant",
    "observation": "tool", "tool_response": "tool", "sistema": "system",
}  # fmt: skip
SHAREGPT: dict[str, str] = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "model": "assistant",
    "system": "system", "function_call": "function_call", "tool": "tool",
    "observation": "tool", "function_response": "tool", "tool_response": "tool",
}  # fmt: skip
_KEYS = {
    "role", "content", "weight", "name", "tool_calls", "tool_call_id", "function_call", "refusal"
}  # fmt: skip


class RowFault(ValueError):
    """Why a row cannot be used: where in the row, what is wrong, what to do."""

    def __init__(self, path: str, what: str, do: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.do = do


class Empty(ValueError):
    """The row holds nothing to learn: it is dropped for this reason, and counted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_in(value: object, path: str) -> str:
    """A text, or a RowFault that says what stands there instead."""
    if not isinstance(value, str):
        raise RowFault(
            path, f"{kind(value)} where a text is expected: {shown(value)}", "write a text"
        )
    if "\0" in value:
        raise RowFault(path, "a NUL character in the text", "remove it")
    return value


def messages_in(value: object, path: str, notes: Notes) -> tuple[Message, ...]:
    """OpenAI messages, each checked by itself. Raises RowFault."""
    if not isinstance(value, list):
        raise RowFault(
            path, f"{kind(value)} where a list of messages is expected", "[{role, content}, …]"
        )
    if not value:
        raise RowFault(path, "no messages", "write at least a user and an assistant turn")
    return tuple(_message(item, f"{path}[{i}]", notes) for i, item in enumerate(value))


def sharegpt_in(value: object, path: str, notes: Notes) -> tuple[Message, ...]:
    """ShareGPT turns (``from`` and ``value``); ``function_call`` becomes a tool call."""
    if not isinstance(value, list):
        raise RowFault(
            path, f"{kind(value)} where a list of turns is expected", "[{from, value}, …]"
        )
    if not value:
        raise RowFault(path, "no turns", "write at least a human and a gpt turn")
    messages: list[Message] = []
    for i, item in enumerate(value):
        here = f"{path}[{i}]"
        if not isinstance(item, Mapping):
            raise RowFault(
                here, f"{kind(item)} where an object is expected", '{"from": …, "value": …}'
            )
        for key in ("from", "value"):
            if key not in item:
                raise RowFault(here, f"has no {key!r}", 'each turn is {"from": …, "value": …}')
        said = text_in(item["from"], f"{here}.from")
        role = SHAREGPT.get(said)
        if role is None:
            raise RowFault(f"{here}.from", f"unknown speaker {said!r}", nearest(said, SHAREGPT))
        text = text_in(item["value"], f"{here}.value")
        if role == "function_call":
            call = {"type": "function", "function": _function(_json(text, f"{here}.value"), here)}
            messages.append(Message("assistant", "", tool_calls=(call,)))
        else:
            messages.append(Message(cast(Role, role), text, _weight(item, here, role)))
        _note_unused(item, {"from", "value", "weight"}, path, notes)
    return tuple(messages)


def tools_in(value: object, path: str) -> tuple[Mapping[str, Any], ...]:
    """Tool definitions: a list of objects, or that list as a JSON text."""
    if value is None or value == "" or value == []:
        return ()
    if isinstance(value, str):
        value = _json(value, path)
    if not isinstance(value, list) or not all(isinstance(v, Mapping) for v in value):
        raise RowFault(
            path, "tools are a list of objects", 'like {"type": "function", "function": …}'
        )
    for i, tool in enumerate(value):
        function = tool.get("function", tool)
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise RowFault(
                f"{path}[{i}]", "the tool has no name", 'write {"function": {"name": …}}'
            )
    return tuple(v if "function" in v else {"type": "function", "function": v} for v in value)


# ---------------------------------------------------------------------------- one message


def _message(item: object, path: str, notes: Notes) -> Message:
    if not isinstance(item, Mapping):
        raise RowFault(path, f"{kind(item)} where a message is expected", "{role, content}")
    role = _role(item, path, notes)
    calls = _calls(item, path, role)
    content = _content(item.get("content"), f"{path}.content", bool(calls), "content" in item)
    name = item.get("name")
    call_id = item.get("tool_call_id")
    if item.get("refusal"):
        raise RowFault(f"{path}.refusal", "a refusal is not trained", "move its text to content")
    if call_id is not None and role != "tool":
        raise RowFault(f"{path}.tool_call_id", f"a {role} turn answers no tool call", "remove it")
    _note_unused(item, _KEYS, path, notes)
    return Message(
        role,
        content,
        _weight(item, path, role),
        None if name is None else text_in(name, f"{path}.name"),
        calls,
        None if call_id is None else text_in(call_id, f"{path}.tool_call_id"),
    )


def _role(item: Mapping[str, Any], path: str, notes: Notes) -> Role:
    if "role" not in item:
        do = "nearest: from/value is ShareGPT" if "from" in item else "add its role"
        raise RowFault(path, "the message has no role", do)
    said = text_in(item["role"], f"{path}.role")
    role = ROLES.get(said)
    if role is None:
        meant = _ALSO_CALLED.get(said.strip().lower())
        do = f"did you mean {meant}?" if meant else nearest(said.strip().lower(), ROLES)
        raise RowFault(f"{path}.role", f"unknown role {said!r}", do)
    if said in ("developer", "function"):
        notes.add(f"role {said!r} was read as {role!r}")
    return role


def _content(value: object, path: str, may_be_null: bool, present: bool) -> str:
    if value is None and may_be_null:
        return ""
    if not present:
        raise RowFault(path, "the message has no content", "add it")
    if isinstance(value, list):
        return "".join(_part(part, f"{path}[{i}]") for i, part in enumerate(value))
    return text_in(value, path)


def _part(part: object, path: str) -> str:
    form = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(part, Mapping) or form not in ("text", "input_text", "output_text"):
        what = f"a part of type {form!r}" if form else kind(part)
        raise RowFault(path, f"{what}: the model takes text only", "remove the part, or the row")
    return text_in(part.get("text"), f"{path}.text")


def _weight(item: Mapping[str, Any], path: str, role: str) -> int:
    weight = item.get("weight")
    if weight is None:
        return 1
    if isinstance(weight, bool) or weight not in (0, 1):
        raise RowFault(f"{path}.weight", f"{shown(weight)} is no weight", "write 0 or 1")
    if role != "assistant":
        raise RowFault(f"{path}.weight", f"a {role} turn is never in the loss", "remove the weight")
    return int(weight)


def _note_unused(item: Mapping[str, Any], known: set[str], path: str, notes: Notes) -> None:
    for key in item.keys() - known:
        if item[key] is not None:
            notes.add(f"{path.partition('[')[0]}: the key {key!r} of a turn is not used")


# ---------------------------------------------------------------------------- tool calls


def _calls(item: Mapping[str, Any], path: str, role: Role) -> tuple[Mapping[str, Any], ...]:
    given = item.get("tool_calls")
    if given is None and item.get("function_call") is not None:
        given = [{"type": "function", "function": item["function_call"]}]
    if given is None or given == []:
        return ()
    if role != "assistant":
        raise RowFault(f"{path}.tool_calls", f"a {role} turn calls no tools", "remove them")
    if not isinstance(given, list):
        raise RowFault(
            f"{path}.tool_calls", f"{kind(given)} where a list is expected", "[{function: …}, …]"
        )
    return tuple(_call(call, f"{path}.tool_calls[{i}]") for i, call in enumerate(given))


def _call(call: object, path: str) -> Mapping[str, Any]:
    if not isinstance(call, Mapping) or not isinstance(call.get("function"), Mapping):
        raise RowFault(path, "a tool call has a function", '{"function": {"name", "arguments"}}')
    if call.get("id") is not None:
        text_in(call["id"], f"{path}.id")
    kept = {k: v for k, v in call.items() if v is not None}
    return {**kept, "type": "function", "function": _function(call["function"], f"{path}.function")}


def _function(value: object, path: str) -> Mapping[str, Any]:
    """Name and arguments; the arguments as an object, the form that chat templates render."""
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise RowFault(path, "the call has no name", 'write {"name": …, "arguments": …}')
    arguments = value.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _json(arguments, f"{path}.arguments") if arguments.strip() else {}
    if not isinstance(arguments, Mapping):
        raise RowFault(
            f"{path}.arguments",
            f"{kind(arguments)} where an object is expected",
            "write them as an object, by name",
        )
    return {"name": value["name"], "arguments": dict(arguments)}


def _json(text: str, path: str) -> Any:
    try:
        return parse_all(text)
    except StrictError as error:
        raise RowFault(path, f"not JSON: {error.what}", error.do or "write valid JSON") from None


# ---------------------------------------------------------------------------- the whole


def check_conversation(messages: Sequence[Message], path: str, notes: Notes) -> None:
    """The order of the turns: a question before an answer, and an answer at the end.

    Raises RowFault. An empty answer is no fault here: such rows are dropped and counted.
    """
    roles = [m.role for m in messages]
    if "assistant" not in roles:
        raise RowFault(
            path, "no assistant turn: nothing to learn", "add the answer, or remove the row"
        )
    check_prompt(messages[:-1] if roles[-1] == "assistant" else messages, path, notes)
    if roles[-1] != "assistant":
        raise RowFault(
            f"{path}[{len(roles) - 1}]",
            f"the last turn is {roles[-1]!r}, not 'assistant'",
            "end the conversation with the answer, or remove the last turns",
        )
    if not any(m.weight for m in messages if m.role == "assistant"):
        raise RowFault(path, "every assistant turn has weight 0: nothing to learn", "set one to 1")
    if not messages[-1].weight:
        notes.add("the last answer has weight 0: it is judged in the test, and not learned")


def check_prompt(messages: Sequence[Message], path: str, notes: Notes) -> None:
    """What comes before the answer: a system message first, a user turn, tools that were called."""
    called: set[str] = set()
    calls = 0
    for i, message in enumerate(messages):
        here = f"{path}[{i}]"
        if message.role == "system" and i > 0:
            again = messages[0].role == "system"
            what = "a second system message" if again else "the system message is not the first"
            raise RowFault(
                here, what, "join them into one at the beginning" if again else "move it"
            )
        if message.tool_calls:
            calls += len(message.tool_calls)
            called |= {c["id"] for c in message.tool_calls if "id" in c}
        if message.role == "tool":
            if not calls:
                raise RowFault(here, "a tool result without a tool call before it", "add the call")
            if message.tool_call_id is not None and called and message.tool_call_id not in called:
                raise RowFault(
                    f"{here}.tool_call_id",
                    f"no call has the id {message.tool_call_id!r}",
                    nearest(message.tool_call_id, called),
                )
        elif i and messages[i - 1].role == message.role and message.role in ("user", "assistant"):
            notes.add(f"two {message.role} turns in a row; a base's template may refuse them")
    if not any(m.role in ("user", "tool") for m in messages):
        raise RowFault(
            path, "no user turn before the answer", "add the question, or remove the row"
        )
