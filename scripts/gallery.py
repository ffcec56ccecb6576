"""Draw docs/gallery and write docs/cards, from the embedded data alone: ``make gallery``.

They are those of the program's own pages: a chart is cut out of the page as it stands, with the
colours of the style sheet.
"""

from __future__ import annotations

import re
import sys
import tempfile
from importlib import resources
from pathlib import Path

import parsimony
from parsimony.explain.figures import explanation_figure
from parsimony.knowledge.symbol import Symbol
from parsimony.report import run_info, run_page, symbol_figure
from parsimony.report.card import run_card

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: picture → words of its title on the page of the run
OF_GRAPH = {"strata": "MRR by half-links", "degrees": "MRR by in-degree"}
OF_DRUGS = {"reliability": "Accuracy by probability", "abstention": "Accuracy by fraction answered"}
SYMBOLS = ("DistMult", "ComplEx", "SimplE", "Analogy", "QuatE")


def charts(page: str) -> list[str]:
    """The charts of a page, each a picture by itself."""
    style = (resources.files("parsimony.pages") / "templates" / "style.css").read_text("utf-8")
    colours = re.search(r":root \{(.*?)\}", style, re.S)
    rules = [rule for rule in re.findall(r"^svg.*$", style, re.M) if "width: 100%" not in rule]
    assert colours
    css = f"svg {{ {colours[1].strip()} background: var(--paper); font-family: sans-serif; }}\n"
    css += "\n".join(rules)
    found = [svg for svg in re.findall(r"<svg .*?</svg>", page, re.S) if "aria-label" in svg]
    return [_whole(svg, css) for svg in found]


def _whole(svg: str, css: str) -> str:
    """A chart as a file of its own, in its own size."""
    size = re.search(r'viewBox="0 0 (\S+) (\S+)"', svg)
    assert size, svg[:200]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[1]}" height="{size[2]}" '
    return svg.replace("<svg ", head, 1).replace(">", f"><style>{css}</style>", 1)


def titled(pictures: list[str], words: str) -> str:
    """The first chart whose title holds the words."""
    for picture in pictures:
        title = re.search(r'aria-label="([^"]*)"', picture)
        if title and words.lower() in title[1].lower():
            return picture
    titles = [re.findall(r'aria-label="([^"]*)"', picture)[0] for picture in pictures]
    raise SystemExit(f"no chart titled {words!r} among {titles}")


def draw(docs: Path) -> None:
    """Write every picture and card into the folders of the pages."""
    place, cards = docs / "gallery", docs / "cards"
    place.mkdir(exist_ok=True)
    cards.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as runs:
        graph, _ = parsimony.fit("royal", "rules", out=f"{runs}/royal")
        counts, _ = parsimony.fit("royal", "degree", out=f"{runs}/degree")
        drugs, _ = parsimony.fit("cyp", "walks", out=f"{runs}/cyp")
        pages = {
            run: charts(run_page(run_info(f"{runs}/{run}", estimator=model)))
            for run, model in (("degree", counts), ("cyp", drugs))
        }
        for run, model in (("royal", graph), ("cyp", drugs)):
            text = run_card(f"{runs}/{run}", estimator=model)
            (cards / f"{run}.md").write_text(text, encoding="utf-8")
    for name, words in OF_GRAPH.items():
        (place / f"{name}.svg").write_text(titled(pages["degree"], words), encoding="utf-8")
    for name, words in OF_DRUGS.items():
        (place / f"{name}.svg").write_text(titled(pages["cyp"], words), encoding="utf-8")
    uncle = ("Leopold_I_of_Belgium", "uncle", "Ernest_II_of_Saxe-Coburg_and_Gotha")
    explanation_figure(graph.explain(*uncle), place / "uncle.svg", limit=12)
    pair = drugs.explain("simvastatin", None, "ketoconazole")
    explanation_figure(pair, place / "ketoconazole.svg", limit=12)
    symbols = {name: Symbol.named()[name] for name in SYMBOLS}
    symbol_figure(symbols, place / "symbols.svg")


if __name__ == "__main__":
    draw(DOCS)
    for path in sorted([*(DOCS / "gallery").iterdir(), *(DOCS / "cards").iterdir()]):
        sys.stdout.write(f"{path.name}: {path.stat().st_size / 1000:.0f} kB\n")
