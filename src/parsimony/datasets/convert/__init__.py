"""From the files that a source publishes to a folder that Parsimony reads, by the recipe's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

__all__ = ["CONVERTERS", "Raw", "converter"]

#: The files of a source by the names that its recipe gives them.
Raw = Mapping[str, Path]

#: The word of a recipe, and the module of its function, which has that name, ``-`` being ``_``.
CONVERTERS = {
    "as-they-are": "facts",
    "red-gnn": "facts",
    "wn18rr": "facts",
    "fb15k-237": "facts",
    "nell-995": "facts",
    "grail": "facts",
    "countries": "facts",
    "hetionet": "graphs",
    "hetionet-facts": "graphs",
    "primekg": "graphs",
    "ogb-biokg": "ogb",
    "ogb-wikikg2": "ogb",
    "molecules": "tables",
    "lastfm": "tables",
    "movielens": "tables",
    "ddi-bench": "drug_pairs",
    "tdc-drugbank": "drug_pairs",
    "tdc-twosides": "drug_pairs",
}


def converter(word: str) -> Callable[[Raw, Path], None]:
    """Return the function of a recipe's word.

    It reads the source's files and writes the dataset's folder, which exists and is empty.
    """
    module = import_module(f"{__name__}.{CONVERTERS[word]}")
    found: Callable[[Raw, Path], None] = getattr(module, word.replace("-", "_"))
    return found
