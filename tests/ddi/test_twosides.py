"""The real TWOSIDES archive: counts, no leaks, and structure beats popularity."""

from __future__ import annotations

import numpy as np
import pytest

from parsimony.ddi.folder import load_ddi
from parsimony.ddi.task import DDIOptions, DDITask
from parsimony.errors import InvalidParameter

pytestmark = pytest.mark.usefixtures("cache")

pytest.importorskip("rdkit", reason="fingerprints need the extra chem")

PAIRS = {"train": 8121, "valid_S0": 1015, "test_S0": 1015, "valid_S1": 2377, "test_S1": 4913,
         "valid_S2": 120, "test_S2": 561}  # fmt: skip


@pytest.fixture(scope="module")
def twosides(real_data):
    return load_ddi("twosides", mirror=real_data)


@pytest.mark.data
def test_the_archive_is_divided_by_drugs(twosides):
    assert (twosides.n_drugs, twosides.n_types) == (604, 200)
    counts = {k: len(np.unique(v[:, [0, 2]], axis=0)) for k, v in twosides.pairs.items()}
    assert counts == PAIRS
    assert sum(map(bool, twosides.external_ids)) == 551
    ids = [i for i in twosides.external_ids if i]
    assert len(set(ids)) == len(ids)
    assert twosides.label(twosides.drug("fentanyl")) == "Fentanyl"
    assert twosides.sentence(1, 0, 2) == (
        "Hypoglycaemia neonatal is reported with Fentanyl and Sevoflurane together."
    )


@pytest.mark.data
@pytest.mark.parametrize("setting", ["S0", "S1", "S2"])
def test_nothing_leaks(twosides, setting):
    task = DDITask(twosides, DDIOptions(setting=setting))
    observed = {frozenset((a, b)) for rows in twosides.pairs.values() for a, _, b in rows.tolist()}
    for split in ("valid", "test"):
        asked = task.targets(split)
        pairs = {frozenset(pair) for pair in asked.pairs.tolist()}
        assert not any(frozenset((a, b)) in pairs for a, _, b in task.visible(split).tolist())
        assert not any(frozenset(pair) in observed for pair in asked.negatives.tolist())


@pytest.mark.data
def test_similar_drugs_tell_more_than_popularity(twosides):
    from parsimony.ddi.baselines.nearest_neighbours import Neighbours
    from parsimony.ddi.baselines.prior import Prior

    task = DDITask(twosides, DDIOptions(setting="S1"))
    near = Neighbours(power=4.0, smoothing=1.0).fit(task).evaluate("valid")["metrics"]
    popular = Prior(smoothing=1.0).fit(task).evaluate("valid")["metrics"]
    assert near["pr_auc"] > popular["pr_auc"] + 0.03 > 0.6


@pytest.mark.data
def test_another_split_is_refused(real_data):
    with pytest.raises(InvalidParameter, match="no split 'cluster'"):
        load_ddi("twosides", split="cluster", mirror=real_data)
