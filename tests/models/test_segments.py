"""Pairs of texts: a network that was trained to be told which text is which, is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    BertModel,
    PreTrainedTokenizerFast,
)

from afina.methods import Full, Prompt
from afina.models.embed import Embedder
from afina.models.load import load
from afina.models.save import CARD, open_model, save_model
from afina.models.sources import Base, resolve
from afina.tasks import Classify
from afina.train.batches import collate
from afina.types import Input, LabelledExample, Message
from tests.tiny import Kind

PAIRS = [
    ("the door is red", "the door of the garage is closed"),
    ("one two three", "red"),
    ("I lost my card", "positive"),
]
TASK = Classify(labels=("a", "b"), several=False)


def encoded(base: Base, method: Any = None, **how: Any) -> tuple[Any, Any]:
    model = load(base, TASK, method or Full(), **how)
    rows = [
        TASK.encode(
            LabelledExample(id=a, where="", text=a, second=b, labels=("a",)), model.renderer
        )
        for a, b in PAIRS
    ]
    return model, collate(rows, kind="one_label", device=model.device)


@pytest.mark.parametrize("exact", [False, True])
def test_pairs_equal_transformers(tiny: Callable[[Kind], Base], exact: bool) -> None:
    base = tiny("bert")
    model, batch = encoded(base, exact=exact)
    other = BertForSequenceClassification.from_pretrained(base.folder, num_labels=2).eval()
    other.classifier.load_state_dict(model.network.head.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    given = tokenizer(*map(list, zip(*PAIRS, strict=True)), padding=True, return_tensors="pt")
    assert given["token_type_ids"].sum() > 0
    assert torch.equal(given["input_ids"], batch.ids)
    ours = model.network.label_scores(batch)
    assert torch.allclose(ours, other(**given).logits, atol=1e-5)
    without = other(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).logits
    assert not torch.allclose(ours, without, atol=1e-3), "the segments change nothing here"


def test_single_texts_are_what_they_were(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("bert")
    (vector,) = Embedder.open(base, pooling="mean").vectors(["the door is red"])
    given = AutoTokenizer.from_pretrained(base.folder)("the door is red", return_tensors="pt")
    states = BertModel.from_pretrained(base.folder).eval()(**given)[0]
    assert torch.allclose(torch.from_numpy(vector), states[0].mean(0), atol=1e-5)


def test_virtual_tokens_belong_to_the_first_text(tiny: Callable[[Kind], Base]) -> None:
    model, batch = encoded(tiny("bert"), Prompt(length=4, text="red"))
    core = model.network.core
    words = core.get_input_embeddings()(batch.ids[:1, : int(batch.lengths[0])])
    vectors = model.network.module.get_prompt(1)
    first = int((batch.ids[0] == model.network.pair_mark).nonzero()[0, 0]) + 1
    told = torch.tensor([[0] * (4 + first) + [1] * (int(batch.lengths[0]) - first)])
    theirs = core(inputs_embeds=torch.cat([vectors, words], 1), token_type_ids=told)
    ours = model.network.run(batch.ids[:1, : int(batch.lengths[0])])
    assert torch.allclose(ours[0], theirs[0][:, 4:], atol=1e-5)


def changed(base: Base, folder: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> Base:
    """A copy of a base with other values in its configurations."""
    target = Path(shutil.copytree(base.folder, folder / "changed"))
    for name, values in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        path = target / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return resolve(str(target))


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        ({}, {"model_input_names": ["input_ids", "attention_mask"]}),  # multilingual-e5-small
        ({"type_vocab_size": 1}, {}),
    ],
)
def test_a_base_that_is_not_told_by_its_own_tokenizer_is_not_told(
    tiny: Callable[[Kind], Base], tmp_path: Path, config: dict[str, Any], tokenizer: dict[str, Any]
) -> None:
    base = tiny("bert")
    assert load(base, TASK).network.pair_mark is not None
    if config:  # the weights have two segments; a network of one cannot take them
        weights = BertModel.from_pretrained(base.folder)
        weights.embeddings.token_type_embeddings = torch.nn.Embedding(1, 32)
        weights.config.type_vocab_size = 1
        copy = tmp_path / "one"
        weights.save_pretrained(copy)
        AutoTokenizer.from_pretrained(base.folder).save_pretrained(copy)
        base = resolve(str(copy))
    else:
        base = changed(base, tmp_path, config, tokenizer)
    assert load(base, TASK).network.pair_mark is None


def test_decoders_and_other_layouts_of_segments_have_no_mark(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    assert load(tiny("llama"), TASK).network.pair_mark is None
    from tokenizers.processors import TemplateProcessing

    tokenizer = PreTrainedTokenizerFast.from_pretrained(tiny("bert").folder)
    ends = [(t, tokenizer.convert_tokens_to_ids(t)) for t in ("[CLS]", "[SEP]")]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A [SEP] [CLS]:2", pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2", special_tokens=ends
    )
    folder = Path(shutil.copytree(tiny("bert").folder, tmp_path / "xlnet"))
    tokenizer.save_pretrained(folder)
    assert load(resolve(str(folder)), TASK).network.pair_mark is None


def test_a_model_is_opened_as_it_was_trained(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    base = tiny("bert")
    model = load(base, TASK, Full())
    save_model(model, tmp_path / "m", dict(model.trained()), {})
    assert open_model(tmp_path / "m", base=base).network.pair_mark == model.network.pair_mark
    card = json.loads((tmp_path / "m" / CARD).read_text())
    del card["pair_mark"]  # of a model that was made before pairs had segments
    (tmp_path / "m" / CARD).write_text(json.dumps(card))
    assert open_model(tmp_path / "m", base=base).network.pair_mark is None


def test_the_tuned_model_answers_with_segments(tiny: Callable[[Kind], Base]) -> None:
    from afina.models.predictor import TunedModel

    model, batch = encoded(tiny("bert"))
    asked = [Input((Message("user", a),), second=b) for a, b in PAIRS]
    scores = model.network.label_scores(batch).softmax(1)
    for answer, own in zip(TunedModel(model).predict(asked), scores, strict=True):
        assert answer.probabilities is not None
        assert list(answer.probabilities.values()) == pytest.approx(own.tolist(), abs=1e-5)
