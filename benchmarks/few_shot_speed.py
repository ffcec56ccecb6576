"""PAR's meta-step against plain PyTorch: the same numbers, supports shared and pairs packed.

    python benchmarks/few_shot_speed.py [--published] [--repeats 5] [--json]

Plain is the same mathematics as the published codes compute it: messages and bond embeddings
gathered in the encoder (as PyG's GIN does), supports embedded once a query, the three tokens of
the attention made for each, and one dense relation graph a query with all ordered pairs in every
layer. A step is nine tasks with ten shots and sixteen queries of Tox21: the queries' loss and its
gradient in all weights, the encoder's included, in evaluation mode. The inner step is left out on
both sides, since the published one depends on the queries and ours does not. Losses and gradients
are compared before the clock starts. "frozen" is the step as `--method par` takes it: the
encoder is not trained, so ours reads embeddings that were computed once, and plain runs the
encoder's forward pass, as a code without that cache has to. One thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from parsimony.adapt.gin import GIN, MoleculeBatch, gin_reference
from parsimony.adapt.inputs import PLAIN, Inputs
from parsimony.adapt.par import PARNetwork, PARParameters
from parsimony.adapt.relation import SLOPE, relation_reference
from parsimony.datasets.molecule_graphs import MoleculeGraphs, molecule_graphs
from parsimony.datasets.molecule_table import load_molecules

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
    gin: GIN, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor, answers: Tensor
) -> Tensor:
    """One step of this library."""
    return ours_after(gin(MoleculeBatch(graphs)), network, graphs, labels, answers)


def ours_after(
    embedding: Tensor, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor,
    answers: Tensor,
) -> Tensor:  # fmt: skip
    """What follows the encoder."""
    e = embedding.view(TASKS, S + QUERIES, -1)
    x_s = network.input(molecules(e[:, :S], graphs))
    x_q = network.input(molecules(e[:, S:], graphs))
    share = torch.stack([1 - labels, labels], 1) / SHOTS
    theta = dict(network.adapted.items())
    logits, raw, _ = network._queries(theta, x_s, share @ x_s, x_q, SHOTS)
    return loss_of(logits, raw, labels, answers)


def plain(
    gin: GIN, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor, answers: Tensor
) -> Tensor:
    """The same step, supports copied to each query and graphs dense."""
    return plain_after(gin_reference(gin, graphs), network, graphs, labels, answers)


def plain_after(
    embedding: Tensor, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor,
    answers: Tensor,
) -> Tensor:  # fmt: skip
    """What follows the encoder."""
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


def encoders(gin: GIN, graphs: MoleculeGraphs) -> dict[str, Callable[[], Tensor]]:
    """The encoder alone, its sum as a loss."""
    return {
        "encoder": lambda: gin(MoleculeBatch(graphs)).sum(),
        "encoder, plain": lambda: gin_reference(gin, graphs).sum(),
    }


def frozen(
    gin: GIN, network: PARNetwork, graphs: MoleculeGraphs, labels: Tensor, answers: Tensor
) -> dict[str, Callable[[], Tensor]]:
    """The step with an encoder that is not trained."""
    with torch.no_grad():
        kept = gin(MoleculeBatch(graphs))

    def again() -> Tensor:
        with torch.no_grad():
            e = gin_reference(gin, graphs)
        return plain_after(e, network, graphs, labels, answers)

    return {
        "frozen": lambda: ours_after(kept, network, graphs, labels, answers),
        "frozen, plain": again,
    }


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
    parser.add_argument("--json", action="store_true")
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

    def step(of: Callable[..., Tensor]) -> Callable[[], Tensor]:
        return lambda: of(gin, network, graphs, labels, answers)

    found = {name: step(of)() for name, of in (("ours", ours), ("plain", plain))}
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
        "cpu_seconds": timed(
            {
                "step": step(ours),
                "step, plain": step(plain),
                **encoders(gin, graphs),
                **frozen(gin, network, graphs, labels, answers),
            },
            given.repeats,
        ),
    }
    seconds = result["cpu_seconds"]
    result["times_faster"] = {
        name: seconds[f"{name}, plain"] / seconds[name] for name in ("step", "encoder", "frozen")
    }
    if given.json:
        print(json.dumps(result))
        return
    print(f"losses {result['loss']}, gradients apart by {apart:.1e} of the largest")
    for name, ratio in result["times_faster"].items():
        print(
            f"{name:8s} {seconds[name]:.3f} s, plain {seconds[f'{name}, plain']:.3f} s: "
            f"{ratio:.1f} times faster"
        )


if __name__ == "__main__":
    main()
