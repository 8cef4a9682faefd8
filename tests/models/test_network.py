"""Losses and gradients equal to Transformers', PEFT's and TRL's on the same batch, in float32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, BertForSequenceClassification

from afina.methods import Full, Lora, Partial
from afina.models.load import Model, load
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.tasks import Classify, Generate
from afina.train.batches import collate
from afina.types import ChatExample, LabelledExample, Message, Method
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
    batch = collate(rows, one_of=True, device=model.device)
    loss = Supervised().loss(model.network, batch, "tokens")
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
    batch = collate(rows, one_of=not several, device=model.device)
    loss = Supervised().loss(model.network, batch, "labels")
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
    loss = Supervised().loss(
        model.network, collate(rows, one_of=True, device=model.device), "tokens"
    )
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
        batches = [collate(p, one_of=True, device=model.device) for p in parts]
        weight = sum(Supervised().weight(b, "tokens") for b in batches)
        for batch in batches:
            (Supervised().loss(model.network, batch, "tokens").total / weight).backward()
        grads.append({n: p.grad for n, p in model.trained().items()})
    for n, gradient in grads[0].items():
        close(grads[1][n], gradient, n)


def test_padding_reaches_nothing(tiny: Callable[[Kind], Base]) -> None:
    for kind in DECODERS:
        model = load(tiny(kind), Generate())
        rows = [model.task.encode(e, model.renderer) for e in chats()]
        together = model.network.token_logprobs(collate(rows, one_of=True, device=model.device))
        alone = torch.cat(
            [
                model.network.token_logprobs(collate([r], one_of=True, device=model.device))
                for r in rows
            ]
        )
        assert torch.allclose(together, alone, atol=2e-5), kind
