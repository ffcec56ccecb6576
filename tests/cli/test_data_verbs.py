"""datasets, audit, doctor, demo."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from parsimony.cli.demo_drugs import PARAMETERS


def test_datasets(typed):
    listed = typed("datasets", "--json").json["datasets"]
    assert {"royal", "family", "wn18rr", "hetionet"} <= {each["name"] for each in listed}
    assert all(each["licence"] for each in listed)
    assert "royal" in typed("datasets", "list").out
    shown = typed("datasets", "show", "royal", "--json").json
    assert shown["available"] == "embedded"
    assert "Apache-2.0" in typed("datasets", "show", "royal").out


def test_get_an_embedded_set(typed):
    got = typed("datasets", "get", "royal", "--json").json
    assert set(got) == {"name", "path", "source", "licence"}


def test_get_what_is_nowhere(typed, monkeypatch, tmp_path):
    monkeypatch.setenv("PARSIMONY_DATA", "")
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PARSIMONY_MIRROR", raising=False)
    error = typed("datasets", "get", "umls", "--json", code=2).error
    assert error["type"] == "MissingFile"
    assert "PARSIMONY_DATA" in error["remedy"]


def test_audit(typed):
    report = typed("audit", "royal", "--json").json
    assert report["counts"]["entities"] == 237
    assert 0 < report["popularity"]["metrics"]["mrr"] < 1
    out = typed("audit", "royal").out
    assert "degree-only baseline" in out


def test_doctor(typed, monkeypatch, tmp_path):
    monkeypatch.setenv("PARSIMONY_DATA", str(tmp_path))
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PARSIMONY_MIRROR", raising=False)
    report = typed("doctor", "--json").json
    assert report["kernels"]["check"] == "passed"
    assert report["cache"] == str(tmp_path / "cache")
    assert report["data"]["PARSIMONY_DATA"] == [{"folder": str(tmp_path), "found": True}]
    assert report["data"]["available"] == ["royal", "cyp"]
    assert report["packages"]["torch"]
    assert "parsimony-learning[chem]" in report["extras"]["chem"]["install"]
    monkeypatch.setenv("PARSIMONY_DATA", str(tmp_path / "none"))
    out = typed("doctor").out
    assert "NOT FOUND" in out
    assert "numba" in out


@pytest.mark.slow
def test_demo(typed, tmp_path, monkeypatch):
    for part in ("demo", "demo_drugs"):  # a busy machine trains as long as an idle one
        monkeypatch.setattr(f"parsimony.cli.{part}.TIME_BUDGET", 1e6)
    monkeypatch.setitem(PARAMETERS, "dim", 8)  # whose kernels other tests compile, too
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    (tmp_path / "runs" / "demo" / "kept").write_text("of an earlier one")
    done = typed("demo", "--epochs", "2", "--json", "--quiet")
    assert done.err == ""
    result = done.json
    assert result["run"] == str(Path("runs/demo-2"))
    assert (tmp_path / result["report"]).stat().st_size > 10_000
    assert result["rules"]["count"] > 0
    assert result["test"]["n_queries"] == 2 * 619
    drug = result["drug"]
    assert drug["hidden"] > 20
    assert drug["right"] / drug["hidden"] > 0.8  # 33 of 34
    assert "CYP3A4" in drug["partners"][0]["reason"]
    page = (tmp_path / result["report"]).read_text()
    assert page.count("A new drug: voriconazole") == 2  # the link and the heading
    assert page.count("data-explanation") >= 2
    # The readable form of the same result: nothing is measured for it.
    monkeypatch.setattr("parsimony.cli.demo._demo", lambda *_: result)
    again = typed("demo", "--quiet")
    lines = [line for line in again.out.splitlines() if line]
    assert 12 <= len(lines) <= 14
    assert lines[-1].endswith("parsimony serve runs/demo-2 runs/demo-2/drugs --open")
    assert "not for clinical use" in again.out
    assert again.err == ""
    command = shlex.split(lines[-1].partition(": ")[2])
    assert command.pop() == "--open" and command.pop(0) == "parsimony"
    _explorer_of_the_demo([*command, "--port", "0", "--json"])


def _explorer_of_the_demo(words):
    """A second program asks what the demo's last line starts, with the client of the docs."""
    pytest.importorskip("uvicorn", reason="needs the extra 'web'")
    with subprocess.Popen(
        [sys.executable, "-m", "parsimony", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            base = json.loads(process.stdout.readline())["address"].rstrip("/")
            docs = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
            names = {"base": base, "head": "Victoria_of_Wales", "relation": "cousin"}
            exec(re.search(r"```python\n(.*?)```", docs, flags=re.S)[1], names)
            assert len(names["found"]["answers"]) == 3
            ask = names["ask"]
            kinds = {run["kind"]: run["id"] for run in ask(base, "runs")["runs"]}
            assert set(kinds) == {"link", "ddi"}
            pair = {"drugs": ["ketoconazole", "simvastatin"]}
            first = ask(base, f"runs/{kinds['ddi']}/pair", pair)["answers"][0]
            assert (first["drug1"], first["drug2"]) == ("ketoconazole", "simvastatin")
            assert "metabolism of simvastatin" in first["text"]
            why = {"head": first["drug1"], "relation": first["type"], "tail": first["drug2"]}
            path = ask(base, f"runs/{kinds['ddi']}/explain", why)["paths"][0]
            assert any("CYP3A4" in step for step in path["steps"])
        finally:
            process.terminate()
