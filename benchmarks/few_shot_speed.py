"""PAR's meta-step against plain PyTorch: the same numbers, supports shared and pairs packed.

    python benchmarks/few_shot_speed.py [--published] [--pyg] [--repeats 5]

Plain is the same mathematics as the published codes compute it: messages and bond embeddings
gathered in the encoder (with --pyg by PyG, benchmarks/pyg_gin.py), supports embedded once a
query, the three tokens of the attention made for each, and one dense relation graph a query with
all ordered pairs in every layer. A step is nine tasks with ten shots and sixteen queries of Tox21:
the queries' loss and its gradient in all weights, the encoder's included, in evaluation mode. The
inner step is left out on both sides, since the published one depends on the queries and ours does
not. Losses and gradients are compared before the clock starts. "frozen" is the step as
`--method par` takes it: the encoder is not trained, so ours reads embeddings that were computed
once, and plain runs the encoder's forward pass, as a code without that cache has to. One thread.
Writes results/few_shot_speed*.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from common import record
from torch import Tensor
from torch.nn import functional

from parsimony.chem.graphs import MoleculeGraphs, molecule_graphs
from parsimony.molecules.encoder.gin import GIN, MoleculeBatch, gin_reference
from parsimony.molecules.meta.inputs import PLAIN, Inputs
from parsimony.molecules.meta.par import PARNetwork, PARParameters
from parsimony.molecules.meta.relation_graph import SLOPE, relation_reference
from parsimony.molecules.table import load_molecules

TASKS, SHOTS, QUERIES = 9, 10, 16
S = 2 * SHOTS


def molecules(embedding: Tensor, graphs: MoleculeGraphs) -> Inputs:
    """Inputs without a profile, from embeddings (T, n, d)."""
    t, n = embedding.shape[:2]
    empty = torch.zeros(t, n, 1)
    described = torch.zeros(t, n, PLAIN)
    rows = torch.zeros(t, n, dtype=torch.long)
    return Inputs(embedding, described, empty, empty, empty, torch.ones(t, 1, 1), rows, graphs)


def loss_of(logits: Tensor, raw: Tensor, labels: Tensor, answers: Tensor) -> Tensor:
    same = (answers[:, :, None] == labels[:, None]).float()
    return functional.binary_cross_entropy_with_logits(logits, answers) + functional.mse_loss(
        raw, same
    )


def ours(
    embedding: Tensor, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor,
    answers: Tensor,
) -> Tensor:  # fmt: skip
    """What follows the encoder in this library."""
    e = embedding.view(TASKS, S + QUERIES, -1)
    x_s = network.input(molecules(e[:, :S], graphs))
    x_q = network.input(molecules(e[:, S:], graphs))
    share = torch.stack([1 - labels, labels], 1) / SHOTS
    theta = dict(network.adapted.items())
    logits, raw, _ = network._queries(theta, x_s, share @ x_s, x_q, SHOTS)
    return loss_of(logits, raw, labels, answers)


def plain(
    embedding: Tensor, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor,
    answers: Tensor,
) -> Tensor:  # fmt: skip
    """The same, supports copied to each query and graphs dense."""
    e = embedding.view(TASKS, S + QUERIES, -1)
    share = torch.stack([1 - labels, labels], 1) / SHOTS
    # One episode a query: its supports and itself.
    copied = torch.cat([e[:, None, :S].expand(-1, QUERIES, -1, -1), e[:, S:, None]], 2).reshape(
        TASKS * QUERIES, S + 1, -1
    )
    x = network.input(molecules(copied, graphs))
    means = share.repeat_interleave(QUERIES, 0) @ x[:, :S]
    tokens = torch.stack([x, means[:, None, 0].expand_as(x), means[:, None, 1].expand_as(x)], 2)
    w = network.adapted
    q, k, v = (tokens @ w[name].mT for name in ("query", "key", "value"))
    attended = (q @ k.mT / x.shape[-1] ** 0.5).softmax(-1) @ v
    both = torch.cat([attended[:, :, 0], x], -1)
    h = functional.leaky_relu(functional.linear(both, w["project"], w["project_bias"]), SLOPE)
    nodes = functional.linear(h, w["shape"], w["shape_bias"])
    last = relation_reference(network.relation, nodes[:, :S], nodes[:, S:], SHOTS)[-1]
    h = functional.leaky_relu(
        functional.linear(last.queries[:, 0], w["hidden"], w["hidden_bias"]), SLOPE
    )
    logits = functional.linear(h, w["answer"], w["answer_bias"]).view(TASKS, QUERIES)
    return loss_of(logits, last.raw.view(TASKS, QUERIES, S), labels, answers)


def plain_encoder(gin: GIN, graphs: MoleculeGraphs, pyg: bool) -> Callable[[], Tensor]:
    """The encoder of the plain side."""
    if pyg:
        from pyg_gin import PyGEncoder

        return PyGEncoder(gin, graphs)
    return lambda: gin_reference(gin, graphs)


def timed(parts: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of loss and gradient, the parts in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(repeats):
        for name, part in parts.items():
            begin = time.process_time()
            part().backward()  # type: ignore[no-untyped-call]
            seconds[name].append(time.process_time() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", action="store_true", help="5 × 300, 128 and 256 wide")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pyg", action="store_true", help="PyG's messages on the plain side")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    drawn = np.random.default_rng(0)
    wide = {"layers": 5, "width": 300, "dim": 128, "edge_dim": 256} if given.published else {}
    p = PARParameters(inner_lr=0, **wide)
    gin, network = GIN(p.layers, p.width).eval(), PARNetwork(p, 1).eval()
    smiles = load_molecules("tox21").smiles
    rows = drawn.integers(len(smiles), size=TASKS * (S + QUERIES))
    graphs = molecule_graphs([smiles[i] for i in rows])
    labels = torch.cat([torch.zeros(SHOTS), torch.ones(SHOTS)]).expand(TASKS, -1)
    answers = torch.from_numpy(drawn.integers(0, 2, (TASKS, QUERIES))).float()
    weights = [*gin.parameters(), *network.parameters()]

    def encoder() -> Tensor:
        found: Tensor = gin(MoleculeBatch(graphs))
        return found

    theirs = plain_encoder(gin, graphs, given.pyg)
    rest = network, graphs, labels, answers
    with torch.no_grad():
        kept = encoder()

    def frozen_plain() -> Tensor:
        with torch.no_grad():
            embedding = theirs()
        return plain(embedding, *rest)

    parts: dict[str, Callable[[], Tensor]] = {
        "step": lambda: ours(encoder(), *rest),
        "step, plain": lambda: plain(theirs(), *rest),
        "encoder": lambda: encoder().sum(),
        "encoder, plain": lambda: theirs().sum(),
        "frozen": lambda: ours(kept, *rest),
        "frozen, plain": frozen_plain,
    }
    found = {"ours": parts["step"](), "plain": parts["step, plain"]()}
    gradients = [torch.autograd.grad(x, weights, allow_unused=True) for x in found.values()]
    scale = max(float(g.abs().max()) for g in gradients[1] if g is not None)
    apart = max(
        float((a - b).abs().max()) / scale
        for a, b in zip(*gradients, strict=True)
        if a is not None and b is not None
    )
    result = {
        "molecules": len(graphs),
        "loss": {name: float(x.detach()) for name, x in found.items()},
        "gradients_apart": apart,
        "cpu_seconds": timed(parts, given.repeats),
    }
    seconds = result["cpu_seconds"]
    result["times_faster"] = {
        name: seconds[f"{name}, plain"] / seconds[name] for name in ("step", "encoder", "frozen")
    }
    size, side = "published" if given.published else "", "pyg" if given.pyg else ""
    record("-".join(filter(None, ["few_shot_speed", side, size])), result)


if __name__ == "__main__":
    main()
