"""Answers in texts: windows, targets, decoding, and what is refused."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BertForQuestionAnswering, PreTrainedTokenizerFast

from afina.errors import DataError, ModelError, RequestError
from afina.methods import Full
from afina.models.load import load, load_renderer
from afina.models.predictor import TunedModel
from afina.models.render import ChatRenderer
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.tasks import FindAnswer
from afina.train.batches import collate
from afina.types import Input, Message, QuestionExample, Span
from tests.tiny import Kind

QUESTION = "which door is red?"
CONTEXT = (
    "The lights of the kitchen are on and the door of the garage is closed. Enciende la luz  de la "
    "cocina y apaga la calefacción del salón, por favor. The capital of France is Paris 😀, and the "
    "capital of Spain is Madrid. I lost my card and I need a new one before the weekend."
)
TASK = FindAnswer(window=40, overlap=9, max_answer=8)


def row(answer: str = "", context: str = CONTEXT, question: str = QUESTION) -> QuestionExample:
    start = context.find(answer)
    spans = (Span(start, start + len(answer), "", answer),) if answer else ()
    return QuestionExample(
        id=f"id {answer}", where="row 1", question=question, context=context, answers=spans
    )


def asked(context: str = CONTEXT, question: str = QUESTION) -> Input:
    return Input((Message("user", question),), context=context)


def roberta() -> Any:
    """Bytes as tokens, a space before each word belonging to it, two separators between texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>", "<pad>"], initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator([CONTEXT] * 3, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=False
    )
    names = {"bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, cls_token="<s>", **names)


def tokenizers_of(tiny: Callable[[Kind], Base]) -> list[Any]:
    return [AutoTokenizer.from_pretrained(tiny("bert").folder), roberta()]


@pytest.mark.parametrize(("window", "overlap"), [(40, 9), (30, 0), (64, 32), (24, 5), (500, 100)])
def test_windows_are_those_of_the_tokenizer(
    tiny: Callable[[Kind], Base], window: int, overlap: int
) -> None:
    for tokenizer in tokenizers_of(tiny):
        ours = ChatRenderer(tokenizer).windows(QUESTION, CONTEXT, window, overlap)
        theirs = tokenizer(
            QUESTION,
            CONTEXT,
            truncation="only_second",
            max_length=window,
            stride=overlap,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        assert [list(w.ids) for w in ours] == theirs["input_ids"]
        assert len(ours) > 1 or window == 500
        for i, own in enumerate(ours):
            assert own.places[0] == (0, 0, 0)
            for token, start, end in own.places[1:]:
                assert theirs.sequence_ids(i)[token] == 1
                wide = CONTEXT[slice(*theirs["offset_mapping"][i][token])]
                assert CONTEXT[start:end] == wide.strip()
            tokens = [t for t, s in enumerate(theirs.sequence_ids(i)) if s == 1]
            blank = {
                t for t in tokens if not CONTEXT[slice(*theirs["offset_mapping"][i][t])].strip()
            }
            assert [t for t, _, _ in own.places[1:]] == [t for t in tokens if t not in blank]


def test_every_answer_is_found_again_in_every_window_that_holds_it(
    tiny: Callable[[Kind], Base],
) -> None:
    draw = random.Random(3)
    for tokenizer in tokenizers_of(tiny):
        renderer = ChatRenderer(tokenizer)
        windows = TASK.windows(asked(), renderer)
        places = sorted({(s, e) for w in windows for _, s, e in w.places[1:]})
        for _ in range(200):
            first = draw.randrange(len(places))
            last = min(len(places) - 1, first + draw.randrange(6))
            start, end = places[first][0], places[last][1]
            example = row()
            answer = Span(start, end, "", CONTEXT[start:end])
            example = QuestionExample(
                id="x", where="row 1", question=QUESTION, context=CONTEXT, answers=(answer,)
            )
            encoded = TASK.encode(example, renderer)
            held = 0
            for window, own in zip(windows, encoded.sequences, strict=True):
                assert own.ids == window.ids
                inside = window.places[1][1] <= start and end <= window.places[-1][2]
                if not inside:
                    assert own.targets == (0, 0)
                    continue
                held += 1
                at = {token: (s, e) for token, s, e in window.places}
                one, other = own.targets
                assert CONTEXT[at[int(one)][0] : at[int(other)][1]] == answer.text
            assert held or end - start > 20


def test_what_tokens_cannot_say_is_counted_and_listed(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("bert"))
    task = FindAnswer(window=40, overlap=9, max_answer=2, unanswerable=True)
    whole, inside, long = row("kitchen"), row("itche"), row("the door of the garage")
    said = task.remarks([whole, inside, long, row()], renderer)
    windows = len(task.windows(asked(), renderer))
    assert said[0].startswith(f"4 rows are read in {4 * windows} windows; ")
    assert "1 answers begin or end inside a token: the whole token is learned (row 1)" in said[1]
    assert "1 answers have more tokens than task.max_answer" in said[2]
    far = row(CONTEXT[:200])
    assert "1 answers stand whole in no window" in " ".join(task.remarks([far], renderer))
    only = task.remarks([whole], renderer)
    assert len(only) == 1
    without = sum(s.targets == (0, 0) for s in task.encode(whole, renderer).sequences)
    assert f"; {without} of these are without the answer" in only[0]


@pytest.mark.parametrize("unanswerable", [False, True])
def test_decoding_equals_a_search_over_everything(unanswerable: bool) -> None:
    draw = random.Random(5)
    renderer_free = asked("abcdefghij klmnopqrst")
    for _ in range(60):
        task = FindAnswer(max_answer=draw.randint(1, 4), unanswerable=unanswerable, no_answer=0.5)
        windows, scores, sums = [], [], {}
        nothing = math.inf
        for w in range(draw.randint(1, 3)):
            places = [(0, 0, 0), *((t + 3, w + t, w + t + 1) for t in range(draw.randint(1, 9)))]
            from afina.types import Window

            windows.append(Window(tuple(range(len(places) + 4)), tuple(places)))
            own = [[draw.gauss(0, 2), draw.gauss(0, 2)] for _ in places]
            scores.append(own)
            nothing = min(nothing, sum(own[0]))
            for i in range(1, len(places)):
                for j in range(i, min(len(places), i + task.max_answer)):
                    sums[w, places[i][1], places[j][2]] = own[i][0] + own[j][1]
        found = task.from_windows(renderer_free, windows, scores)
        (_, start, end), best = max(sums.items(), key=lambda item: item[1])
        assert found.margin == pytest.approx(best - nothing)
        if unanswerable and best - nothing < 0.5:
            assert (found.text, found.spans) == ("", ())
            assert found.facts()["start"] is None
            continue
        (span,) = found.spans or ()
        assert (span.start, span.end) == (start, end)
        assert found.text == renderer_free.context[start:end]  # type: ignore[index]
        total = sum(math.exp(s) for s in sums.values()) + unanswerable * math.exp(nothing)
        assert span.score == pytest.approx(math.exp(best) / total)


def test_the_loss_equals_transformers(tiny: Callable[[Kind], Base]) -> None:
    """On windows of different lengths: theirs, which looks at padding, is asked one at a time."""
    base = tiny("bert")
    model = load(base, TASK.model_copy(update={"unanswerable": True}), Full())
    rows = [TASK.encode(r, model.renderer) for r in (row("kitchen"), row("Madrid"), row())]
    batch = collate(rows, kind="span", device=model.device)
    assert len(set(batch.lengths.tolist())) > 1
    assert {(0, 0)} < set(map(tuple, batch.targets.tolist()))
    loss = Supervised().loss(model.network, batch)
    assert loss.weight == sum(len(r.sequences) for r in rows)
    other = BertForQuestionAnswering.from_pretrained(base.folder).eval()
    assert model.network.head is not None
    other.qa_outputs.load_state_dict(model.network.head.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    given = tokenizer(
        *([QUESTION] * 3, [CONTEXT] * 3),
        truncation="only_second",
        max_length=TASK.window,
        stride=TASK.overlap,
        return_overflowing_tokens=True,
    )
    assert given["input_ids"] == [list(s.ids) for r in rows for s in r.sequences]
    total = 0.0
    for ids, told, (start, end) in zip(
        given["input_ids"], given["token_type_ids"], batch.targets.tolist(), strict=True
    ):
        assert max(told) == 1
        out = other(
            input_ids=torch.tensor([ids]),
            token_type_ids=torch.tensor([told]),
            start_positions=torch.tensor([start]),
            end_positions=torch.tensor([end]),
        )
        total += float(out.loss.detach())
    assert float(loss.total.detach()) == pytest.approx(total, rel=1e-5)


def test_a_row_says_the_same_alone_and_among_others(tiny: Callable[[Kind], Base]) -> None:
    tuned = TunedModel(load(tiny("minilm"), TASK.model_copy(update={"unanswerable": False})))
    inputs = [asked(), asked("red door"), asked(CONTEXT * 3)]
    together = tuned.predict(inputs)
    for given, said in zip(inputs, together, strict=True):
        (alone,) = tuned.predict([given])
        assert (alone.text, alone.margin) == (said.text, pytest.approx(said.margin, abs=1e-4))
        (span,) = said.spans or ()
        assert given.context is not None
        assert given.context[span.start : span.end] == said.text != ""
        assert said.prompt_tokens == tuned.count_tokens(given)
    assert tuned.kinds == {"answer", "embedding"}


def test_what_cannot_be_asked(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("bert"))
    with pytest.raises(RequestError, match="none came with the question"):
        TASK.windows(Input((Message("user", "who?"),)), renderer)
    with pytest.raises(DataError, match="leaves room for"):
        TASK.windows(asked(question="red door " * 20), renderer)
    assert len(TASK.windows(asked("red", "red door " * 9), renderer)) == 1
    nothing = TunedModel(load(tiny("bert"), TASK)).predict([asked("\u0007")])[0]
    assert (nothing.text, nothing.spans) == ("", ())
    with pytest.raises(ModelError, match="reads both ways"):
        load(tiny("llama"), TASK)
    with pytest.raises(ModelError, match="fewer than a stretch of 9999"):
        load(tiny("bert"), FindAnswer(window=9999))


def test_what_the_data_decide() -> None:
    spanish = row("kitchen", question="¿Qué puerta es roja?")
    resolved = FindAnswer().resolve([spanish, row()])
    assert (resolved.language, resolved.unanswerable) == ("es", True)
    assert resolved.scorers() == ("answer_f1", "exact_match", "no_answer_recall")
    assert resolved.baselines() == ("sentence", "majority")
    assert [resolved.stratum(r) for r in (spanish, row())] == ["answer", "no answer"]
    plain = FindAnswer().resolve([row("kitchen")])
    assert (plain.language, plain.unanswerable) == ("en", False)
    assert plain.scorers() == ("answer_f1", "exact_match")
    assert plain.stratum(row("kitchen")) is None
    with pytest.raises(DataError, match=r"task\.unanswerable is false"):
        FindAnswer(unanswerable=False).resolve([row("kitchen"), row()])
    with pytest.raises(DataError, match="nothing to learn"):
        FindAnswer().resolve([row()])


def test_of_several_answers_the_one_of_most_people_is_learned() -> None:
    one, other = Span(0, 3, "", "The"), Span(4, 10, "", "lights")
    example = QuestionExample(
        id="a", where="", question="q", context=CONTEXT, answers=(one, other, other)
    )
    assert TASK.gold(example).text == "lights"
    example = QuestionExample(id="a", where="", question="q", context=CONTEXT, answers=(one, other))
    assert TASK.gold(example).text == "The"
