"""Personal data through the command line: fixed, put back, and traced to the runs that held them."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from afina.cli import command_line
from tests.cli.conftest import LABELS, Place, json_of

ANA, LUIS = "ana@example.com", "+34 600 111 222"


@pytest.fixture(scope="module")
def folder(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose rows hold two people's data, and a home with one trained run."""
    folder = tmp_path_factory.mktemp("people")
    rows = [
        f"the {i} matters of {LABELS[i % 3]} were never late,{LABELS[i % 3]}" for i in range(60)
    ]
    rows += [f"please write to {ANA} soon,bug", f"or call {LUIS} at night,billing"]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    text = (place.folder / "classify.yaml").read_text("utf-8")
    (folder / "people.yaml").write_text(text.replace("tickets.csv", "rows.csv"), "utf-8")
    code, answer = json_of(["train", str(folder / "people.yaml"), "--home", str(folder / "home")])
    assert code == 0, answer
    return folder


def test_check_says_where_and_never_what(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = str(folder / "people.yaml")
    code, answer = json_of(["check", recipe, "--home", str(folder / "h")])
    assert code == 0
    section = answer["quality"]["personal"]
    assert section["values"] == {"email": 1, "phone": 1}
    places = {(f["data"], f["row"], f["column"]) for f in section["examples"]}
    assert places == {("email", 61, "text"), ("phone", 62, "text")}
    assert command_line(["check", recipe, "--home", str(folder / "h")]) == 0
    out = capsys.readouterr().out
    assert "2 findings of personal data" in out
    for text in (json.dumps(answer), out):
        assert ANA not in text
        assert LUIS not in text


def test_fix_redacts_and_restore_puts_back(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "checked"
    words = ["check", str(folder / "people.yaml"), "--fix", "--redact", "reversible"]
    code, answer = json_of([*words, "--out", str(out)])
    assert code == 0
    assert answer["fixed"]["changed"] == {"personal": 2}
    redacted = Path(answer["fixed"]["files"]["train"])
    assert ANA not in redacted.read_text()
    assert stat.S_IMODE((out / "keys.json").stat().st_mode) == 0o600
    assert len((out / "findings.jsonl").read_text().splitlines()) >= 2
    words = ["restore", str(redacted), "--keys", str(out / "keys.json")]
    code, answer = json_of([*words, "--out", str(tmp_path / "whole.jsonl")])
    assert (code, answer["rows"]) == (0, 62)
    rows = [json.loads(line) for line in (tmp_path / "whole.jsonl").read_text().splitlines()]
    assert rows[60]["text"] == f"please write to {ANA} soon"
    code, answer = json_of([*words, "--out", str(tmp_path / "whole.jsonl")])
    assert (code, answer["error"]["where"]) == (2, str(tmp_path / "whole.jsonl"))
    code, answer = json_of(["restore", str(redacted), "--keys", str(redacted), "--out", "x"])
    assert (code, answer["error"]["what"]) == (2, "is no file of keys")


def test_the_list_alone(folder: Path, tmp_path: Path) -> None:
    recipe = str(folder / "people.yaml")
    code, answer = json_of(["check", recipe, "--out", str(tmp_path / "list")])
    assert code == 0
    assert [p.name for p in (tmp_path / "list").iterdir()] == ["findings.jsonl"]
    lines = Path(answer["findings"]).read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines].count("personal") == 2
    for option in (["--redact", "final"], ["--remove", "personal"]):
        code, answer = json_of(["check", recipe, *option])
        assert (code, answer["error"]["where"]) == (2, option[0])
    code, answer = json_of(["check", recipe, "--fix", "--out", str(folder)])
    assert (code, answer["error"]["where"]) == (2, str(folder))


def test_a_trace_leads_to_the_run(folder: Path, place: Place, tmp_path: Path) -> None:
    home = str(folder / "home")
    run = next((folder / "home/runs").iterdir())
    splits = json.loads((run / "data/splits.json").read_text())
    found = map(json.loads, (run / "data/findings.jsonl").read_text().splitlines())
    where = next(line for line in found if line.get("data") == "email")
    held = json.loads((run / "data/held.json").read_text())
    assert sum(len(hashes) for hashes in held["parts"].values()) == 2
    for asked in (["ANA@example.com"], ["--row", where["id"]]):
        code, answer = json_of(["trace", *asked, "--home", home])
        assert code == 0
        (found,) = answer["runs"]
        assert (found["run"], found["model"], found["promoted"]) == (run.name, True, [])
        assert len(found["parts"]) == 1
        assert where["id"] in splits[found["parts"][0]]
    assert json_of(["trace", "600111222", "--home", home])[1]["runs"]
    for nobody in ("luis@example.com", "600 111 223"):
        assert json_of(["trace", nobody, "--home", home]) == (0, {"runs": [], "unknown": []})
    assert stat.S_IMODE((folder / "home/trace.salt").stat().st_mode) == 0o600
    everything = b"".join(p.read_bytes() for p in run.rglob("*.json*"))
    assert ANA.encode() not in everything


def test_a_run_that_cannot_tell_is_named(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(folder / "home", home)
    (home / "trace.salt").unlink()
    run = next((home / "runs").iterdir()).name
    code, answer = json_of(["trace", ANA, "--home", str(home)])
    assert (code, answer) == (0, {"runs": [], "unknown": [run]})
    code, answer = json_of(["trace", "--home", str(home)])
    assert (code, answer["error"]["where"]) == (2, "afina trace")
    (home / "trace.salt").write_text("abc")
    assert json_of(["trace", ANA, "--home", str(home)])[0] == 3
