"""The verbs on real runs: what the contract promises to scripts and to people."""

from __future__ import annotations

import io
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from afina.cli import command_line
from afina.flow.record import command_of
from afina.store import Registry, Run
from tests.cli.conftest import LABELS, Place, json_of

Capture = pytest.CaptureFixture[str]


def test_run_prints_the_object_of_the_contract(place: Place) -> None:
    value = place.outcomes["classify"]
    assert {"run", "folder", "status", "data", "train", "report"} <= value.keys()
    assert value["status"] == "succeeded"
    assert {k: value["data"][k] for k in ("rows", "kept", "train", "validation", "test")} == {
        "rows": 60,
        "kept": 60,
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    train = value["train"]
    named = {"method", "objective", "epochs", "steps", "tokens", "loss_tokens", "seconds"}
    named |= {"tokens_per_second", "examples_per_second", "peak_memory_bytes"}
    named |= {"trainable_parameters", "total_parameters", "weights_sha256"}
    assert named <= train.keys()
    assert train["steps"] == 4
    report = value["report"]
    assert report["metric"] == "macro_f1"
    assert report["verdict"] in ("ship", "hold", "unproven")
    assert [c["name"] for c in report["candidates"]] == ["tuned", "majority", "linear"]
    score = report["candidates"][0]["scores"]["macro_f1"]
    assert score["low"] <= score["value"] <= score["high"]


def test_a_run_leaves_the_files_of_the_contract(place: Place) -> None:
    folder = Path(place.outcomes["generate"]["folder"])
    for name in (
        *("recipe.yaml", "plan.json", "data/fingerprint.json", "events.jsonl", "metrics.jsonl"),
        *("checkpoints", "model", "report.json", "report.html", "manifest.json"),
    ):
        assert (folder / name).exists(), name
    assert (folder / "model" / "adapter_model.safetensors").exists()


def test_a_goal_that_is_not_reached_ends_with_1(place: Place) -> None:
    code, answer = json_of(["eval", place.run("generate"), "--home", str(place.home)])
    assert code == 1
    assert answer["report"]["verdict"] != "ship"
    assert answer["report"]["goal"]["at_least"] == 0.99


def test_eval_measures_the_same_again(place: Place) -> None:
    code, answer = json_of(["eval", place.run("classify"), "--home", str(place.home)])
    assert code == 0
    before = place.outcomes["classify"]["report"]["candidates"]
    assert [c["scores"] for c in answer["report"]["candidates"]] == [c["scores"] for c in before]


def test_people_get_a_table_a_verdict_and_the_next_command(place: Place, capsys: Capture) -> None:
    assert command_line(["eval", "last", "--home", str(place.home)]) in (0, 1)
    out, err = capsys.readouterr()
    assert "tuned" in out
    assert "Verdict: " in out
    assert "report.html" in out
    assert f"afina serve {place.run('generate')}" in out
    assert "measuring tuned" in err


def test_quiet_says_nothing_else(place: Place, capsys: Capture) -> None:
    command_line(["eval", place.run("classify"), "--home", str(place.home), "--quiet"])
    err = capsys.readouterr().err  # other libraries' bars depend on who imported them first
    assert "measuring" not in err
    assert "answered" not in err


def test_runs_lists_the_newest_first(place: Place, capsys: Capture) -> None:
    code, answer = json_of(["runs", "--home", str(place.home)])
    assert code == 0
    ids = [row["id"] for row in answer["runs"]]
    assert ids.index(place.run("generate")) < ids.index(place.run("classify"))
    row = next(r for r in answer["runs"] if r["id"] == place.run("generate"))
    assert (row["status"], row["task"], row["method"]) == ("succeeded", "generate", "lora")
    assert command_line(["runs", "--home", str(place.home)]) == 0
    assert place.run("classify") in capsys.readouterr().out


def test_an_empty_home_has_no_runs(tmp_path: Path, capsys: Capture) -> None:
    home = tmp_path / "home"
    assert json_of(["runs", "--home", str(home)]) == (0, {"runs": []})
    assert command_line(["runs", "--home", str(home)]) == 0
    assert "No runs yet" in capsys.readouterr().out
    assert not home.exists()


def test_show_has_it_all(place: Place, capsys: Capture) -> None:
    code, answer = json_of(["show", place.run("generate"), "--home", str(place.home)])
    assert code == 0
    assert answer["recipe"]["name"] == "twice"
    assert answer["train"] == place.outcomes["generate"]["train"]
    assert answer["report"]["verdict"] == place.outcomes["generate"]["report"]["verdict"]
    assert "report.html" in answer["files"]
    assert command_line(["show", place.run("generate"), "--home", str(place.home)]) == 0
    assert "succeeded" in capsys.readouterr().out


def test_compare_shows_what_differs(place: Place, capsys: Capture) -> None:
    words = ["compare", place.run("classify"), place.run("generate"), "--home", str(place.home)]
    code, answer = json_of(words)
    assert code == 0
    assert answer["recipe"]["task.name"] == ["classify", "generate"]
    assert "the tests differ" in answer["refused"]
    assert answer["said"] is None
    assert command_line(words) == 0
    out = capsys.readouterr().out
    assert "task.name" in out
    assert "Not compared" in out


def test_compare_with_itself_is_no_difference(place: Place) -> None:
    run = place.run("classify")
    code, answer = json_of(["compare", run, run, "--home", str(place.home)])
    assert code == 0
    assert answer["recipe"] == {}
    assert answer["refused"] is None
    assert "Neither of" in answer["said"]
    for line in answer["scores"].values():
        change = line["difference"]
        assert change["value"] == 0
        assert change["low"] <= 0 <= change["high"]


def test_promote_serve_by_name_and_roll_back(place: Place, capsys: Capture) -> None:
    home = ["--home", str(place.home)]
    for name in ("classify", "generate"):
        assert command_line(["promote", place.run(name), "--as", "soporte", "--anyway", *home]) == 0
    assert json_of(["show", "soporte", *home])[1]["run"] == place.run("generate")
    rows = json_of(["runs", *home])[1]["runs"]
    assert [r["id"] for r in rows if r["promoted"] == ["soporte"]] == [place.run("generate")]
    code, answer = json_of(["rollback", "soporte", *home])
    assert (code, answer) == (0, {"name": "soporte", "run": place.run("classify")})
    assert json_of(["show", "soporte", *home])[1]["run"] == place.run("classify")
    capsys.readouterr()
    assert command_line(["rollback", "soporte", *home]) == 2  # nothing before it
    assert "→" in capsys.readouterr().err


def test_a_run_that_is_held_back_gets_a_name_only_anyway(place: Place) -> None:
    home = ["--home", str(place.home)]
    run = Run.open(place.home, place.run("classify"))
    report = run.read("report.json")
    asked = ["promote", run.id, "--as", "retenido", *home]
    run.write("report.json", report | {"verdict": "hold", "reason": "it forgot too much"})
    try:
        code, answer = json_of(asked)
        assert code == 2
        assert "it forgot too much" in answer["error"]["what"]
        assert "--anyway" in answer["error"]["do"]
        assert "retenido" not in Registry(place.home).promoted()
        assert json_of([*asked, "--anyway"]) == (0, {"name": "retenido", "run": run.id})
    finally:
        run.write("report.json", report)


# ---------------------------------------------------------------------------- predict and chat


def predicted(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_predict_takes_text_csv_and_jsonl(place: Place, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a.txt").write_text("refund now\n\nparcel late\n", "utf-8")
    (tmp_path / "a.csv").write_text("text,label\nrefund now,bug\nparcel late,bug\n", "utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "refund now"}\n{"text": "parcel late"}\n', "utf-8")
    answers = {}
    for name in ("a.txt", "a.csv", "a.jsonl"):
        words = ["predict", place.run("classify"), str(tmp_path / name), "--home", str(place.home)]
        assert command_line(words) == 0
        rows = predicted(capsys.readouterr().out)
        answers[name] = [row["probabilities"] for row in rows]
        assert [row["row"] for row in rows] == ([1, 3] if name == "a.txt" else [1, 2])
        for row in rows:
            assert row["answer"] in LABELS
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert answers["a.txt"] == answers["a.csv"] == answers["a.jsonl"]


def test_predict_through_a_pipe(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    lines = 'say 7 twice\n{"prompt": "say 7 twice"}\n[{"role": "user", "content": "say 7 twice"}]\n'
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert command_line(["predict", place.run("generate"), "-", "--home", str(place.home)]) == 0
    rows = predicted(capsys.readouterr().out)
    assert [row["row"] for row in rows] == [1, 2, 3]
    assert len({row["answer"] for row in rows}) == 1
    assert all(row["prompt_tokens"] > 3 and row["answer_tokens"] <= 8 for row in rows)


def test_predict_writes_a_file_and_one_object(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    words = ["predict", place.run("classify"), str(place.folder / "tickets.csv")]
    code, answer = json_of([*words, "--out", str(out), "--home", str(place.home)])
    assert code == 0
    assert answer["run"] == place.run("classify")
    assert answer["answers"] == predicted(out.read_text("utf-8"))
    assert len(answer["answers"]) == 60


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"prompt": 5}\n', "row 1: column prompt"),
        ('fine\n{"prompt": \n', "row 2"),
        ('{"colour": "x"}\n', "no column to ask among: colour"),
        ('[{"role": "bot", "content": "x"}]\n', "bot"),
        ("\n", "nothing is asked"),
    ],
)
def test_predict_refuses_what_cannot_be_asked(
    text: str, told: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert command_line(["predict", place.run("generate"), "-", "--home", str(place.home)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "→" in err


def test_chat_talks_and_obeys(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    typed = "say 7 twice\n\n/reset\n/system Be brief.\n/rset\n/help\nsay 7 twice\n/quit\nnever\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    words = ["chat", place.run("generate"), "--max-tokens", "3", "--home", str(place.home)]
    assert command_line(words) == 0
    out, err = capsys.readouterr()
    assert out.strip()
    assert "a new conversation" in err
    assert "system message: Be brief." in err
    assert "no command /rset: did you mean /reset?" in err
    assert "cut off at 3 tokens" in err


def test_chat_with_a_classifier_gives_labels(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("refund now\n"))
    assert command_line(["chat", place.run("classify"), "--home", str(place.home)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] in LABELS
    assert "%" in out


# ---------------------------------------------------------------------------- serve


def test_serve_opens_the_models_and_takes_the_key_from_a_file(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def serve(models: Any, **given: Any) -> None:
        asked.update(given, names=[m.name for m in models], kinds=[m.kinds for m in models])

    monkeypatch.setattr("afina.serve.serve", serve)
    key = tmp_path / "key"
    key.write_text("secret\n", "utf-8")
    words = ["serve", "last", place.run("classify"), "--port", "0", "--api-key-file", str(key)]
    assert command_line([*words, "--home", str(place.home)]) == 0
    assert asked["names"] == [place.run("generate"), place.run("classify")]
    assert "chat" in asked["kinds"][0]
    assert "classify" in asked["kinds"][1]
    assert (asked["host"], asked["port"], asked["api_key"]) == ("127.0.0.1", 0, "secret")


def test_serve_prints_its_address_as_json(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(models: Any, **given: Any) -> None:
        given["say"](
            "x at http://127.0.0.1:1234/v1 (page: http://127.0.0.1:1234/); stop with Ctrl-C"
        )
        given["say"]("another sentence")

    monkeypatch.setattr("afina.serve.serve", serve)
    code, answer = json_of(["serve", "last", "--home", str(place.home)])
    assert code == 0
    assert answer == {"address": "http://127.0.0.1:1234/v1", "models": [place.run("generate")]}


@pytest.mark.parametrize("content", [None, "", "two\nlines\n"])
def test_a_bad_key_file_is_refused(
    content: str | None, place: Place, tmp_path: Path, capsys: Capture
) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content, "utf-8")
    words = ["serve", "last", "--api-key-file", str(key), "--home", str(place.home)]
    assert command_line(words) == 2
    assert str(key) in capsys.readouterr().err


# ---------------------------------------------------------------------------- before a run


def test_check_and_plan_write_nothing(place: Place, tmp_path: Path, capsys: Capture) -> None:
    home = tmp_path / "home"
    recipe = str(place.folder / "generate.yaml")
    code, checked = json_of(["check", recipe, "--home", str(home)])
    assert code == 0
    assert (checked["rows"], checked["train"], checked["dropped"]) == (40, 32, {})
    assert checked["lengths"]["tokens"]["most"] > 3
    code, planned = json_of(["plan", recipe, "-s", "train.max_steps=null", "--home", str(home)])
    assert code == 0
    derived = {line["key"]: line for line in planned["derived"]}
    assert derived["train.learning_rate"]["reason"]
    assert not derived["train.learning_rate"]["chosen"]
    assert derived["train.batch_size"]["chosen"]
    assert planned["estimate"]["memory_bytes"] > 0
    for verb in ("check", "plan"):
        assert command_line([verb, recipe, "--home", str(home)]) == 0
        assert "32 train" in capsys.readouterr().out
    assert not home.exists()


def test_check_names_rows_that_spell_a_special_token(place: Place, tmp_path: Path) -> None:
    rows = [{"prompt": f"q {n}", "completion": f"a {n}"} for n in range(30)]
    rows += [{"prompt": f"leave <|im_end|> now {n}", "completion": "yes"} for n in range(20)]
    (tmp_path / "twice.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    shutil.copy(place.folder / "generate.yaml", tmp_path / "generate.yaml")
    code, answer = json_of(["check", str(tmp_path / "generate.yaml")])
    assert code == 0
    found = answer["special_tokens"]
    assert len(found) > 10
    assert {f["token"] for f in found} == {"<|im_end|>"}
    assert all(int(f["where"].rsplit(" ", 1)[1]) > 30 for f in found)


def test_show_loss_marks_the_answer_and_nothing_else(place: Place, capsys: Capture) -> None:
    recipe = str(place.folder / "generate.yaml")
    assert command_line(["check", recipe, "--show-loss", "--rows", "2"]) == 0
    out = capsys.readouterr().out
    assert out.count("⟦") == out.count("⟧") > 0
    code, answer = json_of(["check", recipe, "--show-loss", "--rows", "2"])
    assert code == 0
    assert len(answer["rows"]) == 2
    rows = [json.loads(line) for line in (place.folder / "twice.jsonl").read_text().splitlines()]
    for row in answer["rows"]:
        source = rows[int(row["where"].rsplit(" ", 1)[1]) - 1]
        counted = "".join(p["text"] for p in row["pieces"] if p["in_loss"])
        outside = "".join(p["text"] for p in row["pieces"] if not p["in_loss"])
        assert counted.startswith(source["completion"])
        assert source["prompt"] in outside
        assert source["completion"] not in outside


@pytest.mark.parametrize(
    ("rows", "task"), [("tickets.csv", "classify"), ("twice.jsonl", "generate")]
)
def test_new_writes_a_recipe_that_reads_its_data(
    rows: str, task: str, place: Place, tmp_path: Path, capsys: Capture
) -> None:
    from afina.data import prepare
    from afina.recipe import load_recipe

    shutil.copy(place.folder / rows, tmp_path / rows)
    (tmp_path / "recipes").mkdir()
    out = tmp_path / "recipes" / "own.yaml"
    assert command_line(["new", str(tmp_path / rows), "--out", str(out)]) == 0
    assert f"Next: afina check {out}" in capsys.readouterr().out
    recipe = load_recipe(out)
    assert recipe.task.name == task
    dataset = prepare(recipe.data, recipe.task)
    assert dataset.check.kept == {"tickets.csv": 60, "twice.jsonl": 40}[rows]
    text = out.read_text("utf-8")
    assert text.startswith("# ")
    assert "goal" in text


def test_new_proposes_a_base_of_many_languages(tmp_path: Path) -> None:
    lines = [f"¿cuándo llegará mi envío {i}?,{'envío' if i % 2 else 'avería'}" for i in range(40)]
    (tmp_path / "es.csv").write_text("texto,etiqueta\n" + "\n".join(lines) + "\n", "utf-8")
    words = ["new", str(tmp_path / "es.csv"), "--out", str(tmp_path / "r.yaml")]
    code, answer = json_of(words)
    assert code == 0
    assert answer["base"] == "intfloat/multilingual-e5-small"


def test_doctor_names_what_it_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("AFINA_CACHE", str(tmp_path / "cache"))
    code, answer = json_of(["doctor", "--home", str(tmp_path / "home")])
    assert code == 0
    states = {line["name"]: line["state"] for line in answer["findings"]}
    assert {"python", "torch", "transformers", "home", "cache", "hub", "machine"} <= states.keys()
    assert "bad" not in states.values()
    assert answer["machine"]["float32_gflops"] > 0
    assert command_line(["doctor", "--home", str(tmp_path / "home")]) == 0
    assert "Ready." in capsys.readouterr().out
    assert not (tmp_path / "home").exists()


def test_one_broken_run_does_not_hide_the_others(
    place: Place, tmp_path: Path, capsys: Capture
) -> None:
    home = shutil.copytree(place.home, tmp_path / "a home")
    broken = home / "runs" / place.run("classify")
    (broken / "recipe.yaml").write_text("task: nonsense\n", "utf-8")
    code, answer = json_of(["runs", "--home", str(home)])
    rows = {row["id"]: row for row in answer["runs"]}
    assert code == 0
    assert rows[broken.name]["status"] == "unreadable"
    assert rows[broken.name]["error"]
    assert rows[place.run("generate")]["metric"] == "exact_match"
    assert command_line(["runs", "--home", str(home)]) == 0
    assert f"{broken.name}: {rows[broken.name]['error']}" in capsys.readouterr().out
    moved = command_of(Run.open(home, place.run("generate")))
    assert shlex.split(moved)[-1] == str(home / "runs" / place.run("generate") / "recipe.yaml")


def test_doctor_makes_a_lost_registry_again(place: Place, capsys: Capture) -> None:
    home = ["--home", str(place.home)]
    before = json_of(["runs", *home])
    (place.home / "registry.sqlite").write_bytes(b"this is no database at all" * 100)
    code, error = json_of(["runs", *home])
    assert code == 3
    assert "afina doctor --rebuild" in error["error"]["do"]
    assert command_line(["doctor", "--rebuild", *home]) == 0
    said = capsys.readouterr().out
    assert "2 runs and" in said
    assert "the broken registry was kept as" in said
    assert json_of(["runs", *home]) == before
    code, done = json_of(["doctor", "--rebuild", *home])
    assert (code, done["runs"], done["kept_aside"]) == (0, 2, "")
    assert json_of(["doctor", "--rebuild", "--home", str(place.home / "none")])[0] == 2


def test_doctor_says_what_stops_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from afina.cli import examine

    monkeypatch.setattr(examine, "tested_versions", lambda: {"torch": "9.0", "no-such-thing": "1"})
    found = examine._package("no-such-thing", "", "1")
    assert found["state"] == "bad"
    assert examine._package("torch", "99.0", "9.0")["state"] == "bad"
    assert examine._package("torch", "1.0", "9.0")["state"] == "note"
    (tmp_path / "file").write_text("x")
    assert examine.home_folder(tmp_path / "file")["state"] == "bad"
    assert examine.home_folder(tmp_path / "new" / "home")["state"] in ("good", "note")
