"""A base as it was before anybody trained it: the same shape and tokenizer, random weights.

Tuned beside the real base by the same recipe, it shows what that one's own training is worth: the
alternative to fine-tuning is to train from scratch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from afina.models import structure
from afina.models.made import write_made
from afina.models.quiet import quiet
from afina.models.safe import check_folder
from afina.models.sources import Base

FLOAT32_BYTES = 4


def make_untrained(base: Base, folder: Path, seed: int = 0) -> None:
    """Write a base of the same shape with random float32 weights, drawn from ``seed`` as its family
    draws them, into a new folder. Raises RequestError for a folder that is there."""
    checked = check_folder(base.folder)

    def weights(stage: Path) -> None:
        _drawn(base, checked.config, checked.folder, seed).save_pretrained(stage)

    write_made(
        base,
        folder,
        weights,
        {**checked.config, "dtype": "float32"},
        source=f"the shape of {base.name}, untrained (seed {seed})",
        needs=FLOAT32_BYTES * base.parameters,
    )


@quiet()
def _drawn(base: Base, config: Any, folder: Path, seed: int) -> Any:
    import torch
    import transformers

    made = structure.configure(config, folder)
    usual = {
        "encoder": transformers.AutoModel,
        "decoder": transformers.AutoModelForCausalLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
    }[base.kind]
    own = getattr(transformers, structure.architecture_of(config), None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = own(made) if own is not None else usual.from_config(made)
    return network.float()
