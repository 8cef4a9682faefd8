"""Virtual tokens and factors: equal to PEFT's own, with the cache and without it, in any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModel, AutoModelForCausalLM

from afina.errors import ModelError, RecipeError
from afina.methods import Ia3, Prefix, Prompt
from afina.models.choose import choose
from afina.models.generate import generate, stream
from afina.models.likelihood import answer_losses, answer_losses_behind_head
from afina.models.load import Model, load
from afina.models.predictor import TunedModel
from afina.models.sampling import Sampling
from afina.models.save import save_model
from afina.models.sources import Base
from afina.tasks import Classify, Generate
from afina.train.batches import collate
from afina.train.loop import Training
from afina.train.plan import measure_parts
from afina.types import IGNORED, Batch, Encoded, Method
from tests.tiny import CONTEXT_LENGTH, Kind
from tests.train.small import Small

CLASSIFY = Classify(labels=("a", "b"), several=False)
METHODS: list[Method] = [
    Prefix(length=4, hidden=16),
    Prefix(length=4, reparametrise=False),
    Prompt(length=4),
    Ia3(),
]
VIRTUAL = METHODS[:3]
NAMES = ["prefix-network", "prefix", "prompt", "ia3"]


def tuned(base: Base, task: Any, method: Method, dtype: torch.dtype = torch.float32) -> Model:
    """A model whose added weights are far from where they begin."""
    model = load(base, task, method, dtype=dtype)
    torch.manual_seed(4)
    for parameter in model.trained().values():
        parameter.data += 0.5 * torch.randn(parameter.shape)
    return model


def batch_of(rows: list[list[int]]) -> Batch:
    encoded = [Encoded("r", tuple(r), (IGNORED, IGNORED, *r[2:])) for r in rows]
    return collate(encoded, kind="tokens", device=torch.device("cpu"))


ROWS = [[5, 6, 7, 8, 9, 10, 11], [20, 21, 22], [30, 31, 32, 33, 34]]


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma"])
def test_losses_and_gradients_are_those_of_peft(
    tiny: Callable[[Kind], Base], kind: Kind, method: Method
) -> None:
    model = tuned(tiny(kind), Generate(), method)
    batch = batch_of(ROWS)
    ours = -model.network.token_logprobs(batch).mean()
    ours.backward()
    gradients = {n: p.grad.clone() for n, p in model.trained().items()}
    model.network.zero_grad()
    mask = (torch.arange(7)[None] < batch.lengths[:, None]).long()
    module: Any = model.network.module
    theirs = module(input_ids=batch.ids, attention_mask=mask, labels=batch.targets).loss
    theirs.backward()
    assert torch.allclose(ours, theirs, rtol=1e-5)
    for name, parameter in model.trained().items():
        scale = float(parameter.grad.abs().max())
        assert torch.allclose(gradients[name], parameter.grad, rtol=1e-4, atol=1e-5 * scale), name


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize("kind", ["llama", "gpt2", "bert", "minilm"])
def test_peft_reads_the_files(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind, method: Method
) -> None:
    base = tiny(kind)
    writes = kind in ("llama", "gpt2")
    model = tuned(base, Generate() if writes else CLASSIFY, method)
    save_model(model, tmp_path / "m", {n: p.detach() for n, p in model.trained().items()}, {})
    maker: Any = AutoModelForCausalLM if writes else AutoModel
    other = PeftModel.from_pretrained(maker.from_pretrained(base.folder), tmp_path / "m").eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        ours = model.network.run(ids)[0]
        theirs = other(input_ids=ids)[0][:, -5:]
    assert torch.allclose(ours, theirs, atol=2e-5)
    assert not torch.allclose(ours, load(base, model.task).network.run(ids)[0], atol=1e-2)


@pytest.mark.parametrize("method", VIRTUAL, ids=NAMES[:3])
@pytest.mark.parametrize("kind", ["bert", "minilm", "llama"])
def test_padding_changes_nothing(tiny: Callable[[Kind], Base], kind: Kind, method: Method) -> None:
    model = tuned(tiny(kind), CLASSIFY, method)
    batch = batch_of(ROWS)
    with torch.no_grad():
        together = model.network.label_scores(batch)
        apart = [model.network.label_scores(batch_of([row])) for row in ROWS]
    assert torch.allclose(together, torch.cat(apart), atol=1e-5)


def greedy(model: Model, prompt: list[int], count: int) -> list[int]:
    """Token by token, every row whole again at each: slow, and plain."""
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(model.network.run(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


BEGINNING = [(7 * i) % 97 + 3 for i in range(18)]
PROMPTS = [
    [[40, 41, 42], [50], [60, 61, 62, 63, 64, 65, 66, 67, 68, 69]],  # nothing shared
    [[*BEGINNING, 40, 41], [*BEGINNING, 50], [*BEGINNING, *range(60, 90)]],
]


@pytest.mark.parametrize("method", VIRTUAL, ids=NAMES[:3])
@pytest.mark.parametrize("prompts", PROMPTS, ids=["apart", "shared"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma"])
def test_the_cache_agrees_token_by_token(
    tiny: Callable[[Kind], Base], kind: Kind, prompts: list[list[int]], method: Method
) -> None:
    model = tuned(tiny(kind), Generate(), method)
    model.renderer.stop_ids = frozenset()
    expected = [greedy(model, prompt, 6) for prompt in prompts]
    written = generate(model, prompts, Sampling(6))
    assert [list(w.ids) for w in written] == expected
    for prompt, ids in zip(prompts, expected, strict=True):
        pieces = list(stream(model, prompt, Sampling(6)))
        assert [p.token for p in pieces if p.token is not None] == ids


@pytest.mark.parametrize("method", VIRTUAL, ids=NAMES[:3])
def test_likelihoods_agree_behind_a_shared_beginning(
    tiny: Callable[[Kind], Base], method: Method
) -> None:
    model = tuned(tiny("llama"), Generate(), method)
    rows = [Encoded("r", tuple(p), (*[IGNORED] * (len(p) - 1), p[-1])) for p in PROMPTS[1]]
    whole, behind = answer_losses(model, rows), answer_losses_behind_head(model, rows)
    assert [v for v, _ in whole] == pytest.approx([v for v, _ in behind], rel=1e-4)
    options = [[5, 6], [7]]
    chosen = choose(model, PROMPTS[0], options)
    for place, prompt in enumerate(PROMPTS[0]):
        for number, option in enumerate(options):
            targets = (*[IGNORED] * len(prompt), *option)
            ((loss, _),) = answer_losses(model, [Encoded("r", (*prompt, *option), targets)])
            assert -loss == pytest.approx(chosen[place, number], rel=1e-4)


@pytest.mark.parametrize("method", VIRTUAL, ids=NAMES[:3])
def test_the_context_has_room_for_so_much_less(
    tiny: Callable[[Kind], Base], method: Method
) -> None:
    model = tuned(tiny("gpt2"), Generate(), method)
    assert TunedModel(model).context_length == CONTEXT_LENGTH - 4
    fits = [3] * (CONTEXT_LENGTH - 5)
    assert len(generate(model, [fits], Sampling(9))[0].ids) <= 1
    with pytest.raises(ModelError, match="takes 252"):
        generate(model, [[*fits, 3]], Sampling(9))
    knobs = method.model_dump()
    with pytest.raises(RecipeError, match="behind 4 virtual"):
        Small(tiny("gpt2"), "generate", knobs, max_length=CONTEXT_LENGTH - 3)
    with pytest.raises(ModelError, match="virtual tokens fill"):
        load(tiny("gpt2"), Generate(), method.model_copy(update={"length": CONTEXT_LENGTH}))


def test_a_prompt_begins_as_its_text(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("minilm")
    model = load(base, CLASSIFY, Prompt(length=5, text="the kitchen"))
    ids = model.renderer.tokenizer("the kitchen", add_special_tokens=False)["input_ids"]
    words = model.network.core.get_input_embeddings().weight
    (vectors,) = (p for n, p in model.trained().items() if "prompt_encoder" in n)
    assert torch.equal(vectors, words[(ids * 5)[:5]])
    drawn = load(base, CLASSIFY, Prompt(length=5))
    (vectors,) = (p for n, p in drawn.trained().items() if "prompt_encoder" in n)
    assert all(any(torch.equal(v, w) for w in words) for v in vectors), "words, not noise"
    long = Prompt(length=1, text="the kitchen")
    for begun in (load, measure_parts):  # with its weights, and before anything is trained
        with pytest.raises(RecipeError, match="the text has 2 tokens"):
            begun(base, CLASSIFY, long)


def test_a_prefix_begins_with_zeros_and_learns_through_its_network(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    small = Small(tiny("llama"), "generate", {"name": "prefix", "length": 4}, learning_rate=1e-2)
    training = Training(*small.arguments(small.new_run(tmp_path)), None, lambda _: None)
    made = training.model.network.module.get_prompt_embedding_to_save("default")
    assert float(made.abs().max()) == 0.0
    losses = [training.step(s)["loss"] for s in range(9)]
    assert sum(losses[-3:]) < sum(losses[:3])


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_added_weights_stay_float32_beside_a_bfloat16_base(
    tiny: Callable[[Kind], Base], method: Method
) -> None:
    model = tuned(tiny("llama"), Generate(), method, torch.bfloat16)
    assert {p.dtype for p in model.trained().values()} == {torch.float32}
    assert {p.dtype for p in model.network.core.get_input_embeddings().parameters()} == {
        torch.bfloat16
    }
    assert bool(model.network.token_logprobs(batch_of(ROWS)).isfinite().all())


def test_a_network_that_takes_no_keys_is_refused() -> None:
    import transformers as tf

    small: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 60}
    with torch.device("meta"):
        mamba = tf.MambaForCausalLM(tf.MambaConfig(**small, state_size=4))
    for method in VIRTUAL:
        with pytest.raises(RecipeError, match="no keys and values") as caught:
            method.apply(mamba, "tokens")
        assert caught.value.do
