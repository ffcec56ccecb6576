"""explain, rules, apply, report: the loop from facts to text and back."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from parsimony.cli.predict import explain_line

LEOPOLD = "Leopold_I_of_Belgium"
ERNEST = "Ernest_II_of_Saxe-Coburg_and_Gotha"
QUERY = ["--head", LEOPOLD, "--relation", "uncle", "--tail", ERNEST]


def test_explain(typed, trained, tmp_path):
    words = ["explain", trained, *QUERY, "--html", "a/why.html", "--dot", "why.dot"]
    done = typed(*words, "--json").json
    assert done["query"] == {"head": LEOPOLD, "relation": "uncle", "tail": ERNEST}
    assert {"score", "paths", "rules", "faithfulness"} <= set(done)
    for path in done["paths"]:
        place = LEOPOLD
        for head, _, tail, direction in path["steps"]:
            assert direction in ("forward", "inverse")
            source, target = (head, tail) if direction == "forward" else (tail, head)
            assert source == place
            place = target
        assert place == ERNEST
    assert {"deleted_drop", "random_drop"} <= set(done["faithfulness"])
    page = (tmp_path / "a" / "why.html").read_text()
    assert "Leopold I of Belgium" in page
    assert 'src="http' not in page
    assert (tmp_path / "why.dot").read_text().startswith("digraph")
    assert "Leopold I of Belgium" in typed("explain", trained, *QUERY).out


@pytest.mark.parametrize("end", ["--head", "--tail"])
def test_predict_says_how_to_explain_its_best_answer(typed, trained, end):
    asked = ["predict", trained, end, LEOPOLD, "--relation", "uncle", "--top", 3]
    best = typed(*asked, "--json").json["answers"][0]
    (line,) = [
        line.removeprefix("Why the first: ")
        for line in typed(*asked).out.splitlines()
        if line.startswith("Why the first: ")
    ]
    command, *words = shlex.split(line)
    assert command == "parsimony"
    told = typed(*words, "--json").json
    assert told["side"] == ("tail" if end == "--head" else "head")
    assert told["query"][told["side"]] == best["entity"]
    # A fact of the training graph is explained without itself, and scores otherwise.
    if told["question"] and best["entity"] not in typed(*asked, "--drop-known").out:
        return
    assert told["score"] == pytest.approx(best["score"], rel=1e-4)
    assert told["probability"] == pytest.approx(best["probability"], rel=1e-3)


@pytest.mark.parametrize("name", ["it's -- odd", "-x", "$(rm)", "línea"])
def test_a_line_to_paste_keeps_every_name(name):
    result = {"query": {"tail": name, "relation": name}, "answers": [{"entity": name}]}
    words = shlex.split(explain_line(Path("a b"), result))
    assert words[:3] == ["parsimony", "explain", "a b"] and words[-2:] == ["--side", "head"]
    assert next(word for word in words if name in word) in (name, f"--head={name}")
    for answers in ([], [{"entity": "two\nlines"}]):
        assert explain_line(Path("a"), {**result, "answers": answers}) == ""


def test_explain_unknown_names(typed, trained):
    words = ["explain", trained, "--head", LEOPOLD, "--relation", "uncle", "--tail", ERNEST[:-1]]
    error = typed(*words, "--json", code=2).error
    assert error["type"] == "UnknownEntity"
    assert ERNEST in error["remedy"]
    words = ["explain", trained, "--head", LEOPOLD, "--tail", ERNEST]
    error = typed(*words, "--json", code=2).error
    assert error["type"] == "UsageError"
    assert "--relation" in error["remedy"]


def test_rules_of_a_run_and_of_facts(typed, trained, tmp_path):
    mined = typed("rules", "royal", "--top", 20, "--out", "rules.txt", "--json").json["rules"]
    assert len(mined) == 20
    assert set(mined[0]) == {"text", "support", "confidence"}
    assert (tmp_path / "rules.txt").read_text().splitlines() == [rule["text"] for rule in mined]
    read = typed("rules", trained, "--relation", "uncle", "--top", 5, "--json").json["rules"]
    assert 0 < len(read) <= 5
    assert all("uncle(X,Y) <- " in rule["text"] for rule in read)
    uncles = typed("rules", "royal", "--relation", "uncle", "--top", 200).out
    assert "uncle(X,Y) <- brother(X,A), father(A,Y)" in uncles


@pytest.mark.parametrize("form", ["text", "anyburl", "amie", "datalog"])
def test_rules_in_other_formats(typed, tmp_path, form):
    from parsimony.knowledge import rules_from_text

    words = ["rules", "royal", "--relation", "uncle", "--top", 3, "--format", form]
    typed(*words, "--out", "r.txt", "--json")
    text = (tmp_path / "r.txt").read_text()
    if form != "text":
        assert len(list(rules_from_text(text, form))) == 3


def test_apply_measures_and_answers(typed, tmp_path):
    (tmp_path / "r.txt").write_text(
        "# uncles, by hand\n"
        "uncle(X,Y) <- brother(X,A), father(A,Y)\n"
        "0.8  uncle(X,Y) <- brother(X,A), mother(A,Y)\n"
    )
    done = typed("apply", "r.txt", "royal", "--json").json
    assert done["rules"] == 2
    assert done["split"] == "test"
    uncles = next(row for row in done["per_relation"] if row["relation"] == "uncle")
    assert uncles["mrr"] > 0.8
    ask = ["--head", LEOPOLD, "--relation", "uncle", "--json"]
    answers = typed("apply", "r.txt", "royal", *ask).json["answers"]
    assert ERNEST in {answer["entity"] for answer in answers}
    assert all(answer["score"] > 0 for answer in answers)


def test_an_edited_line_changes_the_answers(typed, tmp_path):
    by_father = "0.90  uncle(X,Y) <- brother(X,A), father(A,Y)\n"
    by_mother = "0.80  uncle(X,Y) <- brother(X,A), mother(A,Y)\n"
    ask = ["--head", LEOPOLD, "--relation", "uncle", "--set", "aggregation=max",
           "--set", "smoothing=0", "--json"]  # fmt: skip

    def answers(text):
        (tmp_path / "r.txt").write_text(text)
        found = typed("apply", "r.txt", "royal", *ask).json["answers"]
        return {answer["entity"]: answer["score"] for answer in found}

    both, less = answers(by_father + by_mother), answers(by_mother)
    assert ERNEST in both
    assert ERNEST not in less
    assert set(less) < set(both)
    lower = answers(by_father.replace("0.90", "0.30") + by_mother)
    assert lower[ERNEST] < both[ERNEST]
    assert answers("# nothing\n" + by_mother.replace("uncle", "aunt")) == {}


def test_apply_on_a_run_uses_its_data(typed, trained, tmp_path):
    (tmp_path / "r.txt").write_text("uncle(X,Y) <- brother(X,A), father(A,Y)\n")
    assert typed("apply", "r.txt", trained, "--json").json["n_queries"] == 2 * 619


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("uncle(X,Y) <- bruther(X,A), father(A,Y)\n", "UnknownRelation"),
        ("uncle(X,Y) brother(X,A)\n", "FormatError"),
        ("1.7  uncle(X,Y) <- brother(X,A), father(A,Y)\n", "FormatError"),
    ],
)
def test_wrong_rules(typed, tmp_path, text, kind):
    (tmp_path / "r.txt").write_text(text)
    error = typed("apply", "r.txt", "royal", "--json", code=2).error
    assert error["type"] == kind
    assert error["remedy"]


def test_fit_takes_edited_rules_back(typed, tmp_path):
    (tmp_path / "r.txt").write_text("uncle(X,Y) <- brother(X,A), father(A,Y)\n")
    words = ["fit", "royal", "--method", "rules", "--knowledge", "r.txt", "--out", "run"]
    assert typed(*words, "--json").json["parameters"] == 1
    rules = typed("rules", "run", "--json").json["rules"]
    assert [rule["text"].split("  ")[-1] for rule in rules] == [
        "uncle(X,Y) <- brother(X,A), father(A,Y)"
    ]
    assert typed("fit", "royal", "--knowledge", "r.txt", "--json").json["method"] == "rules"


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "RUN", *QUERY, "--html", "folder"],
        ["explain", "RUN", *QUERY, "--dot", "folder"],
        ["rules", "RUN", "--out", "folder"],
        ["report", "RUN", "--out", "folder"],
    ],
    ids=lambda words: f"{words[0]} {words[-2]}",
)
def test_a_folder_is_no_output_file(typed, trained, tmp_path, words):
    (tmp_path / "folder").mkdir()
    words = [trained if word == "RUN" else word for word in words]
    error = typed(*words, "--json", code=2).error
    assert error["type"] == "NotAFile"
    assert error["where"] == "folder"
    assert error["remedy"]
    assert list((tmp_path / "folder").iterdir()) == []


def test_what_cannot_be_written_is_said_with_a_remedy(typed, tmp_path):
    (tmp_path / "file").write_text("in the way")
    error = typed("rules", "royal", "--top", 1, "--out", "file/r.txt", "--json", code=1).error
    assert "permissions" in error["remedy"]


def test_report(typed, own_run, tmp_path):
    done = typed("report", own_run, "--json").json
    page = (own_run / "report.html").read_text()
    assert done["report"] == str(own_run / "report.html")
    assert "royal" in page
    assert "uncle" in page
    # The report is no part of the sealed model: the run still loads.
    typed("evaluate", own_run, "--json")
    typed("report", own_run, "--out", "deep/er.html")
    assert (tmp_path / "deep" / "er.html").stat().st_size > 10_000


def test_few_rules_of_a_run_are_those_that_fit_wrote(typed, trained, tmp_path):
    import tomllib
    from pathlib import Path

    written = tomllib.loads((Path(trained) / "knowledge.toml").read_text())["rules"]
    found = typed("rules", trained, "--top", 3, "--json").json["rules"]
    assert [rule["text"] for rule in found] == written[:3]


def test_a_file_without_rules_is_refused(typed, tmp_path):
    (tmp_path / "none.txt").write_text("# all deleted\n")
    error = typed("apply", "none.txt", "royal", "--json", code=2).error
    assert error["type"] == "FormatError"
    assert "no rules" in error["message"]
