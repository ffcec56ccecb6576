"""Pages: self-contained, escaped, complete; drawn in a browser where one is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from parsimony.explain import EvidenceEdge, Explanation, Faithfulness, Path, Step
from parsimony.knowledge import parse_rule
from parsimony.report import run_page, run_report

EVIL = "</script><img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Collect elements, attributes and the content of JSON scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.data, self.inside = [], [], [], False
        self.feed(page)
        self.close()

    def requests(self) -> list[tuple]:
        """What would be fetched from elsewhere."""
        return [
            a
            for a in self.attributes
            if a[1] in ("src", "href", "srcset") and not a[2].startswith("#")
        ]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.inside = ("type", "application/json") in attrs

    def handle_data(self, data):
        if self.inside:
            self.data.append(json.loads(data))
            self.inside = False


def explanation(name: str = "edward") -> Explanation:
    return Explanation(
        query=(name, "uncle", "william"),
        score=2.5,
        paths=(
            Path(0.5, (Step(name, "brother", "vicky"), Step("william", name, "vicky", "inverse"))),
        ),
        rules=(parse_rule("0.93  412/443  uncle(X,Y) <- brother(X,A), mother(A,Y)"),),
        subgraph=(
            EvidenceEdge(1, name, "brother", "vicky", "forward", 0.9),
            EvidenceEdge(2, "william", name, "vicky", "inverse", 0.8),
        ),
        faithfulness=Faithfulness(2.0, 0.5, 1, 20),
        labels={"vicky": name},
        model=name,
    )


def info(name: str = "royal") -> dict:
    values = {"mrr": 0.9, "hits@1": 0.8, "hits@3": 0.9, "hits@10": 1.0}
    return {
        "method": "redgnn",
        "config": {"method": "redgnn", "parameters": {"dim": 48, name: name}},
        "data": {"name": name, "n_entities": 237, "train": 3212, "hash": "ab12", "notes": [name]},
        "metrics": {
            "test": {
                "policy": "realistic",
                "metrics": values,
                "optimistic": values,
                "pessimistic": values,
                "interval": {"mrr": [0.88, 0.92]},
                "n_queries": 1238,
                "per_relation": [
                    {"relation": name, "n_queries": 94, **values, "mrr_tail": 0.9, "mrr_head": 0.8}
                ],
                "strata": {
                    "distance": [
                        {"stratum": name, "n_queries": 94, **values, "interval": [0.8, 0.95]}
                    ]
                },
            }
        },
        "popularity": {"split": "test", "metrics": {**values, "mrr": 0.123}},
        "ledger": {"parameters": 44156, "flops": 4.3e12, "wall_seconds": 528.1, "hardware": name},
        "history": [{"epoch": i, "loss": 4.0 / i, "valid_mrr": 0.3 * i} for i in (1, 2, 3)],
        "rules": [explanation().rules[0], {"text": str(explanation().rules[0])}],
        "explanations": [explanation(name), explanation().to_dict(full=True)],
        "notes": [name],
    }


def pairs_info(name: str = "families") -> dict:
    """A run of drug pairs, every name the same."""
    values = {"macro_f1": 0.7, "macro_f1_true_labels": 0.71, "accuracy": 0.8, "kappa": 0.75}
    bins = [{"probability": 0.4, "accuracy": 0.5, "n": 20}]
    losses = {key + s: 0.1 for key in ("ece", "nll", "brier") for s in ("", "_uncalibrated")}
    result = {
        "split": "test", "setting": "S1", "metrics": values, "n_queries": 40,
        "interval": {key: [0.6, 0.8] for key in values},
        "strata": {name: {"n": 40, **values, "coverage": 0.87}},
        "calibration": {"temperature": 1.5, **losses, "reliability": bins,
                        "reliability_uncalibrated": bins},
        "conformal": {"0.9": {"coverage": 0.873, "interval": [0.8, 0.93], "mean_size": 2.5,
                              "single": 0.25}},
        "abstention": [{"threshold": 0.2, "share_answered": 1.0, "accuracy": 0.8},
                       {"threshold": 0.9, "share_answered": 0.0, "accuracy": None}],
    }  # fmt: skip
    return {
        "method": "emergnn",
        "config": {"task": "ddi", "method": "emergnn", "parameters": {"name": name}},
        "data": {"name": name, "n_drugs": 30, "n_types": 9, "train": 612, "notes": [name]},
        "metrics": {"test": result},
        "ledger": {"parameters": 422625, "hardware": name},
        "history": [{"epoch": i, "loss": 4.0 / i, "valid_macro_f1": 0.3 * i} for i in (1, 2, 3)],
        "explanations": [explanation(name), explanation().to_dict(full=True)],
        "notes": [name],
    }


def pages(name: str) -> dict[str, str]:
    return {
        "explanation": explanation(name).html(),
        "run": run_page(info(name)),
        "pairs": run_page(pairs_info(name)),
    }


@pytest.mark.parametrize("kind", ["explanation", "run", "pairs"])
def test_names_never_become_markup(kind):
    plain, evil = Tags(pages("plain")[kind]), Tags(pages(EVIL)[kind])
    assert evil.tags == plain.tags
    assert "img" not in evil.tags
    assert not [a for a in evil.attributes if a[1].startswith("on")]
    assert evil.data[0]["nodes"][0]["label"] == EVIL


@pytest.mark.parametrize("kind", ["explanation", "run", "pairs"])
def test_pages_need_no_network(kind):
    page = Tags(pages("royal")[kind])
    assert not page.requests()
    policy = dict(a[1:] for a in page.attributes if a[0] == "meta" and a[1] == "content")
    assert "default-src 'none'" in str(page.attributes) and policy
    style = re.search(r"<style>(.*?)</style>", pages("royal")[kind], re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]


def test_explanation_page_holds_tables_and_sentence():
    page = explanation().html()
    assert "4 times as much" in page
    assert "412 of 443" in page
    assert "All 2 evidence edges." in page
    assert 'class="rel inverse"' in page
    assert "<iframe" in explanation()._repr_html_()


def test_run_page_holds_what_it_was_told():
    page = run_page(info())
    for words in (
        "0.900",
        "0.880 – 0.920",
        "0.123",
        "4.30 trillion",
        "8 min 48 s",
        "3,212",
        "ab12",
    ):
        assert words in page
    assert page.count("<svg viewBox") == 3  # learning curves, strata
    assert page.count("data-explanation") >= 2
    assert 'class="sortable"' in page


def test_pairs_page_holds_what_it_was_told():
    page = run_page(pairs_info())
    for words in ("422,625", "0.700", "0.600 – 0.800", "90 %", "<b>87.3 %</b>", "80.0 – 93.0 %",
                  "rely on what was measured", "0.870", "612"):  # fmt: skip
        assert words in page
    assert page.count("<svg viewBox") == 4
    bare = pairs_info()
    for key in ("calibration", "conformal", "abstention"):
        del bare["metrics"]["test"][key]
    assert "uncalibrated" in run_page(bare)
    assert "<h1>" in run_page({"config": {"task": "ddi"}})


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"method": "rules", "history": [{"epoch": 0, "valid_mrr": 0.5}]},
        {"metrics": {"valid": {"metrics": {"mrr": 0.0}}}},
        {"history": [{"epoch": 1, "loss": float("nan")}]},
        {"popularity": None, "ledger": {}, "rules": [], "explanations": []},
    ],
)
def test_every_key_is_optional(given):
    page = run_page(given)
    assert "<h1>" in page and "None" not in Tags(page).tags


@pytest.mark.parametrize("attention", [float("nan"), float("inf"), -1.0, 0.0])
def test_an_attention_that_is_no_positive_number_is_drawn_thin(attention):
    edges = (
        EvidenceEdge(1, "a", "r", "b", "forward", attention),
        EvidenceEdge(2, "b", "r", "c", "forward", 0.5),
    )
    page = Explanation(("a", "r", "c"), 1.0, subgraph=edges).html()
    (graph,) = Tags(page).data
    shares = {edge["fact"]: edge["share"] for edge in graph["edges"]}
    assert shares == {"a r b": 0.0, "b r c": 1.0}


def test_a_long_page_lists_its_sections():
    page = Tags(run_page(info()))
    targets = [a[2][1:] for a in page.attributes if a[:2] == ("a", "href")]
    assert len(targets) >= 4 and len(set(targets)) == len(targets)
    assert set(targets) <= {a[2] for a in page.attributes if a[:2] == ("h2", "id")}
    assert "Contents" not in explanation().html()


def test_axes_have_titles():
    page = run_page(info())
    for words in (
        ">epoch</text>",
        ">Training loss</text>",
        ">Validation MRR</text>",
        ">MRR</text>",
    ):
        assert words in page


def test_graph_library_only_where_a_graph_is():
    assert len(run_page({"method": "rules"})) < 40_000 < len(explanation().html())


def test_report_is_written_whole(tmp_path):
    path = run_report(info("lone \ud800 surrogate"), tmp_path / "report.html")
    assert path.read_text(encoding="utf-8").endswith("</html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_same_input_same_bytes():
    assert run_page(info()) == run_page(info())


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
@pytest.mark.parametrize("kind", ["explanation", "run", "pairs"])
def test_browser_draws_the_graph_and_runs_no_foreign_script(kind, tmp_path):
    file = tmp_path / "page.html"
    name = "</script><script>document.body.remove()</script>"
    file.write_text(pages(name)[kind], encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    flags += ["--dump-dom", "--disable-background-networking", "--virtual-time-budget=4000"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run(
        ["chromium", *flags, file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout.count("<canvas") == (3 if kind == "explanation" else 6)
    assert "CONSOLE" not in done.stderr, done.stderr


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium")
def test_browser_refuses_a_script_that_is_not_ours(tmp_path):
    file = tmp_path / "page.html"
    probe = "<script>document.title = 'owned'</script>"
    file.write_text(explanation().html().replace("</body>", f"{probe}</body>"), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--dump-dom"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]
    done = subprocess.run(
        ["chromium", *flags, file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<title>owned" not in done.stdout
    assert "Content Security Policy" in done.stderr
