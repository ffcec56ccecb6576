"""Forty well-known pairs: does the product say who acts on whom, and how?

    python benchmarks/well_known_pairs.py

The pairs and their right sentences stand in well_known_pairs.tsv, written from prescribing
information before the product was asked. Fits ``neighbours`` on drugbank-ddi and asks ``predict``:
where the data state the pair, by every known sentence, else by the first answer. A sentence is
right where its effect is one of those expected and, unless it is mutual, the affected drug is the
expected one; it is misdirected where it says any effect of the affected drug on the acting one.
Sentences are read by their English alone, without the library's table of directions. AFTERWARDS
holds what was not expected but is true as well; it is counted apart. Writes
results/well_known_pairs.json.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from common import RESULTS

PAIRS = Path(__file__).with_suffix(".tsv")
#: What the English of a sentence says, X the affected drug.
EFFECTS = {
    "absorption lowered": r"decrease in the absorption of X|(absorption|bioavailability|serum "
    r"concentration) of X can be decreased",
    "exposure raised": r"metabolism of X can be decreased|(serum concentration|bioavailability) of "
    r"X can be increased|increase in the absorption of X|decrease the excretion rate of X",
    "exposure lowered": r"metabolism of X can be increased|(serum concentration|bioavailability) "
    r"of X can be decreased|increase the excretion rate of X",
    "muscle injury": r"increase the myopathic rhabdomyolysis activities of X",
    "hypotension": r"increase the (orthostatic )?(hypotensive|antihypertensive) activities of X",
    "hypoglycaemia": r"increase the hypoglycemic activities of X",
    "AV block": r"increase the atrioventricular blocking \(AV block\) activities of X",
    "bradycardia": r"increase the bradycardic activities of X",
    "anticoagulation raised": r"increase the anticoagulant activities of X",
    "anticoagulation lowered": r"decrease the anticoagulant activities of X",
    "bleeding": r"risk or severity of bleeding can be increased",
    "adverse effects": r"risk or severity of adverse effects can be increased",
    "platelet inhibition lowered": r"decrease the antiplatelet activities of X",
    "blood pressure control lowered": r"decrease the antihypertensive activities of X",
    "kidney injury": r"increase the nephrotoxic activities of X",
    "hyperkalaemia": r"hyperkalemi(a can be|c activities of X)",
    "efficacy lowered": r"therapeutic efficacy of X can be decreased",
    "bronchodilation lowered": r"decrease the bronchodilatory activities of X",
    "serotonin (mutual)": r"increase the serotonergic activities of (X|Y)",
    "QT (mutual)": r"QTc prolongation can be|QTc-prolonging activities of (X|Y)",
    "potassium (mutual)": r"hyperkalemi(a can be|c activities of (X|Y))",
}
#: Other effects that the data state of a pair, found true by the same labels after the measurement.
AFTERWARDS = {
    ("Carbamazepine", "Ethinylestradiol"): "efficacy lowered",  # "reduced effectiveness"
    ("Ibuprofen", "Lisinopril"): "adverse effects",  # kidney injury is one, the sentence is vaguer
    ("Phenelzine", "Citalopram"): "adverse effects",  # serotonin syndrome is one
}


def pairs() -> list[dict[str, str]]:
    """The rows of well_known_pairs.tsv: acting, affected, effects, from."""
    with PAIRS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def says(sentence: str, acting: str, affected: str, effects: Iterable[str]) -> bool:
    """Whether a sentence says one of the effects of the acting on the affected drug."""
    text = re.sub(rf"\b{re.escape(affected)}\b", "X", sentence)
    text = re.sub(rf"\b{re.escape(acting)}\b", "Y", text)
    return {"X", "Y"} <= set(re.findall(r"\b[XY]\b", text)) and any(
        re.search(EFFECTS[effect], text) for effect in effects
    )


def effect_of(pair: dict[str, str], sentence: str) -> str:
    """The effect that a sentence says, of the acting on the affected drug; "" for none of ours."""
    ends = pair["acting"], pair["affected"]
    return next((e for e in EFFECTS if says(sentence, *ends, [e])), "")


def judge(pair: dict[str, str], said: list[str]) -> dict[str, bool]:
    """Whether all that is said of a pair is right, true, and none of it misdirected."""
    acting, affected = pair["acting"], pair["affected"]
    expected = pair["effects"].split("; ")
    also = [AFTERWARDS[acting, affected]] if (acting, affected) in AFTERWARDS else []
    mutual = any("mutual" in effect for effect in expected)
    directed = [effect for effect, words in EFFECTS.items() if "X" in words and "Y" not in words]
    directed.remove("hyperkalaemia")  # its words are of a mutual sentence as well
    return {
        "right": all(says(text, acting, affected, expected) for text in said),
        "true": all(says(text, acting, affected, expected + also) for text in said),
        "misdirected": not mutual and any(says(text, affected, acting, directed) for text in said),
    }


def judged(estimator: Any) -> list[dict[str, Any]]:
    """What the product says of each pair, and whether all of it is right."""
    records = []
    for pair in pairs():
        found = estimator.predict(pair["acting"], pair["affected"], top=1)
        known = [fact["text"] for fact in found["known"]]
        said = known or [found["answers"][0]["text"]]
        records.append(
            {
                "acting": pair["acting"],
                "affected": pair["affected"],
                "effects": pair["effects"],
                "known": bool(known),
                "probability": None if known else found["answers"][0]["probability"],
                "says": [effect_of(pair, text) for text in said],
                **judge(pair, said),
            }
        )
    return records


def main() -> int:
    """Write what was said; 1 where fewer than 38 are true, or one is misdirected."""
    from parsimony import fit

    estimator, _ = fit("drugbank-ddi", method="neighbours", quiet=True)
    records = judged(estimator)
    n, true, wrong = (
        sum(record[key] for record in records) for key in ("right", "true", "misdirected")
    )
    result = {
        "command": "python benchmarks/well_known_pairs.py",
        "date": date.today().isoformat(),
        "right": n,
        "true": true,
        "misdirected": wrong,
        "of": len(records),
        "known": sum(record["known"] for record in records),
        "pairs": records,
    }
    path = RESULTS / "well_known_pairs.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for record in records:
        if not record["right"]:
            print(record)
    print(f"{n} of {len(records)} as expected, {true} true, {wrong} misdirected")
    return int(true < 38 or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
