"""How a conversation becomes tokens: the only place, for training, evaluation and serving alike.

Each assistant turn is found by rendering the conversation up to it with the generation prompt, and
once more with the turn: what was added is the answer. Prompt and answer are tokenised apart, so the
prompt that was trained is, token by token, the prompt that is served.
"""

from __future__ import annotations

import copy
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from afina.errors import DataError, ModelError
from afina.models.windows import cut_windows
from afina.types import IGNORED, Encoded, Message, Rendered, Window

# Private-use characters that stand for a control token's text inside a message.
_MARK_FIRST, _MARK_LAST = 0xF0000, 0xF0FFF


class ChatRenderer:
    """Renders conversations with the template of a tokenizer, or plainly where there is none.

    Plainly means: the contents of the messages, one a line, and the answer closed by the end token.
    Control tokens written inside a message are encoded as the text they are, never as control.
    """

    def __init__(
        self,
        tokenizer: Any,
        start: int | None = None,
        prompts: Mapping[str, str] | None = None,
        *,
        both_sides: bool = False,
    ) -> None:
        """``start``: the token with which the decoder of an encoder-decoder begins. ``prompts``: what
        a sentence encoder was trained to see before a ``query`` and a ``passage``. ``both_sides``: for
        an encoder, which sees what comes after a token too."""
        self.prompts = dict(prompts or {})
        self.tokenizer = tokenizer
        self.start = start
        self.both_sides = both_sides
        self._languages: dict[tuple[str, bool], Any] = {}
        self.has_template = bool(getattr(tokenizer, "chat_template", None))
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_padding()  # some tokenizer files pad every text to 128, or cut it there
        self._backend.no_truncation()
        self._literal = copy.deepcopy(self._backend)
        self._literal.encode_special_tokens = True
        controls = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
        self._controls = sorted(controls | set(tokenizer.all_special_tokens), key=len, reverse=True)
        self._control_pattern = re.compile("|".join(map(re.escape, self._controls)) or r"(?!)")
        self._mark_pattern = re.compile(f"[{chr(_MARK_FIRST)}-{chr(_MARK_LAST)}]")
        self.stop_ids = self._find_stop_ids()
        separator = tokenizer.sep_token_id
        pair = self._backend.encode("a", "a", add_special_tokens=True)
        self._separates_pairs = separator is not None and separator in pair.ids[:-1]
        self.pair_mark = separator if self._tells_segments(pair) else None
        """The token behind which the tokenizer's own segments (``token_type_ids``) go from 0 to 1."""

    # ------------------------------------------------------------------ what others call

    def conversation(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> Rendered:
        """Ids of the whole conversation and, for each, whether the loss counts it.

        In the loss: the assistant turns with weight, each up to and with its end token. Raises
        DataError if a turn cannot be rendered, ModelError if the template breaks the rule that a
        conversation begins with its own beginning.
        """
        ids: list[int] = []
        in_loss: list[bool] = []
        for text, answer, weight in self._segments(messages, tools):
            piece = self._tokens(text)
            ids += piece
            in_loss += self._loss_of(piece) if answer and weight else [False] * len(piece)
        return Rendered(tuple(ids), tuple(in_loss))

    def prompt(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] = ()
    ) -> tuple[int, ...]:
        """Ids of everything up to where the assistant begins to speak."""
        done = [self._tokens(text) for text, _, _ in self._segments(messages, tools, open_end=True)]
        return tuple(i for piece in done for i in piece)

    def text(self, text: str, second: str | None = None) -> tuple[int, ...]:
        """Ids of a bare text, with the special tokens that the tokenizer itself puts around it.

        A pair is put together by the tokenizer's template where that sets a separator between the
        texts, as encoders have learned it; else the second stands on a line of its own.
        """
        if second is None:
            return tuple(self._literal.encode(text, add_special_tokens=True).ids)
        if self._separates_pairs:
            return tuple(self._literal.encode(text, second, add_special_tokens=True).ids)
        return self.text(f"{text}\n{second}")

    def frame(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The special tokens that the tokenizer puts before and behind a text."""
        found = self._literal.encode("a", add_special_tokens=True)
        real = [i for i, special in enumerate(found.special_tokens_mask) if not special]
        return tuple(found.ids[: real[0]]), tuple(found.ids[real[-1] + 1 :])

    def words(self, words: Sequence[str]) -> tuple[tuple[int, ...], tuple[int | None, ...]]:
        """Ids of words with one space between them, and the first token of each.

        A word of which the tokenizer leaves nothing (a control character) has None.
        """
        begins: list[int] = []
        length = 0
        for word in words:
            begins.append(length)
            length += len(word) + 1
        text = " ".join(words)
        found = self._literal.encode(text, add_special_tokens=True)
        firsts: list[int | None] = [None] * len(words)
        marks = zip(found.offsets, found.special_tokens_mask, strict=True)
        for token, ((begin, end), special) in enumerate(marks):
            start = begin
            while start < end and text[start] == " ":  # byte-level pieces begin with the space
                start += 1
            if special or start == end:
                continue
            place = bisect_right(begins, start) - 1
            if firsts[place] is None:
                firsts[place] = token
        return tuple(found.ids), tuple(firsts)

    def windows(self, question: str, context: str, size: int, overlap: int) -> tuple[Window, ...]:
        """The pair in windows, each with the whole question and some tokens of the text, of which it
        shares ``overlap`` with the window before: those of Hugging Face's tokenizers with ``stride``.

        Places are those of the text's tokens, without outer spaces, behind one for the first token.
        Raises ModelError for a tokenizer that keeps no two texts apart, DataError for a question that
        leaves too little room.
        """
        if not self._separates_pairs:
            raise ModelError(
                "the tokenizer of this base sets no separator between a question and a text",
                where="base",
                do="take another base",
            )
        return cut_windows(self._literal, question, context, size, overlap)

    def completion(self, text: str) -> tuple[int, ...]:
        """Ids of a raw prompt to go on from: as ``text``, without the tokenizer's end token."""
        ids = self.text(text)
        while ids and ids[-1] in self.stop_ids:
            ids = ids[:-1]
        return ids

    def bare(self, text: str) -> tuple[int, ...]:
        """Ids of a text alone, without any special token."""
        return tuple(self._literal.encode(text, add_special_tokens=False).ids)

    def prompt_of(self, use: Literal["query", "passage"]) -> str:
        """What the base was trained to see before a text of that use; empty where nothing is said."""
        if use == "passage" and "passage" not in self.prompts:
            return self.prompts.get("document", "")
        return self.prompts.get(use, "")

    def source(self, text: str, language: str | None = None) -> tuple[int, ...]:
        """Ids that the encoder of an encoder-decoder reads.

        Raises ModelError if the tokenizer writes language codes and none is given, or the reverse.
        """
        return tuple(self._speaking(language, False).encode(text, add_special_tokens=True).ids)

    def target(self, text: str, language: str | None = None) -> tuple[int, ...]:
        """Ids that the decoder writes: its start token, the text, the end. Errors as ``source``."""
        if self.start is None:
            raise ModelError(
                "the base does not say with which token its decoder begins",
                where="config.json: decoder_start_token_id",
                do="add it, or take another base",
            )
        ids = self._speaking(language, True).encode(text, add_special_tokens=True).ids
        return (self.start, *ids)

    def opening(self, language: str | None = None) -> tuple[int, ...]:
        """What every target begins with: the start token, and a language code where there is one."""
        empty = self.target("", language)
        end = next((i for i, t in enumerate(empty) if i and t in self.stop_ids), len(empty))
        return empty[:end]

    def _tells_segments(self, pair: Any) -> bool:
        """Whether the tokenizer gives a pair segments, and they change behind the first separator."""
        if not self._separates_pairs or "token_type_ids" not in self.tokenizer.model_input_names:
            return False
        first = pair.ids.index(self.tokenizer.sep_token_id) + 1
        return bool(pair.type_ids == [0] * first + [1] * (len(pair.ids) - first))

    def _speaking(self, language: str | None, writes: bool) -> Any:
        """The backend with the special tokens of a language; the plain one where there are none."""
        has = hasattr(self.tokenizer, "set_tgt_lang_special_tokens")
        if language is None and not has:
            return self._literal
        if language is None or not has:
            key = "target_language" if writes else "source_language"
            raise ModelError(
                "the tokenizer of this base writes language codes, and none is named"
                if has
                else "the tokenizer of this base writes no language codes",
                where=f"task.{key}",
                do="name one, such as en_XX" if has else "leave it out",
            )
        if (language, writes) not in self._languages:
            self._languages[language, writes] = self._made_to_speak(language, writes)
        return self._languages[language, writes]

    def _made_to_speak(self, language: str, writes: bool) -> Any:
        if self.tokenizer.convert_tokens_to_ids(language) in (None, self.tokenizer.unk_token_id):
            raise ModelError(
                f"the base knows no language {language}",
                where="task.target_language" if writes else "task.source_language",
                do="write the code as its tokenizer has it, such as en_XX or eng_Latn",
            )
        tokenizer = copy.deepcopy(self.tokenizer)
        set_language = "set_tgt_lang_special_tokens" if writes else "set_src_lang_special_tokens"
        getattr(tokenizer, set_language)(language)
        backend = tokenizer.backend_tokenizer
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True
        return backend

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer's ids, control tokens left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))

    def pieces(self, row: Encoded) -> tuple[tuple[str, bool], ...]:
        """A trained row as text, cut where the loss begins and ends; control tokens shown."""
        cut: list[tuple[list[int], bool]] = [(list(row.source), False)] if row.source else []
        for token, target in zip(row.ids, row.targets, strict=True):
            counts = target != IGNORED
            if not cut or cut[-1][1] != counts:
                cut.append(([], counts))
            cut[-1][0].append(token)
        return tuple((str(self.tokenizer.decode(ids)), counts) for ids, counts in cut)

    def controls_in(self, text: str) -> list[str]:
        """Control tokens written out in a text (they are encoded as plain text)."""
        return self._control_pattern.findall(text)

    # ------------------------------------------------------------------ segments

    def _segments(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        open_end: bool = False,
    ) -> Iterator[tuple[str, bool, int]]:
        """(text, is an answer, weight), in order; together they are the rendered conversation."""
        done = ""
        for index, message in enumerate(messages):
            if message.role != "assistant":
                continue
            before = self._render(messages[:index], tools, generation=True)
            after = self._render(messages[: index + 1], tools, generation=False)
            if not before.startswith(done) or not after.startswith(before):
                raise ModelError(
                    f"the chat template changes earlier text at turn {index + 1}, so what is trained "
                    "would not be what is served",
                    where="chat template",
                    do="use a base whose template renders a conversation from left to right",
                )
            yield before[len(done) :], False, 0
            yield after[len(before) :], True, message.weight
            done = after
        if open_end:
            whole = self._render(messages, tools, generation=True)
            if not whole.startswith(done):
                raise ModelError(
                    "the chat template changes earlier text when the last turn is added",
                    where="chat template",
                    do="use a base whose template renders a conversation from left to right",
                )
            yield whole[len(done) :], False, 0

    def _render(
        self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]], generation: bool
    ) -> str:
        if not self.has_template:
            return self._plain(messages)
        import jinja2

        turns = [self._turn(message) for message in messages]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    turns,
                    tools=[dict(t) for t in tools] or None,
                    add_generation_prompt=generation,
                    tokenize=False,
                    date_string="26 Jul 2024",  # a template with a calendar must not change by day
                )
            )
        except (jinja2.TemplateError, TypeError, KeyError, ValueError) as error:
            raise DataError(
                f"the chat template of the base refuses this conversation: {error}",
                where=f"roles {', '.join(m.role for m in messages)}",
                do="mend the order of the roles, or take a base whose template allows it",
            ) from None

    def _plain(self, messages: Sequence[Message]) -> str:
        begin = self.tokenizer.bos_token if self._adds_begin() else ""
        end = self.tokenizer.eos_token or ""
        return begin + "".join(
            self._marked(m.content) + (end if m.role == "assistant" else "\n") for m in messages
        )

    def _adds_begin(self) -> bool:
        begin = self.tokenizer.bos_token_id
        ids = self._backend.encode("a", add_special_tokens=True).ids
        return begin is not None and bool(ids) and ids[0] == begin

    def _turn(self, message: Message) -> dict[str, Any]:
        turn: dict[str, Any] = {"role": message.role, "content": self._marked(message.content)}
        if message.name:
            turn["name"] = self._marked(message.name)
        if message.tool_calls:
            turn["tool_calls"] = [self._marked_deep(dict(call)) for call in message.tool_calls]
        if message.tool_call_id:
            turn["tool_call_id"] = message.tool_call_id
        return turn

    # ------------------------------------------------------------------ tokens

    def _marked(self, text: str) -> str:
        """The text with each control token written in it replaced by one private character."""
        if not self._control_pattern.search(text):
            return text
        return self._control_pattern.sub(
            lambda match: chr(_MARK_FIRST + self._controls.index(match.group())), text
        )

    def _marked_deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._marked(value)
        if isinstance(value, Mapping):
            return {k: self._marked_deep(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self._marked_deep(v) for v in value]
        return value

    def _tokens(self, text: str) -> list[int]:
        if not self._mark_pattern.search(text):
            return list(self._backend.encode(text, add_special_tokens=False).ids)
        ids: list[int] = []
        start = 0
        for match in self._mark_pattern.finditer(text):
            ids += self._backend.encode(text[start : match.start()], add_special_tokens=False).ids
            literal = self._controls[ord(match.group()) - _MARK_FIRST]
            ids += self._literal.encode(literal, add_special_tokens=False).ids
            start = match.end()
        return ids + list(self._backend.encode(text[start:], add_special_tokens=False).ids)

    def _loss_of(self, answer: Sequence[int]) -> list[bool]:
        """Up to and with the last end token; what the template adds after it is not an answer."""
        for last in range(len(answer) - 1, -1, -1):
            if answer[last] in self.stop_ids:
                return [i <= last for i in range(len(answer))]
        raise ModelError(
            "the chat template closes the assistant's turn with no end token, so a model could "
            "never learn to stop",
            where="chat template",
            do="use a base whose template ends a turn with a special token",
        )

    def _find_stop_ids(self) -> frozenset[int]:
        """The tokenizer's end token, and the control token with which the template ends a turn."""
        stops = {self.tokenizer.eos_token_id}
        if self.has_template:
            said = "quartz"
            probe = [Message("user", "a"), Message("assistant", said)]
            rendered = self._render(probe, (), generation=False)
            after = rendered[rendered.rfind(said) + len(said) :]
            controls = set(self.tokenizer.all_special_ids) | {
                i for i, t in self.tokenizer.added_tokens_decoder.items() if t.special
            }
            stops.add(next((i for i in self._tokens(after) if i in controls), None))
        return frozenset(int(i) for i in stops if i is not None)
