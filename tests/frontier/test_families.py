"""Families, their cost, and one run: resumed, tuned, failed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.link.reasoning.small_data import write_folder
from tests.link.test_link_methods import clan
from tests.molecules.small_molecules import chains
from torch.utils.flop_counter import FlopCounterMode

from parsimony import methods, problems
from parsimony.frontier import cost, running, tuning
from parsimony.frontier.families import Family, Size, families
from parsimony.frontier.row import Subject, Tuned
from parsimony.frontier.running import run_size
from parsimony.frontier.tuning import RANGES, tune_size
from parsimony.knowledge.rules import parse_rules
from parsimony.link.embeddings.bilinear import ComplEx
from parsimony.link.task import LinkTask
from parsimony.molecules.encoder.gin import MoleculeBatch
from parsimony.molecules.task import MoleculeOptions, MoleculeTask
from parsimony.ratings.factorisation import _Factors

KINDS = tuple(problems.PROBLEMS)
QUICK = {"epochs": 2, "threads": 1}
FAMILY = Family("small", "scaled", (), "")


@pytest.fixture
def subject(tmp_path):
    return Subject(str(write_folder(clan(), tmp_path / "clan")), "link")


def run(subject, folder, method="complex", tuned=Tuned(), seconds=None, share=1.0, **settings):  # noqa: B008
    size = Size("d", method, settings, 1.0)
    folder.mkdir(exist_ok=True)
    return run_size(
        FAMILY, size, subject, share=share, seed=0, folder=folder, seconds=seconds, tuned=tuned
    )  # fmt: skip


# ---- families --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_size_can_be_made_and_tuned(kind):
    found = families(kind)
    assert {family.side for family in found} == {"knowledge", "scaled"}
    assert len({family.name for family in found}) == len(found)
    assert {family.side for family in found if family.main} == {"knowledge", "scaled"}
    for family in found:
        amounts = [size.about for size in family.sizes]
        assert amounts == sorted(amounts) and len({s.label for s in family.sizes}) == len(amounts)
        assert not any("=" in s.label.replace("d = ", "") or "_" in s.label for s in family.sizes)
        for size in family.sizes:
            cls = methods.resolve(size.method)
            cls(**size.settings)
            assert cls.kind == kind
            known = {*cls.Parameters.tunable(), *(RANGES.keys() & cls.Parameters.model_fields)}
            assert set(size.tuned) <= known, (size.label, set(size.tuned) - known)


def test_fewer_sizes_keep_both_ends_and_are_spread_on_the_logarithm():
    (embedding,) = (f for f in families("link", sizes=4) if f.name == "ComplEx")
    assert [size.label for size in embedding.sizes] == ["d = 4", "d = 32", "d = 256", "d = 2048"]
    assert [len(family.sizes) for family in families("ddi", sizes=1)] == [1] * 5


# ---- cost ------------------------------------------------------------------------------------


def test_numbers_and_bits_of_embeddings_are_those_of_their_tables():
    model = ComplEx(dim=8, epochs=1, threads=1).fit(LinkTask(clan()))
    assert cost.numbers(model) == ((40 + 4) * 8, 4 * 8)
    assert cost.bits(model) == (8 * 44 * 8 + 2 * cost.SCALE, 16 * 44 * 8)
    assert cost.graph_bits(model, model.task_) == 0
    # Every epoch compares all queries with all entities, three products; validation with one.
    train, valid = len(model.training_queries()), len(model.task_.queries("valid"))
    by_hand = 6 * train * 40 * 8 + 2 * valid * 40 * 8
    assert model.cost_.as_dict()["flops"] == by_hand


def test_rules_are_their_symbols_and_their_text():
    rules = parse_rules("0.5  1/2  a(X,Y) <- b(X,Z), c(Z,Y)\n0.5  1/2  a(X,k) <- b(X,k)\n")

    class Book:
        rules_ = rules

    assert cost.numbers(Book()) == (3 + 2 + 2 + 1 + 2,) * 2
    assert cost.bits(Book())[0] == cost.bits(Book())[1] == pytest.approx(8 * 60, rel=0.3)


def test_a_closed_form_is_the_settings_that_it_chose():
    pytest.importorskip("rdkit")
    task = MoleculeTask(chains(), MoleculeOptions(shots=(1,), episodes=1))
    model = methods.resolve("fingerprint-ridge")().fit(task)
    assert cost.numbers(model) == (2, 2)  # the kernel and its ridge
    assert cost.bits(model)[1] == 32 and cost.counted_flops(model, 0.0) is None


def test_facts_are_compressed_as_a_set():
    drawn = np.random.default_rng(0)
    facts = np.unique(drawn.integers(0, 100, (2000, 3)).astype(np.int32), axis=0)
    assert cost.triples_bits(facts) == cost.triples_bits(drawn.permutation(facts))
    assert cost.triples_bits(facts) < cost.compressed_bits(facts.tobytes()) < 8 * facts.nbytes


def test_the_gin_formula_counts_what_torch_counts():
    pytest.importorskip("rdkit")
    from parsimony.molecules.graph_network import GraphNetwork, graph_features

    smiles = ["CCO", "c1ccccc1O", "CC(=O)N"]
    features, rows = graph_features(smiles), np.arange(3)
    network = GraphNetwork(5, 16, 2)
    network.initialise(features, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        batch: MoleculeBatch = network.inputs(features, rows)
        network(batch)[1].sum().backward()
    # torch leaves out the gradient of what needs none: the counts of bonds.
    atoms = int(features.graphs.atoms[-1])
    left_out = 2 * atoms * 9 * 16 * 2
    assert counter.get_total_flops() == network.flops(3) - left_out


def test_a_factorisation_machine_is_the_sum_over_pairs_of_features():
    network = _Factors(4, 3, 0.0).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
        items = torch.tensor([[0, 1, 2, 3]])
        rating = torch.tensor([[1.0, 0.0, 0.75, 0.5]])
        support = torch.tensor([[1.0, 1.0, 1.0, 0.0]])

        class Block:
            pass

        block = Block()
        block.items, block.ratings, block.support = items, rating, support
        s = (2 * rating[0, :3] - 1) / 3**0.5
        features = [(1.0, network.asked.weight[3]), *zip(s, network.rated.weight[:3], strict=True)]
        wanted = network.mean + network.asked_bias.weight[3, 0]
        wanted = wanted + (s * network.rated_bias.weight[:3, 0]).sum()
        for i, (x, v) in enumerate(features):
            wanted = wanted + sum(x * y * (v @ w) for y, w in features[i + 1 :])
        assert float(network(block)[0, 3]) == pytest.approx(float(wanted), rel=1e-5)


# ---- a run -----------------------------------------------------------------------------------


def test_a_run_is_measured_counted_and_not_made_again(subject, tmp_path, monkeypatch):
    tuned = Tuned({"lr": 0.1}, trials=3, flops=1e3, processor_seconds=5.0)
    row = run(subject, tmp_path / "r", dim=8, tuned=tuned, **QUICK)
    assert (row.status, row.why, row.metric) == ("done", "", "mrr")
    assert (row.labels, row.parameters, row.trials) == (44, 352, 3)
    assert row.settings == {"dim": 8, "lr": 0.1, **QUICK}
    assert row.flops > 1e3 and row.processor_seconds > 5 and row.error_loss > 0
    values = np.load(tmp_path / "r" / row.values)
    assert values.dtype == np.float32 and values.mean() == pytest.approx(row.value)
    whole = [part for name, part in row.strata.items() if name.startswith("relation")]
    assert sum(part.n for part in whole) == len(values) == 6
    model = methods.load_run(tmp_path / "r" / "run")
    assert model.score("test") == pytest.approx(row.value)
    monkeypatch.setattr(running, "_run", None)
    assert run(subject, tmp_path / "r", dim=8, tuned=tuned, **QUICK) == row


def test_fewer_labels_are_asked_the_same_and_filtered_alike(subject, tmp_path):
    row = run(subject, tmp_path / "r", "rules", share=0.5, max_length=2, min_support=1)
    assert row.labels == 22 and row.error_loss is None and row.flops is None
    thin = dataclasses.replace(subject, thinned=True)
    less = run(thin, tmp_path / "t", "rules", share=0.5, max_length=2, min_support=1)
    assert less.parameters == row.parameters and less.graph_bits < row.graph_bits
    assert less.value <= row.value and len(np.load(tmp_path / "t" / less.values)) == 6


def test_what_cannot_be_run_is_a_row_that_says_why(subject, tmp_path):
    row = run(subject, tmp_path / "r", dim=8, lr=1e30, **QUICK)
    assert row.status == "failed" and "lr" in row.why and row.value == 0.0
    gone = Subject(str(tmp_path / "nowhere"), "link")
    assert run(gone, tmp_path / "s", dim=8).status == "failed"
    assert tune_size(
        FAMILY, Size("d", "complex", {}, 1.0, ("lr",)), gone, share=1.0, seed=0, folder=tmp_path,
        seconds=None, trials=2,
    ).why  # fmt: skip


def test_tuning_counts_its_trials_and_goes_on_with_them(subject, tmp_path, monkeypatch):
    size = Size("d=8", "complex", {"dim": 8, **QUICK}, 1.0, ("lr", "relation_weight"))
    how = {"share": 1.0, "seed": 0, "folder": tmp_path, "seconds": None}
    two = tune_size(FAMILY, size, subject, **how, trials=2)
    assert (two.trials, two.why) == (2, "") and two.flops > 0 and two.processor_seconds > 0
    four = tune_size(FAMILY, size, subject, **how, trials=4)
    assert four.trials == 4 and four.flops > two.flops
    monkeypatch.setattr(tuning, "guarded", None)
    assert tune_size(FAMILY, size, subject, **how, trials=4) == four
    assert set(four.settings) <= {"lr", "relation_weight"}
    bare = dataclasses.replace(size, tuned=())
    assert tune_size(FAMILY, bare, subject, **how, trials=2).trials == 0
