"""A base in memory: the network for a task, with its renderer, before or after tuning.

Only safetensors are read and no code of the model's folder is run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from afina.errors import ModelError
from afina.models.attention import register as register_attention
from afina.models.gated import fuse as fuse_gates
from afina.models.lora_linear import fuse as fuse_adapters
from afina.models.masked import MaskedNetwork, check_head, is_masked
from afina.models.network import (
    Body,
    LabelNetwork,
    SharedNetwork,
    TagNetwork,
    TokenNetwork,
    VectorNetwork,
)
from afina.models.pooler import settle_pooler
from afina.models.quiet import quiet
from afina.models.render import ChatRenderer
from afina.models.rms_norm import fuse as fuse_norms
from afina.models.safe_config import read_json
from afina.models.seq2seq import SourceNetwork
from afina.models.shelf import Shelf
from afina.models.sources import Base
from afina.tasks import FindAnswer, Matched, Pooled, Several, Text
from afina.types import Head, Method, Task

# The matrix library keeps code and scratch for each shape of product that it has met, 1,024 of them by
# default: with rows of every length that is a gigabyte and gains nothing. Read at the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass
class Model:
    """A network ready to run: what it was made from and how its conversations are rendered."""

    base: Base
    task: Task
    method: Method | None
    network: Body
    renderer: ChatRenderer
    dtype: torch.dtype
    device: torch.device
    exact: bool = False
    cut_to: int | None = None
    """Tokens to which a longer input is cut, as in training; None: it is refused."""

    @property
    def head(self) -> Head:
        return self.task.head

    @property
    def context_length(self) -> int:
        """Tokens that a row may have, answer included."""
        return context_of(self.base, self.method)

    def of(self, task: str) -> Model:
        """The same model as one of its several tasks has it; ``""`` where there is only one."""
        if not isinstance(self.task, Several):
            return self
        assert isinstance(self.network, SharedNetwork)
        return replace(self, task=self.task.tasks[task], network=self.network.of(task))

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that move, by name."""
        return {n: p for n, p in self.network.named_parameters() if p.requires_grad}

    def count(self) -> tuple[int, int]:
        """(trained, all) parameters; a weight used twice counts once, 4-bit weights unpacked."""
        trained = sum(p.numel() for p in self.trained().values())
        total = 0
        for parameter in self.network.parameters():
            state = getattr(parameter, "quant_state", None)
            total += int(torch.Size(state.shape).numel()) if state else parameter.numel()
        return trained, total


def context_of(base: Base, method: Method | None) -> int:
    """Tokens that a row may have: what the base takes, without the method's virtual tokens."""
    return base.context_length - (method.virtual_tokens if method else 0)


@quiet()
def load_renderer(base: Base) -> ChatRenderer:
    """The renderer of a base, without its weights."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base.folder, trust_remote_code=False)
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            "the tokenizer has no tokenizer.json",
            where=str(base.folder),
            do="convert it once with Transformers: AutoTokenizer.from_pretrained(…).save_pretrained(…)",
        )
    if base.overrides:
        tokenizer.model_max_length = base.context_length
    start = _start_of(base) if base.kind == "seq2seq" else None
    prompts = dict(base.prompts)
    return ChatRenderer(tokenizer, start, prompts, both_sides=base.kind == "encoder")


def _pair_mark(base: Base, renderer: ChatRenderer) -> int | None:
    """See ``Body.pair_mark``: the tokenizer's, if the network was made with more than one segment."""
    path = base.folder / "config.json"
    kinds = read_json(path).get("type_vocab_size") if path.is_file() else None
    told = base.kind == "encoder" and isinstance(kinds, int) and kinds > 1
    return renderer.pair_mark if told else None


def _start_of(base: Base) -> int | None:
    """The token with which the base's decoder begins; what generation is told wins."""
    for name in ("generation_config.json", "config.json"):
        path = base.folder / name
        found = read_json(path).get("decoder_start_token_id") if path.is_file() else None
        if isinstance(found, int):
            return found
    return None


@quiet()
def load(
    base: Base,
    task: Task,
    method: Method | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    seed: int = 0,
    renderer: ChatRenderer | None = None,
    exact: bool = False,
    shelf: Shelf | None = None,
) -> Model:
    """The network of a resolved task over a base, with the method applied (None: nothing moves).

    New weights (head, adapter) come from ``seed``. Weights that will move are loaded in float32,
    frozen ones in ``dtype``; ``Model`` records ``dtype`` as the one to compute in. ``exact``
    leaves our own attention and adapter arithmetic out; ``shelf`` keeps what was read from the disk
    for the next one. Raises ModelError if the base cannot serve the task.
    """
    check_kind(base, task, method)
    renderer = renderer or load_renderer(base)
    stored = torch.float32 if method is not None and not method.adapter else dtype
    attention = "sdpa" if exact else register_attention()
    read = partial(_load_module, base, task, method, stored, dtype, device, attention)
    four_bit = method is not None and method.four_bit
    if shelf is None or four_bit:
        module = read()
    else:
        kind = (auto_class(base, task), task.head, pooling_of(base, task))
        module = shelf.take((base.sha256, *kind, stored, attention), read)
    # A table of sines is a parameter of some families, and none of a method's to move.
    fixed = [p for p in module.parameters() if not p.requires_grad]
    torch.manual_seed(seed)
    if method is None:
        module.requires_grad_(False)
    else:
        module = with_method(module, base, task, method, renderer)
        for parameter in fixed:
            parameter.requires_grad_(False)
        if method.precise:
            make_precise(module)
        if method.adapter and not exact:
            fuse_adapters(module)
            fuse_norms(module)
            fuse_gates(module)
    dropout = method.head_dropout if method else 0.0
    network = with_head(module, base, task, renderer, dropout)
    if network.head is not None:
        network.head.requires_grad_(method is not None)
    network.to(device).eval()
    return Model(base, task, method, network, renderer, dtype, torch.device(device), exact)


def with_method(
    module: nn.Module, base: Base, task: Task, method: Method, renderer: ChatRenderer | None = None
) -> nn.Module:
    """The module with what a method marks and adds. ``renderer``: the base's, if it is there already.

    Raises RecipeError for a text that new weights cannot begin as.
    """
    # PEFT has no name for guessing hidden tokens: it is a network like another.
    module = method.apply(module, "vector" if is_masked(base, task) else task.head)
    if method.begins_as is not None:
        method.begin(module, (renderer or load_renderer(base)).bare(method.begins_as))
    return module


def make_precise(module: nn.Module) -> None:
    """Bring what moves to float32."""
    for parameter in module.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def with_head(
    module: nn.Module, base: Base, task: Task, renderer: ChatRenderer, dropout: float = 0.0
) -> Body:
    """The network of a task over a module, with a new head where it needs one (``dropout``: before
    it)."""
    network = _network(module, base, task, dropout)
    mark = _pair_mark(base, renderer)
    for each in (network, *network.each):
        each.causal = base.kind != "encoder"
        each.pair_mark = mark
    return network


def _network(module: nn.Module, base: Base, task: Task, dropout: float) -> Body:
    if isinstance(task, Several):
        own = {name: _network(module, base, each, dropout) for name, each in task.tasks.items()}
        return SharedNetwork(module, own)
    if is_masked(base, task):
        return MaskedNetwork(module)
    if task.head == "tokens":
        return SourceNetwork(module) if task.reads_source else TokenNetwork(module)
    if task.head == "labels":
        return LabelNetwork(module, pooling_of(base, task), task.outputs, dropout)
    if task.head == "tags":
        return TagNetwork(module, task.outputs, dropout)
    return VectorNetwork(module, pooling_of(base, task))


def pooling_of(base: Base, task: Task) -> str:
    """How a body's states become one vector a text for this task."""
    wished = task.pooling if isinstance(task, Pooled | Matched) else "auto"
    if wished != "auto":
        return wished
    if task.head == "vector" and base.kind == "encoder":
        return base.pooling or "mean"
    return base.pooling or ("first" if base.kind == "encoder" else "last")


def reads_first(base: Base, task: Task) -> bool:
    """Whether a task takes the first token's state for the text, through a pooler if there is one."""
    if isinstance(task, Several):
        return any(reads_first(base, each) for each in task.tasks.values())
    return task.head == "labels" and pooling_of(base, task) == "first"


def check_kind(base: Base, task: Task, method: Method | None = None) -> None:
    """Raises ModelError if the base cannot be tuned, or not for this task by this method."""
    for name, each in task.tasks.items() if isinstance(task, Several) else ():
        check_kind(base, each, method)
        if is_masked(base, each):
            raise ModelError(
                f"{base.architecture} learns texts by guessing hidden tokens, and those are drawn for "
                "the rows of one task",
                where=f"tasks.{name}",
                do="learn it in a run of its own, and take that run as the base: run:NAME",
            )
    if not base.tunable:
        raise ModelError(base.tunable_reason, where=f"base: {base.name}", do="take another base")
    most = context_of(base, method)
    if isinstance(task, Text | FindAnswer) and task.window > most:
        raise ModelError(
            f"{base.name} takes {most} tokens, fewer than a stretch of {task.window}",
            where="task.window",
            do=f"at most {most}",
        )
    if isinstance(task, FindAnswer) and base.kind == "decoder":
        raise ModelError(
            f"{base.architecture} reads from left to right, and who finds an answer reads both ways",
            where=f"base: {base.name}",
            do="take an encoder (afina models list), or task: generate",
        )
    if task.reads_source and base.kind != "seq2seq":
        raise ModelError(
            f"{base.architecture} is no encoder-decoder",
            where=f"base: {base.name}",
            do="take one (T5, BART, Marian …), or task: generate with a decoder",
        )
    if base.kind == "seq2seq" and not task.reads_source:
        raise ModelError(
            f"{base.architecture} is an encoder-decoder: it turns one text into another",
            where=f"base: {base.name}",
            do=f"set task: transform, or take another base for task: {task.name}",
        )
    if is_masked(base, task) and isinstance(task, Text):
        check_head(base)
    elif is_masked(base, task):
        raise ModelError(
            f"{base.architecture} is an encoder: it writes no text",
            where=f"base: {base.name}",
            do="take a decoder (afina models list), or task: classify",
        )
    if method is not None and method.virtual_tokens:
        _check_virtual_tokens(base, method)


def _check_virtual_tokens(base: Base, method: Method) -> None:
    """Raises ModelError if there is no place for them before a row."""
    if base.kind == "seq2seq":
        raise ModelError(
            f"virtual tokens stand before a text that is gone on with, and {base.architecture} reads "
            "one text and writes another",
            where=f"method: {method.name}",
            do="take method: lora, adapter or ia3",
        )
    if context_of(base, method) < 2:
        raise ModelError(
            f"{method.virtual_tokens} virtual tokens fill the {base.context_length} that it takes",
            where="method.length",
            do="take fewer",
        )


def auto_class(base: Base, task: Task) -> Any:
    """Transformers' class that loads a base for a task."""
    import transformers

    if is_masked(base, task):
        return transformers.AutoModelForMaskedLM
    if task.reads_source:
        return transformers.AutoModelForSeq2SeqLM
    return transformers.AutoModelForCausalLM if task.head == "tokens" else transformers.AutoModel


def _load_module(
    base: Base,
    task: Task,
    method: Method | None,
    stored: torch.dtype,
    compute: torch.dtype,
    device: str,
    attention: str,
) -> nn.Module:
    options: dict[str, Any] = {
        "dtype": stored,
        "trust_remote_code": False,
        "use_safetensors": True,
        "local_files_only": True,
    }
    if method is not None and method.four_bit:
        options |= _four_bit(method, compute, device)
    if base.overrides:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
        for key, value in base.overrides.items():
            setattr(config, key, value)
        options["config"] = config
    kind = auto_class(base, task)
    try:
        module: nn.Module = kind.from_pretrained(
            base.folder, attn_implementation=attention, **options
        )
    except ValueError as error:  # an architecture without exchangeable attention
        if "attention" not in str(error).lower():
            raise
        module = kind.from_pretrained(base.folder, **options)
    if task.head != "tokens":
        settle_pooler(module, base.folder, reads_first(base, task))
    for layer in module.modules():
        # bitsandbytes would repack 4-bit weights at the first evaluation on a CPU and unpack them
        # for the next step; the frozen weights are to stay bit for bit what they are.
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            setattr(layer, "support_avx512bf16_for_cpu", False)  # noqa: B010
    return module


def _four_bit(method: Method, compute: torch.dtype, device: str) -> dict[str, Any]:
    try:
        import bitsandbytes  # noqa: F401
    except ImportError:
        raise ModelError(
            "4-bit weights need the package bitsandbytes",
            where="method",
            do="pip install 'afina[qlora]', or take method: lora",
        ) from None
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=bool(getattr(method, "double_quantise", True)),
        bnb_4bit_compute_dtype=compute,
    )
    return {"quantization_config": config, "device_map": {"": device}}
