"""Bad files of examples (D)."""

from __future__ import annotations

import gzip
import json
import os

from tests.bad_input.cases import RECIPE, ROWS, Case, chat, data, messages, recipe

USER = {"role": "user", "content": "a question"}
ANSWER = {"role": "assistant", "content": "an answer"}
LINE = "rows.jsonl: row 30"

FILES = [
    Case("D1 missing", lambda r: (r / "rows.csv").rename(r / "row.csv"), ("rows.csv", "row.csv")),
    Case("D1 no folder", recipe(RECIPE.replace("rows.csv", "no/rows.csv")), ("no/rows.csv",)),
    Case(
        "D1 empty folder",
        lambda r: (recipe(RECIPE.replace("rows.csv", "empty.d"))(r), (r / "empty.d").mkdir()),
        ("empty.d",),
    ),
    Case("D2 empty", data(""), ("rows.csv", "0 rows")),
    Case("D2 blank lines", data("\n\n\n"), ("rows.csv",)),
    Case("D2 header only", data("text,label\n"), ("rows.csv", "0 rows")),
    Case(
        "D5 Latin-1",
        data((ROWS + "adiós señor,bug\n").encode("latin-1")),
        ("rows.csv", "line 32", "encoding"),
    ),
    Case("D5 UTF-16", data(ROWS.encode("utf-16")), ("rows.csv", "UTF-16")),
    Case("D6 one byte", data(ROWS.encode() + b"bad \xff byte,bug\n"), ("rows.csv", "line 32")),
    Case("D7 NUL", data(ROWS + "a\0b,bug\n"), ("rows.csv", "NUL")),
    Case("D8 surrogate", chat(r'{"prompt": "\ud800", "completion": "x"}'), (LINE, "surrogate")),
    Case(
        "D10 pretty",
        data(json.dumps([{"a": 1}], indent=2).strip("[]"), "rows.jsonl"),
        ("rows.jsonl: line 2", "pretty-printed"),
    ),
    Case("D11 comma", chat('{"prompt": "a", "completion": "b",}'), (LINE, "comma")),
    Case("D11 quotes", chat("{'prompt': 'a', 'completion': 'b'}"), (LINE, "quotes")),
    Case("D11 Python", chat('{"prompt": "a", "completion": None}'), (LINE, "None")),
    Case("D12 cut off", chat('{"prompt": "a", "compl'), (LINE, "ends")),
    Case("D13 twice", chat('{"prompt": "a", "prompt": "c", "completion": "b"}'), (LINE, "prompt")),
    Case("D14 NaN", chat('{"prompt": NaN, "completion": "b"}'), (LINE, "NaN")),
    Case("D14 digits", chat('{"prompt": ' + "9" * 400 + ', "completion": "b"}'), (LINE, "digits")),
    Case("D15 deep", chat('{"prompt": ' + "[" * 10_000 + "]" * 10_000 + "}"), (LINE, "deep")),
    Case(
        "D16 one line",
        data(b'{"text": "' + b"x" * 17_000_000 + b'"}', "rows.jsonl"),
        ("rows.jsonl", "16"),
    ),
    Case("D18 mixed", chat('{"text": "a", "label": "b"}'), (LINE,)),
    Case("D19 number", chat('{"prompt": 5, "completion": "b"}'), (LINE, "prompt", "number")),
    Case(
        "D19 list", data('{"text": ["a"], "label": "b"}\n', "rows.jsonl"), ("row 1", "text", "list")
    ),
    Case("D20 none", messages(), (LINE, "messages")),
    Case("D20 no answer", messages(USER), (LINE, "no assistant turn")),
    Case("D21 last", messages(USER, ANSWER, USER), (LINE,)),
    Case(
        "D22 all empty",
        data(
            "".join(f'{{"prompt": "q {i}", "completion": " "}}\n' for i in range(9)),
            "rows.jsonl",
            "generate",
        ),
        ("9", "empty_answer"),
    ),
    Case(
        "D23 role",
        messages({"role": "asistant", "content": "x"}, ANSWER),
        (LINE, "asistant", "assistant?"),
    ),
    Case("D23 bot", messages(USER, {"role": "bot", "content": "x"}), (LINE, "bot", "assistant?")),
    Case(
        "D24 system", messages(USER, {"role": "system", "content": "x"}, ANSWER), (LINE, "system")
    ),
    Case("D25 null", messages(USER, {"role": "assistant", "content": None}), (LINE, "content")),
    Case(
        "D25 result",
        messages(USER, {"role": "tool", "content": "4", "tool_call_id": "a"}, ANSWER),
        (LINE, "tool"),
    ),
    Case(
        "D25 arguments",
        messages(
            USER,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{"}}],
            },
        ),
        (LINE, "arguments"),
    ),
    Case(
        "D26 image",
        messages(
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, ANSWER
        ),
        (LINE, "text only"),
    ),
    Case(
        "D32 same file",
        recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, validation: rows.csv}\n"),
        ("rows.csv",),
    ),
    Case("D33 too few", data("text,label\none,a\ntwo,b\n"), ("2",)),
    Case("D37 quote", data(ROWS + '"open,bug\n'), ("rows.csv", "quote")),
    Case("D37 fields", data(ROWS + "a,b,c,d\n"), ("rows.csv", "row 31")),
    Case("D38 magic", data(b"not parquet at all", "rows.parquet"), ("rows.parquet",)),
    Case("D38 footer", data(b"PAR1" + b"\0" * 64, "rows.parquet"), ("rows.parquet",)),
    Case("D39 bomb", data(gzip.compress(b"a" * 90_000_000), "rows.jsonl.gz"), ("rows.jsonl.gz",)),
    Case(
        "D40 FIFO",
        lambda r: ((r / "rows.csv").unlink(), os.mkfifo(r / "rows.csv")),
        ("rows.csv", "regular file"),
    ),
    Case("D40 device", recipe(RECIPE.replace("rows.csv", "/dev/zero")), ("/dev/zero",)),
    Case("D42 twice", data("text,text,label\na,b,c\n"), ("rows.csv", "text")),
    Case("D44 script", recipe(RECIPE.replace("rows.csv", "rows.py")), ("rows.py",)),
    Case(
        "one label",
        data("text,label\n" + "".join(f"row {i},a\n" for i in range(20))),
        ("one label",),
    ),
    Case(
        "no label",
        data("text,other\n" + "".join(f"row {i},a\n" for i in range(20))),
        ("rows.csv", "label"),
    ),
    Case("wrong task", data(ROWS, task="generate"), ("rows.csv", "task: classify")),
    Case(
        "a column",
        recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, columns: {label: lable}}\n"),
        ("rows.csv", "'lable'", "did you mean label?"),
    ),
    Case(
        "split column",
        recipe(
            "task: classify\nbase: ./base\ndata: {train: rows.csv, split: {by: time, column: when}}\n"
        ),
        ("rows.csv", "'when'"),
    ),
    Case(
        "encoding",
        recipe("task: classify\nbase: ./base\ndata: {train: rows.csv, encoding: utf-88}\n"),
        ("utf-88",),
    ),
]
