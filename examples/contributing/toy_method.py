"""A method of one's own: entities are ranked by how often they answer the relation in training."""

import numpy as np
from pydantic import Field

from parsimony import Explanation, Parameters, register
from parsimony.link.estimator import LinkEstimator


class FrequencyParameters(Parameters):
    smoothing: float = Field(1.0, gt=0, description="added to every count, > 0")


@register
class Frequency(LinkEstimator[FrequencyParameters]):
    """Ranks entities by how often they answer the relation in training."""

    method = "frequency"
    Parameters = FrequencyParameters

    def _fit(self, fitting):
        data = self.task_.data
        counts = np.full((2 * data.n_relations, data.n_entities), self.resolved_.smoothing)
        np.add.at(counts, (data.train[:, 1], data.train[:, 2]), 1)
        np.add.at(counts, (data.train[:, 1] + data.n_relations, data.train[:, 0]), 1)
        self._restore(None, {"counts": counts.astype(np.float32)})

    def _score(self, head, relation):
        return self.counts_[relation]

    def explain(self, head, relation, tail, *, seed=0):
        score = self.scores([self.encode({"head": head, "relation": relation})])
        return Explanation((head, relation, tail), score[0, self.task_.data.entities.index(tail)])

    def _tensors(self):
        return {"counts": self.counts_}

    def _restore(self, run, tensors):
        self.counts_ = tensors["counts"]
        self.parameters_count_ = self.counts_.size
