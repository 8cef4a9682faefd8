"""Whether weights fit the network that a config.json describes, before any weight is loaded.

The network is built without memory (PyTorch's ``meta`` device). A weight that is missing would
otherwise be drawn at random by Transformers, with a warning at best.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from afina.errors import ModelError
from afina.models.tensors import StoredTensor, names

Kind = Literal["encoder", "decoder", "seq2seq"]
ENCODER_DECODERS = frozenset(
    {"t5", "mt5", "umt5", "bart", "mbart", "marian", "pegasus", "m2m_100", "blenderbot"}
)
"""Families of encoder-decoders of text whose losses and answers are tested."""


def kind_of(config: Mapping[str, Any], where: Path) -> Kind:
    """Whether the network reads both ways, writes, or does one after the other (``seq2seq``).

    Raises ModelError for what is none of them.
    """
    from transformers.models.auto import modeling_auto as known

    family = str(config["model_type"])
    architecture = architecture_of(config)
    if (
        config.get("is_encoder_decoder")
        or family in known.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    ):
        if family in ENCODER_DECODERS:
            return "seq2seq"
        raise ModelError(
            f"{architecture} is an encoder-decoder of a family that Afina does not tune",
            where=str(where),
            do=f"take one of {', '.join(sorted(ENCODER_DECODERS))}, or a decoder",
        )
    if "vision_config" in config or "audio_config" in config:
        raise ModelError(
            f"{architecture} reads images or sound: Afina tunes models of text alone",
            where=str(where),
            do="take the text model of the same family",
        )
    reads = family in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder")
    if reads or architecture.endswith(("ForMaskedLM", "EncoderModel")):
        return "encoder"
    if family in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "decoder"
    if (
        family in known.MODEL_MAPPING_NAMES
        and family in known.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES
    ):
        return "encoder"
    raise ModelError(
        f"{architecture} is neither a text encoder nor a language model",
        where=str(where),
        do="take a model of text: afina models list",
    )


def architecture_of(config: Mapping[str, Any]) -> str:
    """The class that the config names, else its family."""
    found = config.get("architectures")
    if isinstance(found, list) and found and isinstance(found[0], str):
        return found[0]
    return str(config["model_type"])


def configure(config: Mapping[str, Any], where: Path) -> Any:
    """The config as Transformers' object. Raises ModelError if Transformers refuses it."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    try:
        return CONFIG_MAPPING[str(config["model_type"])].from_dict(dict(config))
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"Transformers refuses this config: {reason[:200]}",
            where=str(where / "config.json"),
            do="fetch it again from where it came from",
        ) from None


def check_structure(
    config: Any, kind: Kind, stored: Mapping[str, StoredTensor], where: Path
) -> None:
    """Raise ModelError if a weight has another shape than the network's, or is missing.

    Weights that the network has no use for (a language model's head on an encoder) are no error,
    nor is an encoder without its pooler: few are made with one, and a missing one is never run
    (``models.pooler``).
    """
    expected, prefix = _expected(config, kind)
    found = _matched(expected, prefix, stored)
    wrong = [
        f"{name} {list(stored[place].shape)} instead of {list(expected[name])}"
        for name, place in sorted(found.items())
        if stored[place].shape != expected[name]
    ]
    if wrong:
        raise ModelError(
            f"{len(wrong)} weights have another shape than the config says: {names(wrong)}",
            where=str(where),
            do="config and weights are of different models: fetch both again",
        )
    if _renames(str(config.model_type)):
        return  # stored under other names: Transformers' own loading joins them
    missing = missing_weights(config, kind, stored)
    if missing:
        raise ModelError(
            f"{len(missing)} weights are missing: {names(missing)}",
            where=str(where),
            do="fetch the whole model again; an unfinished one cannot be tuned",
        )


def missing_weights(
    config: Any, kind: Kind | Literal["masked"], stored: Mapping[str, StoredTensor]
) -> list[str]:
    """Weights of the network that no stored tensor fills, its pooler left aside. ``masked``: an
    encoder with its head over the vocabulary."""
    expected, prefix = _expected(config, kind)
    found = _matched(expected, prefix, stored)
    return sorted(n for n in expected if n not in found and "pooler" not in n)


def _expected(
    config: Any, kind: Kind | Literal["masked"]
) -> tuple[dict[str, tuple[int, ...]], str]:
    """Shapes by name of a network's weights, tied ones once, and the prefix of its body."""
    import torch
    import transformers

    makers: dict[str, Any] = {
        "encoder": transformers.AutoModel,
        "masked": transformers.AutoModelForMaskedLM,
        "decoder": transformers.AutoModelForCausalLM,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
    }
    with torch.device("meta"):
        network = makers[kind].from_config(config, trust_remote_code=False)
    tied = set(getattr(network, "all_tied_weights_keys", None) or {})
    made_anew = set(getattr(network, "_keys_to_ignore_on_save", None) or [])
    shapes = {n: tuple(p.shape) for n, p in network.named_parameters() if n not in tied | made_anew}
    return shapes, str(getattr(network, "base_model_prefix", ""))


def _matched(
    expected: Mapping[str, tuple[int, ...]], prefix: str, stored: Mapping[str, StoredTensor]
) -> dict[str, str]:
    """For each weight of the network, the stored tensor that will fill it."""
    found = {}
    for name in expected:
        old = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        )
        for candidate in (name, old):
            short = candidate.removeprefix(f"{prefix}.")
            place = next(
                (n for n in (candidate, f"{prefix}.{candidate}", short) if n in stored), None
            )
            if place is not None:
                found[name] = place
                break
    return found


def _renames(family: str) -> bool:
    try:
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping
    except ImportError:
        return True  # an older Transformers renames in each model's own code
    return bool(get_checkpoint_conversion_mapping(family))
