"""Bad recipes (C) and bad places."""

from __future__ import annotations

from tests.bad_input.cases import RECIPE, Case, knob, raw, recipe

RECIPES = [
    Case("no recipe", lambda r: (r / "recipe.yaml").unlink(), ("recipe.yaml", "no such file")),
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
                f"{n}: &{n} [{', '.join(['*' + p] * 8)}]\n"
                for p, n in zip("abcdef", "bcdefg", strict=True)
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
    Case(
        "shares",
        recipe(
            "task: classify\nbase: ./base\n"
            "data: {train: rows.csv, split: {train: 0.8, validation: 0.3, test: 0.1}}\n"
        ),
        ("data.split", "1.2"),
    ),
    Case(
        "group without column",
        recipe("task: classify\nbase: x\ndata: {train: rows.csv, split: {by: group}}\n"),
        ("data.split", "column"),
    ),
    Case("deep", recipe("a: " + "[" * 100 + "]" * 100), ("nested too deep",)),
    Case(
        "-s form",
        lambda r: None,
        ("'train.epochs'", "key.path=value"),
        words=("run", "recipe.yaml", "-s", "train.epochs"),
    ),
    Case(
        "-s key",
        lambda r: None,
        ("train.epoch:", "did you mean epochs?"),
        words=("run", "recipe.yaml", "-s", "train.epoch=3"),
    ),
    Case(
        "-s value",
        lambda r: None,
        ("train.epochs", "'many'"),
        words=("run", "recipe.yaml", "-s", "train.epochs=many"),
    ),
]

PLACES = [
    Case(
        "C19 root",
        lambda r: None,
        ("root of the disk",),
        words=("run", "recipe.yaml", "--home", "/"),
    ),
    Case("C19 long", lambda r: None, ("too long",), 3, ("run", "recipe.yaml", "--home", "x" * 300)),
    Case(
        "C19 a file",
        lambda r: None,
        ("rows.csv", "folder"),
        words=("run", "recipe.yaml", "--home", "rows.csv"),
    ),
    Case("C22 no runs", lambda r: None, ("holds none yet",), words=("train", "--resume", "last")),
    Case("C22 not a run", lambda r: None, ("is not a run",), words=("train", "--resume", "./base")),
    Case("no run to show", lambda r: None, ("there is no run 'x'",), words=("show", "x")),
    Case("no run to serve", lambda r: None, ("there is no run 'x'",), words=("serve", "x")),
    Case(
        "no run to ask",
        lambda r: None,
        ("there is no run 'x'",),
        words=("predict", "x", "rows.csv"),
    ),
    Case(
        "no run to compare", lambda r: None, ("there is no run 'x'",), words=("compare", "x", "y")
    ),
    Case(
        "no run to promote",
        lambda r: None,
        ("there is no run 'x'",),
        words=("promote", "x", "--as", "y"),
    ),
    Case("no name to roll back", lambda r: None, ("promoted as y",), words=("rollback", "y")),
    Case("new over a file", lambda r: None, ("recipe.yaml", "already"), words=("new", "rows.csv")),
    Case("new of nothing", lambda r: None, ("no.csv",), words=("new", "no.csv", "--out", "a.yaml")),
]
