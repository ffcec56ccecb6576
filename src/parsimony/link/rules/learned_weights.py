r"""Weights of rules learned from training facts, added to what the rules say together.

However confidences are combined, some rules say more than they should and others less. With b(q, y)
the score of candidate y of query q by a combination, and f_k(q, y) = 1 where rule k leads to y,

    s(q, y) = b(q, y) + Σ_k v_k f_k(q, y),   v ≥ 0                                               (8)

whose weights v are those that, with a scale a ≥ 1, minimise for each relation

    Σ_q CE(t_q, softmax a s(q, ·)) + λ/2 Σ_k (a v_k)²                                            (9)

over questions about training facts, each asked on a graph that does not hold it: t_q is spread over
the right answers that some rule leads to. The problem is convex in (a, a v), and λ → ∞ leaves the
combination as it is.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from parsimony.link.rules.combining import LARGEST, LEAST
from parsimony.link.rules.evidence import (
    Evidence,
    gather,
    kept_apart,
    training_parts,
    true_questions,
)
from parsimony.link.rules.scoring import RuleScorer
from parsimony.link.task import LinkTask
from parsimony.run.deadline import Deadline
from parsimony.run.progress import Progress
from parsimony.stopping import stopped

__all__ = ["PENALTIES", "learned_weights", "weights_at"]

Floats = npt.NDArray[np.float64]

PENALTIES = (1.0, 10.0, 100.0)  # λ
FACTS, IN_ALL = 300, 20_000  # training facts asked about: of each relation, and of all
SCALES = 1.0, 20.0  # least and greatest a: below 1, v / a would leave the scale of -log(1 - p)
STEPS = 100  # of the solver
ASKING = 0.6  # of the time


def learned_weights(
    scorer: RuleScorer, task: LinkTask, deadline: Deadline, *, seed: int, quiet: bool
) -> tuple[dict[int, Floats], int]:
    """Learn weights of the rules of each relation.

    Parameters
    ----------
    scorer
        The rules on the training graph, combined as their weights are to be added to.
    task
    deadline
        Until when; relations that it leaves out have no weights.
    seed
        Of the facts that are drawn.
    quiet
        Show no progress.

    Returns
    -------
    weights : dict of (n_rules, n_penalties)
        By relation, rules as by ``scorer.rules_of``.
    asked : int
        Training questions.
    """
    asking = deadline.part(ASKING)
    facts = max(min(FACTS, IN_ALL // max(task.n_relations, 1)), 1)
    parts = training_parts(task, seed, facts=facts, apart=kept_apart(task))
    with Progress(sum(map(len, parts)), "asking for known facts", quiet=quiet) as progress:
        over = lambda: asking.passed() or stopped()  # noqa: E731
        evidence = gather(
            scorer, parts, lambda part, on: true_questions(part, on, progress, seed, over)
        )
        asked = progress.done
    found: dict[int, Floats] = {}
    with Progress(len(evidence), "learning weights of rules", quiet=quiet) as progress:
        for r, of in evidence.items():
            if deadline.passed() or stopped():
                break
            sides = r, r + task.n_relations
            used = np.unique(np.concatenate([scorer.plan_used(side).order for side in sides]))
            part = of._replace(fires=of.fires[:, used])
            found[r] = np.zeros((of.fires.shape[1], len(PENALTIES)))
            for k, penalty in enumerate(PENALTIES):
                weights = weights_at(part, penalty)
                found[r][used, k] = np.where(weights > LEAST, weights, 0.0)
            progress.advance(1)
    return found, asked


def weights_at(evidence: Evidence, penalty: float) -> Floats:
    """Return the weights v of (9) for a penalty λ, (n_rules,)."""
    fires, target = evidence.fires, evidence.target
    base = np.zeros(len(target)) if evidence.score is None else evidence.score
    back = fires.T.tocsr()

    def loss(at: Floats) -> tuple[float, Floats]:
        scale, weights = at[0], at[1:]
        score = scale * base + fires @ weights
        p, partition = evidence.softmax(score)
        value = partition.sum() - target @ score + penalty / 2 * (weights @ weights)
        missed = p - target
        return float(value), np.concatenate([[base @ missed], back @ missed + penalty * weights])

    n = fires.shape[1]
    found = minimize(
        loss, np.concatenate([[1.0], np.zeros(n)]), jac=True, method="L-BFGS-B",
        bounds=[SCALES] + [(0.0, LARGEST)] * n, options={"maxiter": STEPS},
    ).x  # fmt: skip
    weights: Floats = found[1:] / found[0]
    return weights
