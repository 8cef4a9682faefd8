"""Batched decoding: the same answers as Transformers', whatever shares the batch."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch

from afina.errors import MachineError, ModelError, RequestError
from afina.models import decoder as decoding
from afina.models.cache import takes_cache
from afina.models.decoder import SHORTEST_PREFIX, Decoder, shared_length
from afina.models.draw import draw, generator_for
from afina.models.generate import Written, generate, stream
from afina.models.load import Model, load
from afina.models.sampling import Sampling
from afina.models.sources import Base
from afina.tasks import Generate
from afina.types import Message
from tests.tiny import CONTEXT_LENGTH, DECODERS, LINES, SLIDING_WINDOW, Kind

Tiny = Callable[[Kind], Base]
HEAD = "You are a helpful assistant. Answer with one word."


@pytest.fixture(scope="module", params=DECODERS)
def model(request: pytest.FixtureRequest, tiny: Tiny) -> Model:
    return load(tiny(request.param), Generate())


def prompts(model: Model, count: int = 14, head: str = "") -> list[tuple[int, ...]]:
    """Prompts of many lengths; with a head, all of them begin alike."""
    draw_words = random.Random(3)
    words = " ".join(LINES).split()
    texts = [" ".join(draw_words.choices(words, k=draw_words.randint(1, 25))) for _ in range(count)]
    system = (Message("system", head),) if head else ()
    return [model.renderer.prompt((*system, Message("user", text))) for text in texts]


def early_ends(model: Model) -> Sampling:
    """Settings under which the random models end some answers by their end token."""
    (end,) = model.renderer.stop_ids
    return Sampling(24, logit_bias={end: 1.1}, frequency_penalty=0.3)


def test_greedy_answers_equal_those_of_transformers(model: Model) -> None:
    asked = prompts(model, head=HEAD)
    found = generate(model, asked, Sampling(20))
    stops = sorted(model.renderer.stop_ids)
    for prompt, ours in zip(asked, found, strict=True):
        ids = torch.tensor([prompt])
        whole = model.network.core.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=20,
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=0,
        )
        theirs = whole[0, len(prompt) :].tolist()
        assert list(ours.ids) == [t for t in theirs if t not in stops]


def test_the_head_gets_a_matrix_and_is_not_taken_once_for_each_row(model: Model) -> None:
    """What is no matrix in memory (a slice of the columns of several rows) is multiplied row by row,
    with a copy of the weight for each."""
    seen: list[bool] = []
    head = model.network.core.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _, args: seen.append(args[0].is_contiguous()))
    generate(model, prompts(model), Sampling(3))
    handle.remove()
    assert len(seen) >= 3
    assert all(seen)


def test_an_answer_does_not_depend_on_its_batch(model: Model) -> None:
    asked = prompts(model)
    sampling = early_ends(model)
    together = generate(model, asked, sampling)
    assert together == [generate(model, [p], sampling)[0] for p in asked]
    assert together == generate(model, asked, sampling, batch_size=3)
    ends = {w.finish for w in together}
    assert ends == {"stop", "length"}, "the test must see both ends"
    assert len({w.ids for w in together}) > 3, "the test must see different answers"


def test_a_shared_beginning_is_worked_once_and_changes_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(model, head=HEAD * 2)
    length = shared_length(asked)
    assert length > max(SHORTEST_PREFIX, SLIDING_WINDOW)
    widths: list[int] = []
    original = Decoder.forward

    def counted(self: Decoder, ids: torch.Tensor) -> torch.Tensor:
        widths.append(ids.shape[1])
        return original(self, ids)

    monkeypatch.setattr(Decoder, "forward", counted)
    with_prefix = generate(model, asked, early_ends(model))
    longest_tail = max(len(p) for p in asked) - length
    assert max(widths) == longest_tail
    monkeypatch.setattr("afina.models.generate.shared_length", lambda _: 0)
    without = generate(model, asked, early_ends(model))
    assert max(widths) == max(len(p) for p in asked)
    assert with_prefix == without


def test_a_network_without_keys_and_values_is_worked_from_the_beginning(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(model, 5, head=HEAD)
    expected = generate(model, asked, early_ends(model))
    monkeypatch.setattr(decoding, "takes_cache", lambda _: False)
    assert generate(model, asked, early_ends(model)) == expected


def test_sampled_answers_depend_on_seed_and_row_only(model: Model) -> None:
    asked = prompts(model, 6)
    sampling = Sampling(15, temperature=1.2, top_p=0.9, seed=5)
    first = generate(model, asked, sampling)
    assert first == generate(model, asked, sampling, batch_size=2)
    other = generate(model, asked, Sampling(15, temperature=1.2, top_p=0.9, seed=6))
    assert [w.ids for w in first] != [w.ids for w in other]
    assert first[0] == generate(model, asked[:1], sampling)[0]
    twice = generate(model, [asked[0], asked[0]], sampling)
    assert twice[0].ids != twice[1].ids, "two rows of one request must not be copies"


def test_without_a_seed_answers_differ(model: Model) -> None:
    sampling = Sampling(15, temperature=1.5)
    asked = prompts(model, 1)
    assert len({generate(model, asked, sampling)[0].ids for _ in range(3)}) == 3


def test_an_answer_never_goes_beyond_the_context(model: Model) -> None:
    room = 7
    prompt = (prompts(model, 1)[0] * CONTEXT_LENGTH)[: CONTEXT_LENGTH - room]
    (written,) = generate(model, [prompt], Sampling(500, logit_bias=never_end(model)))
    assert (len(written.ids), written.finish) == (room, "length")


def never_end(model: Model) -> dict[int, float]:
    return dict.fromkeys(model.renderer.stop_ids, -100.0)


def test_a_prompt_over_the_context_is_refused_with_its_counts(model: Model) -> None:
    prompt = (5,) * CONTEXT_LENGTH
    with pytest.raises(ModelError, match=f"{CONTEXT_LENGTH} tokens") as caught:
        generate(model, [prompt], Sampling(5))
    assert "shorten" in caught.value.do
    with pytest.raises(ModelError):
        stream(model, prompt, Sampling(5))  # before the first piece is asked for


def test_an_empty_prompt_is_refused(model: Model) -> None:
    with pytest.raises(RequestError, match="empty"):
        generate(model, [()], Sampling(5))
    assert generate(model, [], Sampling(5)) == []


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(0),
        Sampling(5, temperature=-1),
        Sampling(5, top_p=0.0),
        Sampling(5, top_p=1.5),
        Sampling(5, temperature=float("nan")),
        Sampling(5, logprobs=-1),
        Sampling(5, logit_bias={100_000: 1.0}),
        Sampling(5, logit_bias={1: float("inf")}),
        Sampling(5, presence_penalty=float("nan")),
    ],
)
def test_settings_without_a_meaning_are_refused(tiny: Tiny, sampling: Sampling) -> None:
    model = load(tiny("llama"), Generate())
    with pytest.raises(RequestError):
        generate(model, [(5, 6)], sampling)


def test_stop_texts_end_an_answer_before_them(model: Model) -> None:
    asked = prompts(model, 8)
    plain = generate(model, asked, Sampling(20, logit_bias=never_end(model)))
    for prompt, written in zip(asked, plain, strict=True):
        middle = len(written.text) // 2
        stop = written.text[middle : middle + 2]
        sampling = Sampling(20, stop=("never written", stop), logit_bias=never_end(model))
        (cut,) = generate(model, [prompt], sampling)
        assert cut.text == written.text[: written.text.index(stop)]
        assert cut.finish == "stop"
        assert len(cut.ids) <= len(written.ids)


def test_pieces_joined_are_the_answer(model: Model) -> None:
    for sampling in (Sampling(20), early_ends(model), Sampling(20, temperature=1.5, seed=1)):
        for prompt in prompts(model, 5):
            (whole,) = generate(model, [prompt], sampling)
            pieces = list(stream(model, prompt, sampling))
            assert "".join(p.text for p in pieces) == whole.text
            assert tuple(p.token for p in pieces if p.token is not None) == whole.ids
            assert [p.finish for p in pieces] == [""] * (len(pieces) - 1) + [whole.finish]


def test_a_stop_text_is_never_shown_in_part(model: Model) -> None:
    for prompt in prompts(model, 6):
        free = Sampling(20, logit_bias=never_end(model))
        whole = generate(model, [prompt], free)[0].text
        stop = whole[len(whole) // 2 :][:3]
        sampling = Sampling(20, stop=(stop,), logit_bias=never_end(model))
        shown = ""
        for piece in stream(model, prompt, sampling):
            shown += piece.text
            assert whole.startswith(shown)
            assert len(shown) <= whole.index(stop)
        assert shown == whole[: whole.index(stop)]


def test_closing_a_stream_stops_the_work(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    original = Decoder.step

    def counted(self: Decoder, tokens: list[int]) -> None:
        nonlocal steps
        steps += 1
        original(self, tokens)

    monkeypatch.setattr(Decoder, "step", counted)
    pieces = stream(model, prompts(model, 1)[0], Sampling(50, logit_bias=never_end(model)))
    for _ in range(3):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert steps == 2


def test_reported_logprobs_are_the_models_own(model: Model) -> None:
    prompt = prompts(model, 1)[0]
    sampling = Sampling(8, temperature=0.7, seed=2, logprobs=3, presence_penalty=1.0)
    pieces = [p for p in stream(model, prompt, sampling) if p.token is not None]
    ids = [p.token for p in pieces]
    with torch.no_grad():
        logits = model.network.core(torch.tensor([[*prompt, *ids]])).logits[0].log_softmax(-1)
    for place, piece in enumerate(pieces):
        row = logits[len(prompt) - 1 + place]
        assert piece.logprob == pytest.approx(float(row[piece.token]), abs=1e-4)
        best = row.topk(3).values.tolist()
        assert [value for _, value in piece.top] == pytest.approx(best, abs=1e-4)
    written = generate(model, [prompt], sampling)[0]
    assert written.logprobs == pytest.approx([p.logprob for p in pieces], abs=1e-4)


def test_broken_weights_are_told(tiny: Tiny) -> None:
    model = load(tiny("llama"), Generate())
    model.network.core.get_input_embeddings().weight.data[5] = float("nan")
    with pytest.raises(MachineError, match="not numbers"):
        generate(model, [(5, 6)], Sampling(3))


def test_a_running_state_is_no_cache_of_keys() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, state_size=4)
    assert not takes_cache(MambaForCausalLM(config))


# ---------------------------------------------------------------------------- drawing


def one(scores: list[float], sampling: Sampling, written: tuple[int, ...] = ()) -> int:
    return draw(torch.tensor([scores]), sampling, [written], [generator_for(0, 0)])[0].token


def test_penalties_follow_the_formula() -> None:
    scores = [1.0, 0.9, 0.0]
    assert one(scores, Sampling(1)) == 0
    assert one(scores, Sampling(1, presence_penalty=0.2), (0,)) == 1
    assert one(scores, Sampling(1, frequency_penalty=0.06), (0,)) == 0
    assert one(scores, Sampling(1, frequency_penalty=0.06), (0, 0)) == 1
    assert one(scores, Sampling(1, logit_bias={2: 1.5})) == 2
    assert one(scores, Sampling(1, logit_bias={0: -100.0}), ()) == 1


def test_sampling_follows_the_distribution() -> None:
    scores = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    generator = generator_for(1, 0)
    counts = [0] * 4
    for _ in range(4000):
        counts[draw(scores, Sampling(1, temperature=1.0), [()], [generator])[0].token] += 1
    shares = [c / 4000 for c in counts]
    assert shares == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    counts = [0] * 4
    for _ in range(2000):
        drawn = draw(scores, Sampling(1, temperature=1.0, top_p=0.75), [()], [generator])
        counts[drawn[0].token] += 1
    shares = [c / 2000 for c in counts]
    assert shares == pytest.approx([0.625, 0.375, 0, 0], abs=0.04)


def test_a_written_answer_counts_its_tokens(model: Model) -> None:
    prompt = prompts(model, 1)[0]
    written = generate(model, [prompt], Sampling(6, logit_bias=never_end(model)))[0]
    assert isinstance(written, Written)
    assert (written.prompt_tokens, len(written.ids)) == (len(prompt), 6)
    assert written.text == model.renderer.decode(written.ids)
