"""The register of datasets: name, archive, checksum, licence.

A dataset folder is added by :func:`register`, or by a package's entry point that refers to an
:class:`Entry`::

    [project.entry-points."parsimony.datasets"]
    my-graph = "my_package.data:MY_GRAPH"
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from parsimony.datasets import recipes
from parsimony.datasets.entry import Entry, Kind
from parsimony.decoding.files import check_folder
from parsimony.errors import InvalidParameter, UnknownDataset, UsageError

__all__ = ["Entry", "entry", "names", "register"]

_NONE = "none stated in the source repository"
_GRAIL = "none stated in the source repositories (WordNet / Freebase / NELL content)"
_INDUCTIVE = (
    "kg_inductive_grail.tar.gz",
    "55c687da68a0cb0ac982f71d598fb6e7160820a8b330ba25c298aa24c0b855f0",
)
_COUNTRIES = (
    "kg_countries.tar.gz",
    "807d3aed713a52afc5f3587614ac79e43befbdea5e01f5aa5afdb4452db9e99d",
)
_MOLECULES = (
    "mol_fewshot.tar.gz",
    "cd8593443a5dd316b4b5ccc762cafe2c0412d7f5303ab6de74a6edc52b2a579e",
)


def _entries() -> Iterator[Entry]:
    yield Entry(
        "royal",
        "link",
        "a royal family of 237 people, kinship to be inferred (embedded, for the demo)",
        "Apache-2.0 (public historical facts, compiled for this project)",
        "",
        "royal",
        "",
    )
    yield Entry(
        "cyp",
        "ddi",
        "interactions of 133 drugs, 13 types, by their enzymes and effects (embedded; for "
        "teaching, not for clinical use)",
        "Apache-2.0 (public pharmacology facts, compiled for this project)",
        "",
        "cyp",
        "",
    )
    yield Entry(
        "family",
        "link",
        "kinship of 3,007 people, 12 relations, 23,483 / 2,038 / 2,835",
        _NONE,
        "kg_family.tar.gz",
        "family",
        "170f3d4c4b97c1b1c6d996daa3040fa7fa762916af95139c86a48b987ed33b16",
    )
    yield Entry(
        "umls",
        "link",
        "biomedical semantic network: 135 concepts, 46 relations, 5,327 / 569 / 633",
        _NONE,
        "kg_umls.tar.gz",
        "umls",
        "1bf5116f81dae64101a1c0125c70254c388aac47a7cefaac231b1d5414ce6287",
    )
    yield Entry(
        "nations",
        "link",
        "14 nations, 55 political relations, 1,592 / 199 / 201",
        "source repository MIT",
        "kg_nations.tar.gz",
        "nations",
        "a3b726791088be4e89ebcd2f932e747ea0a70948647aa255b4eed754213ca125",
    )
    for task, n_train in (("S1", "1,111"), ("S2", "1,063"), ("S3", "985")):
        yield Entry(
            f"countries_{task}",
            "link",
            f"271 countries and regions, 2 relations, {n_train} / 24 / 24, difficulty {task[1]} "
            "of 3",
            "source repository MIT",
            _COUNTRIES[0],
            f"countries/countries_{task}",
            _COUNTRIES[1],
        )
    yield Entry(
        "wn18rr",
        "link",
        "WordNet: 40,943 synsets, 11 relations, 86,835 / 3,034 / 3,134",
        "source repositories MIT / none stated / Apache-2.0; WordNet licence for the content",
        "kg_wn18rr.tar.gz",
        "wn18rr",
        "e0ba350ac6ff3d805ecabf28870ed9fa8dda6907f6da43a43f7580ce2381c147",
    )
    yield Entry(
        "fb15k-237",
        "link",
        "Freebase: 14,541 entities, 237 relations, 272,115 / 17,535 / 20,466",
        "source repositories MIT / none stated / Apache-2.0; Freebase content CC BY 2.5",
        "kg_fb15k-237.tar.gz",
        "fb15k-237",
        "e2b5d898e90311cee2ab662a65dbf3b80ac6cd7d8a9c35ca5e7df0931a6ecfe6",
    )
    yield Entry(
        "nell-995",
        "link",
        "NELL: 74,536 entities, 200 relations, 149,678 / 543 / 2,818",
        "source repositories Apache-2.0 / none stated",
        "kg_nell-995.tar.gz",
        "nell-995",
        "dab8748a717f50abd7f09d1afe866de749473cd5231603ecdf6970dfb5140e73",
    )
    for family, versions in (("WN18RR", "124"), ("fb237", "124"), ("nell", "134")):
        for version in versions:
            yield Entry(
                f"{family}_v{version}",
                "link",
                f"inductive pair: train on {family}_v{version}, test on the disjoint "
                f"{family}_v{version}_ind",
                _GRAIL,
                _INDUCTIVE[0],
                f"inductive/{family}_v{version}",
                _INDUCTIVE[1],
            )
    yield Entry(
        "drugbank-ddi",
        "ddi",
        "drug-drug interactions: 1,710 drugs, 86 types, random and cluster splits",
        "none stated in the source repositories; DrugBank content CC BY-NC 4.0 (non-commercial)",
        "ddi_drugbank.tar.gz",
        "ddi_drugbank",
        "c4c3b9021e2bb962ba7b58cd620f7430fe23fe776b33a79bcab8033c32f9acb8",
    )
    yield Entry(
        "twosides",
        "ddi",
        "side effects of drug pairs: 604 drugs, 200 effects, 18,669 observed pairs (partial "
        "archive, split by this project)",
        "none stated in the source repositories; content from TWOSIDES",
        "ddi_twosides_partial.tar.gz",
        "ddi_twosides_partial",
        "cc6d211c6dc51b8364cb769d8a536c9243e52b47c76b3e809c0ec393e84c9196",
    )
    yield Entry(
        "hetionet",
        "graph",
        "biomedical background graph: 47,031 nodes, 24 relations (5 of them partial)",
        "Hetionet CC0; parts CC BY 3.0 / 4.0, CC BY-NC-SA 4.0 (SIDER), CC BY-NC 4.0 (DrugBank), "
        "ODbL (DisGeNET), some none stated",
        "kg_hetionet.tar.gz",
        "hetionet",
        "0187625702c3c5defeb612ff205419ce4e07c98d8cd276bdd94f6073f160d3e6",
    )
    yield Entry(
        "drugbank-layer",
        "graph",
        "targets, enzymes, transporters, ATC, classes and side effects of drugs",
        "DrugBank content CC BY-NC 4.0, DrugCentral CC BY 4.0, SIDER CC BY-NC-SA 4.0",
        "kg_drugbank_layer.tar.gz",
        "drugbank_layer",
        "65dafea2e54e83a8fba8c8dbb7d1df29adda19fb18b0c8d482ffc9c1148638fb",
    )
    for name, licence, summary in (
        ("tox21", "US EPA-NIH public data", "7,831 molecules, 12 tasks"),
        ("sider", "CC BY-NC-SA 4.0", "1,427 molecules, 27 tasks"),
        ("muv", "none stated", "93,087 molecules, 17 tasks"),
        ("toxcast", "US EPA-NIH public data", "8,579 molecules, 617 tasks"),
    ):
        yield Entry(
            name,
            "molecules",
            f"few-shot molecular properties: {summary}",
            f"{licence}; source repository MIT",
            _MOLECULES[0],
            "mol_fewshot",
            _MOLECULES[1],
        )
    yield Entry(
        "lastfm",
        "coldstart",
        "cold-start recommendation: 1,872 users, 3,846 items",
        "none stated in the source repository; HetRec 2011 Last.fm content, non-commercial use",
        "rec_lastfm.tar.gz",
        "rec_lastfm",
        "e0a24443752e6f3c3762514411f90fe198b161999be9c082bd65d643bfc92a98",
    )


_REGISTRY = {item.name: item for item in _entries()}


@cache
def _entry_points() -> dict[str, Entry]:
    found = (point.load() for point in entry_points(group="parsimony.datasets"))
    return {item.name: item for item in found if item.name not in _REGISTRY}


def _known() -> dict[str, Entry]:
    made = {name: item for name, item in recipes.entries().items() if name not in _REGISTRY}
    return _REGISTRY | made | _entry_points()


def register(
    name: str,
    folder: str | os.PathLike[str],
    *,
    kind: Kind = "link",
    summary: str = "",
    licence: str = "not stated",
) -> Entry:
    """Register a dataset folder under a name, for this process.

    Raises
    ------
    UsageError
        The name is taken by another dataset.
    MissingFile
        There is no such folder.
    """
    path = check_folder(Path(os.path.expanduser(folder)).resolve())
    item = Entry(name, kind, summary, licence, folder=str(path))
    if _known().get(name, item) != item:
        raise UsageError(f"the dataset name {name!r} is taken", remedy="choose another name")
    _REGISTRY[name] = item
    return item


def names(kind: str | None = None) -> tuple[str, ...]:
    """Return the registered names, optionally of one kind only."""
    return tuple(n for n, item in _known().items() if kind in (None, item.kind))


def entry(name: str, kind: Kind | None = None) -> Entry:
    """Return the registered dataset of that name.

    Raises
    ------
    UnknownDataset
        No such name; the closest one is suggested.
    InvalidParameter
        It is of another kind than the one that is given.
    """
    known = _known()
    if name not in known:
        raise UnknownDataset.of(name, known)
    found = known[name]
    if kind not in (None, found.kind):
        raise InvalidParameter(
            f"{name!r} is a {found.kind} dataset, not a {kind} dataset",
            remedy=f"use one of {', '.join(names(kind)[:6])}, …, or a folder",
        )
    return found
