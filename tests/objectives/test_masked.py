"""Masked pre-training: what is hidden, Transformers' loss, an exact resume, perplexity that falls."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from afina.errors import Interrupted, ModelError, RecipeError
from afina.models.load import load, load_renderer
from afina.models.masked import Masker
from afina.models.predictor import TunedModel
from afina.models.sources import Base, resolve
from afina.objectives import Continue
from afina.tasks import Text
from afina.train import loop
from afina.train.batches import collate
from afina.train.loop import Step
from afina.types import IGNORED, Encoded, TextExample
from tests.objectives.pairs import Tried
from tests.objectives.test_whole_runs import run, scores_of
from tests.tiny import Kind

LONG = "The lights of the kitchen are on and the door of the garage is closed. " * 6
WINDOW = {"name": "text", "window": 32}


def examples(count: int) -> list[TextExample]:
    words = ["door", "kitchen", "garage", "lights", "closed", "on", "Madrid"]
    return [
        TextExample(
            id=f"text-{i}",
            where=f"texts.txt: row {i}",
            text=f"The {words[i % 7]} of the {words[i % 5]} is {words[i % 3]}. {LONG[: 60 + i]}",
        )
        for i in range(count)
    ]


def rows_of(base: Base, count: int = 40, **knobs: int) -> list[Encoded]:
    renderer, task = load_renderer(base), Text(**(WINDOW | knobs))
    return [s for e in examples(count) for s in task.encode(e, renderer).sequences]


# ---------------------------------------------------------------------------- what is hidden


@pytest.mark.parametrize("overlap", [0, 5])
def test_each_stretch_stands_in_its_frame_and_each_token_is_learned_once(
    tiny: Callable[[Kind], Base], overlap: int
) -> None:
    base = tiny("masked")
    renderer = load_renderer(base)
    row = Text(window=20, overlap=overlap).encode(examples(1)[0], renderer)
    before, after = renderer.frame()
    learned = [t for part in row.sequences for t in part.targets if t != IGNORED]
    assert (*before, *learned, *after) == renderer.text(examples(1)[0].text)
    for part in row.sequences:
        assert part.ids[0] == before[0] and part.ids[-1] == after[0] and len(part.ids) <= 20
        assert all(t in (IGNORED, i) for t, i in zip(part.targets, part.ids, strict=True))


def test_what_is_hidden_follows_from_the_seed(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("masked")
    masker = Masker.of(load_renderer(base), Continue())
    row = rows_of(base)[0]
    first = masker.hide(row, (7, 0, 0, 3))
    assert masker.hide(row, (7, 0, 0, 3)) == first
    others = [masker.hide(row, seed) for seed in ((7, 0, 1, 3), (7, 0, 0, 4), (8, 0, 0, 3))]
    assert all(other.targets != first.targets for other in others)
    for place, target in enumerate(first.targets):
        assert target in (IGNORED, row.ids[place])
        if target == IGNORED:
            assert first.ids[place] == row.ids[place]


def test_eighty_ten_ten(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("masked")
    masker = Masker.of(load_renderer(base), Continue(masked=0.3))
    kinds: Counter[str] = Counter()
    learned = whole = 0
    for turn in range(30):
        for number, row in enumerate(rows_of(base)):
            seen = masker.hide(row, (1, 0, turn, number))
            whole += sum(t != IGNORED for t in row.targets)
            for new, old, target in zip(seen.ids, row.ids, seen.targets, strict=True):
                if target != IGNORED:
                    learned += 1
                    kinds["mask" if new == masker.mask else "same" if new == old else "other"] += 1
    assert learned / whole == pytest.approx(0.3, abs=0.02)
    shares = {kind: count / learned for kind, count in kinds.items()}
    assert shares["mask"] == pytest.approx(0.8, abs=0.01)
    assert shares["same"] == pytest.approx(0.1, abs=0.01)
    assert shares["other"] == pytest.approx(0.1, abs=0.01)
    controls = set(load_renderer(base).tokenizer.all_special_ids)
    assert not controls & set(masker.ordinary)


def test_whole_words_are_hidden_together(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("masked")
    renderer = load_renderer(base)
    masker = Masker.of(renderer, Continue(whole_words=True))
    text = TextExample(id="a", where="a", text="one quartz two zebra red xylophone blue")
    row = Text(window=128).encode(text, renderer)
    words = masker._words(row)
    assert any(len(word) > 1 for word in words)
    for turn in range(20):
        hidden = {i for i, t in enumerate(masker.hide(row, (turn,)).targets) if t != IGNORED}
        assert all(hidden >= set(word) or not hidden & set(word) for word in words)


# ---------------------------------------------------------------------------- the loss


def test_the_loss_is_that_of_transformers(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("masked")
    model = load(base, Text(window=32))
    masker = Masker.of(model.renderer)
    rows = [masker.hide(row, (3, i)) for i, row in enumerate(rows_of(base, 5))]
    batch = collate(rows, kind="tokens", device=model.device)
    loss = Continue().loss(model.network, batch)
    places = torch.arange(batch.ids.shape[1])[None, :] < batch.lengths[:, None]
    with torch.no_grad():
        expected = model.network.core(
            input_ids=batch.ids, attention_mask=places.long(), labels=batch.targets
        ).loss
    assert loss.weight == sum(t != IGNORED for row in rows for t in row.targets)
    assert float(loss.total) / loss.weight == pytest.approx(float(expected), rel=1e-5)


def test_the_head_stays_tied(tiny: Callable[[Kind], Base]) -> None:
    core = load(tiny("masked"), Text(window=32)).network.core
    assert core.get_output_embeddings().weight is core.get_input_embeddings().weight


def test_every_token_is_hidden_once_for_the_perplexity(tiny: Callable[[Kind], Base]) -> None:
    base = tiny("masked")
    model = load(base, Text(window=32))
    masker = Masker.of(model.renderer)
    row = rows_of(base)[0]
    turns = masker.each_once(row)
    assert len(turns) == 7
    hidden = [i for turn in turns for i, t in enumerate(turn.targets) if t != IGNORED]
    assert sorted(hidden) == [i for i, t in enumerate(row.targets) if t != IGNORED]
    assert all(
        turn.ids[i] == masker.mask
        for turn in turns
        for i, t in enumerate(turn.targets)
        if t != IGNORED
    )
    example = examples(1)[0]
    ((nats, count),) = TunedModel(model).negative_log_likelihood([example])
    assert count == len(model.renderer.text(example.text)) - 2
    assert 0 < nats / count < 20


# ---------------------------------------------------------------------------- runs


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_resume_is_exact(tiny: Callable[[Kind], Base], tmp_path: Path, method: str) -> None:
    one = Tried(
        tiny("masked"),
        "continue",
        list(examples(16)),
        task=WINDOW,
        method=method,
        early_stopping=None,
        save_every_steps=2,
        learning_rate=3e-3,
    )
    whole = loop.run(*one.arguments(one.new_run(tmp_path / "whole")))
    cut = one.new_run(tmp_path / "cut")

    def interrupt(step: Step) -> None:
        if step.step == 3 and step.loss is not None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        loop.run(*one.arguments(cut), watch=interrupt)
    assert loop.run(*one.arguments(cut))["weights_sha256"] == whole["weights_sha256"]
    learned = sum(t != IGNORED for row in one.rows.kept for t in row.targets)
    assert whole["loss_tokens"] < 0.25 * learned * whole["epochs"], "only what was hidden"


def test_perplexity_falls_and_the_folder_is_a_base(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"text": example.text}) for example in examples(60)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    outcome = run(
        tiny("masked"),
        tmp_path,
        path,
        task=WINDOW,
        objective="continue",
        train={"threads": 1, "precision": "float32", "epochs": 4, "learning_rate": 3e-3},
    )
    scores = scores_of(outcome)
    assert scores["tuned"]["perplexity"] < 0.5 * scores["base"]["perplexity"]
    probe = outcome["report"]["probe"]
    assert probe["questions"] == 0 and probe["texts"] == 10
    assert set(probe["scores"]) == {"perplexity"} and probe["fields"] == []
    tuned = TunedModel.open(Path(outcome["folder"]) / "model")
    assert tuned.kinds == {"embedding"}
    assert len(tuned.embed(["the door"])[0]) == 32
    assert resolve(str(Path(outcome["folder"]) / "model")).kind == "encoder"


def test_what_cannot_be_is_refused_with_the_reason(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(f'{{"text": "{e.text}"}}\n' for e in examples(30)), encoding="utf-8")
    with pytest.raises(ModelError, match="without the head that guesses hidden tokens"):
        run(tiny("minilm"), tmp_path, path, task=WINDOW, objective="continue")
    knobs = {"name": "continue", "whole_words": True}
    with pytest.raises(RecipeError, match="left to right"):
        run(tiny("llama"), tmp_path, path, task=WINDOW, objective=knobs)
