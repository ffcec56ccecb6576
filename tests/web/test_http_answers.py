"""The interface gives what the verbs print with --json, and what pages need beside it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.web import models as m

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "runs_0_1"
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
VICTORIA, COUSIN, GREECE = "Victoria_of_Wales", "cousin", "Alexandra_of_Greece_1870"


def verb(*words):
    found = CliRunner().invoke(app, [*words, "--json"])
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


@pytest.mark.parametrize("run", ["redgnn", "rules", "complex"])
def test_predict_is_what_the_verb_prints(ask, run):
    words = ("--head", VICTORIA, "--relation", COUSIN, "--top", "4", "--drop-known")
    found = ask(
        f"runs/{run}/predict", {"head": VICTORIA, "relation": COUSIN, "top": 4, "drop_known": True}
    )
    about = found.pop("about")
    assert found == verb("predict", str(RUNS / run), *words)
    m.Answered.model_validate({**found, "about": about})
    assert {row["entity"] for row in found["answers"]} <= about.keys()
    assert {about[row["entity"]]["known"] for row in found["answers"]} <= {"no"}
    assert found["answers"] or run == "rules"


def test_either_side_by_address_and_by_body(ask):
    body = {"tail": VICTORIA, "relation": COUSIN, "top": 3}
    assert ask("runs/rules/predict", body) == ask("runs/rules/predict", **body)


def test_explain_is_what_the_verb_prints_with_kinds(ask):
    words = ("--head", VICTORIA, "--relation", COUSIN, "--tail", GREECE)
    question = {"head": VICTORIA, "relation": COUSIN, "tail": GREECE, "full": False}
    found = ask("runs/rules/explain", question)
    m.Explained.model_validate(found)
    kinds, edges = found.pop("kinds"), found.pop("edges")
    assert found == verb("explain", str(RUNS / "rules"), *words)
    assert sorted(i for kind in kinds for i in kind["paths"]) == list(range(len(found["paths"])))
    assert all(kind["confidence"] > 0 for kind in kinds)
    assert {edge["stated"] for edge in edges} == {"train"}


def test_pairs_are_what_the_verbs_print(ask):
    drugs = [row["name"] for row in ask("runs/walks/entities", limit=2)["entities"]]
    words = [word for drug in drugs for word in ("--drug", drug)]
    found, printed = (
        ask("runs/walks/pair", {"drugs": drugs}),
        verb("ddi", "predict", str(RUNS / "walks"), *words),
    )
    if printed["set"] is not None:
        del printed["set"]["measured"]
    assert found.pop("caution") == "For research, not for clinical use."
    assert found == printed
    screened = ask("runs/walks/partners", drug=drugs[0], top=3)
    printed = verb("ddi", "screen", str(RUNS / "walks"), "--drug", drugs[0], "--top", "3")
    assert screened["partners"] == printed["partners"]


def test_a_drug_that_is_new(ask):
    found = ask("runs/walks/add-drug", {"name": "novamycin", "smiles": "CC(=O)Nc1ccc(O)cc1"})
    assert found["drug"] == "novamycin" and found["partners"] and found["caution"]
    wrong = ask("runs/walks/add-drug", {"name": "n", "smiles": "C1CC"}, 400)
    assert wrong["error"]["type"] == "FormatError"
    total = ask("runs/walks")["data_info"]["n_drugs"]
    assert total == found["total"]  # all drugs but the new one, which the run did not take in


def test_adapting_to_molecules_and_users(ask):
    support = [{"smiles": "CCO", "label": 1}, {"smiles": "CCC", "label": 0}]
    found = ask("runs/tanimoto/adapt", {"support": support, "predict": ["CCCO", "CCCC"]})
    first, second = found["predictions"]
    assert first["probability"] > second["probability"]
    assert {reason["id"] for reason in first["reasons"]} <= {"CCO", "CCC"}
    items = [row["name"] for row in ask("runs/means/entities", limit=2)["entities"]]
    rated = ask("runs/means/adapt", {"support": [{"item": items[0], "rating": 4}],
                                     "predict": items})  # fmt: skip
    assert {row["item"] for row in rated["predictions"]} == set(items)
    ask("runs/means/adapt", {"support": [{"smiles": "C"}], "predict": items}, 400)


def test_what_a_run_cannot_be_asked_is_said(ask):
    for run, path in (("complex", "strike"), ("means", "predict")):
        error = ask(f"runs/{run}/{path}", {"head": VICTORIA, "relation": COUSIN}, 400)["error"]
        assert "cannot be asked" in error["message"] and error["remedy"]
    assert ask("runs/nix", status=404)["error"]["type"] == "MissingRun"
    unknown = ask("runs/redgnn/predict", {"head": "Viktoria", "relation": COUSIN}, 404)["error"]
    assert unknown["type"] == "UnknownEntity"
    wrong = ask("runs/redgnn/predict", {"head": VICTORIA, "relation": COUSIN, "top": 0}, 422)
    assert "top" in wrong["error"]["message"]


def test_etag_files_batches_table(client, ask):
    address = "/api/v1/runs/rules/predict"
    query = {"head": VICTORIA, "relation": COUSIN, "top": 3}
    first = client.get(address, params=query)
    again = client.get(address, params=query, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    lines = client.get(address, params=query | {"format": "csv"}).text.splitlines()
    assert len(lines) == 4 and "probability" in lines[0]
    body = {"questions": [{"head": VICTORIA, "relation": COUSIN}, {"head": "x", "relation": "y"}]}
    with client.stream("POST", f"{address}/batch", json=body) as reply:
        rows = [json.loads(line) for line in reply.iter_lines()]
    assert rows[0] == ask("runs/rules/predict", body["questions"][0])
    assert rows[1]["error"]["type"] == "UnknownEntity"
    assert [row["run"] for row in ask("table")["runs"]][:2] == ["redgnn", "rules"]
    compared = ask("compare", run=["redgnn", "rules"], split="valid")
    assert [row["run"] for row in compared["runs"]] == ["redgnn", "rules"]


def test_a_card_is_sent_again_where_the_run_was_measured_meanwhile(client, service, tmp_path):
    address, served = "/api/v1/runs/rules", service.run("rules")
    tag = client.get(address).headers["etag"]
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
    there, seal = served.path, tmp_path / "checksums.json"
    seal.write_text("another")
    served.path = tmp_path
    again = client.get(address, headers={"If-None-Match": tag})
    served.path = there
    assert again.status_code == 200 and again.headers["etag"] != tag


def test_a_file_of_hidden_known_answers_has_the_ranks_of_the_page(client, ask):
    query = {"head": VICTORIA, "relation": COUSIN, "top": 10}
    found = ask("runs/redgnn/predict", **query)
    shown = [
        [str(rank), row["entity"]]
        for rank, row in enumerate(found["answers"], start=1)
        if found["about"][row["entity"]]["known"] == "no"
    ]
    assert 0 < len(shown) < len(found["answers"])
    query |= {"hide_known": "true", "format": "csv"}
    text = client.get("/api/v1/runs/redgnn/predict", params=query).text
    rows = list(csv.DictReader(text.splitlines()))
    assert [[row["rank"], row["entity"]] for row in rows] == shown


def test_a_run_with_any_name_can_be_saved(client, service, monkeypatch):
    monkeypatch.setitem(service.runs, 'прогон "1"', service.run("rules"))
    query = {"head": VICTORIA, "relation": COUSIN, "format": "csv"}
    reply = client.get('/api/v1/runs/прогон "1"/predict', params=query)
    assert reply.status_code == 200
    assert reply.headers["content-disposition"] == 'attachment; filename="________1_-predict.csv"'


def test_candidates_of_a_type_are_found_as_others_are(ask, service, monkeypatch):
    links = service.run("rules").questions
    monkeypatch.setitem(vars(links), "_types", {VICTORIA: ["person"], "Maud_of_Wales": ["person"]})
    vars(links).pop("typed", None)
    query = {"head": VICTORIA, "relation": COUSIN, "type": "person"}
    found = ask("runs/rules/predict", query | {"candidates": ["maud_of_wales"]})
    vars(links).pop("typed", None)
    assert [row["entity"] for row in found["answers"]] == ["Maud_of_Wales"] and found["notes"]


def test_documentation_and_counts(client, ask):
    document = ask("openapi.json")
    assert "/api/v1/runs/{run}/strike" in document["paths"]
    page = client.get("/api/v1/docs").text
    assert "StrikeFound" in page and "http://" not in page.replace(str(client.base_url), "")
    assert "https://" not in page and "<script" not in page
    counts = client.get("/metrics").text
    assert 'route="/api/v1/docs",status="200"' in counts
    # what is asked never becomes a name of a count
    client.get("/api/v1/runs/zebra-crossing/predict")
    assert "zebra" not in client.get("/metrics").text


def test_every_documented_route_is_there(ask):
    text = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
    told = {
        (method, path.replace("RUN", "{run}").replace("/ID", "/{id}"))
        for row in text.splitlines() if row.startswith("| `")
        for method, path in _routes(row.split("|")[1])
    }  # fmt: skip
    paths = ask("openapi.json")["paths"]
    have = {
        (method.upper(), path.removeprefix("/api/v1").replace("{job}", "{id}"))
        for path, methods in paths.items()
        for method in methods
    }
    assert told == have


def _routes(cell):
    import re

    for methods, path in re.findall(r"`((?:GET|POST|PUT|DELETE))[^/`]*(/[^` ]*)`", cell):
        yield methods, path
    for first, second, path in re.findall(r"`(GET)` or `(POST) (/[^`]*)`", cell):
        yield first, path
        yield second, path


def test_entities_relations_facts(ask):
    found = ask("runs/redgnn/entities", q="victoria", limit=2)
    assert found["entities"][0]["name"] == VICTORIA and found["total"] == 3
    near = ask("runs/redgnn/entities", q="vicotria wales")["entities"]
    assert near[0] == {**found["entities"][0], "match": "near"}
    rows = ask("runs/redgnn/relations", entity=VICTORIA)["relations"]
    assert rows[0]["name"] == COUSIN and rows[0]["as_head"] == 22
    facts = ask("runs/redgnn/facts", entity=VICTORIA, limit=5)
    assert len(facts["facts"]) == 5 and facts["total"] == found["entities"][0]["degree"]


def test_molecules_are_drawn(client, ask):
    pytest.importorskip("rdkit")
    reply = client.get("/api/v1/molecule.svg", params={"smiles": "CCO"})
    assert reply.headers["content-type"] == "image/svg+xml" and "<svg" in reply.text
    assert ask("molecule.svg", status=400, smiles="C1")["error"]["type"] == "FormatError"
