"""Losses and gradients equal to Transformers', PEFT's and TRL's on the same batch, in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

from afina.methods import Full, Lora, Partial
from afina.models.load import Model, load
from afina.models.network import LabelNetwork, TagNetwork
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.tasks import Classify, Generate
from afina.train.batches import collate
from afina.types import (
    IGNORED,
    Batch,
    ChatExample,
    Encoded,
    LabelledExample,
    Message,
    Method,
    Targets,
)
from tests.tiny import DECODERS, Kind

CHATS = [
    ("Enciende la luz de la cocina", '{"intent": "HassTurnOn", "area": "cocina"}'),
    ("The capital of France?", "Paris."),
    ("one two three", "red green blue one two three positive"),
    ("¿Qué tiempo hará mañana en Madrid?", "Lloverá toda la mañana."),
    # Longer than the sliding window of the tiny Gemma.
    ("Answer with one word. " * 4, "The door of the garage is closed. " * 4),
]
METHODS: dict[str, Method] = {
    "full": Full(),
    "partial": Partial(train_layers=1),
    "lora": Lora(rank=4),
    "dora": Lora(rank=4, dora=True),
    "rslora": Lora(rank=4, rslora=True, alpha=3),
}


def chats() -> list[ChatExample]:
    return [
        ChatExample(
            id=str(i), where=f"row {i}", messages=(Message("user", q), Message("assistant", a))
        )
        for i, (q, a) in enumerate(CHATS)
    ]


def wake(model: Model) -> None:
    """Give the adapter's second factor numbers, so that a gradient reaches the first."""
    torch.manual_seed(5)
    for name, parameter in model.trained().items():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)


def reference(model: Model, base: Base, method: Method) -> Any:
    """The same network out of Transformers and PEFT alone, with the same weights."""
    other = AutoModelForCausalLM.from_pretrained(base.folder, attn_implementation="eager")
    torch.manual_seed(0)
    other = method.apply(other, "tokens")
    found = dict(model.network.module.named_parameters())
    for name, parameter in other.named_parameters():
        parameter.data.copy_(found[name].data)
    return other.eval()


def close(ours: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
    scale = float(theirs.abs().max())
    worst = float((ours - theirs).abs().max())
    assert worst <= 1e-5 * max(scale, 1e-3), f"{what}: {worst:.2e} of {scale:.2e}"


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("exact", [False, True])
def test_language_model_equals_transformers(
    tiny: Callable[[Kind], Base], kind: Kind, name: str, exact: bool
) -> None:
    method, base = METHODS[name], tiny(kind)
    model = load(base, Generate(), method, exact=exact)
    wake(model)
    rows = [model.task.encode(e, model.renderer) for e in chats()]
    batch = collate(rows, kind="tokens", device=model.device)
    loss = Supervised().loss(model.network, batch)
    (loss.total / loss.weight).backward()

    other = reference(model, base, method)
    mask = (torch.arange(batch.ids.shape[1])[None] < batch.lengths[:, None]).long()
    theirs = other(input_ids=batch.ids, attention_mask=mask, labels=batch.targets).loss
    theirs.backward()
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )
    own = model.trained()
    moved = 0
    for n, parameter in other.named_parameters():
        assert parameter.requires_grad == (f"module.{n}" in own)
        if parameter.requires_grad and parameter.grad is not None:
            close(own[f"module.{n}"].grad, parameter.grad, n)
            moved += bool(parameter.grad.abs().max() > 0)
    assert moved > 0


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_classifier_equals_transformers(
    tiny: Callable[[Kind], Base], several: bool, exact: bool
) -> None:
    base = tiny("bert")
    task = Classify(labels=("a", "b", "c"), several=several)
    model = load(base, task, Full(), exact=exact)
    texts = ["I lost my card", "positive", "the door of the garage is closed one two three"]
    given = [("a",), ("c",), ("a", "b") if several else ("b",)]
    rows = [
        task.encode(LabelledExample(id=t, where="", text=t, labels=g), model.renderer)
        for t, g in zip(texts, given, strict=True)
    ]
    batch = collate(rows, kind="labels" if several else "one_label", device=model.device)
    loss = Supervised().loss(model.network, batch)
    (loss.total / loss.weight).backward()

    other = BertForSequenceClassification.from_pretrained(
        base.folder,
        num_labels=3,
        problem_type="multi_label_classification" if several else None,
    ).eval()
    own = dict(model.network.named_parameters())
    other.classifier.weight.data.copy_(own["head.weight"].data)
    other.classifier.bias.data.copy_(own["head.bias"].data)
    mask = (torch.arange(batch.ids.shape[1])[None] < batch.lengths[:, None]).long()
    labels = batch.targets if several else batch.targets.argmax(1)
    theirs = other(input_ids=batch.ids, attention_mask=mask, labels=labels).loss
    theirs.backward()
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )
    for n, parameter in other.bert.named_parameters():
        close(own[f"module.{n}"].grad, parameter.grad, n)
    close(own["head.weight"].grad, other.classifier.weight.grad, "head")


def test_loss_equals_trl(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    pytest.importorskip("trl")
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    base = tiny("llama")
    data = [
        {
            "prompt": [{"role": "user", "content": q}],
            "completion": [{"role": "assistant", "content": a}],
        }
        for q, a in CHATS
    ]
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base.folder),
        args=SFTConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            per_device_train_batch_size=len(data),
            report_to=[],
            gradient_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(data),
        processing_class=AutoTokenizer.from_pretrained(base.folder),
        peft_config=LoraConfig(
            r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    inputs = next(iter(trainer.get_train_dataloader()))
    # TRL also learns the line break that the template puts after the end token; we stop at the end.
    newline = AutoTokenizer.from_pretrained(base.folder).encode("\n", add_special_tokens=False)
    for labels in inputs["labels"]:
        last = int((labels != -100).nonzero().max())
        assert [int(labels[last])] == newline
        labels[last] = -100
    theirs = trainer.compute_loss(trainer.model.eval(), inputs)

    model = load(base, Generate(), Lora(rank=4))
    rows = [model.task.encode(e, model.renderer) for e in chats()]
    loss = Supervised().loss(model.network, collate(rows, kind="tokens", device=model.device))
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )


@pytest.mark.parametrize("name", ["full", "lora"])
def test_accumulation_is_exact(tiny: Callable[[Kind], Base], name: str) -> None:
    """One batch of 5 has the gradient of 2 + 2 + 1, though their answers differ in length."""
    grads = []
    for size in (5, 2):
        model = load(tiny("llama"), Generate(), METHODS[name])
        wake(model)
        rows = [model.task.encode(e, model.renderer) for e in chats()]
        parts = [rows[i : i + size] for i in range(0, len(rows), size)]
        batches = [collate(p, kind="tokens", device=model.device) for p in parts]
        weight = sum(Supervised().weight(b) for b in batches)
        for batch in batches:
            (Supervised().loss(model.network, batch).total / weight).backward()
        grads.append({n: p.grad for n, p in model.trained().items()})
    for n, gradient in grads[0].items():
        close(grads[1][n], gradient, n)


def test_padding_reaches_nothing(tiny: Callable[[Kind], Base]) -> None:
    for kind in DECODERS:
        model = load(tiny(kind), Generate())
        rows = [model.task.encode(e, model.renderer) for e in chats()]
        together = model.network.token_logprobs(collate(rows, kind="tokens", device=model.device))
        alone = torch.cat(
            [
                model.network.token_logprobs(collate([r], kind="tokens", device=model.device))
                for r in rows
            ]
        )
        assert torch.allclose(together, alone, atol=2e-5), kind


@pytest.mark.parametrize("exact", [False, True])
def test_tags_equal_transformers(tiny: Callable[[Kind], Base], exact: bool) -> None:
    model, batch, rows = _places(tiny("bert"), "tags", exact)
    loss = Supervised().loss(model.network, batch)
    (loss.total / loss.weight).backward()
    other = _head_of(BertForTokenClassification, tiny("bert"), model, "classifier")
    theirs = other(input_ids=batch.ids, attention_mask=_mask(batch), labels=batch.targets).loss
    theirs.backward()
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )
    assert loss.weight == sum(t != IGNORED for r in rows for t in r.targets)
    close(model.network.head.weight.grad, other.classifier.weight.grad, "head")
    _close_bodies(model, other.bert)


@pytest.mark.parametrize("exact", [False, True])
def test_spans_equal_transformers(tiny: Callable[[Kind], Base], exact: bool) -> None:
    model, batch, _ = _places(tiny("bert"), "span", exact)
    loss = Supervised().loss(model.network, batch)
    (loss.total / loss.weight).backward()
    other = _head_of(BertForQuestionAnswering, tiny("bert"), model, "qa_outputs")
    # Theirs looks at padding too; ours never does, so the rows are of one length here.
    theirs = other(
        input_ids=batch.ids,
        attention_mask=_mask(batch),
        start_positions=batch.targets[:, 0],
        end_positions=batch.targets[:, 1],
    ).loss
    theirs.backward()
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(theirs.detach()), rel=1e-5
    )
    close(model.network.head.weight.grad, other.qa_outputs.weight.grad, "head")
    _close_bodies(model, other.bert)


def test_numbers_are_squared_distances(tiny: Callable[[Kind], Base]) -> None:
    torch.manual_seed(0)
    network = LabelNetwork(
        load(tiny("minilm"), Classify(labels=("a", "b"))).network.module, "mean", 1, 0.1
    )
    rows = [Encoded("a", (5, 6, 7), (0.5,)), Encoded("b", (8, 9), (-2.0,))]
    batch = collate(rows, kind="number", device=torch.device("cpu"))
    loss = Supervised().loss(network.eval(), batch)
    found = network.label_scores(batch)[:, 0].detach()
    assert float(loss.total.detach()) == pytest.approx(
        float((found[0] - 0.5) ** 2 + (found[1] + 2.0) ** 2), rel=1e-5
    )
    assert loss.weight == 2


def _places(base: Base, kind: Targets, exact: bool) -> tuple[Model, Batch, list[Encoded]]:
    """A network with a head over tokens, and three rows with targets of that kind."""
    model = load(base, Classify(labels=("a", "b"), several=False), Full(), exact=exact)
    torch.manual_seed(3)
    model.network = TagNetwork(model.network.module, 2 if kind == "span" else 5, 0.1).eval()
    if kind == "span":
        rows = [Encoded(str(i), (2, 7 + i, 8, 9, 10, 3), (1 + i, 3 + i)) for i in range(3)]
    else:
        rows = [
            Encoded("a", (2, 7, 8, 3), (IGNORED, 0, 4, IGNORED)),
            Encoded("b", (2, 9, 10, 11, 12, 3), (IGNORED, 1, IGNORED, 2, 3, IGNORED)),
        ]
    return model, collate(rows, kind=kind, device=model.device), rows


def _head_of(kind: Any, base: Base, model: Model, name: str) -> Any:
    """Transformers' own class over the same body, with our head's weights."""
    torch.manual_seed(0)
    head = model.network.head
    assert head is not None
    other = kind.from_pretrained(base.folder, num_labels=head.out_features).eval()
    getattr(other, name).load_state_dict(head.state_dict())
    return other


def _mask(batch: Batch) -> torch.Tensor:
    return (torch.arange(batch.ids.shape[1])[None] < batch.lengths[:, None]).long()


def _close_bodies(model: Model, other: torch.nn.Module) -> None:
    own = dict(model.network.core.named_parameters())
    compared = 0
    for n, parameter in other.named_parameters():
        if parameter.grad is not None:
            close(own[n].grad, parameter.grad, n)
            compared += 1
    assert compared > 10
