"""The rules of the house, read from the code: see ARCHITECTURE.md.

Each rule is a function over the sources, and each is also shown a violation, so that a guard that
has gone blind is noticed.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "afina"
FILES = sorted(PACKAGE.rglob("*.py"))

RANKS = {
    "types": 0,
    "errors": 0,
    "tasks": 1,
    "objectives": 1,
    "methods": 1,
    "recipe": 2,
    "store": 3,
    "data": 4,
    "evaluate": 5,
    "models": 6,
    "retrieval": 6,
    "train": 7,
    "baselines": 7,
    "flow": 8,
    "serve": 9,
    "decide": 9,
    "sweep": 9,
    "door": 10,
    "": 11,
    "cli": 12,
    "__main__": 13,
}
"""``""`` is ``afina/__init__.py``: it names the door and imports lazily."""
WHOLE_NAME = re.compile(r"\bafina(?:\.\w+)*")


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    if len(parts) > 1:
        return parts[0]
    return "" if parts[0] == "__init__.py" else parts[0].removesuffix(".py")


def imports(source: str) -> Iterator[tuple[int, str, bool]]:
    """(line, module, whether at the top level and at run time) of every import, wherever it is."""
    tree = ast.parse(source)
    typing_only: set[ast.AST] = set()
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only.update(child for part in node.body for child in ast.walk(part))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside.update(ast.walk(node))
    for node in ast.walk(tree):
        early = node not in typing_only and node not in inside
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, early) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            if node.module == "afina":  # from afina import flow
                yield from ((node.lineno, f"afina.{a.name}", early) for a in node.names)
            else:
                yield node.lineno, node.module or "", early


def upward_imports(path: Path, source: str) -> list[str]:
    """Imports of a room of the same or a higher rank, typing-only ones included."""
    own = room_of(path)
    wrong = []
    for line, module, _ in imports(source):
        first, _, rest = module.partition(".")
        if first != "afina":
            continue
        other = rest.split(".")[0]
        if other == "__version__":
            continue
        assert other in RANKS, f"{path}:{line}: {module} is in no room of the table"
        if other != own and RANKS[other] >= RANKS[own]:
            wrong.append(f"{path.relative_to(ROOT)}:{line}: {own or 'afina'} imports {other}")
    return wrong


# ---------------------------------------------------------------------------- rooms


def test_every_room_has_a_rank() -> None:
    rooms = {room_of(path) for path in FILES}
    assert rooms <= RANKS.keys(), "give the new room a rank here and in ARCHITECTURE.md"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_import_downwards(path: Path) -> None:
    assert upward_imports(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("data/read.py", "import afina.models.load"),
        ("tasks/classify.py", "def f():\n    from afina.methods import METHODS"),
        (
            "train/loop.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import afina.baselines",
        ),
        ("store/run.py", "from afina import flow"),
    ],
)
def test_an_upward_import_is_seen(room: str, source: str) -> None:
    assert len(upward_imports(PACKAGE / room, source)) == 1


def test_the_ranks_are_those_of_the_architecture() -> None:
    told = {}
    for line in (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| (\d+) \| ([^|]*)\|", line)
        if match:
            for name in re.findall(r"`([\w/]+)`", match[2]):
                told[name.rstrip("/")] = int(match[1])
    told = {("" if name == "afina" else name): rank for name, rank in told.items()}
    assert told.items() <= {**RANKS}.items(), "ARCHITECTURE.md and this table tell different ranks"
    assert {"store", "data", "models", "train", "cli"} <= told.keys()


def doors() -> dict[str, str]:
    """What ARCHITECTURE.md says of each room's door."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("## The doors")[2]
    return dict(re.findall(r"\*\*(\w+)\*\* — (.*)", text))


@pytest.mark.parametrize("room", [*doors()])
def test_a_door_names_what_is_there(room: str) -> None:
    own = [path for path in FILES if room_of(path) in (room, "types")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in own)
    called = set(re.findall(r"(\w+)\(", " ".join(re.findall(r"`[^`]+`", doors()[room]))))
    assert {c for c in called if not re.search(rf"(?:def|class) {c}\b", source)} <= {"len"}


def test_the_door_of_flow_names_all_that_it_offers() -> None:
    from afina import flow

    assert set(flow.__all__) - set(re.findall(r"\w+", doors()["flow"])) == set()


HEAVY = {"torch", "transformers", "peft", "sklearn", "fastapi", "sqlalchemy", "pyarrow", "datasets"}


@pytest.mark.parametrize(
    "path", [p for p in FILES if RANKS[room_of(p)] <= 2], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_the_lower_rooms_need_nothing_heavy(path: Path) -> None:
    early = {m.split(".")[0] for _, m, top in imports(path.read_text(encoding="utf-8")) if top}
    assert early & HEAVY == set()


# ---------------------------------------------------------------------------- what may not stand


FORBIDDEN = {
    "pickle": r"\b(?:import|from) (?:pickle|cPickle|dill|joblib|shelve|marshal)\b",
    "torch.load": r"\btorch\.load\(|\bload_state_dict_from_url\b",
    "remote code": r"trust_remote_code\s*=\s*(?!False\b)\S",
    "numpy pickles": r"allow_pickle\s*=\s*(?!False\b)\S",
    "eval": r"(?<![\w.])(?:eval|exec)\(",
    "a shell": r"shell\s*=\s*True|\bos\.(?:system|popen)\(",
    "unsafe YAML": r"\byaml\.(?:unsafe_load|full_load|load_all|Loader|UnsafeLoader|FullLoader)\b",
    "yaml.load": r"\byaml\.load\((?!text, Loader=_Loader\))",
    "a path of one machine": r"/(?:work|tmp|home|root)/\w",
    "an unfinished place": r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b|raise NotImplementedError",
}


def forbidden(source: str) -> list[str]:
    return [name for name, pattern in FORBIDDEN.items() if re.search(pattern, source)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_forbidden_stands_in_the_package(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    if path.parent == PACKAGE / "types":  # the abstract methods of Task, Objective and Method
        source = source.replace("raise NotImplementedError", "")
    assert forbidden(source) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("import pickle", "pickle"),
        ("torch.load(path)", "torch.load"),
        ("f(trust_remote_code=True)", "remote code"),
        ("np.load(p, allow_pickle=True)", "numpy pickles"),
        ("x = eval(text)", "eval"),
        ("run(x, shell=True)", "a shell"),
        ("yaml.unsafe_load(t)", "unsafe YAML"),
        ("yaml.load(t, Loader=L)", "yaml.load"),
    ],
)
def test_a_forbidden_line_is_seen(line: str, name: str) -> None:
    assert name in forbidden(line)


def test_allowed_lines_are_allowed() -> None:
    fine = "model.eval()\nf(trust_remote_code=False)\nnp.load(p, allow_pickle=False)\nre_eval(x)"
    assert forbidden(fine) == []


BROAD = {"cli/border.py"}
"""Where every exception may be caught: the outer border, with the reason in its docstring."""


def broad_handlers(source: str) -> list[int]:
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler):
            names = "" if node.type is None else ast.unparse(node.type)
            if node.type is None or re.search(r"\b(?:Base)?Exception\b", names):
                lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_exception_is_caught_broadly(path: Path) -> None:
    lines = broad_handlers(path.read_text(encoding="utf-8"))
    assert lines == [] or str(path.relative_to(PACKAGE)) in BROAD


def test_a_broad_handler_is_seen() -> None:
    assert broad_handlers("try:\n    f()\nexcept (ValueError, Exception):\n    pass") == [3]


NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "v2"}


def test_no_file_has_a_name_that_says_nothing() -> None:
    tracked = [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    assert [str(p) for p in tracked if NAMES & set(p.stem.split("_"))] == []


# ---------------------------------------------------------------------------- sizes


MOST_LINES = 400
MOST_FUNCTION_LINES = 60


def long_functions(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                found.append(f"{node.name}: {length} lines")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    assert long_functions(source) == []


def test_a_long_function_is_seen() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * 70) == ["f: 71 lines"]


# ---------------------------------------------------------------------------- the recipe


def test_every_knob_arrives() -> None:
    """Each key of the recipe is read somewhere outside the room that declares it."""
    from afina import recipe
    from afina.methods import METHODS
    from afina.objectives import OBJECTIVES
    from afina.tasks import TASKS

    elsewhere = "\n".join(
        p.read_text(encoding="utf-8") for p in FILES if room_of(p) not in ("recipe", "")
    )
    declared = [recipe.Recipe, recipe.Part, recipe.Data, recipe.Columns, recipe.Split]
    declared += [recipe.Train, recipe.Evaluate, recipe.Goal, recipe.Serve, recipe.Retrieval]
    declared += [recipe.Decide, recipe.Robustness, recipe.Bias]
    unread = [
        f"{model.__name__}.{name}"
        for model in [*declared, *TASKS, *METHODS, *OBJECTIVES]
        for name in model.model_fields
        if not re.search(rf"\.{name}\b|[\"']{name}[\"']", elsewhere)
    ]
    assert unread == []


RECIPES = sorted(
    p
    for folder in ("examples", "docs", "benchmarks", "tests")
    for p in (ROOT / folder).rglob("*.y*ml")
    if "bad" not in p.parts
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_recipe_of_the_repository_loads(path: Path, tmp_path: Path) -> None:
    from afina.recipe import load_recipe

    assert load_recipe(path, home=tmp_path, several=True).base


def recipes_in(page: Path) -> list[str]:
    """The recipes that a page shows: YAML blocks that begin with a task."""
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in blocks if re.search(r"^task:", block, flags=re.MULTILINE)]


PAGES = sorted(p for p in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")] if recipes_in(p))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_recipe_in_the_docs_loads(page: Path) -> None:
    from afina.recipe import parse_recipe
    from afina.recipe.load import parse_yaml

    for block in recipes_in(page):
        assert parse_recipe(parse_yaml(block, page.name), where=page.name).base


def test_the_readmes_show_a_recipe() -> None:
    assert {"README.md", "README.es.md"} <= {p.name for p in PAGES}


# ---------------------------------------------------------------------------- docs and help


def test_the_generated_docs_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + "run: make docs"


def _verbs() -> list[str]:
    from afina.cli import SENTENCES

    return list(SENTENCES)


def test_every_verb_has_a_file_and_every_public_file_of_verbs_is_listed() -> None:
    files = {p.stem for p in (PACKAGE / "cli").glob("*.py") if "\ndef verb(" in p.read_text()}
    assert files == set(_verbs())


@pytest.mark.parametrize("name", _verbs())
def test_the_help_of_a_verb_has_its_sentence_and_an_example_that_parses(name: str) -> None:
    import shlex
    from importlib import import_module

    from afina.cli import SENTENCES
    from afina.cli.arguments import help_text, parse

    text = help_text(name)
    examples = import_module(f"afina.cli.{name}").EXAMPLES
    assert SENTENCES[name] in text
    assert examples
    for example in examples:
        assert example in text
    own = [e for e in examples if re.match(r"(?:\w+=\S+ )?afina " + name + r"\b", e)]
    assert own, f"no example of afina {name} itself"
    for example in own:
        words = shlex.split(re.split(r"[|>]|&&", example)[0])
        words = words[words.index(name) + 1 :]
        assert parse(name, words) is not None


def test_the_help_is_quick_and_imports_nothing_heavy() -> None:
    """Below 300 ms of this process's time (best of five: other work on the machine is not ours)."""
    code = (
        "import sys, time; start = time.process_time()\n"
        "from afina.cli import command_line\n"
        "code = command_line(['--help'])\n"
        "spent = time.process_time()\n"
        f"heavy = sorted({HEAVY | {'typer', 'rich', 'pydantic', 'numpy'}!r} & set(sys.modules))\n"
        "print(code, spent, heavy, file=sys.stderr)"
    )
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        wall = time.perf_counter() - started
        status, spent, heavy = done.stderr.strip().split(" ", 2)
        assert (status, heavy) == ("0", "[]")
        assert "afina VERB --help" in done.stdout
        best = min(best, wall, float(spent))
    assert best < 0.3


def test_importing_afina_is_light() -> None:
    code = f"import sys, afina; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------- the environment


def test_the_constraints_pin_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in ("qlora", "hub", "sweep", "example", "dev"):
        wanted += project["optional-dependencies"][extra]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}  # type: ignore[index]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, equals, version = line.partition("==")
            assert equals, line
            pins[name.lower().replace("_", "-")] = version
    assert names - pins.keys() == set()
    assert pins["torch"] == "2.13.0"
