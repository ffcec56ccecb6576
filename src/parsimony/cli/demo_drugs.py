"""The last step of the demo: the interactions of a drug without known ones, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parsimony.ddi.caution import CAUTION

__all__ = ["drug_demo", "drug_section", "drug_story"]

#: One of the drugs that the teaching set holds out (setting S1): none of its interactions is
#: trained on.
DRUG = "voriconazole"
EPOCHS = 8
TIME_BUDGET = 80.0  # ends training on machines too slow for all epochs
#: Small, and without structure features: the graph's facts alone determine these interactions.
PARAMETERS = {
    "batch": 16, "dim": 32, "neighbour_scores": (), "hidden": 0, "setting": "S1", "threads": 1,
    "fingerprint_dropout": 0.3, "dropout": 0.2, "decay": 0.9,  # few drugs, few epochs
}  # fmt: skip
SHOWN = 8


def drug_demo(run: Path, seed: int, quiet: bool) -> tuple[dict[str, Any], Any]:
    """Train EmerGNN on the teaching set and query it about the emerging drug.

    Returns
    -------
    result, explanation
        What the demo prints, and the explanation of the first partner.
    """
    import numpy as np

    from parsimony.ddi.screening import screen
    from parsimony.pipeline import fit

    estimator: Any
    estimator, summary = fit(
        "cyp",
        "emergnn",
        out=run,
        parameters=PARAMETERS,
        epochs=EPOCHS,
        time_budget=TIME_BUDGET,
        seed=seed,
        quiet=quiet,
    )
    data = estimator.task_.data
    asked = data.drug(DRUG)
    rows = estimator.task_.pairs("test")
    rows = rows[estimator.task_.emerging("test") == asked]
    guess = estimator.predict_proba(np.ascontiguousarray(rows[:, [0, 2]]), "test").argmax(1)
    found = screen(estimator, DRUG, top=SHOWN)
    partners = found["partners"][:SHOWN]
    first = partners[0]
    drug1, drug2 = first["order"]
    explanation = estimator.explain(drug1, first["type"], drug2, seed=seed)
    result = {
        "drug": found["drug"],
        "drugs": data.n_drugs,
        "facts": len(estimator.task_.background.triples),
        "fit": summary,
        "hidden": len(rows),
        "right": int((guess == rows[:, 1]).sum()),
        "partners": partners,
        "explanation": explanation.to_dict(),
        "note": CAUTION,
    }
    return result, explanation


def drug_story(result: dict[str, Any]) -> list[str]:
    """Return what happened, in three lines."""
    drug, fit, first = result["drug"], result["fit"], result["partners"][0]
    return [
        f"Of {result['drugs']} marketed drugs, with {result['facts']} facts about enzymes, "
        f"transporters and effects, {drug} is treated as a new one without known interactions.",
        f"EmerGNN ({fit['parameters']:,} parameters) trained in {fit['seconds']:.0f} s; of the "
        f"{result['hidden']} listed interactions of {drug}, none of them seen in training, it "
        f"predicts the type of {result['right']} correctly.",
        f"The top-ranked partner is {first['drug']}: “{first['text']}” (score "
        f"{first['probability']:.2f}); its reason: {first['reason']}. {CAUTION}",
    ]


def drug_section(result: dict[str, Any], explanation: Any) -> dict[str, Any]:
    """Return the section of the report."""
    *lines, _ = drug_story(result)
    return {
        "title": f"A new drug: {result['drug']}",
        "lines": [*lines, CAUTION],
        "partners": [
            partner | {"listed": [fact["text"] == partner["text"] for fact in partner["known"]]}
            for partner in result["partners"]
        ],
        "explanation": explanation,
    }
