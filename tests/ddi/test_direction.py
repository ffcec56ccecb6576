"""Who acts on whom: the sentences of rows read either way round, and every face that shows them."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ddi.small_pairs import families, write_ddi_folder

import parsimony
from parsimony import datasets, fit
from parsimony.datasets.registry import entry
from parsimony.ddi.data import DDIData
from parsimony.ddi.direction import DRUGBANK, Subject, of_older_run, says, wording
from parsimony.ddi.folder import load_ddi, load_ddi_folder
from parsimony.ddi.screening import screen
from parsimony.errors import FormatError
from parsimony.explain import Explanation

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SOURCE = Path(parsimony.__file__).parent
NAMES = st.text("AbZ#Drug12 ", min_size=1, max_size=12)
TEMPLATES = st.sampled_from([
    "#Drug1 may increase the serotonergic activities of #Drug2.",
    "The metabolism of #Drug2 can be decreased when combined with #Drug1.",
    "Of #Drug2 less is left when #Drug2 is combined with #Drug1.",
    "QT is longer under #Drug1 and #Drug2",
])  # fmt: skip


@given(TEMPLATES, NAMES, NAMES)
def test_the_second_drug_as_subject_is_the_row_read_backwards(template, a, b):
    forward = wording(template, Subject.FIRST, a, b)
    assert wording(template, Subject.SECOND, b, a) == forward
    assert wording(template, Subject.BOTH, a, b) == forward
    pieces = re.split("#Drug[12]", template)
    places = re.findall("#Drug[12]", template)
    expected = pieces[0] + "".join(
        (a if place == "#Drug1" else b) + piece
        for place, piece in zip(places, pieces[1:], strict=True)
    )
    assert forward == expected, "names are never read as placeholders"


@given(TEMPLATES, st.sampled_from(["Ab", "Zb"]), st.sampled_from(["Cd", "Ed"]))
def test_an_undecided_sentence_claims_no_direction(template, a, b):
    text = wording(template, Subject.UNDECIDED, a, b)
    assert text.startswith(f"{a} and {b}, order not established: ")
    rest = text.partition(": ")[2]
    assert a not in rest and b not in rest and "#Drug" not in rest
    assert "one drug" in rest and "the other" in rest


def test_no_other_file_puts_names_into_a_template():
    """Every sentence about two drugs is made in ddi/direction.py."""
    found = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if re.search(r"replace\([^)]*#Drug|sub\(\s*r?\"#Drug", path.read_text(encoding="utf-8"))
    }
    assert found == {"ddi/direction.py"}
    reading = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if ".templates[" in path.read_text(encoding="utf-8")
    }
    assert reading <= {
        "ddi/data.py", "ddi/emergnn/explain.py", "ddi/metapaths/text.py",
        "web/pairs.py",  # lists the types as they are, without names
    }  # fmt: skip


def test_every_drugbank_type_has_a_subject():
    assert list(DRUGBANK) == [str(kind) for kind in range(86)]
    assert all(says(kind) for kind in DRUGBANK)
    recorded = json.loads((BENCHMARKS / "results" / "direction.json").read_text("utf-8"))["types"]
    assert {r["type"]: r["verdict"] for r in recorded} == DRUGBANK


# ---- a user's folder -----------------------------------------------------------------------------


def with_subjects(path, *words):
    """The subjects of the first types of a folder, in its relations.tsv."""
    lines = (path / "relations.tsv").read_text().splitlines()
    words = ["subject", *words, *[""] * len(lines)]
    text = "".join(f"{line}\t{word}\n" for line, word in zip(lines, words, strict=False))
    (path / "relations.tsv").write_text(text)
    return path


def test_a_folder_says_who_the_subject_is(tmp_path):
    folder = write_ddi_folder(families(), tmp_path / "mine")
    plain = load_ddi_folder(folder)
    assert plain.sentence(3, 1, 12) == "Drug ol3 does 1 to Drug amine2."
    assert plain.acting(3, 1, 12) is None, "the folder does not say"
    data = load_ddi_folder(with_subjects(folder, "first", "second", "both", "undecided"))
    assert data.sentence(3, 0, 12) == "Drug ol3 does 0 to Drug amine2."
    assert data.sentence(3, 1, 12) == "Drug amine2 does 1 to Drug ol3."
    assert data.sentence(3, 2, 12) == "Drug ol3 does 2 to Drug amine2."
    assert data.sentence(3, 3, 12) == (
        "Drug ol3 and Drug amine2, order not established: one drug does 3 to the other."
    )
    assert data.sentence(3, 4, 12) == "Drug ol3 does 4 to Drug amine2."
    assert [data.acting(3, kind, 12) for kind in range(5)] == [
        "Drug ol3", "Drug amine2", None, None, "Drug ol3"
    ]  # fmt: skip
    data.save(tmp_path / "kept")
    again = DDIData.load(tmp_path / "kept")
    assert again.subjects == data.subjects and again.content_hash == data.content_hash
    assert plain.content_hash == data.content_hash, "the same data, read another way"


def test_a_wrong_subject_is_named(tmp_path):
    folder = with_subjects(write_ddi_folder(families(), tmp_path / "mine"), "first", "secnd")
    with pytest.raises(FormatError) as caught:
        load_ddi_folder(folder)
    assert caught.value.where == f"{folder / 'relations.tsv'}:3"
    assert "second" in caught.value.remedy


# ---- every face ----------------------------------------------------------------------------------


def turned(source: Path, target: Path) -> Path:
    """The rows of cyp read backwards, with the subjects that say so."""
    target.mkdir()
    for path in source.glob("*.txt"):
        text = path.read_text(encoding="utf-8")
        if path.stem != "fingerprints":
            rows = [line.split("\t") for line in text.splitlines()]
            text = "".join(f"{b}\t{a}\t{kind}\n" for a, b, kind in rows)
        (target / path.name).write_text(text, encoding="utf-8")
    (target / "drugs.tsv").write_bytes((source / "drugs.tsv").read_bytes())
    (target / "background").mkdir()
    (target / "background/train.txt").write_bytes((source / "background/train.txt").read_bytes())
    head, *rows = (source / "relations.tsv").read_text(encoding="utf-8").splitlines()
    rows = [f"{row.rpartition(chr(9))[0]}\tsecond" for row in rows]
    (target / "relations.tsv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return target


@pytest.fixture(scope="module", params=["neighbours", "walks", "prior"])
def both_ways(request, tmp_path_factory):
    """A method fitted on cyp as it is, and on its rows read backwards."""
    home = tmp_path_factory.mktemp("ways")
    source = Path(datasets.__file__).parent / "embedded" / "cyp"
    assert entry("cyp").name == "cyp"
    folders = [source, turned(source, home / "turned")]
    settings = {"power": 4.0, "smoothing": 1e-3} if request.param == "neighbours" else {}
    if request.param == "walks":
        settings = {"penalty": 0.1, "max_pairs": 500}
    return [
        fit(str(folder), method=request.param, parameters={"setting": "S1", **settings})[0]
        for folder in folders
    ]


def test_predictions_say_the_same_of_rows_read_backwards(both_ways):
    found = [one.predict("fluconazole", "warfarin", top=26) for one in both_ways]
    known = [{fact["text"] for fact in answer["known"]} for answer in found]
    assert known[0] == known[1] != set()
    texts = [{a["text"]: a["probability"] for a in answer["answers"]} for answer in found]
    assert texts[0].keys() == texts[1].keys()
    if both_ways[0].method != "walks":  # which draws what it hides
        assert texts[0] == pytest.approx(texts[1])
    for answer in found[1]["answers"]:
        assert answer["acting"] == answer["drug2"]


def test_every_face_shows_the_sentence_of_the_row(both_ways):
    """Screens and explanations claim what the row says, in text, JSON and on the page."""
    for one in both_ways:
        data = one.task_.data
        rows = screen(one, "fluconazole", top=5)["partners"]
        for partner in rows[:5]:
            u, v = (data.drug(name) for name in partner["order"])
            said = data.sentence(u, data.types.index(partner["type"]), v)
            assert partner["text"] == said
        if one.gives_reasons:
            first = next(row for row in rows if row["acting"])
            found = one.explain(first["order"][0], first["type"], first["order"][1])
            assert found.claim == first["text"] == found.to_dict()["claim"]
            assert found.text().startswith(first["text"])
            assert first["text"] in found.html() and first["text"] in found.dot()
            assert Explanation.from_dict(found.to_dict(full=True)).claim == found.claim


def test_each_partner_has_its_own_reason(both_ways):
    one = both_ways[0]
    rows = screen(one, "fluconazole", top=30)["partners"][:30]
    reasons = [row["reason"] for row in rows]
    assert all(reasons)
    assert len(set(reasons)) > 0.9 * len(reasons)


def test_metapath_lines_have_the_drugs_of_the_row(both_ways):
    one = both_ways[1]
    if one.method == "walks":
        slowed = [line for line in one.knowledge() if line.type == "metabolism_decreased"]
        assert slowed and all("#Drug2 may slow the metabolism of #Drug1" in w.text for w in slowed)
        assert any("inhibits" in w.metapath.split("?")[-1] for w in slowed)


def test_cyp_names_the_drug_that_acts_first():
    data = load_ddi("cyp")
    fluconazole, warfarin = data.drug("fluconazole"), data.drug("warfarin")
    rows = np.concatenate(list(data.pairs.values()))
    mine = rows[(rows[:, 0] == fluconazole) & (rows[:, 2] == warfarin)]
    assert [data.acting(*row) for row in mine.tolist()] == ["fluconazole"]
    bleeding = data.types.index("bleeding")
    assert data.acting(fluconazole, bleeding, warfarin) is None


# ---- DrugBank ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drugbank(real_data):
    return load_ddi("drugbank-ddi", split="random", mirror=real_data)


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("direction", "well_known_pairs", "common"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.data
def test_pharmacology_decides_as_the_library_holds(real_data, archives, scripts, monkeypatch):
    import direction

    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    wrong = [r for r in direction.audit() if r["verdict"] != r["subject"]]
    assert not wrong


@pytest.mark.data
def test_well_known_pairs_are_told_the_right_way_round(drugbank, scripts):
    """What the data state of them; benchmarks/well_known_pairs.py asks a fitted method as well."""
    import well_known_pairs

    rows = np.concatenate(list(drugbank.pairs.values()))
    judged = []
    for pair in well_known_pairs.pairs():
        ends = [drugbank.drug(pair[end]) for end in ("acting", "affected")]
        known = rows[np.isin(rows[:, [0, 2]], ends).all(1)].tolist()
        if known:
            said = [drugbank.sentence(*row) for row in known]
            judged.append(well_known_pairs.judge(pair, said))
    assert len(judged) >= 38
    assert all(verdict["true"] and not verdict["misdirected"] for verdict in judged)
    assert sum(verdict["right"] for verdict in judged) >= 35


@pytest.mark.data
def test_an_unsettled_drug_claims_no_direction(drugbank):
    conivaptan, midazolam = drugbank.drug("Conivaptan"), drugbank.drug("Midazolam")
    kind = drugbank.types.index("72")
    assert drugbank.acting(conivaptan, kind, midazolam) is None
    assert drugbank.sentence(conivaptan, kind, midazolam) == (
        "Conivaptan and Midazolam, order not established: the serum concentration of one drug can "
        "be increased when it is combined with the other."
    )


@pytest.mark.data
def test_an_older_run_gets_the_subjects(drugbank, tmp_path):
    """It saved two templates with the drugs exchanged, or none before that."""
    drugbank.save(tmp_path / "run")
    path = tmp_path / "run" / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    exchanged = list(meta["templates"])
    for kind in ("46", "72"):
        i = meta["types"].index(kind)
        exchanged[i] = wording(exchanged[i], Subject.SECOND, "#Drug1", "#Drug2")
    note = "types 46 and 72: the drugs of the distributed sentence are exchanged, as …"
    for templates, notes in ((exchanged, ["a", note]), (meta["templates"], ["a"])):
        old = {k: v for k, v in meta.items() if k not in ("subjects", "unsettled")}
        path.write_text(json.dumps(old | {"templates": templates, "notes": notes}), "utf-8")
        again = DDIData.load(tmp_path / "run")
        # Its config.toml has the hash of what it stored.
        assert again.content_hash == replace(drugbank, templates=tuple(templates)).content_hash
        assert again.templates == drugbank.templates
        assert again.notes == ("a", drugbank.notes[-1])
    assert of_older_run(meta) is meta
