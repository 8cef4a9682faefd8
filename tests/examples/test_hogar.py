"""The example of the voice commands: what it draws is Spanish, right, divided honestly, repeatable."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("hassil")
pytest.importorskip("home_assistant_intents")

FOLDER = Path(__file__).parents[2] / "examples" / "hogar"
MODULES = ("audit", "house", "patterns", "sample", "spanish", "spoken", "templates")


@pytest.fixture(scope="module")
def hogar() -> Iterator[SimpleNamespace]:
    """The modules of the example, imported as its script imports them."""
    kept = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    loaded: dict[str, ModuleType] = {name: importlib.import_module(name) for name in MODULES}
    yield SimpleNamespace(**loaded)
    sys.path.remove(str(FOLDER))
    for name in MODULES:
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture(scope="module")
def few(hogar: SimpleNamespace) -> Any:
    """A sample from far fewer draws than the example makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hogar.sample, "TRIES_PER_INTENT", 1500)
        patch.setattr(hogar.sample, "ENOUGH_PER_INTENT", 40)
        yield hogar.sample.sample(200, 7)


def sentence(hogar: SimpleNamespace, text: str, intent: str = "HassTurnOn") -> Any:
    """A drawn sentence from ``enciende la luz de la {area:cocina}``."""
    words = []
    for slot, value, plain in re.findall(r"\{(\w+):([^}]+)\}|(\S+)", text):
        found = {n.text: n for nouns in hogar.house.WORDS.values() for n in nouns}.get(value)
        if slot:
            noun = found or hogar.house.Noun(value)
            words.append(hogar.templates.Word(value, slot, noun.form, noun.domain))
        else:
            words.append(hogar.templates.Word(plain))
    template = hogar.templates.Template(intent, text, None, ())
    return hogar.templates.Drawn(template, re.sub(r"\{\w+:([^}]+)\}", r"\1", text), tuple(words))


@pytest.mark.parametrize(
    ("intent", "text"),
    [
        ("HassTurnOn", "enciende la luz de la {area:cocina}"),
        ("HassTurnOn", "enciende el {area:salón}"),
        ("HassTurnOn", "sube la {device_class:persiana} del {area:baño}"),
        ("HassTurnOff", "apaga todas las luces del {area:garaje}"),
        ("HassGetState", "cuántas {device_class:persianas} están {state:abiertas}"),
        ("HassGetState", "está la {name:lavadora} {state:encendida}"),
        ("HassGetWeather", "qué tiempo hace en {name:Sevilla}"),
        ("HassLightSet", "pon la {name:tira led} en {color:verde}"),
        ("HassStartTimer", "pon un temporizador de {hours:una} hora y {minutes:media}"),
        ("HassStartTimer", "crea una cuenta atrás de {minutes:5} minutos"),
        ("HassCancelTimer", "cancela la cuenta atrás llamada {name:pizza}"),
        ("HassSetVolume", "sube el volumen del {area:comedor} al {volume_level:30} %"),
    ],
)
def test_good_spanish_passes(hogar: SimpleNamespace, intent: str, text: str) -> None:
    assert hogar.spanish.fault(sentence(hogar, text, intent)) == ""


@pytest.mark.parametrize(
    ("intent", "text", "why"),
    [
        ("HassTurnOn", "enciende el luz de la {area:cocina}", "article and noun"),
        ("HassTurnOn", "enciende las luz de la {area:cocina}", "article and noun"),
        ("HassTurnOn", "enciende la {area:salón}", "article and noun"),
        ("HassTurnOff", "apaga todos las luces", "article and noun"),
        ("HassGetWeather", "qué tiempo hace en la {name:Sevilla}", "article and noun"),
        ("HassTurnOn", "enciende la luz de el {area:salón}", "a turn that nobody uses"),
        ("HassTurnOn", "enciende la luz de {area:cocina}", "missing or needless article"),
        ("HassTurnOn", "enciende {area:cocina}", "missing or needless article"),
        ("HassTurnOn", "enciende la luz la {area:cocina}", "place without a preposition"),
        ("HassTurnOff", "desconecta del {area:baño}", "place without a preposition"),
        ("HassTurnOff", "baja la {device_class:ventana}", "words that do not fit"),
        ("HassSetVolume", "pon la {name:tele} al {volume_level:30}", "words that do not fit"),
        ("HassGetState", "cuántas {device_class:persianas} está {state:abiertas}", "agreement"),
        ("HassGetState", "está la {name:lavadora} {state:encendido}", "agreement"),
        ("HassCancelTimer", "cancela la cuenta atrás llamado {name:pizza}", "agreement"),
        ("HassLightSet", "pon la {name:tira led} {color:verde}", "value without its preposition"),
        ("HassStartTimer", "pon un temporizador de {hours:una} horas", "number and unit"),
        ("HassStartTimer", "pon un temporizador de {hours:2} hora", "number and unit"),
        (
            "HassStartTimer",
            "pon un temporizador de {hours:2} horas y {minutes:medio}",
            "number and unit",
        ),
        ("HassMediaPause", "pauseen la {area:cocina}", "words run together"),
        ("HassTurnOn", "enciende la luz la {name:tele}", "noun after noun"),
    ],
)
def test_bad_spanish_is_refused(hogar: SimpleNamespace, intent: str, text: str, why: str) -> None:
    assert hogar.spanish.fault(sentence(hogar, text, intent)).startswith(why)


def test_a_pattern_ignores_values_endings_articles_and_courtesy(hogar: SimpleNamespace) -> None:
    def pattern(text: str) -> str:
        drawn = sentence(hogar, text)
        return str(hogar.patterns.pattern("HassTurnOn", [(w.text, w.slot) for w in drawn.words]))

    same = {
        pattern("enciende la luz del {area:salón}"),
        pattern("puedes encender las luces de la {area:cocina}"),
        pattern("encendé todas las luces en el {area:baño} por favor"),
    }
    assert same == {"TurnOn: enc luc {area}"}
    assert pattern("prende la luz del {area:salón}") not in same
    assert pattern("enciende la luz del {name:farol}") not in same
    assert pattern("enciende los focos del {area:salón}") not in same


def test_rows_are_unique_and_answers_canonical(few: Any) -> None:
    prompts = [row.prompt for row in few.rows]
    assert len(set(prompts)) == len(prompts) == 200
    for row in few.rows:
        answer = json.loads(row.completion)
        keys = list(answer)
        assert keys[0] == "intent"
        assert keys[1:] == sorted(keys[1:])
        short = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        assert row.completion == short
        assert row.prompt == " ".join(row.prompt.split())
        assert row.pattern.startswith(answer["intent"].removeprefix("Hass") + ":")


def test_the_answer_is_what_hassil_recognises(hogar: SimpleNamespace, few: Any) -> None:
    from hassil import recognize_best

    templates = hogar.templates.Templates()
    for row in few.rows[:120]:
        best = recognize_best(
            row.prompt,
            templates._intents,
            templates._lists,
            language="es",
            best_slot_name="name",
        )
        assert best is not None
        assert hogar.templates._answer(best) == json.loads(row.completion)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "puedes encender las luces del salón",
            {"intent": "HassTurnOn", "area": "salón", "domain": "light"},
        ),
        (
            "baja la música de la cocina un 10 por ciento",
            {"intent": "HassSetVolumeRelative", "area": "cocina", "volume_step": -10},
        ),
        (
            "pon un temporizador de 2 horas y media",
            {"intent": "HassStartTimer", "hours": 2, "minutes": 30},
        ),
    ],
)
def test_known_commands_mean_what_they_should(
    hogar: SimpleNamespace, text: str, answer: dict[str, Any]
) -> None:
    assert hogar.templates.Templates().understand(text) == (answer, True)


def test_what_is_not_a_command_is_not_understood(hogar: SimpleNamespace) -> None:
    assert hogar.templates.Templates().understand("el cielo es azul") == (None, True)


def test_a_sentence_that_means_something_else_is_dropped(hogar: SimpleNamespace) -> None:
    drawn = sentence(hogar, "enciende la luz de la {area:cocina}")
    assert hogar.sample._as_meant(drawn, {"intent": "HassTurnOn", "area": "cocina"})
    assert not hogar.sample._as_meant(drawn, {"intent": "HassTurnOn", "area": "salón"})
    assert not hogar.sample._as_meant(drawn, {"intent": "HassTurnOn", "name": "cocina"})
    assert not hogar.sample._as_meant(drawn, {"intent": "HassTurnOff", "area": "cocina"})


def test_every_draw_is_kept_or_counted_and_intents_are_balanced(few: Any) -> None:
    counts: dict[str, int] = defaultdict(int)
    for row in few.rows:
        counts[row.intent] += 1
    assert len(counts) >= 15
    assert max(counts.values()) <= 2 * sorted(counts.values())[len(counts) // 2] + 2
    assert few.left_out["HassRespond"] == "not among the everyday intents"
    assert not set(few.left_out) & set(counts)
    assert 0 < sum(few.dropped.values()) < few.drawn


def test_the_same_seed_gives_the_same_bytes(
    hogar: SimpleNamespace, few: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hogar.sample, "TRIES_PER_INTENT", 1500)
    monkeypatch.setattr(hogar.sample, "ENOUGH_PER_INTENT", 40)
    again = hogar.sample.sample(200, 7)
    first = hogar.sample.write(tmp_path / "a" / "rows.jsonl", few)
    assert hogar.sample.write(tmp_path / "b.jsonl", again) == first
    assert (tmp_path / "a" / "rows.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_another_seed_gives_other_rows(
    hogar: SimpleNamespace, few: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hogar.sample, "TRIES_PER_INTENT", 300)
    monkeypatch.setattr(hogar.sample, "ENOUGH_PER_INTENT", 10)
    other = hogar.sample.sample(100, 8)
    assert {row.prompt for row in other.rows} != {row.prompt for row in few.rows[:100]}


def test_a_failed_write_leaves_the_old_file(
    hogar: SimpleNamespace, few: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("old\n")

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        hogar.sample.write(path, few)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_line_refuses_and_explains(
    hogar: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hogar.sample.main(["--rows", "5"]) == 2
    assert "between 100 and 2000" in capsys.readouterr().err

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert hogar.sample.main([]) == 3
    assert "pip install home-assistant-intents hassil" in capsys.readouterr().err


def test_the_command_line_writes_into_the_home_folder(
    hogar: SimpleNamespace,
    few: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hogar.sample, "sample", lambda rows, seed: few)
    monkeypatch.setenv("AFINA_HOME", str(tmp_path / "home"))
    assert hogar.sample.main(["--rows", "200"]) == 0
    lines = (tmp_path / "home" / "data" / "hogar" / "commands.jsonl").read_text().splitlines()
    assert [json.loads(line)["prompt"] for line in lines] == [row.prompt for row in few.rows]
    said = capsys.readouterr().err
    assert "200 commands" in said
    assert "thrown away" in said
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert hogar.sample.main(["--rows", "200", "--home", str(blocked)]) == 3
    assert "cannot be written" in capsys.readouterr().err


def test_a_wording_ignores_values_alone(hogar: SimpleNamespace) -> None:
    wording = hogar.patterns.wording
    assert wording("HassTurnOn", [("Enciende", ""), ("la luz", ""), ("salón", "area")]) == wording(
        "HassTurnOn", [("enciende", ""), ("la luz", ""), ("cocina", "area")]
    )
    assert wording("HassTurnOn", [("enciende", "")]) != wording("HassTurnOn", [("prende", "")])
    assert wording("HassTurnOn", [("enciende", "")]) != wording("HassTurnOff", [("enciende", "")])


def test_the_audit_divides_by_whole_patterns(hogar: SimpleNamespace, few: Any) -> None:
    train, test = hogar.audit.divide(few.rows, lambda row: row.pattern, 7)
    assert not {row.pattern for row in train} & {row.pattern for row in test}
    assert {row.intent for row in test} <= {row.intent for row in train}
    assert len(test) > 10


def test_the_audit_sees_a_copied_row(hogar: SimpleNamespace, few: Any) -> None:
    train = list(few.rows[:40])
    _, count, median, _, top, shared, pattern, answer, copied = hogar.audit.nearness(
        train, train[:10]
    )
    assert (count, median, top, shared, pattern, answer, copied) == (10, 1, 1, 1, 1, 1, 1)
    strange = replace(train[0], prompt="xyz", completion='{"intent":"X"}', pattern="X: x")
    figures = hogar.audit.nearness(train, [strange])
    assert figures[4] < 0.5
    assert figures[6:] == (0, 0, 0)


def test_the_recipe_holds_out_whole_groups(
    hogar: SimpleNamespace, few: Any, tmp_path: Path
) -> None:
    from afina.data import prepare
    from afina.recipe import load_recipe

    hogar.sample.write(tmp_path / hogar.sample.FILE, few)
    recipe = load_recipe(FOLDER / "recipe.yaml", home=tmp_path)
    dataset = prepare(recipe.data, recipe.task)
    assert recipe.goal is not None
    assert recipe.goal.metric in dataset.task.scorers()
    assert recipe.data.split.by == "group"
    group = {row.prompt: getattr(row, recipe.data.split.column or "") for row in few.rows}
    parts = (dataset.train, dataset.validation, dataset.test.open(by="a test"))
    groups = [{group[e.messages[-2].content] for e in part} for part in parts]
    assert sum(len(part) for part in parts) == 200
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    intents = {row.intent for row in few.rows}
    assert {json.loads(e.messages[-1].content)["intent"] for e in dataset.train} == intents
