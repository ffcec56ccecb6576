"""Drug pairs, as a user types them."""

from __future__ import annotations

import json
import shutil

import polars as pl
import pytest
from tests.ddi.small_pairs import families, write_ddi_folder
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.methods import load_run

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

QUICK = ["--set", "power=4", "--set", "smoothing=1e-3"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Data and a run of them; copy them before writing into them."""
    folder = tmp_path_factory.mktemp("pairs")
    write_ddi_folder(families(), folder / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(app, ["fit", "mine", *QUICK, "--out", "run"])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def pairs_run(pairs, tmp_path):
    shutil.copytree(pairs, tmp_path, dirs_exist_ok=True)
    return "run"


def test_a_folder_of_pairs_is_known_by_its_drugs(typed, tmp_path):
    write_ddi_folder(families(), tmp_path / "mine")
    done = typed("fit", "mine", *QUICK, "--set", "setting=S2", "--json").json
    assert done["method"] == "neighbours"
    assert done["run"] == "runs/mine-S2-neighbours-0"
    assert set(done["valid"]) == {"macro_f1", "macro_f1_true_labels", "accuracy", "kappa"}


def test_evaluate(typed, pairs_run):
    result = typed("evaluate", pairs_run, "--json").json
    assert result["setting"] == "S1"
    assert result["metrics"]["accuracy"] > 0.9
    readable = typed("evaluate", pairs_run, "--split", "valid").out
    for word in (
        "valid, setting S1",
        "kappa",
        "emerging drugs",
        "training pairs",
        "at temperature",
        "level of the sets",
        "fraction answered",
        "on the pairs it was fitted to",
    ):
        assert word in readable


def test_predict_names_the_interaction(typed, pairs_run):
    words = ["ddi", "predict", pairs_run, "--drug", "drug ol4", "--drug", "X11"]
    result = typed(*words, "--top", 2, "--json").json
    assert result["query"] == {"drug_a": "Drug ol4", "drug_b": "Drug amine1"}
    assert len(result["answers"]) == 2
    assert {"drug1", "drug2", "type", "probability", "uncalibrated", "text", "acting"} == set(
        result["answers"][0]
    )
    readable = typed(*words).out
    assert "Drug ol4 does 1 to Drug amine1." in readable
    assert "known (test_S1)" in readable
    assert "not for clinical use" in readable
    assert "validation pairs of S1" in readable
    held = typed("evaluate", pairs_run, "--json").json["conformal"]["0.9"]
    assert result["set"]["measured"] == held
    assert f"On the test split the sets covered {held['coverage']:.1%}" in readable
    assert (
        "90% set in the order Drug ol4, Drug amine1: “Drug ol4 does 1 to Drug amine1.”" in readable
    )


def test_an_older_run_is_calibrated_afterwards(typed, pairs_run, tmp_path):
    from parsimony.run.seal import seal

    words = ["ddi", "predict", pairs_run, "--drug", "ol4", "--drug", "amine1"]
    before = typed(*words, "--json").json
    (tmp_path / pairs_run / "confidence.json").unlink()
    seal(tmp_path / pairs_run)
    assert "uncalibrated" in typed(*words).out
    assert "coverage" in typed("evaluate", pairs_run).out
    done = typed("ddi", "calibrate", pairs_run, "--json").json
    assert done["setting"] == "S1"
    assert typed(*words, "--json").json == before


def test_a_set_of_many_types_is_an_abstention():
    from parsimony.cli.ddi import _sets

    order = {"drug1": "a", "drug2": "b", "texts": [f"text {k}" for k in range(6)]}
    assert _sets({"orders": [order]}) == [
        "90% set in the order a, b: more than 5 types (6): abstain"
    ]
    order |= {"texts": order["texts"][:2], "abstains": False}
    assert _sets({"orders": [order]}) == ["90% set in the order a, b: “text 0” or “text 1”"]
    assert _sets(None) == []


def test_report(typed, pairs_run, tmp_path):
    done = typed("report", pairs_run, "--json").json
    page = (tmp_path / done["report"]).read_text()
    for words in ("macro-F1", "Prediction sets", "Emerging drugs", "nearest known drug",
                  "coverage of 90 % sets", "trained parameters"):  # fmt: skip
        assert words in page
    assert page.count("<svg viewBox") == 2
    typed("evaluate", pairs_run)  # a report is no part of what is sealed


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["ddi", "predict", "run", "--drug", "Drug ol44", "--drug", "ol1"], "UnknownDrug", "ol4"),
        (["ddi", "predict", "run", "--drug", "ol1"], "UsageError", "--drug"),
        (["predict", "run", "--head", "ol1", "--relation", "t1"], "UsageError", "ddi predict"),
        (["explain", "run", "--head", "a", "--tail", "b"], "UnknownDrug", "30 drugs"),
        (["rules", "run"], "UsageError", "ddi"),
        (["ddi", "calibrate", "run"], "UsageError", "ddi predict"),
        (["evaluate", "run", "--split", "train"], "InvalidParameter", ""),
        (["fit", "mine", "--method", "redgnn", "--task", "ddi"], "InvalidParameter", "neighbours"),
        (["fit", "mine", "--set", "setting=S4", "--out", "x"], "InvalidParameter", "S0"),
        (["fit", "mine", "--set", "powr=4", "--out", "x"], "UnknownParameter", "power"),
        (["fit", "mine", "--set", "graph=hetionett", "--out", "x"], "InvalidParameter", "hetionet"),
        (["fit", "royal", "--method", "prior", "--out", "x"], "InvalidParameter", "redgnn"),
    ],
)
def test_wrong_input_is_an_error_with_a_remedy(typed, pairs_run, words, kind, says):
    error = typed(*words, "--json", code=2).error
    assert error["type"] == kind
    assert says in error["remedy"]


def test_a_run_of_facts_takes_no_drugs(typed, trained):
    words = ["ddi", "predict", trained, "--drug", "a", "--drug", "b", "--json"]
    error = typed(*words, code=2).error
    assert error["type"] == "UsageError"
    assert "parsimony predict" in error["remedy"]


SMALL = {
    "batch": 16, "threads": 1, "dim": 8, "lr": 0.01, "votes": "[]", "hidden": 0,
    "fingerprint_dropout": 0.3, "dropout": 0.2, "decay": 0.9,
}  # fmt: skip
SMALL_WORDS = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def drugs(tmp_path_factory):
    """EmerGNN on the embedded drugs; copy it before writing into it."""
    run = tmp_path_factory.mktemp("drugs") / "run"
    words = ["--method", "emergnn", *SMALL_WORDS, "--epochs", "12", "--out", str(run), "--json"]
    result = CliRunner().invoke(app, ["fit", "cyp", *words])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["valid"]["accuracy"] > 0.9
    return run


def test_explain_a_pair_of_the_embedded_drugs(typed, drugs, tmp_path):
    """The mechanism, in names: an inhibitor of CYP3A4 and its substrate."""
    pair = ["--head", "ketoconazole", "--tail", "midazolam"]
    found = typed("explain", drugs, *pair, "--html", "why.html", "--json").json
    assert {found["query"]["head"], found["query"]["tail"]} == {"ketoconazole", "midazolam"}
    passed = {name for path in found["paths"] for step in path["steps"] for name in step[::2]}
    assert "CYP3A4" in " ".join(passed)
    assert "What the score is made of" in typed("explain", drugs, *pair).out
    assert "What the score is made of" in (tmp_path / "why.html").read_text()


# ---- screen --------------------------------------------------------------------------------------


def test_screen_ranks_all_partners(typed, drugs, tmp_path):
    words = ["ddi", "screen", drugs, "--drug", "Voriconazole", "--top", 5]
    found = typed(*words, "--out", "all.parquet", "--json").json
    assert found["drug"] == "voriconazole"
    assert len(found["partners"]) == 5
    first = found["partners"][0]
    assert set(first) >= {"drug", "order", "type", "probability", "reason", "known"}
    assert sorted(first["order"]) == sorted(["voriconazole", first["drug"]])
    assert "CYP3A4" in first["reason"]
    table = pl.read_parquet(tmp_path / "all.parquet")
    assert len(table) == 132
    assert table["probability"].is_sorted(descending=True)
    assert table["drug"].n_unique() == 132
    assert table["drug"][0] == first["drug"]
    assert table["reason"].is_not_null().sum() == 5
    readable = typed(*words).out
    assert "the first 5 of 132 partners" in readable
    assert "known (test_S1)" in readable
    assert "not for clinical use" in readable


def test_a_screened_pair_is_scored_as_if_asked_alone(typed, drugs):
    """Known interactions among them: each is scored without itself."""
    words = ["ddi", "screen", drugs, "--drug", "ketoconazole", "--top", 132]
    partners = typed(*words, "--json").json["partners"]
    known = [p for p in partners if any(f["split"] == "train" for f in p["known"])]
    assert len(known) > 5
    for partner in [*known[:3], *[p for p in partners if not p["known"]][:3]]:
        pair = ["--drug", "ketoconazole", "--drug", partner["drug"]]
        alone = typed("ddi", "predict", drugs, *pair, "--top", 1, "--json").json
        assert alone["answers"][0]["type"] == partner["type"]
        assert alone["answers"][0]["text"] == partner["text"]
        assert alone["answers"][0]["probability"] == pytest.approx(partner["probability"], abs=1e-5)
        assert alone["known"] == partner["known"]


def test_screen_without_what_is_known(typed, drugs, tmp_path):
    words = ["ddi", "screen", drugs, "--drug", "ketoconazole", "--drop-known"]
    found = typed(*words, "--out", "deep/all.csv", "--json").json
    assert all(p["known"] == [] for p in found["partners"])
    table = pl.read_csv(tmp_path / "deep" / "all.csv")
    assert 20 < len(table) < 132
    assert set(table["drug1"]) | set(table["drug2"]) == {*table["drug"], "ketoconazole"}


def test_screen_by_the_most_similar_drugs(typed, pairs_run):
    found = typed("ddi", "screen", pairs_run, "--drug", "ol4", "--top", 3, "--json").json
    for partner in found["partners"]:
        assert partner["reason"].startswith("most like Drug ")
        pair = ["--drug", "ol4", "--drug", partner["id"]]
        alone = typed("ddi", "predict", pairs_run, *pair, "--top", 1, "--json").json["answers"][0]
        assert alone["text"] == partner["text"]
        assert alone["probability"] == pytest.approx(partner["probability"], abs=1e-6)


def test_every_drug_is_screened(typed, tmp_path):
    drugs = write_ddi_folder(families(), tmp_path / "mine") / "drugs.tsv"
    text = drugs.read_text().replace("Drug ol6", "acid3")  # the id of another
    drugs.write_text(text.replace("\tCCCCCCCO\t", "\t\t"))  # ol3 has no structure
    typed("fit", "mine", *QUICK, "--out", (pairs_run := "run"))
    done = typed("ddi", "screen", pairs_run, "--all", "--top", 3, "--out", "all.csv", "--json").json
    table = pl.read_csv("all.csv")
    data = load_run(pairs_run).task_.data
    alone = typed("ddi", "screen", pairs_run, "--drug", "ol3", "--json").json
    assert "ol3 has no structure" in alone["notes"][0]
    assert table.filter(screened="ol3")["notes"].to_list() == alone["notes"] * 3
    assert done == {"out": "all.csv", "drugs": data.n_drugs, "rows": len(table), "resumed": 0,
                    "notes": alone["notes"]}  # fmt: skip
    typed("ddi", "screen", pairs_run, "--drug", "ol4", "--top", 3, "--out", "one.csv")
    some = table.filter(pl.col("screened") == "ol4").drop("screened", "notes")
    assert some.equals(pl.read_csv("one.csv").head(3).select(some.columns))


def test_screen_by_structure_and_by_counts(typed, tmp_path):
    write_ddi_folder(families(), tmp_path / "mine")
    for method, says in (("mlp", "both structures"), ("prior", "how often")):
        typed("fit", "mine", "--method", method, *["--epochs", 1] * (method == "mlp"), "--out", "m")
        found = typed("ddi", "screen", "m", "--drug", "ol4", "--top", 2, "--json").json
        assert all(says in partner["reason"] for partner in found["partners"])
        shutil.rmtree(tmp_path / "m")


# ---- add-drug ------------------------------------------------------------------------------------

NEW = """
name = "novazole"
inhibits_strongly = ["CYP3A4"]
substrate_of = [{ name = "cyp2c19" }]
categories = ["azole_antifungal"]
[[facts]]
relation = "prolongs"
entity = "QT_interval"
"""


def test_add_drug_predicts_for_a_drug_that_is_new(typed, drugs, tmp_path):
    (tmp_path / "new.toml").write_text(NEW)
    words = ["ddi", "add-drug", drugs, "--file", "new.toml", "--top", 60]
    more = ["--save", "wider", "--html", "new.html", "--out", "all.csv"]
    found = typed(*words, *more, "--json").json
    assert found["drug"] == "novazole"
    assert sorted(found["facts"]) == [
        "novazole belongs_to azole_antifungal", "novazole inhibits_strongly CYP3A4",
        "novazole prolongs QT_interval", "novazole substrate_of CYP2C19",
    ]  # fmt: skip
    said = {p["drug"]: p for p in found["partners"]}
    slowed = [p for p in said.values() if p["type"] == "metabolism_decreased"]
    assert len(slowed) > 10
    assert "novazole —inhibits_strongly→ CYP3A4" in " ".join(p["reason"] for p in slowed)
    assert any("no structure: the answer rests on 4 edges" in note for note in found["notes"])
    assert len(pl.read_csv(tmp_path / "all.csv")) == 133
    assert "novazole" in (tmp_path / "new.html").read_text()
    # the wider run is a run as any other
    again = typed("ddi", "screen", "wider", "--drug", "Novazole", "--top", 60, "--json").json
    assert [p["drug"] for p in again["partners"]] == [p["drug"] for p in found["partners"]]
    before = typed("evaluate", drugs, "--json").json["metrics"]
    assert typed("evaluate", "wider", "--json").json["metrics"] == pytest.approx(before)
    assert "known facts: novazole" in typed(*words).out


def test_a_known_drug_added_under_another_name_is_answered_alike(typed, drugs, tmp_path):
    """Facts and structure of an emerging drug, given anew: the same answers."""
    data = load_run(drugs).task_
    old, graph = data.data.drug("voriconazole"), data.background
    bits = data.data.fingerprints[old].tobytes().hex()
    lines = ['name = "again"', f'fingerprint = "{bits}"']
    for h, r, t in graph.triples[(graph.triples[:, [0, 2]] == old).any(1)].tolist():
        assert h == old
        lines += [
            "[[facts]]", f'relation = "{graph.relations.name(r)}"',
            f'entity = "{graph.entities.name(t)}"',
        ]  # fmt: skip
    (tmp_path / "new.toml").write_text("\n".join(lines))
    words = ["--top", 10, "--json"]
    new = typed("ddi", "add-drug", drugs, "--file", "new.toml", *words).json["partners"]
    known = typed("ddi", "screen", drugs, "--drug", "voriconazole", *words).json["partners"]
    text = [p["text"].replace("voriconazole", "again") for p in known if p["drug"] != "again"]
    both = {p["text"] for p in new} & set(text)
    assert len(both) >= 8


def test_a_drug_without_edges_rests_on_structure_alone(typed, drugs, tmp_path):
    (tmp_path / "new.toml").write_text('name = "bare"\nsmiles = "CC(=O)Nc1ccc(O)cc1"\n')
    found = typed("ddi", "add-drug", drugs, "--file", "new.toml", "--save", "w", "--json").json
    assert any("rests on structure alone" in note for note in found["notes"])
    asked = typed("ddi", "predict", "w", "--drug", "bare", "--drug", "warfarin")
    assert "bare has no edge in the graph" in asked.out


def test_a_method_without_graph_says_what_it_does_not_use(typed, pairs_run, tmp_path):
    text = 'name = "new"\nsmiles = "CCCCCCO"\nenzymes = ["CYP3A4"]\n'
    (tmp_path / "new.toml").write_text(text)
    found = typed("ddi", "add-drug", pairs_run, "--file", "new.toml", "--json").json
    assert found["partners"][0]["reason"].startswith("most like Drug ol")
    assert any("1 fact of the file are not used" in note or "not used" in note
               for note in found["notes"])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("name = ", "FormatError", "not TOML"),
        ('smiles = "CC"', "FormatError", "no name"),
        ('name = "warfarin"\nsmiles = "CC"', "FormatError", "in the run already"),
        ('name = "x"', "FormatError", "nothing is known of x"),
        ('name = "x"\nsmiles = "CC(C(=O"', "FormatError", "around position 3"),
        ('name = "x"\nsmiles = "c1ccccc"', "FormatError", "opened at position 2"),
        ('name = "x"\nsmiles = 5', "FormatError", "smiles must be text"),
        ('name = "x"\nfingerprint = "0f"', "FormatError", "1,024 bits"),
        ('name = "x"\nsubstrate_of = "CYP3A4"', "FormatError", "must be a list"),
        ('name = "x"\nsubstrate_of = [3]', "FormatError", "lists names"),
        ('name = "x"\n[[facts]]\nrelation = "blocks"', "FormatError", "an entity"),
        ('name = "x"\nsubstrate_off = ["CYP3A4"]', "UnknownRelation", "'substrate_of'"),
        ('name = "x"\nsubstrate_of = ["CYP3A45"]', "UnknownEntity", "'CYP3A4'"),
        ('name = "x"\nenzymes = ["CYP3A4"]', "UnknownRelation", "substrate_of"),
        ('name = "x"\n[[facts]]\nrelation = "block"\nentity = "y"', "UnknownRelation", "blocks"),
    ],
)
def test_a_wrong_file_of_a_new_drug(typed, drugs, tmp_path, text, kind, says):
    (tmp_path / "new.toml").write_text(text)
    error = typed("ddi", "add-drug", drugs, "--file", "new.toml", "--json", code=2).error
    assert error["type"] == kind
    assert says in error["message"] + error["remedy"]
    assert "new.toml" in error["where"]


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["screen", "--drug", "ketokonazole"], "UnknownDrug", "'ketoconazole'"),
        (["screen", "--drug", "KETOKONAZOLE"], "UnknownDrug", "'ketoconazole'"),
        (["screen", "--drug", "midazolam", "--out", "a.xlsx"], "UsageError", "a.parquet"),
        (["screen", "--drug", "midazolam", "--out", "."], "NotAFile", "inside"),
        (["screen", "--drug", "midazolam", "--top", 0], "UsageError", ""),
        (["screen"], "UsageError", "--drug A"),
        (["predict", "--drug", "warfrin", "--drug", "x"], "UnknownDrug", "'warfarin'"),
        (["add-drug", "--file", "none.toml"], "MissingFile", ""),
        (["add-drug", "--file", "new.toml", "--save", "full"], "RunExists", "another"),
    ],
)
def test_wrong_words_to_the_scientist_s_commands(typed, drugs, tmp_path, words, kind, says):
    (tmp_path / "new.toml").write_text(NEW)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    error = typed("ddi", words[0], drugs, *words[1:], "--json", code=2).error
    assert error["type"] == kind
    assert says in error["remedy"]


def test_a_model_with_a_vector_a_drug_takes_no_new_one(typed, tmp_path):
    words = [*SMALL_WORDS, "--set", "setting=S0", "--set", "form=published", "--set", "dim=8"]
    typed("fit", "cyp", "--method", "emergnn", *words, "--epochs", 1, "--out", "s0")
    (tmp_path / "new.toml").write_text(NEW)
    error = typed("ddi", "add-drug", "s0", "--file", "new.toml", "--json", code=2).error
    assert "a vector for every drug" in error["message"]
    assert "setting=S1" in error["remedy"]
    found = typed("ddi", "screen", "s0", "--drug", "warfarin", "--top", 2, "--json").json
    pair = ["--drug", "warfarin", "--drug", found["partners"][0]["drug"]]
    alone = typed("ddi", "predict", "s0", *pair, "--json").json["answers"][0]
    assert alone["probability"] == pytest.approx(found["partners"][0]["probability"], abs=1e-5)
