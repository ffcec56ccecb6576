"""One detector of what a table holds: of the decoded table alone, sure or asking, never silent."""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.datasets.dataset_files import write_folder
from tests.ratings.small_ratings import tastes, write_csv
from typer.testing import CliRunner

from parsimony.cli import app
from parsimony.errors import InvalidParameter, UsageError
from parsimony.link.loading import load as load_facts
from parsimony.problems import kind_of, load, method_for, require_kind
from parsimony.ratings.table import load_ratings
from parsimony.search.run import space_for

cell = st.text(st.sampled_from("abcXYZ019 _-.;'ä"), min_size=1, max_size=5).map(
    lambda text: text.strip() or "x"
)
HEADERS = [
    ("user_id", "item_id", "rating", "timestamp"),
    ("user", "item", "score"),
    ("uid", "iid", "stars"),
    ("head", "relation", "tail"),
    ("Head_ID", "Relation", "Tail_ID", "weight"),
    ("Subject", "Predicate", "Object"),
    ("mol_id", "smiles", "active"),
    ("Drug1_ID", "Drug2_ID", "Y"),
    ("Kunde", "Artikel", "Note"),
    ("gene", "acts on", "disease"),
]


def outcome(path):
    """What the detector says, or that it asks."""
    try:
        return kind_of(str(path))
    except UsageError:
        return "asks"


def text_of(header, rows, separator, quoting, end):
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerows([header, *rows])
    return stream.getvalue()


@settings(max_examples=60)
@given(st.data())
def test_only_the_decoded_table_decides(data):
    header = data.draw(st.sampled_from(HEADERS))
    numbers = st.integers(0, 5).map(str)
    columns = [
        data.draw(st.sampled_from([cell, numbers, st.integers(0, 40).map(str)])) for _ in header
    ]
    rows = data.draw(st.lists(st.tuples(*columns), min_size=4, max_size=30))
    shuffled = data.draw(st.permutations(rows))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = set()
        for name, mark, end, separator, quoting, these in (
            ("a.csv", "", "\n", ",", csv.QUOTE_MINIMAL, rows),
            ("b.csv", "\ufeff", "\n", ",", csv.QUOTE_MINIMAL, rows),
            ("c.CSV", "", "\r\n", ",", csv.QUOTE_MINIMAL, rows),
            ("d.csv", "\ufeff", "\r\n", ",", csv.QUOTE_ALL, rows),
            ("e.csv", "", "\n", "\t", csv.QUOTE_ALL, rows),
            ("f.csv", "", "\n", ",", csv.QUOTE_MINIMAL, shuffled),
            ("g.tsv", "\ufeff", "\n", "\t", csv.QUOTE_MINIMAL, shuffled),
            ("h.txt", "", "\r\n", "\t", csv.QUOTE_ALL, rows),
        ):
            path = folder / name
            text = mark + text_of(header, these, separator, quoting, end)
            path.write_text(text, encoding="utf-8", newline="")
            found.add(outcome(path))
        frame = pl.DataFrame(rows, schema=list(header), orient="row")
        frame.write_parquet(folder / "p.parquet")
        found.add(outcome(folder / "p.parquet"))
    assert len(found) == 1, (header, rows[:3], found)


def numeric_facts(n=300, seed=0):
    draw = random.Random(seed)
    rows = {(draw.randrange(40), draw.randrange(4), draw.randrange(40)) for _ in range(n)}
    return sorted(rows)


def ratings_rows(seed=0):
    draw = random.Random(seed)
    return [
        (u, i, draw.randint(1, 5), 874965758 + 97 * u + i)
        for u in range(1, 31)
        for i in draw.sample(range(1, 60), 12)
    ]


def lines(rows, separator="\t"):
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


STRANGERS = {
    "MovieLens ratings.csv": (
        "r.csv", "userId,movieId,rating,timestamp\n" + lines(ratings_rows(), ","), "coldstart"),
    "MovieLens u.data": ("u.data", lines(ratings_rows()), "coldstart"),
    "u.data as txt with spaces": ("u.txt", lines(ratings_rows(), " "), "coldstart"),
    "uid iid score": (
        "a.tsv", "uid\tiid\tscore\n" + lines(r[:3] for r in ratings_rows()), "coldstart"),
    "customer product stars": (
        "a.csv", "customer,product,stars\n" + lines((r[:3] for r in ratings_rows()), ","),
        "coldstart"),
    "Amazon": (
        "a.csv", "reviewerID,asin,overall,unixReviewTime\n" + lines(ratings_rows(), ","),
        "coldstart"),
    "a user, an item and a nameless mark": (
        "a.csv", "user_id,item_id,mark\n" + lines((r[:3] for r in ratings_rows()), ","),
        "coldstart"),
    "half stars without a header": (
        "a.csv", lines(((u, i, r - 0.5) for u, i, r, _ in ratings_rows()), ","), "asks"),
    "three nameless columns of numbers": (
        "a.tsv", lines(r[:3] for r in ratings_rows()), "asks"),
    "unknown words over numbers": (
        "a.csv", "Kunde,Artikel,Note\n" + lines((r[:3] for r in ratings_rows()), ","), "asks"),
    "triples of ids": ("ids.txt", lines(numeric_facts(), " "), "link"),
    "triples of ids, tabs": ("ids.tsv", lines(numeric_facts()), "link"),
    "named triples": ("a.tsv", "a\tknows\tb\nb\tknows\tc\n", "link"),
    "N-Triples": ("a.nt", "<a> <b> <c> .\n", "link"),
    "SMILES and a label": ("a.csv", "smiles,label\nCC,1\nCCO,0\n", "molecules"),
    "canonical SMILES, tabs": ("a.tsv", "id\tCanonical_SMILES\tactive\n1\tCC\t1\n", "molecules"),
    "drug pairs": ("a.csv", "Drug1_ID,Drug1,Drug2_ID,Drug2,Y\na,CC,b,CO,3\n", "ddi"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGERS)
def test_what_strangers_have(tmp_path, name):
    file, text, expected = STRANGERS[name]
    path = tmp_path / file
    path.write_text(text)
    assert outcome(path) == expected


def test_u_data_is_read_by_position_and_said(tmp_path):
    path = tmp_path / "u.data"
    path.write_text(lines(ratings_rows()))
    data = load_ratings(path, support=2)
    assert (len(data.users), len(data.rating)) == (30, 360)
    assert any("columns 1, 2, 3 as user, item, rating" in note for note in data.notes)
    assert load(path).content_hash == load_ratings(path).content_hash


def test_two_readings_are_asked_about_with_both_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [r[:3] for r in ratings_rows()]
    Path("a.csv").write_text("Kunde,Artikel,Note\n" + lines(rows, ","))
    done = CliRunner().invoke(app, ["fit", "a.csv", "--json"])
    error = json.loads(done.stdout)["error"]
    assert (done.exit_code, error["type"]) == (2, "UsageError")
    for kind in ("link", "coldstart"):
        assert f"parsimony fit a.csv --task {kind}" in error["remedy"]
    words = ["fit", "a.csv", "--task", "coldstart", "--method", "means", "--set", "support=2"]
    assert CliRunner().invoke(app, [*words, "--out", "r"]).exit_code == 0
    words = ["fit", "a.csv", "--task", "link", "--method", "rules", "--out", "l"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert method_for("a.csv", "means") == "means", "a method says which"
    assert method_for("a.csv", kind="link") == "redgnn"


def test_a_verb_of_facts_refuses_other_data(tmp_path):
    path = str(write_csv(tastes(), tmp_path / "r.csv"))
    with pytest.raises(UsageError, match="these data are ratings; parsimony audit reads facts"):
        require_kind("link", path, "audit")
    require_kind("link", path, "audit", "link")
    with pytest.raises(InvalidParameter, match="method 'redgnn' is for task link"):
        method_for(path, "redgnn")
    assert method_for(path, "redgnn", "link") == "redgnn"


def test_a_folder_of_splits_of_ratings_is_refused(tmp_path):
    for split in ("train", "valid", "test"):
        write_csv(tastes(), tmp_path / f"{split}.csv")
    with pytest.raises(UsageError, match="ratings, which do not come as a folder of splits"):
        kind_of(str(tmp_path))


def test_drug_pairs_in_a_file_are_refused_with_what_helps(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(
        "Drug1,Drug2,Y\n" + lines([(f"d{i}", f"d{i + 1}", i % 3) for i in range(50)], ",")
    )
    done = CliRunner().invoke(app, ["fit", str(path), "--json"])
    error = json.loads(done.stdout)["error"]
    assert done.exit_code == 2
    assert "--task link" in error["remedy"]
    data = load_facts(path)
    assert set(data.relations) == {"0", "1", "2"}
    assert any("read as facts: Drug1, Y, Drug2" in note for note in data.notes)


ROWS = [(f"e{i % 9}", f"r{i % 2}", f"e{(i * 5 + 1) % 9}") for i in range(60)]
WORDS = [
    ("head", "relation", "tail"), ("Head", "Relation", "Tail"), ("head_id", "rel_id", "tail_id"),
    ("Subject", "Predicate", "Object"), ("source", "relation", "target"), ("from", "edge", "to"),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".csv"])
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_headers_in_every_file_of_a_folder(tmp_path, words, suffix):
    parts = {"train": ROWS[:40], "valid": ROWS[40:50], "test": ROWS[50:]}
    plain = write_folder(tmp_path / "plain", *parts.values())
    other = tmp_path / "other"
    other.mkdir()
    for split, rows in parts.items():
        separator = "," if suffix == ".csv" else "\t"
        (other / f"{split}{suffix}").write_text(lines([words, *rows], separator))
    assert load_facts(other).content_hash == load_facts(plain).content_hash


def test_a_header_in_one_file_counts_for_the_others(tmp_path):
    turned = [(h, t, r) for h, r, t in ROWS]
    folder = write_folder(
        tmp_path / "other", [("head", "tail", "relation"), *turned[:40]], turned[40:50], turned[50:]
    )
    plain = write_folder(tmp_path / "plain", ROWS[:40], ROWS[40:50], ROWS[50:])
    assert load_facts(folder).content_hash == load_facts(plain).content_hash


def test_a_first_row_of_header_words_that_are_names_is_data(tmp_path):
    rows = [("subject", "relation", "object"), ("object", "relation", "subject"), *ROWS]
    path = tmp_path / "grammar.tsv"
    path.write_text(lines(rows))
    assert "subject" in load_facts(path).entities


@pytest.mark.parametrize("suffix", ["tsv", "csv"])
def test_an_unknown_header_over_numbers_is_read_and_said(tmp_path, suffix):
    path = tmp_path / f"ids.{suffix}"
    separator = "," if suffix == "csv" else "\t"
    path.write_text(lines([("von", "wie", "zu"), *numeric_facts()], separator))
    data = load_facts(path)
    assert (data.n_entities, data.n_relations) == (40, 4)
    assert any("is read as a header: 'von', 'wie', 'zu'" in note for note in data.notes)


def test_a_name_that_is_a_header_word_does_not_hide_the_header(tmp_path):
    rows = [("user", "item", "rating"), ("user", 3, 4), *(r[:3] for r in ratings_rows())]
    path = tmp_path / "r.tsv"
    path.write_text(lines(rows))
    assert kind_of(str(path)) == "coldstart"
    assert "user" in load_ratings(path).users


def test_columns_that_do_not_apply_are_refused(tmp_path):
    (tmp_path / "m.csv").write_text("smiles,x\nCC,1\n")
    words = ["fit", str(tmp_path / "m.csv"), "--columns", "a,b,c", "--json"]
    error = json.loads(CliRunner().invoke(app, words).stdout)["error"]
    assert "--columns does not apply to molecules" in error["message"]


def test_columns_that_are_named_leave_two_readings_of_numbers(tmp_path):
    rows = [("a", "b", "c", "w"), *ratings_rows()]
    (tmp_path / "a.csv").write_text(lines(rows, ","))
    path, columns = str(tmp_path / "a.csv"), ("a", "b", "c")
    with pytest.raises(UsageError, match=r"ratings .* or as facts|facts .* or as ratings"):
        method_for(path, columns=columns)
    assert method_for(path, "means", columns=columns) == "means"
    assert len(load(path, task="coldstart", columns=columns).rating) == 360
    assert load(path, task="link", columns=columns).n_relations > 50
    (tmp_path / "b.csv").write_text(
        lines([("a", "b", "c", "w"), *((h, r, t, 1) for h, r, t in ROWS)], ",")
    )
    assert kind_of(str(tmp_path / "b.csv"), columns=columns) == "link"


def test_fit_takes_the_method_of_the_data(tmp_path):
    import parsimony

    path = write_csv(tastes(), tmp_path / "r.csv")
    settings = {"support": 6, "dim": 4, "hidden": (8, 8, 4), "context": 8}
    model, _ = parsimony.fit(str(path), parameters=settings, epochs=1)
    assert model.method == "coldnas"


def test_the_space_of_a_search_is_that_of_the_data(tmp_path):
    path = str(write_csv(tastes(), tmp_path / "r.csv"))
    assert space_for(path) == "modulation"
    assert space_for("royal") == "bilinear"
    assert space_for(path, "bilinear", "link") == space_for(path, task="link") == "bilinear"
    with pytest.raises(UsageError, match="these data are ratings"):
        space_for(path, "bilinear")
    (tmp_path / "m.csv").write_text("smiles,x\nCC,1\n")
    with pytest.raises(UsageError, match="no search for molecules"):
        space_for(str(tmp_path / "m.csv"))


def test_facts_that_could_be_ratings_say_so(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(lines(r[:3] for r in ratings_rows()))
    assert any("if these are ratings" in note for note in load_facts(path).notes)
    path.write_text(lines(numeric_facts()))
    assert not [note for note in load_facts(path).notes if "ratings" in note]
