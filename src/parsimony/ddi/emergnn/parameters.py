"""Parameters of EmerGNN, and the presets of its two forms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from parsimony.base import tuned, tuned_among
from parsimony.ddi.network_estimator import NetworkParameters
from parsimony.kernels.emergnn.graph import Normalisation

__all__ = ["EmerGNNParameters", "preset"]

PUBLISHED: dict[str, Any] = {
    "emergence": "simulated", "bias": True, "log_states": False, "hidden": 0,
    "neighbour_scores": (),
    "neighbour_edges": 0, "fingerprint_dropout": 0.0, "dropout": 0.0, "ema_decay": 0.0,
    "hidden_dropout": 0.0, "drug_vectors": False,
    "lr": 1e-3, "decay": 1.0, "weight_decay": 1e-8, "batch": 32, "epochs": 40, "validate_every": 2,
    "patience": 40,
}  # fmt: skip
EXTENDED: dict[str, Any] = {
    "emergence": "hidden", "bias": False, "log_states": True, "hidden": 128,
    "neighbour_scores": (4.0, 8.0),
    "neighbour_edges": 10, "fingerprint_dropout": 0.3, "dropout": 0.2, "ema_decay": 0.999,
    "hidden_dropout": 0.5, "drug_vectors": False,
    "lr": 3e-3, "decay": 0.88, "weight_decay": 1e-8, "batch": 64, "epochs": 20, "validate_every": 2,
    "patience": 8,
}  # fmt: skip
#: What differs by setting. Where no drug is new (S0), memorising single drugs is what is wanted;
#: with one new drug (S1), validation on DrugBank favours more dropout, with two it does not.
BY_SETTING: dict[str, dict[str, Any]] = {
    "S0": {"hidden": 512, "fingerprint_dropout": 0.1, "hidden_dropout": 0.3, "drug_vectors": True},
    "S1": {"fingerprint_dropout": 0.5, "dropout": 0.5, "decay": 0.8, "epochs": 12, "patience": 6},
    "S2": {},
}


class EmerGNNParameters(NetworkParameters):
    """Parameters of EmerGNN; those left out follow ``form``."""

    form: Literal["extended", "published"] = Field(
        "extended", description="extended or published: which defaults the others take"
    )
    dim: int = Field(
        64, ge=2, le=256, description="dimension of states, 2 … 256",
        json_schema_extra=tuned_among(16, 32, 64),
    )  # fmt: skip
    bias: bool | None = Field(None, description="biases in the flow")
    log_states: bool | None = Field(None, description="read log(1 + h) instead of h")
    normalise: Normalisation = Field("none", description="none, relation or total")
    hidden: int | None = Field(
        None, ge=0, le=4096, description="units of the fingerprint read-out, 0 for none, 0 … 4096"
    )
    neighbour_scores: tuple[Annotated[float, Field(gt=0, le=64)], ...] | None = Field(
        None,
        max_length=8,
        description="powers of the similarity in the k-NN label scores, each in "
        "(0, 64], at most 8; [] for none",
    )
    neighbour_edges: int | None = Field(
        None, ge=0, le=100, description="edges to the most similar drugs, 0 … 100",
        json_schema_extra=tuned_among(0, 5, 10, 20),
    )  # fmt: skip
    fingerprint_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of fingerprint bits, [0, 1)",
        json_schema_extra=tuned(0.0, 0.6),
    )  # fmt: skip
    dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of states read, [0, 1)",
        json_schema_extra=tuned(0.0, 0.6),
    )  # fmt: skip
    hidden_dropout: float | None = Field(
        None, ge=0, lt=1, description="dropout of the fingerprint read-out's units, [0, 1)",
        json_schema_extra=tuned(0.0, 0.7),
    )  # fmt: skip
    drug_vectors: bool | None = Field(
        None, description="free vectors of known drugs in the fingerprint read-out; on in S0"
    )
    embedding: bool | None = Field(
        None, description="a free vector per drug instead of its fingerprint; as published in S0"
    )
    emergence: Literal["simulated", "hidden"] | None = Field(
        None, description="simulated: drugs drawn as new; hidden: each training pair by itself"
    )
    emerging_fraction: float = Field(
        0.2, gt=0, lt=1, description="fraction of drugs that are simulated as new, (0, 1)"
    )
    max_pairs: int = Field(
        30000, ge=1, description="most training pairs per epoch with hidden emergence, ≥ 1"
    )
    threads: int = Field(2, ge=1, le=64, description="threads, 1 … 64")
    lr: float | None = Field(  # type: ignore[assignment]
        None, gt=0, le=10, description="learning rate of Adam, (0, 10]",
        json_schema_extra=tuned(3e-4, 0.01, log=True),
    )  # fmt: skip
    decay: float | None = Field(None, gt=0, le=1, description="its decay per epoch, (0, 1]")  # type: ignore[assignment]
    weight_decay: float | None = Field(None, ge=0, le=10, description="L2 penalty, 0 … 10")  # type: ignore[assignment]
    batch: int | None = Field(  # type: ignore[assignment]
        None, ge=1, le=10**6, description="pairs per step, ≥ 1",
        json_schema_extra=tuned_among(32, 64, 128, 256),
    )  # fmt: skip
    epochs: int | None = Field(None, ge=1, le=10**6, description="most epochs, ≥ 1")  # type: ignore[assignment]
    validate_every: int | None = Field(None, ge=1, description="epochs between validations, ≥ 1")  # type: ignore[assignment]
    patience: int | None = Field(None, ge=1, description="epochs without improvement, ≥ 1")  # type: ignore[assignment]
    ema_decay: float | None = Field(None, ge=0, lt=1, description="decay of the average, [0, 1)")  # type: ignore[assignment]


def preset(form: str, setting: str) -> dict[str, Any]:
    """What the parameters that are left out become, by the form and the task's setting."""
    if form == "published":
        return PUBLISHED | {"embedding": setting == "S0"}
    return EXTENDED | BY_SETTING[setting] | {"embedding": False}
