"""Pages run our own scripts alone, what is vendored is what was published, names turn no text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from html import unescape
from pathlib import Path

import pytest

from parsimony.pages.templating import content_policy, environment

PAGES = Path(__file__).parents[2] / "src" / "parsimony" / "pages"
VENDORED = json.loads((PAGES / "vendor" / "vendored.json").read_text())


def page(**changes):
    x = {
        "head": "a\u202eb", "relation": "r", "tail": "c", "facts": [], "faithfulness": "",
        "question": "", "verdict": "", "doubt": False, "no_path": "",
        "drops": [], "walks": True, "claim": "", "notes": [],
        "graph": {"caption": "", "edges": []}, "paths": [], "parts": [],
        "analogues": [], "rules": [], "edges": [],
    }  # fmt: skip
    return environment().get_template("explanation.html.j2").render(x=x | changes, version="0")


def sums(texts):
    return {
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in texts
    }


def test_every_script_and_style_of_a_page_is_named_by_its_hash():
    html = page()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    policy = unescape(policy)
    assert policy == content_policy()
    assert "unsafe" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", html, re.S)
    assert len(scripts) == 2
    assert sums(scripts) <= set(policy.split("script-src ")[1].split(";")[0].split())
    styles = re.findall(r"<style>(.*?)</style>", html, re.S)
    assert sums(styles) <= set(policy.split("style-src ")[1].split(";")[0].split())


def test_no_template_needs_more_than_the_policy_allows():
    for template in (PAGES / "templates").glob("*.j2"):
        text = template.read_text()
        assert not re.search(r"<[^>]*\s(style|on\w+)=", text), template.name
        assert "<script>" not in text, template.name
        assert "| safe" not in text, template.name


def test_a_name_cannot_turn_the_text_around_it():
    assert "\u202e" not in page()
    assert "a\\u202eb" in page()


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_what_is_vendored_has_its_recorded_hash(name):
    data = (PAGES / "vendor" / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == VENDORED[name]["sha256"]
    assert VENDORED[name]["version"].encode() in data
    assert {p.name for p in (PAGES / "vendor").glob("*.js")} == set(VENDORED)


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_what_is_vendored_is_what_was_published(name, tmp_path):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    told = VENDORED[name]
    done = subprocess.run(
        [npm, "pack", "--silent", f"{told['package']}@{told['version']}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("no package registry answers")
    (archive,) = tmp_path.glob("*.tgz")
    with tarfile.open(archive) as tar:
        published = tar.extractfile(f"package/{told['file']}").read()
    assert published == (PAGES / "vendor" / name).read_bytes()
