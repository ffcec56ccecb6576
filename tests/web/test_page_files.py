"""The pages as files: what a browser is given, under which policy, and that names stay text."""

from __future__ import annotations

import re

import pytest

from parsimony.web.site import PAGES, static


@pytest.mark.parametrize("path", PAGES)
def test_pages_hold_no_script_and_no_style_of_their_own(client, path):
    reply = client.get(path)
    assert reply.status_code == 200
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", reply.text)
    sources = re.findall(r'(?:src|href)="([^"]+)"', reply.text)
    assert sources and all(s.startswith(("/", "#", "data:,")) for s in sources)
    for source in sources:
        if source.startswith("/static/"):
            assert client.get(source).status_code == 200


def test_scripts_make_text_of_names_and_ask_only_this_server():
    own = {name: held[0].decode() for name, held in static().items() if "cytoscape" not in name}
    assert len(own) > 10
    for name, text in own.items():
        assert not re.search(r"(inner|outer)HTML|insertAdjacent|document\.write|\beval\(", text), (
            name
        )
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text), name
    for name, text in own.items():  # "constructor" is a name, too: see held() in dom.js
        assert not re.search(r"(labels|about)(\?\.)?\[(?!\d)", text), name
    for name, text in own.items():  # every import is there
        for wanted in re.findall(r'from "\./([\w.]+)"', text):
            assert wanted in own, (name, wanted)


def test_an_asset_is_sent_once_and_only_by_its_name(client):
    reply = client.get("/static/dom.js")
    assert reply.headers["content-type"].startswith("text/javascript")
    again = client.get("/static/dom.js", headers={"if-none-match": reply.headers["etag"]})
    assert again.status_code == 304 and not again.content
    for name in ("none.js", "..%2Fsite.py", "%2e%2e/site.py", "dom.js%00"):
        assert client.get(f"/static/{name}").status_code == 404
