"""The pages of ``parsimony serve`` in a browser, driven as a person would drive them."""

from __future__ import annotations

import csv
import json
import re
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

uvicorn = pytest.importorskip("uvicorn", reason="needs the extra 'web'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]

RUNS = Path(__file__).parents[1] / "fixtures" / "runs_0_1"
AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
WIDTHS, THEMES = (1280, 768, 390), ("light", "dark")
#: axe's rules whose outcome a width or a theme can change
LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
#: A page whose scripts have nothing left to do.
SETTLED = "body:has(#pages li):not(:has([aria-busy]))"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve one small run of every kind; return the address."""
    from parsimony.web.app import create_app
    from parsimony.web.fits import Fits
    from parsimony.web.known_data import KnownData
    from parsimony.web.served import Service
    from parsimony.web.waiting import Limits

    names = ("redgnn", "rules", "emergnn", "walks", "tanimoto", "coldnas")
    slow = Limits(quick=600, long=600)  # a busy machine, which compiles the loops first
    runs = [RUNS / name for name in names]
    service = Service(runs, slow, edits=tmp_path_factory.mktemp("edits"))
    fits = Fits(tmp_path_factory.mktemp("fits"), KnownData(service))
    server = uvicorn.Server(
        uvicorn.Config(create_app(service, fits=fits), port=0, log_level="warning", lifespan="on")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, site):
    """A page whose requests and console are watched."""
    context = chromium.new_context(base_url=site, accept_downloads=True)
    context.set_default_timeout(120_000)  # a busy machine
    made, wrong = context.new_page(), []
    made.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("request", lambda r: None if r.url.startswith((site, "blob:", "data:"))
            else wrong.append(f"foreign request: {r.url}"))  # fmt: skip
    yield made
    context.close()
    assert not wrong


def settled(page) -> None:
    page.wait_for_selector(SETTLED, state="attached")


def facts_of(run: str) -> list[list[str]]:
    """Some training facts of a run by name."""
    import numpy as np

    folder = RUNS / run / "data"
    entities = (folder / "entities.txt").read_text(encoding="utf-8").split("\n")
    relations = (folder / "relations.txt").read_text(encoding="utf-8").split("\n")
    rows = np.load(folder / "train.npy")
    return [[entities[h], relations[r], entities[t]] for h, r, t in rows.tolist()]


def drugs_of(run: str) -> list[str]:
    from parsimony.methods import load_run

    data = load_run(RUNS / run).task_.data
    return [data.drugs.name(i) for i in range(data.n_drugs)]


@pytest.fixture(scope="module")
def addresses() -> dict[str, str]:
    """A state of every page."""
    head, relation, tail = next(f for f in facts_of("redgnn") if f[1] == "brother")
    one, two, *_ = drugs_of("emergnn")
    strike = json.dumps(["fact", head, relation, tail])
    told = {"run": "redgnn", "head": head, "relation": relation, "tail": tail}
    return {
        "runs": "/?compare=redgnn&compare=rules",
        "about": "/?run=redgnn&about=1",
        "ask": "/ask?" + urlencode({"run": "redgnn", "head": head, "relation": relation}),
        "why": "/why?" + urlencode({**told, "strike": strike}),
        "drugs": "/drugs?" + urlencode({"run": "emergnn", "drug": one}),
        "pair": "/drugs?" + urlencode([("run", "emergnn"), ("drug", one), ("drug", two)]),
        "add": "/add-drug?" + urlencode({"run": "walks", "name": "new", "smiles": "CCO"}),
        "knowledge": "/knowledge?run=rules",
        "molecules": "/molecules?"
        + urlencode({"run": "tanimoto", "support": "OCCCl 1\nOCCC#N 0", "predict": "NCF"}),
        "ratings": "/ratings?"
        + urlencode({"run": "coldnas", "rated": '["item 0", 5]', "item": "item 1"}),
        "fits": "/fits",
    }


@pytest.mark.parametrize(
    "name",
    ["runs", "about", "ask", "why", "drugs", "pair", "add", "knowledge", "molecules", "ratings",
     "fits"],
)  # fmt: skip
def test_every_page_fits_every_width_and_theme_and_is_accessible(name, page, addresses):
    page.goto(addresses[name])
    settled(page)
    assert not page.locator(".failure").count(), page.locator(".failure").inner_text()
    assert page.locator("main h1").count() == 1
    page.locator("table, #found p").first.wait_for(state="attached")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for width in WIDTHS:
        for theme in THEMES:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, (width, theme)
            # What depends on neither is looked at once, what does in every combination.
            every = (width, theme) == (WIDTHS[0], THEMES[0])
            rules = {"resultTypes": ["violations"], **({} if every else {"runOnly": LOOKS})}
            found = page.evaluate("(how) => axe.run(how)", rules)["violations"]
            serious = [
                (rule["id"], rule["nodes"][0]["html"])
                for rule in found
                if rule["impact"] in ("serious", "critical")
            ]
            assert not serious, (width, theme)
    if addresses[name].startswith(("/drugs", "/add")):
        assert page.get_by_text("For research, not for clinical use.").last.is_visible()


def test_a_question_by_the_keyboard_its_answers_and_back(page):
    head, relation, _ = next(f for f in facts_of("redgnn") if f[1] == "brother")
    page.goto("/ask?run=redgnn")
    settled(page)
    page.locator("#entity").focus()
    page.keyboard.type(head[:-1].replace("_", " "))  # not the whole, nor as it is spelt
    page.locator("#entity-list [role=option]").first.wait_for()
    page.keyboard.press("ArrowDown")
    assert page.locator("[role=option][aria-selected=true]").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#relation:focus option[value={relation}]", state="attached")
    page.locator("#relation").select_option(relation)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.answers tbody tr")
    settled(page)
    assert f"head={head}" in page.url.replace("+", " ")
    asked, rows = page.url, page.locator("table.answers tbody tr").count()
    assert rows == 10 and page.locator(".known").count() > 0

    page.get_by_label("hide known answers").check()
    page.wait_for_url(re.compile("known=hide"))
    settled(page)
    assert page.locator("table.answers .known").count() == 0
    shown = page.locator("table.answers tbody tr td:first-child").all_inner_texts()
    assert len(shown) < rows
    with page.expect_download() as started:
        page.get_by_role("button", name="Download CSV").click()
    text = Path(started.value.path()).read_text(encoding="utf-8")
    saved = list(csv.DictReader(text.splitlines()))
    assert [row["rank"] for row in saved] == shown and "probability" in text.splitlines()[0]
    page.go_back()
    settled(page)
    assert page.url == asked and page.locator("table.answers tbody tr").count() == rows
    assert not page.get_by_label("hide known answers").is_checked()

    page.get_by_role("button", name=re.compile("^What is similar to")).click()
    page.wait_for_selector("main >> text=Similarity:")
    page.get_by_text("Ask from the other side").click()
    settled(page)
    page.wait_for_selector("table.answers tbody tr")
    assert "tail=" in page.url and "head=" not in page.url
    assert page.locator("input[value=tail]").is_checked()


def test_striking_out_changes_the_answer_and_putting_back_restores_it(page, site):
    head, relation, tail = next(f for f in facts_of("redgnn") if f[1] == "cousin")
    told = {"run": "redgnn", "head": head, "relation": relation, "tail": tail}
    page.goto("/why?" + urlencode(told))
    settled(page)
    page.wait_for_selector(".graph canvas", state="attached")
    assert "stated in train" in page.locator("main").inner_text()
    page.get_by_role("button", name=re.compile("^Strike out all paths of the kind")).first.click()
    page.wait_for_selector("#struck-place .verdict")
    settled(page)
    assert "strike=" in page.url
    shown = page.locator("#struck-place .beside > div:nth-child(2) tbody tr")
    after = [row.split("\t")[1].strip() for row in shown.all_inner_texts()]
    # what the page shows is what the interface answers for these facts
    kind = json.loads(page.evaluate("new URLSearchParams(location.search).get('strike')"))
    found = page.request.post(
        f"{site}/api/v1/runs/redgnn/strike",
        data={"head": head, "relation": relation, "answer": tail, "kinds": [kind[1]], "top": 10},
    ).json()
    labels = [found["after"]["about"][a["entity"]]["label"] for a in found["after"]["answers"]]
    assert [name.removesuffix(" known") for name in after] == labels
    assert found["n_struck"] > 0
    page.get_by_role("button", name=re.compile("^Put back")).click()
    page.wait_for_selector("#struck-place:empty", state="attached")
    page.go_back()
    page.wait_for_selector("#struck-place .verdict")

    page.get_by_role("button", name=re.compile("^What else has this reason")).first.click()
    page.wait_for_selector("#else table, #else p")
    page.get_by_role("button", name="Which facts hold this answer up?").click()
    page.wait_for_selector("#holds .verdict")
    assert page.locator("#holds").inner_text()
    page.get_by_role("button", name="A second opinion, without the model").click()
    page.wait_for_selector("#second table")
    page.get_by_label("Facts that may be added").select_option("sister")
    page.get_by_role("button", name="Which facts would bring it among the first ten?").click()
    page.wait_for_selector("#bring .verdict")


def test_drugs_by_mechanism_then_two_and_why(page):
    page.goto("/drugs?run=emergnn")
    settled(page)
    drug = drugs_of("emergnn")[0]
    page.locator("#drug").fill(drug)
    page.locator("#drug-list [role=option] b").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector("#found h3")
    settled(page)
    reasons = page.locator("td[data-head=reason]").all_inner_texts()
    assert len(reasons) > 3
    page.locator("td[data-head=partner] a").first.click()
    page.wait_for_selector("#found .sentence")
    settled(page)
    assert page.locator(".sentence").inner_text()
    assert page.get_by_role("heading", name=re.compile("^Why: ")).count() == 1
    page.get_by_role("button", name=re.compile("^Strike out")).first.click()
    page.wait_for_selector("#struck-place .beside, #struck-place .failure")
    assert not page.locator(".failure").count(), page.locator(".failure").inner_text()
    settled(page)
    assert "probability goes from" in page.locator("#struck-place .verdict").inner_text()
    page.go_back()
    page.wait_for_selector("#struck-place:empty", state="attached")
    page.go_back()
    page.wait_for_selector("td[data-head=reason]")


def test_a_book_is_measured_added_to_edited_forgotten_and_saved(page):
    page.goto("/knowledge?run=rules")
    settled(page)
    rule = "cousin(X,Y) <- brother(X,A), cousin(A,Y)"
    page.locator("#text").fill(rule)
    page.get_by_role("button", name="Measure").click()
    page.wait_for_selector("#said [role=status]")
    assert "support" in page.locator("#said").inner_text()
    page.locator("#text").fill(rule.replace("cousin(A,Y)", "sister(A,Y)"))
    page.get_by_role("button", name="Add").click()
    page.wait_for_selector("#said [role=status]")
    page.locator("#q").fill("brother(X,A), sister(A,Y)")
    page.wait_for_selector("td[data-head=from] >> text=you")
    edit = re.compile(r"^Edit cousin\(X,Y\) <- brother\(X,A\), sister")
    page.get_by_role("button", name=edit).click()
    page.locator("td textarea").fill(rule.replace("cousin(A,Y)", "wife(A,Y)"))
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("td textarea", state="detached")
    page.locator("#q").fill("")
    page.wait_for_selector("td.clause")
    page.get_by_role("button", name=re.compile("^Forget")).last.click()
    page.wait_for_selector("h2 >> text=Forgotten")
    with page.expect_download() as started:
        page.get_by_role("button", name="Save as file").click()
    assert "wife(A,Y)" in Path(started.value.path()).read_text(encoding="utf-8")
    page.get_by_role("button", name=re.compile("^Remember")).click()
    page.wait_for_selector("h2 >> text=Forgotten", state="detached")
    page.locator("#q").fill("brother(X,A), wife(A,Y)")
    page.wait_for_selector("td.clause >> text=wife(A,Y)")
    page.wait_for_selector("#found >> text=1 entry")


def test_runs_are_compared_by_ticking_them(page):
    page.goto("/")
    settled(page)
    page.get_by_label("Compare redgnn").check()
    page.wait_for_url(re.compile("compare=redgnn"))
    settled(page)
    page.get_by_label("Compare rules").check()
    page.wait_for_selector("h2 >> text=Compared")
    settled(page)
    assert page.get_by_label("Compare rules").is_checked()
    assert page.locator("#more table").count() >= 2


def test_a_question_that_cannot_be_answered_says_what_helps(page, chromium, site):
    context = chromium.new_context(base_url=site)  # its console may report the status
    context.set_default_timeout(120_000)
    other = context.new_page()
    other.goto("/ask?run=redgnn&head=nobody_of_this_name&relation=brother")
    other.wait_for_selector(".failure")
    assert "nobody_of_this_name" in other.locator(".failure").inner_text()
    other.goto("/knowledge?run=rules")
    other.locator("#text").fill("no rule at all")
    other.get_by_role("button", name="Measure").click()
    other.wait_for_selector("#said .failure >> text=What helps")
    context.close()


def test_a_fit_is_started_watched_and_stopped_by_the_keyboard(page):
    page.goto("/fits")
    settled(page)
    page.locator("#data").select_option("royal")
    page.locator("#method").select_option("distmult")
    page.locator("#epochs").fill("100000")
    page.get_by_text("Parameters of the method").focus()
    page.keyboard.press("Enter")
    page.locator("#settings").fill("dim = 4\npatience = 100000")  # it ends when it is stopped
    page.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("fit=royal-distmult-0"))
    page.wait_for_selector("#state >> text=/epoch \\d+ of at most 100,000.*more/")
    page.wait_for_selector("#curve svg polyline")
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.focus()
    before = page.locator("#state").inner_text()
    page.wait_for_function(
        "(was) => document.getElementById('state').innerText !== was", arg=before
    )
    assert stop.evaluate("(one) => one === document.activeElement")  # though it was drawn again
    page.keyboard.press("Enter")
    page.wait_for_selector("#state >> text=was stopped")
    settled(page)
    assert page.locator("#found tr.chosen").count() == 1
    page.get_by_role("button", name="Go on").wait_for()
    page.get_by_role("button", name="Ask it").click()
    page.wait_for_url(re.compile(r"/ask\?run=royal-distmult-0"))
    page.go_back()
    page.wait_for_selector("#state >> text=was stopped")
    page.goto("/fits")
    settled(page)
    assert page.locator("#one").is_hidden() and page.locator("#found a").count() == 1


def test_the_atoms_of_a_predicted_molecule_are_coloured(page, addresses):
    page.goto(addresses["molecules"])
    settled(page)
    picture = page.locator("td img.molecule").first
    page.wait_for_function("document.querySelector('td img.molecule').complete")
    assert "the score by" in picture.get_attribute("alt")
    asked = "performance.getEntriesByType('resource').map((r) => r.name)"
    (place,) = {name for name in page.evaluate(asked) if "shares=" in name}
    assert "<ellipse" in page.request.get(place).text()
    assert "on its atoms" in page.locator("td .caption").first.inner_text()
