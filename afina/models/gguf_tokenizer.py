"""The tokenizer of a GGUF file, rebuilt as a tokenizer.json with its chat template.

A byte-level vocabulary is cut as its ``tokenizer.ggml.pre`` says (the wrong cut gives other tokens
without any error, so an unknown one is refused); a SentencePiece vocabulary gets back the merges
that its file does not carry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import ModelError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Kinds of tokens (``tokenizer.ggml.token_type``)."""

_ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_REST_SLASH = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_LLAMA3 = rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}"
_QWEN2 = rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    rf"|\p{{N}}|{_REST_SLASH}"
)
_GPT4O = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDINGS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDINGS}?|\p{{N}}{{1,3}}|{_REST_SLASH}"
)
DIGITS, GPT2 = "single digits, then GPT-2", "GPT-2"
CUTS = {
    "gpt-2": GPT2, "gpt2": GPT2, "olmo": GPT2, "phi-2": GPT2, "mpt": GPT2, "jais": GPT2,
    "smollm": DIGITS, "starcoder": DIGITS, "refact": DIGITS, "command-r": DIGITS,
    "codeshell": DIGITS, "exaone": DIGITS,
    "llama-bpe": _LLAMA3, "llama3": _LLAMA3, "llama-v3": _LLAMA3, "falcon3": _LLAMA3,
    "pixtral": _LLAMA3, "smaug-bpe": _LLAMA3, "dbrx": _LLAMA3, "lfm2": _LLAMA3,
    "qwen2": _QWEN2, "deepseek-r1-qwen": _QWEN2, "megrez": _QWEN2, "stablelm2": _QWEN2,
    "tekken": _TEKKEN, "gpt-4o": _GPT4O, "llama4": _GPT4O,
}  # fmt: skip
"""How each ``tokenizer.ggml.pre`` cuts text before the merges (names and patterns of llama.cpp)."""
_WHOLE_WORDS_FIRST = frozenset({"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "tekken"})
_SPACE = "▁"


@dataclass(frozen=True)
class _Vocabulary:
    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    ids: Mapping[str, int]


def write_tokenizer(fields: Mapping[str, Any], architecture: str, path: Path, folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json for a GGUF file. Raises ModelError."""
    vocabulary = _vocabulary(fields, path)
    settings = _settings(fields, vocabulary, architecture, path)
    model = fields.get("tokenizer.ggml.model")
    if model == "gpt2":
        tokenizer = _byte_level(fields, vocabulary, path)
    elif model == "llama":
        tokenizer = _sentence_piece(fields, vocabulary, architecture, path)
    else:
        raise ModelError(
            f"its tokenizer {str(model)[:40]!r} is not supported (gpt2 and llama are)",
            where=f"{path}: tokenizer.ggml.model",
            do="take the model in safetensors format instead",
        )
    _add_tokens(tokenizer, vocabulary)
    _frame(tokenizer, fields, vocabulary, default_bos=model == "llama")
    tokenizer.save(str(folder / "tokenizer.json"))
    text = json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True)
    (folder / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _vocabulary(fields: Mapping[str, Any], path: Path) -> _Vocabulary:
    tokens = fields.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(t, str) for t in tokens):
        raise ModelError(
            "it carries no vocabulary",
            where=f"{path}: tokenizer.ggml.tokens",
            do="take a file that was converted with its tokenizer",
        )
    # Gemma's files spell its tokens of several spaces with real spaces.
    spelled = [_SPACE * len(t) if len(t) > 1 and not t.strip(" ") else t for t in tokens]
    kinds = fields.get("tokenizer.ggml.token_type") or [NORMAL] * len(spelled)
    if len(kinds) != len(spelled) or len(set(spelled)) != len(spelled):
        raise ModelError(
            "its vocabulary holds a token twice, or has not one kind for each token",
            where=f"{path}: tokenizer.ggml.tokens",
            do="take another conversion of the model",
        )
    return _Vocabulary(tuple(spelled), tuple(kinds), {t: i for i, t in enumerate(spelled)})


def _byte_level(fields: Mapping[str, Any], vocabulary: _Vocabulary, path: Path) -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    cut_name = str(fields.get("tokenizer.ggml.pre", "default"))
    cut = CUTS.get(cut_name)
    if cut is None:
        raise ModelError(
            f"how its tokenizer cuts text ({cut_name[:40]!r}) is not known here",
            where=f"{path}: tokenizer.ggml.pre",
            do=f"known: {', '.join(CUTS)}; or take the model in safetensors format",
        )
    merges = [_pair(m, vocabulary, path) for m in fields.get("tokenizer.ggml.merges") or []]
    tokenizer = Tokenizer(
        models.BPE(
            vocab=dict(vocabulary.ids),
            merges=merges,
            ignore_merges=cut_name in _WHOLE_WORDS_FIRST,
        )
    )
    steps: list[Any]
    if cut is GPT2:
        steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    elif cut is DIGITS:
        steps = [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    else:
        steps = [
            pre_tokenizers.Split(Regex(cut), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if cut is _QWEN2 and cut_name != "stablelm2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _pair(merge: object, vocabulary: _Vocabulary, path: Path) -> tuple[str, str]:
    left, _, right = str(merge).partition(" ")
    if not {left, right, left + right} <= vocabulary.ids.keys():
        raise ModelError(
            f"the merge {str(merge)[:60]!r} is not of its vocabulary",
            where=f"{path}: tokenizer.ggml.merges",
            do="take another conversion of the model",
        )
    return left, right


def _sentence_piece(
    fields: Mapping[str, Any], vocabulary: _Vocabulary, architecture: str, path: Path
) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers

    given = fields.get("tokenizer.ggml.merges")
    if given:
        merges = [_pair(m, vocabulary, path) for m in given]
    else:
        scores = fields.get("tokenizer.ggml.scores") or []
        if architecture.startswith("gemma"):
            # Gemma's scores do not follow its merges; the order of its vocabulary does.
            scores = [-float(i) for i in range(len(vocabulary.tokens))]
        if len(scores) != len(vocabulary.tokens):
            raise ModelError(
                "it carries neither merges nor a score for each token",
                where=f"{path}: tokenizer.ggml.scores",
                do="take another conversion of the model",
            )
        merges = recover_merges(vocabulary.tokens, scores)
    unknown = fields.get("tokenizer.ggml.unknown_token_id", 0)
    tokenizer = Tokenizer(
        models.BPE(
            vocab=dict(vocabulary.ids),
            merges=merges,
            unk_token=vocabulary.tokens[unknown],
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    spaces = normalizers.Replace(" ", _SPACE)
    ends: list[Any] = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if fields.get("tokenizer.ggml.add_space_prefix", True):
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), spaces])
        ends.append(decoders.Strip(content=" ", left=1))
    else:
        tokenizer.normalizer = spaces
    tokenizer.decoder = decoders.Sequence(ends)
    return tokenizer


def recover_merges(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """The merges of a SentencePiece BPE vocabulary, best first.

    Every way to cut a piece into two pieces is a merge; its rank is the score of the whole, then
    the longer left part.
    """
    ids = {token: number for number, token in enumerate(tokens)}
    found: list[tuple[float, int, int, str, str]] = []
    for whole, score in zip(tokens, scores, strict=True):
        for cut in range(1, len(whole)):
            left, right = whole[:cut], whole[cut:]
            if left in ids and right in ids:
                found.append((-score, ids[whole], -len(left), left, right))
    found.sort(key=lambda merge: merge[:3])
    return [(left, right) for _, _, _, left, right in found]


def _add_tokens(tokenizer: Any, vocabulary: _Vocabulary) -> None:
    from tokenizers import AddedToken

    for wanted, special in ((CONTROL, True), (UNKNOWN, True), (USER_DEFINED, False)):
        tokens = [
            AddedToken(token, normalized=False, special=special)
            for token, kind in zip(vocabulary.tokens, vocabulary.kinds, strict=True)
            if kind == wanted and token
        ]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(tokens)


def _frame(
    tokenizer: Any, fields: Mapping[str, Any], vocabulary: _Vocabulary, *, default_bos: bool
) -> None:
    from tokenizers import processors

    begin = _wished(fields, vocabulary, "add_bos_token", "bos_token_id", default_bos)
    end = _wished(fields, vocabulary, "add_eos_token", "eos_token_id", False)
    if begin or end:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*(t for t, _ in begin), "$A", *(t for t, _ in end)],
            pair=[*(t for t, _ in begin), "$A", *(f"{t}:1" for t, _ in begin), "$B:1",
                  *(f"{t}:1" for t, _ in end)],
            special_tokens=list(dict([*begin, *end]).items()),
        )  # fmt: skip


def _wished(
    fields: Mapping[str, Any], vocabulary: _Vocabulary, switch: str, key: str, default: bool
) -> list[tuple[str, int]]:
    number = fields.get(f"tokenizer.ggml.{key}")
    if not fields.get(f"tokenizer.ggml.{switch}", default) or number is None:
        return []
    return [(vocabulary.tokens[number], int(number))]


def _settings(
    fields: Mapping[str, Any], vocabulary: _Vocabulary, architecture: str, path: Path
) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": int(fields[f"{architecture}.context_length"]),
        "padding_side": "right",
    }
    keys = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    for name, key in keys.items():
        number = fields.get(f"tokenizer.ggml.{key}_token_id")
        if number is None:
            continue
        if not isinstance(number, int) or not 0 <= number < len(vocabulary.tokens):
            raise ModelError(
                f"{number!r} is not the id of a token",
                where=f"{path}: tokenizer.ggml.{key}_token_id",
                do="take another conversion of the model",
            )
        settings[f"{name}_token"] = vocabulary.tokens[number]
    template = fields.get("tokenizer.chat_template")
    if isinstance(template, str) and template:
        settings["chat_template"] = template
    return settings
