"""Tiny random models for tests: real folders with a tokenizer, made in a second, never downloaded.

Kinds: ``llama`` (ChatML template, grouped heads, tied head), ``gemma`` (sliding window), ``gpt2``
(no template, learned positions), ``bert`` (with pooler, first token), ``minilm`` (BERT without
pooler, mean pooling by ``1_Pooling/config.json``), ``masked`` (BERT with the head that
guesses tokens), ``t5`` (relative positions, pad token first),
``bart`` (a token before every text, learned positions, a bias on the scores). Hidden sizes ≤ 64, two
layers, vocabulary ≤ 600.
The weights come from a seed, so a kind is the same in every test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from afina.models.sources import Base

Kind = Literal["llama", "gemma", "gpt2", "bert", "minilm", "masked", "t5", "bart"]
DECODERS: tuple[Kind, ...] = ("llama", "gemma", "gpt2")
ENCODERS: tuple[Kind, ...] = ("bert", "minilm")
SEQ2SEQ: tuple[Kind, ...] = ("t5", "bart")
KINDS: tuple[Kind, ...] = (*DECODERS, *ENCODERS)

CONTEXT_LENGTH = 256
"""Tokens that every kind can take."""
SLIDING_WINDOW = 12
"""Tokens that the sliding layer of ``gemma`` sees."""

CHATML = (
    "{% if tools %}{{ '<|im_start|>system\n' + (tools | tojson) + '<|im_end|>\n' }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

LINES = (
    "The lights of the kitchen are on and the door of the garage is closed.",
    "Enciende la luz de la cocina y apaga la calefacción del salón, por favor.",
    '{"intent": "HassTurnOn", "name": "luz", "area": "cocina"}',
    "system user assistant You are a helpful assistant. Answer with one word.",
    "I lost my card and I need a new one before the weekend.",
    "¿Qué tiempo hará mañana en Madrid? Lloverá toda la mañana.",
    "The capital of France is Paris, and the capital of Spain is Madrid.",
    "positive negative neutral good bad red green blue one two three",
)


def make(kind: Kind, folder: Path) -> Path:
    """Write the model of a kind into ``folder``/``kind`` (once) and return that folder."""
    target = folder / kind
    if (target / "model.safetensors").is_file():
        return target
    target.mkdir(parents=True, exist_ok=True)
    if kind in SEQ2SEQ:
        tokenizer = _source_tokenizer(kind)
    else:
        tokenizer = _byte_tokenizer(kind) if kind in DECODERS else _word_tokenizer()
    tokenizer.save_pretrained(target)
    _network(kind, tokenizer).save_pretrained(target)
    if kind == "minilm":
        _sentence_files(target)
    return target


def tiny_base(kind: Kind, folder: Path) -> Base:
    """The tiny model of a kind as the rooms know a base."""
    from afina.models.sources import resolve

    return resolve(str(make(kind, folder)))


def maker(folder: Path) -> Callable[[Kind], Base]:
    """``tiny_base`` for one folder, each kind resolved once."""
    known: dict[Kind, Base] = {}

    def get(kind: Kind) -> Base:
        if kind not in known:
            known[kind] = tiny_base(kind, folder)
        return known[kind]

    return get


# ---------------------------------------------------------------------------- inside


def _byte_tokenizer(kind: Kind) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    controls = (
        ["<|endoftext|>"] if kind == "gpt2" else ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        LINES,
        trainers.BpeTrainer(
            vocab_size=512,
            special_tokens=controls,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    end = "<|endoftext|>" if kind == "gpt2" else "<|im_end|>"
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=end,
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT_LENGTH,
        clean_up_tokenization_spaces=False,
    )
    if kind != "gpt2":
        fast.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
        fast.chat_template = CHATML
    return fast


def _source_tokenizer(kind: Kind) -> Any:
    """``</s>`` behind every text, and for ``bart`` ``<s>`` before it."""
    from tokenizers.processors import TemplateProcessing

    fast = _byte_tokenizer("gpt2")
    fast.add_special_tokens({"eos_token": "</s>", "bos_token": "<s>", "pad_token": "<pad>"})
    ends = [(token, fast.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    template = "<s> $A </s>" if kind == "bart" else "$A </s>"
    fast.backend_tokenizer.post_processor = TemplateProcessing(
        single=template, pair=None, special_tokens=ends
    )
    return fast


def _word_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.BertNormalizer(lowercase=True)
    cut = pre_tokenizers.BertPreTokenizer()
    lines = [normalizer.normalize_str(line) for line in LINES]
    words = sorted({word for line in lines for word, _ in cut.pre_tokenize_str(line)})
    letters = sorted(set("abcdefghijklmnopqrstuvwxyz0123456789") | {c for w in words for c in w})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    pieces += [f"##{letter}" for letter in letters] + [w for w in words if len(w) > 1]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = cut
    tokenizer.decoder = decoders.WordPiece()
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", first), ("[SEP]", last)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=CONTEXT_LENGTH,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],  # as BERT's own
        clean_up_tokenization_spaces=False,
    )


def _network(kind: Kind, tokenizer: Any) -> Any:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return _drawn(kind, tokenizer)


def _drawn(kind: Kind, tokenizer: Any) -> Any:
    import transformers as tf

    ids: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "initializer_range": 0.1,
    }
    if kind == "llama":
        return tf.LlamaForCausalLM(
            tf.LlamaConfig(
                hidden_size=48,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=CONTEXT_LENGTH,
                tie_word_embeddings=True,
                **ids,
            )
        )
    if kind == "gemma":
        return tf.Gemma3ForCausalLM(
            tf.Gemma3TextConfig(
                hidden_size=48,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=1,
                head_dim=16,
                sliding_window=SLIDING_WINDOW,
                layer_types=["sliding_attention", "full_attention"],
                max_position_embeddings=CONTEXT_LENGTH,
                **ids,
            )
        )
    if kind in SEQ2SEQ:
        return encoder_decoder(kind, tokenizer)
    if kind == "gpt2":
        return tf.GPT2LMHeadModel(
            tf.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=CONTEXT_LENGTH, **ids)
        )
    config = tf.BertConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT_LENGTH,
        **ids,
    )
    if kind == "masked":
        return tf.BertForMaskedLM(config)
    return tf.BertModel(config, add_pooling_layer=kind == "bert")


def encoder_decoder(family: str, tokenizer: Any) -> Any:
    """A tiny random encoder-decoder of a family, in the shapes of T5 or of BART."""
    import torch
    import transformers as tf

    ids: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "forced_eos_token_id": None,
        "decoder_start_token_id": tokenizer.pad_token_id,
        "d_model": 32,
    }
    if "t5" in family:
        own = {"d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2}
    else:
        ids["max_position_embeddings"] = CONTEXT_LENGTH
        if family == "m2m_100":  # its positions are counted from the padding id on
            ids["max_position_embeddings"] += len(tokenizer)
        own = {f"{end}_{part}": size for end in ("encoder", "decoder")
               for part, size in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 64))}  # fmt: skip
    if family in ("bart", "mbart", "plbart", "blenderbot"):
        ids["decoder_start_token_id"] = tokenizer.eos_token_id
    config = tf.CONFIG_MAPPING[family](**ids, **own)
    network = tf.AutoModelForSeq2SeqLM.from_config(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1 and parameter.requires_grad:
                parameter.normal_(std=0.15)
        if (bias := getattr(network, "final_logits_bias", None)) is not None:
            bias.normal_(std=0.5)
    return network


def _sentence_files(folder: Path) -> None:
    """The files by which sentence-transformers says how token vectors become one."""
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": "" if i == 0 else f"{i}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, kind in enumerate(kinds)
    ]
    pooling = {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": False,
        "pooling_mode_mean_tokens": True,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    _write(folder / "modules.json", modules)
    (folder / "1_Pooling").mkdir(exist_ok=True)
    _write(folder / "1_Pooling" / "config.json", pooling)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 128, "do_lower_case": False})


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")
