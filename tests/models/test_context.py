"""A longer context by scaled rotary positions: Transformers' logits, trained, saved, opened, served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from afina.errors import ModelError
from afina.models.context import extended
from afina.models.load import load, load_renderer
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import Context
from afina.tasks import Text
from afina.types import TextExample
from tests.objectives.test_whole_runs import run
from tests.tiny import CONTEXT_LENGTH, Kind

LENGTH = 4 * CONTEXT_LENGTH
SCALINGS = ("yarn", "linear", "ntk")
IDS = torch.randint(3, 400, (2, LENGTH), generator=torch.Generator().manual_seed(1))
FLOWING = "The door of the garage is closed and the lights of the kitchen are on. " * 40


def as_transformers(base: Base, scaling: str) -> Any:
    """The base as Transformers' own documentation has it."""
    config = AutoConfig.from_pretrained(base.folder)
    rope = {**config.rope_parameters, "rope_type": scaling, "factor": 4.0}
    if scaling == "yarn":
        rope["original_max_position_embeddings"] = CONTEXT_LENGTH
    if scaling == "ntk":  # what ``dynamic`` has worked out when it reads the longest row
        rope["rope_type"] = "dynamic"
    else:
        config.max_position_embeddings = LENGTH
    config.rope_parameters = rope
    return AutoModelForCausalLM.from_pretrained(base.folder, config=config)


@pytest.mark.parametrize("scaling", SCALINGS)
@torch.no_grad()
def test_logits_are_those_of_transformers(tiny: Callable[[Kind], Base], scaling: Any) -> None:
    base = tiny("llama")
    longer = extended(base, Context(length=LENGTH, scaling=scaling))
    ours = load(longer, Text(window=32), exact=True).network.core(input_ids=IDS).logits
    theirs = as_transformers(base, scaling)(input_ids=IDS).logits
    plain = load(base, Text(window=32), exact=True).network.core(input_ids=IDS).logits
    assert float((ours - theirs).abs().max()) < 2e-4
    assert float((plain - theirs).abs().max()) > 1e-2


def test_ntk_is_the_formula_of_dynamic_at_the_new_length(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("llama")
    longer = extended(base, Context(length=LENGTH, scaling="ntk"))
    config = AutoConfig.from_pretrained(base.folder)
    config.rope_parameters = {**config.rope_parameters, "rope_type": "dynamic", "factor": 4.0}
    dynamic, _ = ROPE_INIT_FUNCTIONS["dynamic"](config, None, seq_len=LENGTH)
    theta = longer.overrides["rope_parameters"]["rope_theta"]
    size = config.hidden_size // config.num_attention_heads
    own = 1.0 / theta ** (torch.arange(0, size, 2).float() / size)
    assert torch.allclose(own, dynamic, rtol=1e-4)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_trained_saved_and_opened_by_transformers(
    tiny: Callable[[Kind], Base], tmp_path: Path, method: str
) -> None:
    base = tiny("llama")
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(f'{{"text": "{i} {FLOWING}"}}\n' for i in range(20)), encoding="utf-8")
    outcome = run(
        base,
        tmp_path,
        path,
        task={"name": "text", "window": 600},
        objective="continue",
        method=method,
        train={
            "threads": 1,
            "precision": "float32",
            "max_steps": 2,
            "batch_size": 2,
            "context": {"length": LENGTH},
        },
    )
    folder = Path(outcome["folder"]) / "model"
    tuned = TunedModel.open(folder)
    assert tuned.context_length == LENGTH
    config = AutoConfig.from_pretrained(folder)
    assert config.rope_parameters["rope_type"] == "yarn"
    assert config.max_position_embeddings == LENGTH
    if method == "full":
        theirs = AutoModelForCausalLM.from_pretrained(folder)
    else:
        from peft import PeftModel

        whole = AutoModelForCausalLM.from_pretrained(base.folder, config=config)
        theirs = PeftModel.from_pretrained(whole, folder)
    with torch.no_grad():
        expected = theirs.eval()(input_ids=IDS).logits
        ours = tuned.model.network.core(input_ids=IDS).logits
    assert float((ours - expected).abs().max()) < 2e-4
    long = TextExample(id="a", where="a", text=FLOWING[:1200])
    ((nats, count),) = tuned.negative_log_likelihood([long])
    assert count > CONTEXT_LENGTH and nats > 0
    long_ones = outcome["report"]["probe"]["long"]
    assert long_ones["length"] == LENGTH and set(long_ones["scores"]) == {"right", "perplexity"}
    assert outcome["report"]["probe"]["scores"]["perplexity"]["before"]["value"] > 1


def test_what_cannot_be_longer_is_refused(tiny: Callable[[Kind], Base]) -> None:
    with pytest.raises(ModelError, match="no rotary positions"):
        extended(tiny("gpt2"), Context(length=LENGTH))
    with pytest.raises(ModelError, match="as it is"):
        extended(tiny("llama"), Context(length=CONTEXT_LENGTH))
    with pytest.raises(ModelError, match="no rotary positions"):
        extended(tiny("bert"), Context(length=LENGTH))
    assert extended(tiny("llama"), None) == tiny("llama")


def test_angles_of_their_own_for_each_kind_of_layer(tiny: Callable[[Kind], Base]) -> None:
    """Gemma: the layers that look at everything stretch, those with a window stay."""
    longer = extended(tiny("gemma"), Context(length=LENGTH))
    rope = longer.overrides["rope_parameters"]
    assert rope["full_attention"]["rope_type"] == "yarn"
    assert rope["sliding_attention"]["rope_type"] == "default"
    load(longer, Text(window=32)).network.core(input_ids=IDS[:1])
    assert load_renderer(longer).tokenizer.model_max_length == LENGTH
