"""Encoder-decoders: losses, gradients and answers equal to Transformers' own, in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from afina.errors import ModelError, RequestError
from afina.methods import Full, Lora, Partial
from afina.models.generate import generate
from afina.models.load import Model, load
from afina.models.predictor import TunedModel
from afina.models.sampling import Sampling
from afina.models.sources import Base, resolve
from afina.models.structure import ENCODER_DECODERS
from afina.objectives import Supervised
from afina.tasks import Generate, Transform
from afina.train.batches import collate
from afina.types import ChatExample, Input, Message, Method
from tests.tiny import LINES, SEQ2SEQ, Kind, _source_tokenizer, encoder_decoder

Tiny = Callable[[Kind], Base]
METHODS: dict[str, Method | None] = {
    "none": None,
    "full": Full(),
    "partial": Partial(train_layers=1),
    "lora": Lora(rank=4),
}
PAIRS = [
    (LINES[0], "Lights on, door closed."),
    (LINES[1] + " " + LINES[5], "Luz y calefacción; tiempo en Madrid."),
    ("one two three", "red green blue one two three positive"),
    (LINES[6], "Capitals."),
]


def pairs() -> list[ChatExample]:
    return [
        ChatExample(
            id=str(i), where=f"row {i}", messages=(Message("user", a), Message("assistant", b))
        )
        for i, (a, b) in enumerate(PAIRS)
    ]


def theirs(model: Model, base: Base, method: Method | None) -> Any:
    """The same network out of Transformers and PEFT alone, with the same weights."""
    other = AutoModelForSeq2SeqLM.from_pretrained(base.folder, attn_implementation="eager")
    if method is not None:
        other = method.apply(other, "tokens")
    found = dict(model.network.module.named_parameters())
    for name, parameter in other.named_parameters():
        parameter.data.copy_(found[name].data)
    return other.eval()


def as_transformers_has_it(model: Model) -> dict[str, torch.Tensor]:
    """The rows as a Transformers user would make them: padded sources, labels, no decoder input."""
    tokenizer = model.renderer.tokenizer
    sources = tokenizer([a for a, _ in PAIRS], return_tensors="pt", padding=True)
    targets = tokenizer([b for _, b in PAIRS], return_tensors="pt", padding=True)
    labels = targets.input_ids.masked_fill(targets.attention_mask == 0, -100)
    return {
        "input_ids": sources.input_ids,
        "attention_mask": sources.attention_mask,
        "labels": labels,
    }


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("kind", SEQ2SEQ)
def test_loss_and_gradients_equal_those_of_transformers(
    tiny: Tiny, kind: Kind, method: Method | None
) -> None:
    base = tiny(kind)
    model = load(base, Transform(), method)
    torch.manual_seed(5)
    for name, parameter in model.trained().items():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    rows = [model.task.encode(e, model.renderer) for e in pairs()]
    batch = collate(rows, kind="tokens", device=model.device)
    ours = Supervised().loss(model.network, batch)
    other = theirs(model, base, method)
    loss = other(**as_transformers_has_it(model)).loss
    assert abs(float(ours.total.detach() / ours.weight) - float(loss.detach())) < 1e-5
    if method is None:
        return
    (ours.total / ours.weight).backward()  # type: ignore[no-untyped-call]
    loss.backward()
    wanted = {n: p.grad for n, p in other.named_parameters() if p.requires_grad}
    found = {n: p.grad for n, p in model.network.module.named_parameters() if p.requires_grad}
    assert found.keys() == wanted.keys() and found
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, atol=1e-5, rtol=1e-4), name
    assert any(float(g.abs().max()) > 1e-4 for g in wanted.values())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Base]:
    folder = tmp_path_factory.mktemp("families")

    def get(family: str) -> Base:
        target = folder / family
        if not target.is_dir():
            tokenizer = _source_tokenizer("bart")
            tokenizer.save_pretrained(target)
            torch.manual_seed(3)
            encoder_decoder(family, tokenizer).save_pretrained(target)
        return resolve(str(target))

    return get


@pytest.mark.parametrize("family", sorted(ENCODER_DECODERS))
def test_every_family_answers_and_scores_as_transformers(
    made: Callable[[str], Base], family: str
) -> None:
    base = made(family)
    assert (base.kind, base.layers) == ("seq2seq", 4)
    model = load(base, Transform())
    core: Any = model.network.core
    stored = [p for n, p in core.named_parameters() if family != "marian" or "positions" not in n]
    assert base.parameters == sum(p.numel() for p in stored)
    asked = [model.renderer.source(text) for text in LINES]
    opening = list(model.renderer.opening())
    assert len(opening) == 2
    found = generate(model, asked, Sampling(24), batch_size=5)
    (end,) = model.renderer.stop_ids
    for source, ours in zip(asked, found, strict=True):
        ids = torch.tensor([source])
        whole = core.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            decoder_input_ids=torch.tensor([opening]),
            max_new_tokens=24,
            do_sample=False,
            num_beams=1,
            eos_token_id=end,
        )[0].tolist()[2:]
        assert list(ours.ids) == [t for t in whole if t != end][: len(ours.ids)]
        assert (ours.finish == "stop") == (end in whole)
    rows = [model.task.encode(e, model.renderer) for e in pairs()]
    batch = collate(rows, kind="tokens", device=model.device)
    ours_loss = Supervised().loss(model.network, batch)
    loss = core(**as_transformers_has_it(model)).loss
    if family != "mbart":  # its own labels are shifted in another way: the last token comes first
        assert abs(float(ours_loss.total.detach() / ours_loss.weight) - float(loss.detach())) < 1e-5


@pytest.mark.parametrize("kind", SEQ2SEQ)
def test_answers_do_not_depend_on_the_batch(tiny: Tiny, kind: Kind) -> None:
    model = load(tiny(kind), Transform())
    (end,) = model.renderer.stop_ids
    pull = {"t5": 0.3, "bart": 2.2}[kind]
    settings = Sampling(20, logit_bias={end: pull}, frequency_penalty=0.4)
    asked = [model.renderer.source(text) for text in (*LINES, "", "a", "one two")]
    together = generate(model, asked, settings)
    alone = [generate(model, [one], settings)[0] for one in asked]
    assert together == alone
    assert len({one.finish for one in together}) == 2, "no row left the batch early"


@pytest.mark.parametrize("kind", SEQ2SEQ)
def test_likelihoods_are_those_of_the_loss(tiny: Tiny, kind: Kind) -> None:
    model = load(tiny(kind), Transform())
    tuned = TunedModel(model)
    found = tuned.negative_log_likelihood(pairs())
    rows = [model.task.encode(e, model.renderer) for e in pairs()]
    for (nats, tokens), row in zip(found, rows, strict=True):
        loss = Supervised().loss(model.network, collate([row], kind="tokens", device=model.device))
        assert tokens == loss.weight == len(row.ids) - 1
        assert nats == pytest.approx(float(loss.total.detach()), abs=1e-4)


def test_what_is_asked_and_streamed(tiny: Tiny) -> None:
    model = TunedModel(load(tiny("t5"), Transform(prefix="summarize: ", max_new_tokens=12)))
    (answer,) = model.predict([Input((Message("user", LINES[0]),))])
    assert answer.answer_tokens <= 12
    assert answer.prompt_tokens == model.count_tokens(LINES[0])
    assert model.prompt(LINES[0]) == model.model.renderer.source("summarize: " + LINES[0])
    streamed = "".join(p.text for p in model.stream(LINES[0], Sampling(12)))
    assert streamed == answer.text
    assert model.kinds == {"completion"}
    assert model.usual_tokens == 12
    turns = (Message("user", "a"), Message("assistant", "b"), Message("user", "c"))
    with pytest.raises(RequestError, match="no conversation"):
        model.stream(Input(turns), Sampling(4))
    with pytest.raises(RequestError, match="no vectors"):
        model.embed(["a"])
    with pytest.raises(ModelError, match="reads 256"):
        model.predict([Input((Message("user", "a " * 500),))])


def test_a_base_that_does_not_fit_the_task_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ModelError, match="set task: transform"):
        load(tiny("t5"), Generate())
    with pytest.raises(ModelError, match="no encoder-decoder"):
        load(tiny("llama"), Transform())


def test_language_codes(tiny: Tiny, tmp_path: Path) -> None:
    """A tokenizer that writes codes gets them; one that does not refuses them."""
    from transformers import MBart50Tokenizer

    renderer = load(tiny("bart"), Transform()).renderer
    with pytest.raises(ModelError, match="writes no language codes"):
        renderer.source("a", "en_XX")
    from afina.models.render import ChatRenderer

    pieces = [
        ("<s>", 0.0),
        ("<pad>", 0.0),
        ("</s>", 0.0),
        ("<unk>", 0.0),
        ("▁a", -1.0),
        ("b", -2.0),
    ]
    tokenizer = MBart50Tokenizer(vocab=pieces, src_lang="en_XX", tgt_lang="es_XX")
    speaking = ChatRenderer(tokenizer, 2)
    named = {tokenizer.convert_tokens_to_ids(code): code for code in ("en_XX", "es_XX")}
    assert named[speaking.source("a", "en_XX")[0]] == "en_XX"
    assert speaking.source("a", "en_XX")[-1] == 2
    target = speaking.target("ab", "es_XX")
    assert (target[0], named[target[1]], target[-1]) == (2, "es_XX", 2)
    assert [named.get(i, i) for i in speaking.opening("es_XX")] == [2, "es_XX"]
    with pytest.raises(ModelError, match="none is named"):
        speaking.source("a")
    with pytest.raises(ModelError, match="knows no language"):
        speaking.target("a", "xx_YY")
