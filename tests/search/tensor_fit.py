"""A small real objective: fit a tensor of facts with a symbol, measured on left-out cells."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parsimony.errors import TrainingDiverged
from parsimony.knowledge.symbol import Symbol
from parsimony.search.trial import TrialResult


@dataclass(frozen=True)
class TensorFit:
    """How much of a tensor's left-out variance a structure explains after some descent.

    ``log`` counts the calls on disk, so that other processes' calls are seen too; ``pause`` makes
    a call last.
    """

    teacher: str = "ComplEx"
    n_entities: int = 8
    n_relations: int = 3
    log: str = ""
    pause: float = 0.0
    diverges: str = ""

    def target(self, dim):
        random = np.random.default_rng(99)
        e = random.normal(size=(self.n_entities, dim))
        r = random.normal(size=(self.n_relations, dim))
        teacher = Symbol.parse(self.teacher)
        return np.einsum("ha,kab,tb->hkt", e, matrices(teacher, r), e)

    def __call__(self, structure, *, seed, epochs, dim):
        begin = time.perf_counter()
        if self.log:
            with Path(self.log).open("a") as stream:
                stream.write(f"{os.getpid()} {structure}\n")
        time.sleep(self.pause)
        if str(structure) == self.diverges:
            raise TrainingDiverged("the loss is no longer finite")
        target = self.target(dim)
        random = np.random.default_rng(seed)
        kept = random.random(target.shape) < 0.8
        e = random.normal(size=(self.n_entities, dim)) * 0.5
        r = random.normal(size=(self.n_relations, dim)) * 0.5
        moments = [np.full_like(e, 1e-8), np.full_like(r, 1e-8)]
        for _ in range(epochs):
            error = (np.einsum("ha,kab,tb->hkt", e, matrices(structure, r), e) - target) * kept
            for x, gradient, moment in zip(
                (e, r), gradients(structure, error, e, r), moments, strict=True
            ):
                moment += gradient**2
                x -= 0.3 * gradient / np.sqrt(moment)
        left = (np.einsum("ha,kab,tb->hkt", e, matrices(structure, r), e) - target)[~kept]
        explained = 1 - float((left**2).sum() / (target[~kept] ** 2).sum())
        return TrialResult(explained, time.perf_counter() - begin, e.size + r.size, epochs)


def matrices(symbol, relations):
    """G(r) for every relation, (n, d, d)."""
    width = relations.shape[1] // 4
    g = np.zeros((len(relations), 4 * width, 4 * width))
    at = np.arange(width)
    for i, k, j, sign in symbol.blocks:
        g[:, i * width + at, j * width + at] += sign * relations[:, k * width + at]
    return g


def gradients(symbol, error, e, r):
    """Of half the squared error."""
    g = matrices(symbol, r)
    grad_e = np.einsum("hkt,kab,tb->ha", error, g, e) + np.einsum("hkt,ha,kab->tb", error, e, g)
    grad_g = np.einsum("hkt,ha,tb->kab", error, e, e)
    grad_r = np.zeros_like(r)
    width = r.shape[1] // 4
    at = np.arange(width)
    for i, k, j, sign in symbol.blocks:
        grad_r[:, k * width + at] += sign * grad_g[:, i * width + at, j * width + at]
    return grad_e, grad_r
