"""The unmodified official client, with strict validation, against a server on this machine."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from tests.serve.conftest import Serve, user
from tests.serve.fake import FakeModel


def test_models_are_listed_and_found_by_names_with_slashes_and_colons(client: OpenAI) -> None:
    assert [m.id for m in client.models.list()] == ["soporte", "ft:acme/tiny:ana::1"]
    found = client.models.retrieve("ft:acme/tiny:ana::1")
    assert (found.id, found.created, found.object) == (
        "ft:acme/tiny:ana::1",
        1_700_000_000,
        "model",
    )
    assert found.model_extra is not None
    assert found.model_extra["afina"] == {
        "base": "acme/tiny",
        "kinds": ["classify"],
        "context_length": 200,
    }


def test_the_folder_of_a_base_is_not_told(serve_live: Serve) -> None:
    url = serve_live(FakeModel(base="/home/ana/models/tiny"))
    with OpenAI(base_url=f"{url}/v1", api_key="x") as one:
        extra = one.models.retrieve("soporte").model_extra
    assert extra is not None
    assert extra["afina"]["base"] == "tiny"


def test_chat(client: OpenAI, model: FakeModel) -> None:
    said = client.chat.completions.create(
        model="soporte",
        messages=[
            {"role": "developer", "content": "Be short."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "hola "}, {"type": "text", "text": "tú"}],
            },
        ],
    )
    assert said.choices[0].message.content == "hola tú"
    assert said.choices[0].finish_reason == "stop"
    assert said.model == "soporte"
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (6, 2)
    given, sampling = model.asked[-1]
    assert not isinstance(given, str)
    assert [(m.role, m.content) for m in given.messages] == [
        ("system", "Be short."),
        ("user", "hola tú"),
    ]
    # Nothing was said about chance, so there is none; the answer may be as long as the default.
    assert (sampling.temperature, sampling.top_p, sampling.max_new_tokens) == (0.0, 1.0, 194)


def test_every_field_of_sampling_arrives(client: OpenAI, model: FakeModel) -> None:
    client.chat.completions.create(
        model="soporte",
        messages=user("hola"),
        temperature=0.7,
        top_p=0.9,
        seed=11,
        stop=["x", "y"],
        max_completion_tokens=5,
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        logit_bias={"42": -100},
        logprobs=True,
        top_logprobs=2,
        user="ana",
        metadata={"a": "b"},
        store=False,
    )
    sampling = model.asked[-1][1]
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (0.7, 0.9, 11)
    assert (sampling.stop, sampling.max_new_tokens, sampling.logprobs) == (("x", "y"), 5, 2)
    assert (sampling.frequency_penalty, sampling.presence_penalty) == (0.5, -0.5)
    assert sampling.logit_bias == {42: -100.0}


def test_stream_with_usage_is_the_whole_answer_in_bits(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="soporte",
            messages=user("uno dos tres"),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    bits = [c.choices[0].delta.content or "" for c in chunks if c.choices]
    assert bits == ["", "uno", " dos", " tres", ""]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices] == [None] * 4 + ["stop"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 7
    assert [c.usage for c in chunks[:-1]] == [None] * 5
    assert len({c.id for c in chunks}) == 1


def test_stream_without_usage_has_none(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(model="soporte", messages=user("uno"), stream=True)
    )
    assert all(len(c.choices) == 1 and "usage" not in c.model_fields_set for c in chunks)


def test_the_clients_stream_helper(client: OpenAI) -> None:
    with client.chat.completions.stream(model="soporte", messages=user("uno dos")) as stream:
        stream.until_done()
        assert stream.get_final_completion().choices[0].message.content == "uno dos"


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs(client: OpenAI, stream: bool) -> None:
    fields: dict[str, Any] = {"logprobs": True, "top_logprobs": 3}
    if stream:
        chunks = client.chat.completions.create(
            model="soporte", messages=user("sí no"), stream=True, **fields
        )
        shown = [c.choices[0].logprobs for c in chunks]
        content = [entry for one in shown if one for entry in one.content or []]
    else:
        said = client.chat.completions.create(model="soporte", messages=user("sí no"), **fields)
        assert said.choices[0].logprobs is not None
        content = said.choices[0].logprobs.content or []
    assert [entry.token for entry in content] == ["sí", " no"]
    assert content[0].bytes == list("sí".encode())
    assert content[0].logprob == pytest.approx(math.log(0.5))
    # A token that cannot occur: JSON has no minus infinity.
    assert [t.logprob for t in content[0].top_logprobs][2] == -9999.0


def test_several_choices_have_seeds_of_their_own(client: OpenAI) -> None:
    said = client.chat.completions.create(
        model="soporte", messages=user("DICE"), n=3, seed=7, temperature=1.0
    )
    assert [c.message.content for c in said.choices] == ["7", "8", "9"]
    assert [c.index for c in said.choices] == [0, 1, 2]
    assert said.usage is not None
    assert said.usage.completion_tokens == 3
    again = client.chat.completions.create(
        model="soporte", messages=user("DICE"), n=3, seed=7, temperature=1.0, stream=True
    )
    bits = [(c.choices[0].index, c.choices[0].delta.content) for c in again]
    assert [b for b in bits if b[1]] == [(0, "7"), (1, "8"), (2, "9")]


def test_stop_and_length(client: OpenAI) -> None:
    stopped = client.chat.completions.create(
        model="soporte", messages=user("uno dos tres"), stop=" tr"
    )
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == (
        "uno dos",
        "stop",
    )
    cut = client.chat.completions.create(
        model="soporte", messages=user("uno dos tres"), max_tokens=2
    )
    assert (cut.choices[0].message.content, cut.choices[0].finish_reason) == ("uno dos", "length")


def test_an_answer_may_be_sent_back_as_it_came(client: OpenAI) -> None:
    said = client.chat.completions.create(model="soporte", messages=user("hola"))
    turns = [*user("hola"), said.choices[0].message.model_dump(), *user("otra vez")]
    assert client.chat.completions.create(model="soporte", messages=turns).choices


def test_parse_gives_the_object(client: OpenAI) -> None:
    class Order(BaseModel):
        intent: str
        count: int

    said = client.chat.completions.parse(
        model="soporte", messages=user('{"intent": "luz", "count": 2}'), response_format=Order
    )
    assert said.choices[0].message.parsed == Order(intent="luz", count=2)
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.chat.completions.parse(
            model="soporte", messages=user('{"intent": "luz"}'), response_format=Order
        )
    assert caught.value.code == "invalid_json_output"
    assert "the key 'count' is missing" in str(caught.value)
    assert to_strict_json_schema(Order)["required"] == ["intent", "count"]


def test_completions(client: OpenAI, model: FakeModel) -> None:
    said = client.completions.create(
        model="soporte", prompt=["uno dos", "tres"], n=2, echo=True, max_tokens=8
    )
    assert [c.text for c in said.choices] == ["uno dosuno dos"] * 2 + ["trestres"] * 2
    assert [c.index for c in said.choices] == [0, 1, 2, 3]
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens) == (3, 6)
    assert model.asked[-1][0] == "tres"
    assert client.completions.create(model="soporte", prompt="x " * 40).choices[
        0
    ].finish_reason == (
        "length"  # 16 tokens, the API's own default
    )


def test_completions_logprobs(client: OpenAI) -> None:
    said = client.completions.create(model="soporte", prompt="uno dos", logprobs=2)
    shown = said.choices[0].logprobs
    assert shown is not None
    assert (shown.tokens, shown.text_offset) == (["uno", " dos"], [0, 3])
    assert shown.top_logprobs is not None
    assert shown.top_logprobs[0] == pytest.approx({"uno": math.log(0.5), "other": math.log(0.25)})


def test_completions_stream(url: str) -> None:
    # Not with strict validation: its shape of a chunk knows no finish_reason null, which the
    # OpenAI API itself sends until the last one.
    with OpenAI(base_url=f"{url}/v1", api_key="x") as one:
        chunks = list(
            one.completions.create(
                model="soporte",
                prompt=["a b", "c"],
                stream=True,
                echo=True,
                stream_options={"include_usage": True},
            )
        )
    text = {0: "", 1: ""}
    for chunk in chunks[:-1]:
        text[chunk.choices[0].index] += chunk.choices[0].text
    assert text == {0: "a ba b", 1: "cc"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 6


def test_embeddings_as_numbers(client: OpenAI) -> None:
    made = client.embeddings.create(
        model="soporte", input=["hola", "adiós"], encoding_format="float"
    )
    assert [d.embedding for d in made.data] == [[4.0, 0.5, -0.25], [5.0, 0.5, -0.25]]
    assert made.usage.total_tokens == 2


def test_embeddings_as_the_client_asks_by_default(url: str) -> None:
    # base64 of little-endian float32; strict validation would refuse the client's own form.
    with OpenAI(base_url=f"{url}/v1", api_key="x") as one:
        many = one.embeddings.create(model="soporte", input=["a" * n for n in range(1, 71)])
        raw = one.embeddings.create(model="soporte", input="hola", encoding_format="base64")
    assert [d.embedding[0] for d in many.data] == [float(n) for n in range(1, 71)]
    assert [d.index for d in many.data] == list(range(70))
    assert raw.data[0].embedding == "AACAQAAAAD8AAIC+"  # type: ignore[comparison-overlap]


def test_texts_in_order(client: OpenAI) -> None:
    """The fake's vectors are (length, 0.5, -0.25): equal lengths are equal texts."""
    asked = {"model": "soporte", "query": "ab", "documents": ["a" * 9, "xy", "a", "zw"]}
    said: Any = client.post("/rerank", cast_to=object, body=asked)
    assert [r["index"] for r in said["results"]] == [1, 3, 0, 2]
    assert said["results"][0]["document"] == {"text": "xy"}
    scores = [r["relevance_score"] for r in said["results"]]
    assert scores[0] == scores[1] == pytest.approx(1.0)
    assert scores[2] == pytest.approx((18 + 0.3125) / (4.3125 * 81.3125) ** 0.5)
    assert (said["model"], said["usage"]["total_tokens"]) == ("soporte", 5)
    few = {**asked, "top_n": 2, "return_documents": False}
    said = client.post("/rerank", cast_to=object, body=few)
    assert [sorted(r) for r in said["results"]] == [["index", "relevance_score"]] * 2
    for wrong in ({"documents": []}, {"query": ""}, {"top_n": 0}, {"documents": ["a", "NAN"]}):
        with pytest.raises(openai.APIStatusError) as raised:
            client.with_options(max_retries=0).post(
                "/rerank", cast_to=object, body={**asked, **wrong}
            )
        assert raised.value.status_code == (500 if "NAN" in str(wrong) else 422)
    long = {**asked, "documents": ["a", "b " * 300]}
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/rerank", cast_to=object, body=long)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "documents.1")


def test_labels(client: OpenAI) -> None:
    said: Any = client.post(
        "/classify", cast_to=object, body={"model": "soporte", "input": ["bueno", "no"], "top_k": 2}
    )
    assert [d["labels"] for d in said["data"]] == [["b"], ["a"]]
    assert said["data"][0]["probabilities"] == [
        {"label": "b", "probability": 0.7},
        {"label": "a", "probability": 0.2},
    ]


def test_numbers_and_pairs(client: OpenAI) -> None:
    pair = {"text": "uno", "text_b": "cuatro"}
    said: Any = client.post(
        "/regress", cast_to=object, body={"model": "soporte", "input": ["dos", pair]}
    )
    assert said["data"] == [
        {"object": "number", "index": 0, "number": 3.0},
        {"object": "number", "index": 1, "number": 10.0},
    ]
    assert said["usage"]["prompt_tokens"] > 0
    said = client.post("/classify", cast_to=object, body={"model": "soporte", "input": pair})
    assert [d["labels"] for d in said["data"]] == [["a"]]


def test_stretches(client: OpenAI) -> None:
    said: Any = client.post("/tag", cast_to=object, body={"model": "soporte", "input": ["¿qué?"]})
    span = {"start": 0, "end": 1, "label": "LOC", "text": "¿", "score": 0.75}
    assert said["data"] == [{"object": "tags", "index": 0, "spans": [span]}]
    pair = {"text": "a", "text_b": "b"}
    with pytest.raises(openai.BadRequestError):
        client.post("/tag", cast_to=object, body={"model": "soporte", "input": pair})


def test_answers_in_texts(client: OpenAI) -> None:
    long = {"question": "¿qué?", "context": "una palabra " * 500}
    said: Any = client.post("/answer", cast_to=object, body={"model": "soporte", "input": [long]})
    assert said["data"] == [
        {
            "object": "answer",
            "index": 0,
            "answer": "una",
            "start": 0,
            "end": 3,
            "score": 0.5,
            "margin": 2.0,
        }
    ]
    assert said["usage"]["prompt_tokens"] > 0
    none: Any = {"question": "¿nada?", "context": "x"}
    said = client.post("/answer", cast_to=object, body={"model": "soporte", "input": none})
    assert [said["data"][0][key] for key in ("answer", "start", "margin")] == ["", None, -1.0]
    with pytest.raises(openai.BadRequestError, match="context"):
        client.post(
            "/answer", cast_to=object, body={"model": "soporte", "input": {"question": "a"}}
        )


# ---------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("kind", "fields", "code", "param"),
    [
        (openai.NotFoundError, {"model": "soport"}, "model_not_found", "model"),
        (openai.BadRequestError, {"messages": user("BAD")}, "invalid_request", None),
        (openai.BadRequestError, {"model": "ft:acme/tiny:ana::1"}, "model_not_suitable", "model"),
        (openai.BadRequestError, {"extra_body": {"temperatur": 1}}, "unknown_field", "temperatur"),
        (
            openai.BadRequestError,
            {"messages": user("a " * 300)},
            "context_length_exceeded",
            "messages",
        ),
        (openai.BadRequestError, {"max_tokens": 200}, "context_length_exceeded", "messages"),
        (openai.UnprocessableEntityError, {"n": 17}, "out_of_bounds", "n"),
        (openai.InternalServerError, {"messages": user("FAIL")}, "internal_error", None),
    ],
)
def test_errors_are_the_right_exceptions(
    client: OpenAI, kind: type[openai.APIStatusError], fields: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**{"model": "soporte", "messages": user("x"), **fields})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert str(caught.value.request_id).startswith("req_")
    assert "/home" not in caught.value.response.text
    assert "Traceback" not in caught.value.response.text
    assert set(caught.value.response.json()["error"]) == {"message", "type", "param", "code"}


def test_the_counts_are_in_the_message(client: OpenAI) -> None:
    with pytest.raises(
        openai.BadRequestError, match="200 tokens; the request has 301 in the prompt"
    ):
        client.chat.completions.create(model="soporte", messages=user("a " * 300))


def test_wrong_key_is_401(serve_live: Serve) -> None:
    url = serve_live(FakeModel(), api_key="right-key-of-sixteen")
    with (
        OpenAI(base_url=f"{url}/v1", api_key="wrong") as one,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        one.models.list()
    assert caught.value.code == "invalid_api_key"
    with OpenAI(base_url=f"{url}/v1", api_key="right-key-of-sixteen") as one:
        assert [m.id for m in one.models.list()] == ["soporte"]


@pytest.mark.parametrize("text", ["FAIL", "x"])
def test_a_users_error_and_a_broken_model_are_not_asked_again(url: str, text: str) -> None:
    calls: list[int] = []
    with OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=2) as one:
        one._client.event_hooks["request"].append(lambda request: calls.append(1))
        with pytest.raises(openai.APIStatusError):
            one.chat.completions.create(
                model="soporte" if text == "FAIL" else "no", messages=user(text)
            )
    assert calls == [1]


def test_an_error_within_a_stream_is_raised(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="soporte", messages=user("uno dos BREAK"), stream=True
    )
    bits = [next(stream).choices[0].delta.content for _ in range(3)]
    assert bits == ["", "uno", " dos"]
    with pytest.raises(openai.APIError, match="the model failed"):
        next(stream)


def test_an_error_before_the_first_token_is_an_ordinary_one(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="mend the roles"):
        client.chat.completions.create(model="soporte", messages=user("BAD"), stream=True)
