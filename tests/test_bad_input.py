"""Bad files, bad recipes and bad models, through the real command line.

Every case: the right exit code, a message that names the file, row, column or key, a remedy, no
traceback, and nothing written into the home. The names of the cases are those of the catalogue of
bad input (C: recipes, D: data, M: models).
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from afina.cli import command_line

if TYPE_CHECKING:
    from afina.models.sources import Base
    from tests.tiny import Kind

RECIPE = "task: classify\nbase: ./base\ndata: {train: rows.csv}\n"
LABELS = ("billing", "bug", "delivery")
ROWS = "text,label\n" + "".join(f"sentence number {i} here,{LABELS[i % 3]}\n" for i in range(30))
Change = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """What is wrong, what the message must hold, and how the command ends."""

    name: str
    change: Change
    told: tuple[str, ...]
    code: int = 2
    words: tuple[str, ...] = ("run", "recipe.yaml")


def recipe(text: str) -> Change:
    """The recipe is exactly this text."""
    return lambda room: (room / "recipe.yaml").write_text(text, encoding="utf-8")


def knob(text: str) -> Change:
    """The good recipe with one more line."""
    return recipe(RECIPE + text + "\n")


def raw(content: bytes, name: str = "recipe.yaml") -> Change:
    return lambda room: (room / name).write_bytes(content)


def data(content: str | bytes, name: str = "rows.csv", task: str = "classify") -> Change:
    """A file of examples with this content, and a recipe that names it."""

    def change(room: Path) -> None:
        raw_bytes = content if isinstance(content, bytes) else content.encode("utf-8")
        (room / name).write_bytes(raw_bytes)
        text = RECIPE.replace("rows.csv", name).replace("classify", task)
        (room / "recipe.yaml").write_text(text, encoding="utf-8")

    return change


def chat(*lines: str) -> Change:
    """Rows of JSONL for task: generate, after 29 good ones."""
    good = [json.dumps({"prompt": f"question {i}", "completion": f"answer {i}"}) for i in range(29)]
    return data("\n".join([*good, *lines]) + "\n", "rows.jsonl", "generate")


def messages(*turns: Any) -> Change:
    """One conversation, after 29 good ones."""
    good = [
        {"messages": [{"role": "user", "content": f"q {i}"}, {"role": "assistant", "content": "a"}]}
        for i in range(29)
    ]
    rows = [*good, {"messages": list(turns)}]
    return data("\n".join(map(json.dumps, rows)) + "\n", "rows.jsonl", "generate")


USER = {"role": "user", "content": "a question"}
ANSWER = {"role": "assistant", "content": "an answer"}
LINE = "rows.jsonl: row 30"

RECIPES = [
    Case("no recipe", lambda r: (r / "recipe.yaml").unlink(), ("recipe.yaml: no such file",)),
    Case("a folder", lambda r: None, (": not a file",), words=("run", ".")),
    Case("C1 tab", recipe("task: classify\n\tbase: x\n"), ("line 2, column 1", "tab", "in: base")),
    Case("C1 indent", recipe("task: a\n  base: x\n"), ("recipe.yaml: line 2", "in: base: x")),
    Case(
        "C2 python object",
        recipe("task: !!python/object/apply:os.system ['touch pwned']\n"),
        ("recipe.yaml: line 1", "python/object"),
    ),
    Case(
        "C3 anchor bomb",
        recipe(
            "a: &a [x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{n}: &{n} [{', '.join(['*' + p] * 8)}]\n" for p, n in zip("abcdef", "bcdefg")
            )
        ),
        ("too many YAML aliases",),
    ),
    Case("C4 key", knob("train: {learning_rat: 1}"), ("train.learning_rat", "learning_rate?")),
    Case("C4 top", knob("trian: {epochs: 1}"), ("recipe.yaml: trian", "did you mean train?")),
    Case("C4 method key", knob("method: {name: lora, rnk: 8}"), ("method.rnk", "mean rank?")),
    Case("C4 task", recipe(RECIPE.replace("classify", "clasify")), ("clasify", "mean classify?")),
    Case("C4 method", knob("method: lorra"), ("method", "'lorra'", "did you mean lora?")),
    Case("C4 objective", knob("objective: dpo"), ("objective", "'dpo'", "supervised")),
    Case("C6 on", knob("train: {exact: on}"), ("train.exact", "'on'")),
    Case("C6 1_000", knob("train: {max_steps: 1_000}"), ("train.max_steps", "'1_000'")),
    Case("C6 octal", knob("train: {max_steps: 0o17}"), ("train.max_steps", "'0o17'")),
    Case("C7 zero", knob("train: {learning_rate: 0}"), ("train.learning_rate", "greater than 0")),
    Case("C7 negative", knob("train: {learning_rate: -1e-3}"), ("train.learning_rate",)),
    Case("C7 ten", knob("train: {learning_rate: 10}"), ("train.learning_rate", "less than 10")),
    Case("C7 NaN", knob("train: {learning_rate: .nan}"), ("train.learning_rate", "finite")),
    Case("C8 zero", knob("train: {batch_size: 0}"), ("train.batch_size", "1")),
    Case("C8 minus", knob("train: {batch_size: -1}"), ("train.batch_size",)),
    Case("C8 half", knob("train: {batch_size: 1.5}"), ("train.batch_size", "1.5")),
    Case("C8 word", knob("train: {batch_size: 'auto '}"), ("train.batch_size", "'auto '")),
    Case("C9 epochs", knob("train: {epochs: 0}"), ("train.epochs",)),
    Case("C9 steps", knob("train: {max_steps: 0}"), ("train.max_steps",)),
    Case("C10 rank", knob("method: {name: lora, rank: 0}"), ("method.rank",)),
    Case("C10 alpha", knob("method: {name: lora, alpha: 0}"), ("method.alpha",)),
    Case("C13 dropout", knob("method: {name: lora, dropout: 1.0}"), ("method.dropout",)),
    Case("C13 warm-up", knob("train: {warmup: 1.5}"), ("train.warmup", "less than 1")),
    Case("C13 betas", knob("train: {betas: [0.9, 1.0]}"), ("train.betas", "below 1")),
    Case("C14 both", knob("fp16: true\nbf16: true"), ("fp16", "bf16")),
    Case("C14 float16", knob("train: {precision: float16}"), ("train.precision", "bfloat16")),
    Case("C17 save", knob("train: {save_every_steps: 0}"), ("train.save_every_steps",)),
    Case("C17 keep", knob("train: {keep_checkpoints: 0}"), ("train.keep_checkpoints",)),
    Case("C23 minus", knob("train: {seed: -1}"), ("train.seed",)),
    Case("C23 large", knob(f"train: {{seed: {2**70}}}"), ("train.seed",)),
    Case("C24 large", raw(b"a" * 50_000_000), ("50,000,000 bytes",)),
    Case("C24 binary", raw(bytes(range(256)) * 8), ("not a text file",)),
    Case("C24 empty", raw(b""), ("recipe.yaml: the recipe is empty",)),
    Case("C24 Latin-1", raw("task: café\n".encode("latin-1")), ("byte 9 is not UTF-8",)),
    Case("C24 a list", recipe("- task: classify\n"), ("a recipe is a mapping",)),
    Case(
        "C25 variable",
        recipe(RECIPE.replace("./base", "${NO_SUCH_TOKEN}")),
        ("NO_SUCH_TOKEN is not set",),
    ),
    Case(
        "C26 Axolotl",
        recipe("base_model: x\nadapter: lora\nsequence_len: 512\ndatasets: []\n"),
        ("Axolotl",),
    ),
    Case(
        "C26 LLaMA-Factory",
        recipe("model_name_or_path: x\nstage: sft\nfinetuning_type: lora\ncutoff_len: 512\n"),
        ("LLaMA-Factory",),
    ),
    Case("a key twice", recipe(RECIPE + "base: ./other\n"), ("line 4", "base stands twice")),
    Case("no data", recipe("task: classify\nbase: x\n"), ("data: is missing",)),
    Case("no base", recipe("task: classify\ndata: {train: rows.csv}\n"), ("base: is missing",)),
    Case("name", knob("name: ../../x"), ("name", "'../../x'")),
    Case("shares", recipe(
        "task: classify\nbase: ./base\n"
        "data: {train: rows.csv, split: {train: 0.8, validation: 0.3, test: 0.1}}\n"
    ), ("data.split", "1.2")),
    Case(
        "group without column",
        recipe("task: classify\nbase: x\ndata: {train: rows.csv, split: {by: group}}\n"),
        ("data.split", "column"),
    ),
    Case("deep", recipe("a: " + "[" * 100 + "]" * 100), ("nested too deep",)),
    Case("-s form", lambda r: None, ("'train.epochs'", "key.path=value"),
         words=("run", "recipe.yaml", "-s", "train.epochs")),
    Case("-s key", lambda r: None, ("train.epoch:", "did you mean epochs?"),
         words=("run", "recipe.yaml", "-s", "train.epoch=3")),
    Case("-s value", lambda r: None, ("train.epochs", "'many'"),
         words=("run", "recipe.yaml", "-s", "train.epochs=many")),
]

FILES = [
    Case("D1 missing", lambda r: (r / "rows.csv").rename(r / "row.csv"), ("rows.csv", "row.csv")),
    Case("D1 no folder", recipe(RECIPE.replace("rows.csv", "no/rows.csv")), ("no/rows.csv",)),
    Case("D1 empty folder", lambda r: (recipe(RECIPE.replace("rows.csv", "empty.d"))(r), (r / "empty.d").mkdir()), ("empty.d",)),
    Case("D2 empty", data(""), ("rows.csv", "0 rows")),
    Case("D2 blank lines", data("\n\n\n"), ("rows.csv",)),
    Case("D2 header only", data("text,label\n"), ("rows.csv", "0 rows")),
    Case("D5 Latin-1", data((ROWS + "adiós señor,bug\n").encode("latin-1")), ("rows.csv", "line 32", "encoding")),
    Case("D5 UTF-16", data(ROWS.encode("utf-16")), ("rows.csv", "UTF-16")),
    Case("D6 one byte", data(ROWS.encode() + b"bad \xff byte,bug\n"), ("rows.csv", "line 32")),
    Case("D7 NUL", data(ROWS + "a\0b,bug\n"), ("rows.csv", "NUL")),
    Case("D8 surrogate", chat(r'{"prompt": "\ud800", "completion": "x"}'), (LINE, "surrogate")),
    Case("D10 pretty", data(json.dumps([{"a": 1}], indent=2).strip("[]"), "rows.jsonl"), ("rows.jsonl: line 2", "pretty-printed")),
    Case("D11 comma", chat('{"prompt": "a", "completion": "b",}'), (LINE, "comma")),
    Case("D11 quotes", chat("{'prompt': 'a', 'completion': 'b'}"), (LINE, "quotes")),
    Case("D11 Python", chat('{"prompt": "a", "completion": None}'), (LINE, "None")),
    Case("D12 cut off", chat('{"prompt": "a", "compl'), (LINE, "ends")),
    Case("D13 twice", chat('{"prompt": "a", "prompt": "c", "completion": "b"}'), (LINE, "prompt")),
    Case("D14 NaN", chat('{"prompt": NaN, "completion": "b"}'), (LINE, "NaN")),
    Case("D14 digits", chat('{"prompt": ' + "9" * 400 + ', "completion": "b"}'), (LINE, "digits")),
    Case("D15 deep", chat('{"prompt": ' + "[" * 10_000 + "]" * 10_000 + "}"), (LINE, "deep")),
    Case("D16 one line", data(b'{"text": "' + b"x" * 17_000_000 + b'"}', "rows.jsonl"), ("rows.jsonl", "16")),
    Case("D18 mixed", chat('{"text": "a", "label": "b"}'), (LINE,)),
    Case("D19 number", chat('{"prompt": 5, "completion": "b"}'), (LINE, "prompt", "number")),
    Case("D19 list", data('{"text": ["a"], "label": "b"}\n', "rows.jsonl"), ("row 1", "text", "list")),
    Case("D20 none", messages(), (LINE, "messages")),
    Case("D20 no answer", messages(USER), (LINE, "no assistant turn")),
    Case("D21 last", messages(USER, ANSWER, USER), (LINE,)),
    Case("D22 all empty", data("".join(f'{{"prompt": "q {i}", "completion": " "}}\n' for i in range(9)), "rows.jsonl", "generate"), ("9", "empty_answer")),
    Case("D23 role", messages({"role": "asistant", "content": "x"}, ANSWER), (LINE, "asistant", "assistant?")),
    Case("D23 bot", messages(USER, {"role": "bot", "content": "x"}), (LINE, "bot", "assistant?")),
    Case("D24 system", messages(USER, {"role": "system", "content": "x"}, ANSWER), (LINE, "system")),
    Case("D25 null", messages(USER, {"role": "assistant", "content": None}), (LINE, "content")),
    Case("D25 result", messages(USER, {"role": "tool", "content": "4", "tool_call_id": "a"}, ANSWER), (LINE, "tool")),
    Case("D25 arguments", messages(USER, {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{"}}]}), (LINE, "arguments")),
    Case("D26 image", messages({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, ANSWER), (LINE, "text only")),
    Case("D32 same file", recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, validation: rows.csv}\n"), ("rows.csv",)),
    Case("D33 too few", data("text,label\none,a\ntwo,b\n"), ("2",)),
    Case("D37 quote", data(ROWS + '"open,bug\n'), ("rows.csv", "quote")),
    Case("D37 fields", data(ROWS + "a,b,c,d\n"), ("rows.csv", "row 31")),
    Case("D38 magic", data(b"not parquet at all", "rows.parquet"), ("rows.parquet",)),
    Case("D38 footer", data(b"PAR1" + b"\0" * 64, "rows.parquet"), ("rows.parquet",)),
    Case("D39 bomb", data(gzip.compress(b"a" * 90_000_000), "rows.jsonl.gz"), ("rows.jsonl.gz",)),
    Case("D40 FIFO", lambda r: ((r / "rows.csv").unlink(), os.mkfifo(r / "rows.csv")), ("rows.csv", "regular file")),
    Case("D40 device", recipe(RECIPE.replace("rows.csv", "/dev/zero")), ("/dev/zero",)),
    Case("D42 twice", data("text,text,label\na,b,c\n"), ("rows.csv", "text")),
    Case("D44 script", recipe(RECIPE.replace("rows.csv", "rows.py")), ("rows.py",)),
    Case("one label", data("text,label\n" + "".join(f"row {i},a\n" for i in range(20))), ("one label",)),
    Case("no label", data("text,other\n" + "".join(f"row {i},a\n" for i in range(20))), ("rows.csv", "label")),
    Case("wrong task", data(ROWS, task="generate"), ("rows.csv", "task: classify")),
    Case("a column", recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, columns: {label: lable}}\n"), ("rows.csv", "'lable'", "did you mean label?")),
    Case("split column", recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, split: {by: time, column: when}}\n"), ("rows.csv", "'when'")),
    Case("encoding", recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, encoding: utf-88}\n"), ("utf-88",)),
]  # fmt: skip


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good recipe and good rows, where the command is given; no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFINA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    (tmp_path / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "rows.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def refuse(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Make the case and hold the command line to everything that is promised."""
    case.change(room)
    home = room / "home"
    before = sorted(p.name for p in room.iterdir())
    code = command_line([*case.words, "--home", str(home)])
    out, err = capsys.readouterr()
    assert out == "", "standard output is for answers"
    assert code == case.code, err
    for told in case.told:
        assert told in err
    assert "→ " in err, f"no remedy: {err}"
    assert "Traceback" not in err
    assert "not your fault" not in err
    assert not home.exists(), "something was written into the home"
    assert sorted(p.name for p in room.iterdir() if p.name != "cache") == before


@pytest.mark.parametrize("case", RECIPES, ids=lambda c: c.name)
def test_a_bad_recipe(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(case, room, capsys)


@pytest.mark.parametrize("case", FILES, ids=lambda c: c.name)
def test_a_bad_file(case: Case, room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refuse(case, room, capsys)
