"""PAR, PACIA, ridge and prototypes: an answer depends on its molecule and the support alone."""

from __future__ import annotations

import numpy as np
import pytest
from tests.molecules.small_molecules import chains

pytest.importorskip("rdkit")
torch = pytest.importorskip("torch")

from parsimony.errors import InvalidParameter  # noqa: E402
from parsimony.methods import resolve  # noqa: E402
from parsimony.molecules.data import MoleculeData  # noqa: E402
from parsimony.molecules.meta.meta_training import Episodes, MetaLearner  # noqa: E402
from parsimony.molecules.meta.par import PARNetwork, PARParameters  # noqa: E402
from parsimony.molecules.task import MoleculeOptions, MoleculeTask  # noqa: E402
from parsimony.run.folder import RunFolder  # noqa: E402

METHODS = {
    "ridge": {},
    "prototype": {},
    "par": {},
    "pacia": {},
    "pacia modulated": {"modulated": 2},
}
SMALL = {
    "encoder": "random", "layers": 2, "width": 16, "steps": 4, "validate_every": 2, "dim": 8,
    "edge_dim": 8,
}  # fmt: skip
TASK = MoleculeTask(chains(), MoleculeOptions(shots=(4, 1), episodes=2))


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def make(name, **more):
    cls = resolve(name.split()[0])
    values = {k: v for k, v in SMALL.items() if k in cls.Parameters.model_fields}
    return cls(**{**values, **METHODS[name], **more})


@pytest.fixture(params=METHODS, scope="module")
def fitted(request, own_cache):
    return make(request.param).fit(TASK)


def opposites() -> MoleculeData:
    """Every task asks for an alcohol or an amine, or for neither: only the support tells which."""
    data = chains()
    drawn = np.random.default_rng(0)
    polar = (data.labels[:, :2] == 1).any(1)
    labels = np.stack([polar ^ (task % 2 == 1) for task in range(10)], 1)
    labels ^= drawn.random(labels.shape) < 0.05
    return MoleculeData(
        "opposites", data.smiles, labels.astype(np.int8), tuple(map(str, range(10))),
        np.arange(8), np.array([8, 9]),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["ridge", "prototype", "par", "pacia"])
def test_a_support_turns_the_answer_round(name):
    """What is expected of a molecule in any task tells nothing here; five shots tell it all."""
    task = MoleculeTask(opposites(), MoleculeOptions(shots=(5,), episodes=2))
    model = make(name, steps=150, validate_every=50, lr=0.02).fit(task)
    assert model.evaluate("test")["metrics"]["roc_auc@5"] > 0.8


def episode():
    return np.array([0, 9, 40, 77]), np.array([0, 1, 0, 1], np.int8), np.array([3, 50, 99, 120])


def test_an_answer_does_not_depend_on_the_other_queries(fitted):
    support, labels, queries = episode()
    adapted = fitted._adapt(fitted._molecules(), support, labels)
    together = adapted.score(queries)
    alone = [adapted.score(queries[i : i + 1])[0] for i in range(len(queries))]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_the_order_of_the_support_does_not_matter(fitted):
    support, labels, queries = episode()
    turned = np.array([2, 3, 1, 0])
    one = fitted._adapt(fitted._molecules(), support, labels).score(queries)
    other = fitted._adapt(fitted._molecules(), support[turned], labels[turned]).score(queries)
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_tasks_of_a_step_do_not_touch_each_other(fitted):
    """The loss of a step is the mean of the losses of its tasks alone."""
    network, molecules = fitted._network, fitted._molecules()
    drawn = np.random.default_rng(0)
    rows = np.stack([drawn.permutation(126)[:10] for _ in range(3)])
    y = torch.tensor([[0.0, 0, 1, 1]]).expand(3, -1)
    answers = torch.from_numpy(drawn.integers(0, 2, (3, 6))).float()

    def loss(which):
        part = Episodes(
            molecules.inputs(rows[which, :4], np.array([0, 1, 2])[which]), y[which],
            molecules.inputs(rows[which, 4:], np.array([0, 1, 2])[which]), answers[which],
        )  # fmt: skip
        return float(network.loss(part).detach())

    network.eval()
    alone = np.mean([loss(slice(i, i + 1)) for i in range(3)])
    np.testing.assert_allclose(loss(slice(0, 3)), alone, rtol=1e-4)


def test_validation_labels_are_unseen_while_a_model_is_chosen(fitted):
    """Without the labels of validation tasks a validation answer stays the same."""
    support, labels, queries = episode()
    n = len(TASK.train_tasks)
    seen = fitted._molecules()
    blind = fitted._molecules().narrow(n)
    assert seen.measured.shape[1] == n + len(TASK.valid_tasks)
    assert torch.equal(blind.measured, seen.measured[:, :n])
    before = fitted._adapt(blind, support, labels).score(queries)
    seen.measured[:, n:] += 1
    try:
        after = fitted._adapt(fitted._molecules().narrow(n), support, labels).score(queries)
    finally:
        seen.measured[:, n:] -= 1
    np.testing.assert_array_equal(before, after)


def test_the_inner_step_is_differentiated_through():
    """Gradients of the second order against differences of the loss."""
    torch.manual_seed(0)
    p = PARParameters(
        width=4, dim=3, edge_dim=3, inner_lr=0.5, hidden_dropout=0, dropout=0, layers=1
    )
    network = PARNetwork(p, 2).double().eval()
    fitted = make("par").fit(TASK)
    molecules = fitted._molecules().narrow(2)
    rows = np.array([[0, 9, 40, 77, 3, 50, 99]])

    def inputs(part):
        x = molecules.inputs(part, np.array([1]))
        parts = [v.double() for v in x[:6]]
        return x._make([parts[0][..., :4], *parts[1:], *x[6:]])

    part = Episodes(
        inputs(rows[:, :4]), torch.tensor([[0.0, 1, 0, 1]]).double(),
        inputs(rows[:, 4:]), torch.tensor([[1.0, 0, 1]]).double(),
    )  # fmt: skip
    network.loss(part).backward()
    weight = network.adapted["shape"]
    exact = weight.grad[0, 1].item()
    step = 1e-5
    with torch.no_grad():
        values = []
        for sign in (1, -2):
            weight[0, 1] += sign * step
            with torch.enable_grad():
                values.append(network.loss(part).item())
    assert exact == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-3, abs=1e-8)


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, monkeypatch):
    whole = make("prototype", steps=6)
    config = whole.prepare(TASK)
    whole.fit(TASK)

    class Killed(Exception):
        pass

    loss = MetaLearner._loss

    def until(self, step):
        if step >= 5:
            raise Killed
        return loss(self, step)

    path = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "_loss", until)
        with pytest.raises(Killed), RunFolder.create(path, config) as run:
            make("prototype", steps=6).fit(TASK, run=run)
    again = make("prototype", steps=6)
    with RunFolder.create(path, config, resume=True) as run:
        again.fit(TASK, run=run)
    assert [h["epoch"] for h in again.history_] == [0, 2, 4, 6]
    for name, value in whole._tensors().items():
        np.testing.assert_array_equal(value, again._tensors()[name], err_msg=name)


def test_an_encoder_that_is_not_modulated_gives_the_kept_embeddings():
    model = make("pacia modulated").fit(TASK)
    molecules = model._molecules()
    everything = molecules.inputs(np.arange(126)[None])
    nothing = (torch.zeros(1, 16), torch.zeros(1, 16))
    with torch.no_grad():
        found = model._network._encoded(everything, [nothing, nothing])
    # Kept embeddings are clipped where they are extreme. Of a random encoder on chains they vary
    # little, and standardising magnifies what summing in another order rounds.
    torch.testing.assert_close(found[0].clamp(-4, 4), molecules.embedding, rtol=2e-4, atol=2e-4)


def test_a_training_can_be_watched_at_every_look():
    model, seen = make("par"), []
    model.on_look = lambda trained, record: seen.append(
        (record["epoch"], trained.scored("test", 1, episodes=1).roc_auc)
    )
    model.fit(TASK)
    assert [step for step, _ in seen] == [h["epoch"] for h in model.history_] == [0, 2, 4]
    unwatched = make("par").fit(TASK)
    for name, value in unwatched._tensors().items():
        np.testing.assert_array_equal(value, model._tensors()[name], err_msg=name)


def test_too_many_modulated_layers_are_refused():
    with pytest.raises(InvalidParameter, match="modulated"):
        make("pacia", modulated=3).fit(TASK)
