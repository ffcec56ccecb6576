"""PyKEEN's evaluator on our vectors gives our ranks (extra "bench")."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.link.embeddings.small_graphs import inverses

import parsimony
from parsimony.link.task import LinkTask

pytest.importorskip("pykeen")


@pytest.mark.filterwarnings("ignore")
def test_pykeens_evaluator_gives_the_same_ranks():
    from pykeen.evaluation import RankBasedEvaluator
    from pykeen.models import ComplEx
    from pykeen.nn.init import PretrainedInitializer
    from pykeen.triples import TriplesFactory

    task = LinkTask(inverses())
    data = task.data
    model = parsimony.resolve("complex")(dim=16, epochs=20, threads=1, reciprocal=False).fit(task)

    def as_complex(x):
        """Real and imaginary parts side by side, as PyKEEN keeps them."""
        return torch.stack(torch.from_numpy(x).chunk(2, 1), -1)

    split = {
        name: torch.from_numpy(data.triples(name).astype(np.int64))
        for name in ("train", "valid", "test")
    }
    factory = TriplesFactory(
        split["train"],
        entity_to_id={data.entities.name(i): i for i in range(data.n_entities)},
        relation_to_id={data.relations.name(i): i for i in range(data.n_relations)},
    )
    theirs = ComplEx(
        triples_factory=factory, embedding_dim=8, random_seed=0,
        entity_initializer=PretrainedInitializer(as_complex(model.entity_)),
        relation_initializer=PretrainedInitializer(as_complex(model.relation_)),
    )  # fmt: skip
    scores = theirs.predict_t(split["test"][:, :2]).detach().numpy()
    np.testing.assert_allclose(scores, model.scores(split["test"][:, :2].numpy()), atol=1e-4)
    result = RankBasedEvaluator(filtered=True).evaluate(
        theirs, split["test"], additional_filter_triples=[split["train"], split["valid"]],
        use_tqdm=False,
    )  # fmt: skip
    ours = model.evaluate("test")["metrics"]
    mrr = result.get_metric("both.realistic.inverse_harmonic_mean_rank")
    assert ours["mrr"] == pytest.approx(mrr, abs=1e-6)
    for k in (1, 3, 10):
        assert ours[f"hits@{k}"] == pytest.approx(
            result.get_metric(f"both.realistic.hits_at_{k}"), abs=1e-6
        )
