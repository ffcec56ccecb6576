"""Frontiers beside the runs: listed, drawn, downloaded; what is none is refused."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

from parsimony.errors import CorruptRun, MissingFile
from parsimony.frontier.result import FIGURE, JSON, PAGE
from parsimony.web.frontiers import Frontiers

TOLD = {
    "data": {"name": "royal", "hash": "0"}, "axis": "parameters", "metric": "mrr",
    "sentence": "Knowledge wins: <b>rules</b>.", "finished": False,
    "runs": {"planned": 16, "done": 9}, "notes": ["no size was tuned"],
    "measures": [{"curves": [{"family": "rules"}, {"family": "ComplEx"}]}],
}  # fmt: skip


def written(folder, **changed):
    folder.mkdir(parents=True)
    (folder / JSON).write_text(json.dumps(TOLD | changed))
    (folder / PAGE).write_text("<html>the page")
    (folder / f"{FIGURE}.svg").write_text("<svg/>")
    return folder


def test_frontiers_are_listed_drawn_and_downloaded(service, tmp_path):
    from fastapi.testclient import TestClient

    from parsimony.web.app import create_app

    some = Frontiers([written(tmp_path / "a" / "royal"), written(tmp_path / "b" / "royal")])
    app = create_app(service, frontiers=some)
    client = TestClient(app, base_url="http://127.0.0.1:8765")  # no context: the runs are shared
    first, second = client.get("/api/v1/frontiers").json()["frontiers"]
    assert (first["id"], second["id"]) == ("royal", "royal-2")
    assert first["families"] == ["rules", "ComplEx"] and first["data"] == "royal"
    assert first["sentence"] == TOLD["sentence"] and first["figure"]
    figure = client.get("/api/v1/frontiers/royal-2/figure.svg")
    assert figure.text == "<svg/>" and figure.headers["content-type"].startswith("image/svg")
    page = client.get("/api/v1/frontiers/royal/page")
    assert page.text.startswith("<html>") and "attachment" in page.headers["content-disposition"]
    for name in ("royal-3", "..%2Fa", "a"):
        assert client.get(f"/api/v1/frontiers/{name}/page").status_code == 404


def test_without_any_the_list_is_empty(ask):
    assert ask("frontiers") == {"frontiers": []}


def test_what_is_no_frontier_is_refused(tmp_path):
    with pytest.raises(MissingFile, match="no frontier"):
        Frontiers([tmp_path])
    for number, changed in enumerate(({"sentence": 3}, {"data": None}, {"measures": [1]})):
        folder = written(tmp_path / str(number), **changed)
        with pytest.raises(CorruptRun):
            Frontiers([folder])
