"""Pre-training of the encoder: it learns, resumes where it was killed, refuses what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from tests.molecules.small_molecules import chains

pytest.importorskip("rdkit")
torch = pytest.importorskip("torch")

from parsimony.errors import InvalidParameter, MissingRun, UnknownParameter, UsageError  # noqa: E402
from parsimony.methods import resolve  # noqa: E402
from parsimony.molecules.encoder import pretraining  # noqa: E402
from parsimony.molecules.encoder.pretraining import load_encoder, pretrain  # noqa: E402
from parsimony.molecules.task import MoleculeTask  # noqa: E402
from parsimony.run.folder import RunFolder  # noqa: E402
from parsimony.training import trainer  # noqa: E402

SMALL = {"layers": 2, "width": 16, "epochs": 3, "batch": 32}
SMILES = chains().smiles


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "cache"))


def test_it_learns_and_is_read_again(tmp_path):
    longer = {**SMALL, "epochs": 12}
    summary = pretrain(tmp_path / "encoder", longer, smiles=SMILES)
    first = next(RunFolder.open(tmp_path / "encoder").history())
    assert summary["losses"]["bits"] < 0.7 * first["bits"]
    gin, p = load_encoder(tmp_path / "encoder")
    assert (p.layers, p.width, summary["molecules"]) == (2, 16, 126)
    assert sum(w.numel() for w in gin.parameters()) == summary["parameters"]
    # A finished one is left as it is.
    assert pretrain(tmp_path / "encoder", longer, smiles=SMILES) == summary


def test_killed_and_resumed_is_the_same(tmp_path, monkeypatch):
    pretrain(tmp_path / "whole", SMALL, smiles=SMILES)
    losses = pretraining._Pretraining.losses

    def killed(self, number, drawn):
        if number > 1:
            raise KeyboardInterrupt
        return losses(self, number, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(pretraining._Pretraining, "losses", killed)
        with pytest.raises(KeyboardInterrupt):
            pretrain(tmp_path / "part", SMALL, smiles=SMILES)
    with pytest.raises(MissingRun):
        load_encoder(tmp_path / "part")
    pretrain(tmp_path / "part", SMALL, smiles=SMILES)
    one, other = (RunFolder.open(tmp_path / k).load_model() for k in ("whole", "part"))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_a_time_budget_ends_it_with_a_usable_encoder(tmp_path, monkeypatch):
    taken = []  # a step takes a second, and nothing else takes any time
    losses = pretraining._Pretraining.losses

    def counted(self, number, drawn):
        n, steps = losses(self, number, drawn)
        return n, (taken.append(step) or step for step in steps)

    monkeypatch.setattr(pretraining._Pretraining, "losses", counted)
    monkeypatch.setattr(trainer, "clock", lambda: float(len(taken)))
    longer = {**SMALL, "epochs": 100}
    summary = pretrain(tmp_path / "encoder", longer, smiles=SMILES, time_budget=60)
    assert len(taken) <= 61 and 0 < summary["epochs"] < 100
    assert load_encoder(tmp_path / "encoder")[1].epochs == 100


def test_parameters_of_older_versions_are_read(tmp_path):
    with pytest.warns(FutureWarning, match="max_molecules"):
        pretrain(tmp_path / "encoder", {**SMALL, "epochs": 1, "most": 50}, smiles=SMILES)
    assert load_encoder(tmp_path / "encoder")[1].max_molecules == 50


def test_wrong_parameters_and_places_are_refused(tmp_path):
    with pytest.raises(UnknownParameter, match="depth"):
        pretrain(tmp_path / "a", {"depth": 3}, smiles=SMILES)
    with pytest.raises(InvalidParameter, match="layers"):
        pretrain(tmp_path / "a", {"layers": 0}, smiles=SMILES)
    with RunFolder.create(tmp_path / "run", {"method": "tanimoto"}):
        pass
    with pytest.raises(UsageError, match="no encoder"):
        load_encoder(tmp_path / "run")


def test_a_damaged_artefact_is_made_anew_and_a_closed_cache_is_done_without(tmp_path, monkeypatch):
    monkeypatch.delenv("PARSIMONY_DATA", raising=False)
    monkeypatch.delenv("PARSIMONY_MIRROR", raising=False)
    settings = {"layers": 1, "width": 8, "steps": 0}
    task = MoleculeTask.open(chains(), {"shots": 5, "episodes": 1})

    def fitted():
        model = resolve("ridge")(**settings).fit(task)
        return model.evaluate("test")["metrics"]["roc_auc"], model.notes_

    first, notes = fitted()
    assert "no pre-trained encoder" in notes[0]
    assert fitted() == (first, notes), "kept: its own data have no other"
    kept = next((tmp_path / "cache" / "encoders").iterdir())
    model = kept / "model.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert fitted()[0] == first
    assert load_encoder(kept)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PARSIMONY_CACHE", str(tmp_path / "file"))
    again, notes = fitted()
    assert again == first and "kept in the run alone" in notes[0]
