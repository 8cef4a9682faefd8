"""The page holds itself to its policy, and says everything in both languages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files

import pytest

from afina.serve.model import KINDS
from afina.serve.page import Page
from tests.serve.wire import send

FILES = {
    name: files("afina.serve.page").joinpath(name).read_text("utf-8")
    for name in ("page.html", "page.css", "page.js", "words.js")
}


def _words(language: str) -> dict[str, str]:
    found = re.search(rf"^  {language}: \{{\n(.*?)^  \}},", FILES["words.js"], re.S | re.M)
    assert found is not None
    return dict(re.findall(r'(\w+): "((?:[^"\\]|\\.)*)"', found.group(1)))


def test_the_policy_allows_what_the_page_has_and_nothing_else() -> None:
    page = Page()
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.html, re.S)
        assert len(inside) > 1000
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page.policy
    assert "unsafe" not in page.policy
    assert page.policy.startswith("default-src 'none'")


def test_it_is_served_under_that_policy(url: str) -> None:
    reply = send(url, "GET", "/")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-security-policy"] == Page().policy


def test_nothing_comes_from_outside() -> None:
    html = Page().html.replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://[^$\s\"']+", html) == []
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?!data:)", html) == []
    assert "@import" not in html
    assert "url(" not in html


def test_no_text_becomes_html_and_no_handler_stands_in_the_markup() -> None:
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in FILES["page.js"].replace("there is no innerHTML here", "")
    assert re.findall(r"\son\w+=", FILES["page.html"]) == []
    assert " style=" not in FILES["page.html"]


def test_both_languages_say_the_same_things() -> None:
    english, spanish = _words("en"), _words("es")
    assert english.keys() == spanish.keys()
    assert all(english.values())
    assert all(spanish.values())
    for name, text in english.items():
        assert sorted(re.findall(r"\{\w\}", text)) == sorted(re.findall(r"\{\w\}", spanish[name]))


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_word_that_is_used_is_known_and_every_known_word_is_used(language: str) -> None:
    used = set(re.findall(r'data-(?:word|hint|label|title)="(\w+)"', FILES["page.html"]))
    used |= set(re.findall(r'word\("(\w+)"', FILES["page.js"]))
    used |= {f"{kind}Tab" for kind in KINDS}
    (second_field,) = re.findall(r"const MORE = \{(.*)\};", FILES["page.js"])
    used |= {*re.findall(r'"(\w+)"', second_field), "secondText"}
    used |= {"stop" for _ in re.findall(r'finish === "stopped"', FILES["page.js"])}
    assert used == _words(language).keys()


def test_every_part_that_the_script_asks_for_is_there() -> None:
    asked = set(re.findall(r'\$\("([\w-]+)"\)', FILES["page.js"]))
    there = set(re.findall(r'id="([\w-]+)"', FILES["page.html"]))
    sections = {"chat", "completion", "judged"}
    assert asked <= there
    assert there <= asked | sections | {f"{name}-form" for name in sections}


def test_the_page_asks_for_everything_that_a_model_can_do() -> None:
    (told,) = re.findall(r"const KINDS = (\[.*\]);", FILES["page.js"])
    assert set(json.loads(told)) == set(KINDS)
