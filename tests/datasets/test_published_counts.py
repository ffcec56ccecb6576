"""The benchmark archives, read as published; skipped where they are absent."""

from __future__ import annotations

import json

import numpy as np
import pytest

from parsimony import datasets

pytestmark = pytest.mark.usefixtures("cache")

PUBLISHED = {
    "family": (3007, 12, 23483, 2038, 2835, 17615),
    "umls": (135, 46, 5327, 569, 633, 4006),
    "nations": (14, 55, 1592, 199, 201, None),
    "countries_S1": (271, 2, 1111, 24, 24, None),
    "countries_S2": (271, 2, 1063, 24, 24, None),
    "countries_S3": (271, 2, 985, 24, 24, None),
    "wn18rr": (40943, 11, 86835, 3034, 3134, 65130),
    "fb15k-237": (14541, 237, 272115, 17535, 20466, None),
}


@pytest.fixture
def loaded(real_data, archives, monkeypatch):
    monkeypatch.setenv("PARSIMONY_DATA", str(real_data))
    return datasets.load


@pytest.mark.parametrize("name", PUBLISHED)
def test_transductive(loaded, name):
    data = loaded(name)
    splits = [len(data.triples(split)) for split in ("train", "valid", "test")]
    assert (data.n_entities, data.n_relations, *splits, data.n_facts) == PUBLISHED[name]


def test_every_archive_is_registered(real_data):
    manifest = json.loads((real_data / "manifest.json").read_text())["datasets"]
    promised = {entry["file"]: entry["sha256"] for entry in manifest}
    infos = [datasets.info(name) for name in datasets.names()]
    assert {i["archive"]: i["sha256"] for i in infos if i["archive"]} == promised


def test_inductive_pairs(loaded, real_data):
    manifest = json.loads((real_data / "manifest.json").read_text())["datasets"]
    (versions,) = [entry["per_version"] for entry in manifest if "per_version" in entry]
    for name, counts in versions.items():
        if name.endswith("_ind"):
            continue
        data, expected = loaded(name), versions[f"{name}_ind"]
        for part, want in ((data, counts), (data.inductive, expected)):
            assert part.n_entities == want["n_entities"]
            for split in ("train", "valid", "test"):
                assert len(part.triples(split)) == want[f"n_{split}"]
        used = np.unique(data.inductive.train[:, 1])
        assert len(used) <= expected["n_relations"] <= data.n_relations == counts["n_relations"]


def test_unseen_entities_and_repeats(loaded):
    wn18rr = loaded("wn18rr")
    seen = np.unique(wn18rr.train[:, [0, 2]])
    later = np.unique(np.concatenate([wn18rr.valid, wn18rr.test])[:, [0, 2]])
    assert len(np.setdiff1d(later, seen)) == 384
    assert wn18rr.notes == (
        "198 entities of valid have no fact in train",
        "209 entities of test have no fact in train",
    )
    countries = loaded("countries_S1").train
    assert len(countries) - len(np.unique(countries, axis=0)) == 1


def test_labels_are_readable(loaded):
    assert loaded("wn18rr").label("00260881") == "land reform"
    assert loaded("fb15k-237").label("/m/010016") == "Denton"
    assert loaded("umls").label(0) == loaded("umls").entities.name(0)
