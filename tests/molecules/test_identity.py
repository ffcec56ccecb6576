"""A molecule is what it is, however it is written and wherever its row stands."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.molecules.small_molecules import chains

Chem = pytest.importorskip("rdkit.Chem")
pytest.importorskip("sklearn", reason="two baselines need the extra calib")
from rdkit.Chem import DataStructs, rdFingerprintGenerator  # noqa: E402

from parsimony.chem.descriptors import molecule_features  # noqa: E402
from parsimony.chem.fingerprints import morgan_fingerprints  # noqa: E402
from parsimony.chem.graphs import molecule_graphs  # noqa: E402
from parsimony.chem.smiles import MAX_CHARACTERS, canonical, reason_unreadable  # noqa: E402
from parsimony.errors import EmptySplit, FormatError, InvalidParameter  # noqa: E402
from parsimony.methods import estimators, resolve  # noqa: E402
from parsimony.molecules.data import MoleculeData  # noqa: E402
from parsimony.molecules.table import load_molecules  # noqa: E402
from parsimony.molecules.task import MoleculeOptions, MoleculeTask  # noqa: E402
from parsimony.molecules.user_tables import read_queries, read_support  # noqa: E402

METHODS = sorted(name for name, cls in estimators().items() if cls.kind == "molecules")
SMALL = {
    "epochs": 2, "trees": 20, "hidden": 16, "encoder": "random", "layers": 2, "width": 16,
    "dim": 16, "edge_dim": 16, "steps": 4, "validate_every": 2,
}  # fmt: skip
#: centres, double bonds, rings, salts, ions, isotopes
MOLECULES = (
    "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", r"C/C=C/CCO", r"C/C=C\CCO", "[Na+].CC(=O)[O-]",
    "Oc1ccccc1", "C[C@H](O)[C@@H](O)CC", "[2H]C([2H])O", "O=C(O)c1ccccc1OC(C)=O",
    "C[N+](C)(C)CCO", "N[C@@H](Cc1ccccc1)C(=O)N[C@@H](C)C(=O)O", r"F/C=C/c1ccc(/C=C/Cl)cc1",
    "CN1CCC[C@H]1c1cccnc1", "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O",
)  # fmt: skip
LABELS = dict(zip(MOLECULES, [1, 0] * 7, strict=True))
ACTIVE = [m for m in MOLECULES if LABELS[m]]
INACTIVE = [m for m in MOLECULES if not LABELS[m]]


def spelled(smiles: str, n: int) -> list[str]:
    """Other spellings by RDKit's random order of atoms; those that it reads back as the same."""
    molecule = Chem.MolFromSmiles(smiles)
    found = [Chem.MolToSmiles(molecule, canonical=False, doRandom=True) for _ in range(n)]
    own = Chem.MolToSmiles(molecule)
    return [smiles, own, *(t for t in found if Chem.MolToSmiles(Chem.MolFromSmiles(t)) == own)]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSIMONY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def fitted(own_cache):
    """Each method, fitted once, on data that hold half of the molecules."""
    plain = chains()
    known = MOLECULES[::2]
    labels = np.concatenate([plain.labels, np.tile(plain.labels[:1], (len(known), 1))])
    data = MoleculeData(
        "mixed", (*plain.smiles, *known), labels, plain.task_names, plain.train_tasks,
        plain.test_tasks,
    )  # fmt: skip
    made = {}

    def of(method):
        if method not in made:
            cls = resolve(method)
            own = {k: v for k, v in SMALL.items() if k in cls.Parameters.model_fields}
            options = MoleculeOptions(shots=(5, 1), episodes=1)
            made[method] = cls(**own).fit(MoleculeTask.open(data, options.model_dump()))
        return made[method]

    return of


# ---- spelling --------------------------------------------------------------------------------


def test_features_are_those_of_the_molecule():
    for smiles in MOLECULES:
        texts = spelled(smiles, 6)
        assert len({canonical(text) for text in texts}) == 1
        bits, features = morgan_fingerprints(texts), molecule_features(texts)
        graphs = [molecule_graphs([text]) for text in texts]
        for i in range(len(texts)):
            assert (bits[i] == bits[0]).all()
            assert (features.counts[i] == features.counts[0]).all()
            assert (features.descriptors[i] == features.descriptors[0]).all()
            for name, array in vars(graphs[0]).items():
                assert np.array_equal(getattr(graphs[i], name), array), name


def test_what_is_another_molecule():
    """Salts, charges, tautomers, isotopes, mirror images and open centres are told apart."""
    different = [
        "CC(=O)O", "CC(=O)[O-]", "CC(=O)[O-].[Na+]", "C=C(O)O", "[13CH3]C(=O)O", "C[C@H](N)C(=O)O",
        "C[C@@H](N)C(=O)O", "CC(N)C(=O)O", r"C/C=C/C", r"C/C=C\C", "CC=CC",
    ]  # fmt: skip
    assert len({canonical(text) for text in different}) == len(different)
    for same in (("CCO", "OCC", "C(O)C", "[CH3:7][CH2:1]O", "[H]OC([H])([H])C"),
                 ("[Na+].[Cl-]", "[Cl-].[Na+]"), ("c1ccccc1O", "OC1=CC=CC=C1")):  # fmt: skip
        assert len({canonical(text) for text in same}) == 1


@pytest.mark.parametrize("method", METHODS)
def test_answers_do_not_depend_on_spelling(method, fitted):
    model = fitted(method)
    texts = [(m, t) for m in MOLECULES for t in spelled(m, 4)]
    support, labels = [*ACTIVE[:2], *INACTIVE[:2]], [1, 1, 0, 0]
    result = model.adapt(support, labels, [t for _, t in texts])["predictions"]
    of = defaultdict(set)
    for (molecule, _), answer in zip(texts, result, strict=True):
        reasons = [(r["support"], r["similarity"], r["weight"]) for r in answer["reasons"]]
        of[molecule].add((answer["probability"], answer["score"], answer["known"], str(reasons)))
    assert all(len(answers) == 1 for answers in of.values())
    other = [spelled(text, 3)[-1] for text in support]
    again = model.adapt(other, labels, [spelled(t, 3)[-1] for _, t in texts])["predictions"]
    for one, two in zip(result, again, strict=True):
        assert (one["probability"], one["score"]) == (two["probability"], two["score"])


def test_measured_labels_are_found_however_a_molecule_is_written(fitted):
    """The profile of a molecule of the data is its measured one under every spelling."""
    model = fitted("ridge")
    for smiles in MOLECULES[::2]:
        values = model._featurize(spelled(smiles, 4)).measured.numpy()
        row = model.task_.data.smiles.index(smiles)
        assert np.array_equal(values, np.tile(model._molecules().measured[row], (len(values), 1)))


# ---- rows ------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(ACTIVE), min_size=1, max_size=6),
    st.lists(st.sampled_from(INACTIVE), min_size=1, max_size=6),
    st.lists(st.sampled_from(MOLECULES), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
)
@pytest.mark.parametrize("method", ["fingerprint-ridge", "tanimoto"])
def test_reasons_name_the_row_they_mean(method, fitted, active, inactive, queries, random):
    """Rows in any order, repeated under other spellings: RDKit alone tells what is similar."""
    support = [*active, *inactive]
    random.shuffle(support)
    texts = [Chem.MolToSmiles(Chem.MolFromSmiles(m)) if i % 2 else m for i, m in enumerate(support)]
    labels = [LABELS[m] for m in support]
    result = fitted(method).adapt(texts, labels, queries, top=20)["predictions"]
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024).GetFingerprint
    for query, answer in zip(queries, result, strict=True):
        rows = [reason["support"] for reason in answer["reasons"]]
        assert sorted(support[row] for row in rows) == sorted(set(support))
        for reason in answer["reasons"]:
            row = reason["support"]
            assert (reason["smiles"], reason["label"]) == (texts[row], labels[row])
            both = [make(Chem.MolFromSmiles(text)) for text in (texts[row], query)]
            assert reason["similarity"] == pytest.approx(DataStructs.TanimotoSimilarity(*both))
        assert answer["known"] == (LABELS[query] if query in support else None)
    order = random.sample(range(len(support)), len(support))
    again = fitted(method).adapt(
        [texts[i] for i in order], [labels[i] for i in order], queries, top=20
    )["predictions"]
    assert [a["score"] for a in result] == [a["score"] for a in again]


def test_rows_left_out_do_not_shift_the_others(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("id,smiles,label\na,CCO,1\nbad,C1CC,1\nb,CCN,0\nbad2,xyz,0\nc,CCC,0\n")
    with pytest.raises(FormatError, match="cannot be read") as caught:
        read_support(path)
    assert caught.value.where == f"{path}:3"
    assert "--bad-smiles skip" in caught.value.remedy
    support = read_support(path, "skip")
    assert list(zip(support.ids, support.smiles, support.labels, strict=True)) == [
        ("a", "CCO", 1), ("b", "CCN", 0), ("c", "CCC", 0),
    ]  # fmt: skip
    assert ["line 3" in support.notes[0], "line 5" in support.notes[1]] == [True, True]
    queries = read_queries(path, "skip")
    assert dict(zip(queries.ids, queries.smiles, strict=True)) == {
        "a": "CCO",
        "b": "CCN",
        "c": "CCC",
    }


def test_a_table_has_a_molecule_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("smiles,x,y\nCCO,1,\nCC,0,1\nOCC,1,0\nC1CC,1,1\nC(O)C,0,\n")
    data = load_molecules(path)
    assert data.smiles == ("CCO", "CC")
    assert data.labels.tolist() == [[-1, 0], [0, 1]], "x of ethanol is 1 in one row, 0 in another"
    (note,) = [note for note in data.notes if "repeat" in note]
    assert "2 rows repeat a molecule" in note and "lines 4, 6" in note
    assert "1 labels contradict" in note and "'x' of 'CCO'" in note
    assert MoleculeTask.open(data, {}).data.smiles == data.smiles


# ---- limits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("C" * 35_000, "35,000 characters; at most 5,000"),
        ("[" * 35_000, "35,000 characters"),
        ("C" * 1_001, "1,001 atoms; at most 1,000"),
        ("CCé", "outside ASCII at position 3"),
        ("", "no valid structure"),
    ],
)
def test_a_text_that_is_too_much_is_refused_at_once(fitted, text, says):
    assert canonical(text) is None
    assert says in reason_unreadable(text)
    assert len(reason_unreadable(text)) < 300
    with pytest.raises(FormatError, match="query molecule 2") as caught:
        fitted("tanimoto").adapt(["CCO", "CC"], [1, 0], ["CC", text])
    assert says in str(caught.value)


def test_the_longest_text_is_read():
    peptide = "N[C@@H](C)C(=O)" * 190 + "O"
    assert len(peptide) < MAX_CHARACTERS and canonical(peptide) is not None


def test_shots_that_no_task_can_give_are_refused():
    with pytest.raises(InvalidParameter, match=r"more than 1,000,000,000 molecules") as caught:
        MoleculeTask.open(chains(), {"shots": 1_000_000_000})
    assert "--set shots=" in caught.value.remedy
    notes = MoleculeTask.open(chains(), {"shots": (1_000, 1)}).data.notes
    assert sum("left out at 1,000 shots" in note for note in notes) == 2
    with pytest.raises(InvalidParameter, match="less than or equal to 10000"):
        MoleculeTask.open(chains(), {"episodes": 1_000_000_000})
    with pytest.raises(InvalidParameter, match="keeps none of 126"):
        MoleculeTask.open(chains(), {"unseen": 1e-9})
    data = chains()
    few = MoleculeData(data.name, data.smiles[:3], data.labels[:3], data.task_names,
                       data.train_tasks, [])  # fmt: skip
    task = MoleculeTask.open(few, {})
    assert any("nothing is measured on valid tasks" in note for note in task.data.notes)
    assert any("no test task" in note for note in task.data.notes)
    with pytest.raises(EmptySplit):
        resolve("tanimoto")().fit(task).evaluate("test")
