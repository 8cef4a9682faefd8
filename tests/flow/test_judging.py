"""A blind comparison from a run to a winner, through the command line, on tiny models."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, write
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
ROWS = [{"prompt": f"say {n}", "completion": f"{n} it is"} for n in range(60)]


@pytest.fixture(scope="module")
def made(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and the form of its comparison with the plain prompt."""
    folder = tmp_path_factory.mktemp("judge")
    task = {"name": "generate", "max_new_tokens": 4}
    data = {
        "train": str(write(folder, ROWS)),
        "split": {"train": 0.5, "validation": 0.1, "test": 0.4},
    }
    measured(
        folder, tiny("llama"), task, ROWS, data=data, evaluate={"baselines": ["zero_shot"]},
        goal={"metric": "chrf", "at_least": 0},
    )  # fmt: skip
    code, said = afina(folder, "judge", "last", "--out", str(folder / "form"), "--people", "12")
    assert code == 0, said
    assert (said["first"], said["second"]) == ("tuned", "zero_shot")
    assert said["items"] == 12 and said["items"] + said["for_the_model"] + said["identical"] == 24
    return folder


def afina(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    return json_of([*words, "--home", str(folder / "home")])


def filled(folder: Path, name: str, choices: Sequence[str]) -> str:
    """The form's CSV with choices, as somebody's file."""
    with (folder / "form/form/form.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row, choice in zip(rows, choices, strict=True):
            writer.writerow(row | {"choice": choice})
    return str(path)


def sides(folder: Path) -> list[str]:
    """For each item of the form the side of the tuned model; only a test looks."""
    key = json.loads((folder / "form/key.json").read_text("utf-8"))
    return [item["first_is"] for item in key["items"][:12]]


def test_the_form_and_the_key_are_apart(made: Path) -> None:
    form, key = made / "form/form", made / "form/key.json"
    assert sorted(p.name for p in form.iterdir()) == ["form.csv", "form.html", "form.jsonl"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for path in form.iterdir():
        text = path.read_text("utf-8")
        assert "tuned" not in text and "zero_shot" not in text and "first_is" not in text
    (run,) = (made / "home/runs").iterdir()
    events = (run / "events.jsonl").read_text("utf-8")
    assert events.count("test_opened") == 2, "by the evaluation and by the comparison"


def test_people_decide_and_the_exit_code_says_against_the_tuned_model(made: Path) -> None:
    own = sides(made)
    other = ["b" if side == "a" else "a" for side in own]
    code, found = afina(made, "judge", str(made / "form"), filled(made, "ana.csv", own))
    assert (code, found.get("winner")) == (0, "tuned"), found
    assert found["people"]["judges"] == {"ana": {"first": 12, "tie": 0, "second": 0}}
    files = [filled(made, f"{name}.csv", other) for name in ("luis", "eva")]
    code, found = afina(made, "judge", str(made / "form"), *files)
    assert (code, found["winner"]) == (1, "zero_shot")
    assert [a["measure"] for a in found["agreement"]] == ["cohen_kappa", "krippendorff_alpha"]
    ties = filled(made, "ties.csv", ["tie"] * 12)
    code, found = afina(made, "judge", str(made / "form"), ties)
    assert (code, found["winner"], found["people"]["win_rate"]["value"]) == (0, None, 0.5)


def test_a_base_and_a_run_can_judge_and_decide_nothing_alone(made: Path, tiny: Tiny) -> None:
    for model in (str(tiny("llama").folder), "last"):
        code, found = afina(made, "judge", str(made / "form"), "--model", model)
        assert (code, found["winner"], found["people"]) == (0, None, None)
        steady = found["steadiness"]
        assert steady["items"] == found["items"] > 12
        (counts,) = found["model"]["judges"].values()
        assert sum(counts.values()) == steady["items"]
        assert counts["tie"] >= steady["swayed"]
        assert found["statements"][0]["code"] == "model_unchecked"
    ana = filled(made, "ana.csv", sides(made))
    _, found = afina(made, "judge", str(made / "form"), ana, "--model", str(tiny("llama").folder))
    assert found["agreement_with_people"]["rows"] == 12 and found["winner"] == "tuned"
    assert found["statements"][1]["code"] in ("model_unlike_people", "model_unchecked")


def test_questions_of_a_file_leave_the_test_shut(made: Path) -> None:
    asked = made / "asked.txt"
    asked.write_text("".join(f"say {n}\n" for n in range(200, 210)), "utf-8")
    (run,) = (made / "home/runs").iterdir()
    before = (run / "events.jsonl").read_text("utf-8").count("test_opened")
    words = ["--questions", str(asked), "--out", str(made / "asked"), "--rows", "8"]
    code, said = afina(made, "judge", "last", *words, "--language", "es")
    assert code == 0 and said["items"] + said["identical"] == 8
    assert '<html lang="es">' in (made / "asked/form/form.html").read_text("utf-8")
    assert (run / "events.jsonl").read_text("utf-8").count("test_opened") == before


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["last"], "--out"),
        (["last", "--out", "{form}"], "form"),
        (["last", "--out", "new", "--against", "zero_shoot"], "evaluate.baselines"),
        (["last", "--out", "new", "--language", "fr"], "--language"),
        (["last", "x.csv", "--out", "new"], "afina judge"),
        (["{form}"], "afina judge"),
        (["{form}", "none.csv"], "none.csv"),
        (["{form}", "--against", "base"], "--against"),
        (["{form}", "{ana}", "{ana}"], "ana.csv"),
        (["{form}", "--model", "no-such-model-anywhere"], "base"),
    ],
)
def test_wrong_requests_are_refused(
    made: Path, words: list[str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    ana = filled(made, "ana.csv", sides(made))
    given = [word.format(form=made / "form", ana=ana) for word in words]
    code, found = afina(made, "judge", *given)
    assert code in (2, 3) and where in found["error"]["where"], found
    assert not (made / "new").exists()
