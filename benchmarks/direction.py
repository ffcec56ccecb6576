"""Which drug of a DrugBank row acts: an audit of all interaction types by pharmacology.

    python benchmarks/direction.py

A row is (first drug, second drug, type), and in every distributed template #Drug1 acts on #Drug2.
Whether the acting drug stands first is asked of pharmacology, not of the template: for each type,
TESTS names drugs that are known to act and drugs that are known to be affected (by name, by ATC
code, or one drug inhibiting or inducing an enzyme or transporter that the other is a substrate
of), with what is publicly known of them. A row counts where just one of its two orders fits.

The binomial p-value is against either order being as likely, rows as if independent. They are not:
the rows of a drug come together, so the numbers of distinct drugs stand beside it. A type is
decided where at least 80 % of the rows agree with p < 0.05, and there is no doubt of the test
itself; otherwise it stays undecided. Writes results/direction.json and results/direction.md, and
says where these differ from what :mod:`parsimony.ddi.direction` holds.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from common import RESULTS
from scipy.stats import binomtest

from parsimony.ddi.background import Background, load_background
from parsimony.ddi.data import DDIData
from parsimony.ddi.direction import DRUGBANK, UNSETTLED, Subject, says
from parsimony.ddi.folder import load_ddi

AGREE, LIKELY = 0.8, 0.05
MANY = 30  # contradicting rows of one acting drug that are worth a name
DOUBT = "?"  # a test that begins with it does not decide

BETA_BLOCKERS = "C07A S01ED"
MAO_INHIBITORS = (
    "N06AF N06AG N04BD Furazolidone Pargyline Procarbazine Methylene_blue Pirlindole Toloxatone "
    "Minaprine"
)
QUINOLONES = "J01M"
PDE5 = "G04BE03 G04BE08 G04BE09 G04BE10 G04BE11 Sildenafil Tadalafil Vardenafil Avanafil Udenafil"
ANTIHYPERTENSIVES = "C02 C03 C07 C08 C09"
AMPHETAMINES = (
    "Amphetamine Dextroamphetamine Lisdexamfetamine Metamfetamine Benzphetamine Phentermine "
    "Diethylpropion Hydroxyamphetamine Mephentermine Pseudoephedrine"
)
TRICYCLICS = "N06AA"
RELAXANTS = "M03A"
SYMPATHOMIMETICS = "C01CA R01AA R01BA"
ERGOTS = "N02CA G02AB N04BC01 N04BC02 G02CB03 Ergometrine Cabergoline"
NSAIDS = "M01A N02BA"
ANTACIDS = (
    "A02A Aluminum_hydroxide Magnesium_hydroxide Magnesium_oxide Magnesium_trisilicate "
    "Calcium_carbonate Magaldrate Almasilate Sodium_bicarbonate Aluminium"
)
VKA = "B01AA B01AB B01AE B01AF"

INHIBITOR, INDUCER, ANY = "inhibitor", "inducer", "any drug"
#: Type → acting drugs, affected drugs, what is known.
TESTS: dict[str, tuple[str, str, str]] = {
    "0": (
        "Methoxsalen Trioxsalen Aminolevulinic_acid Hexaminolevulinate Temoporfin Riboflavin "
        "Tiaprofenic_acid Carprofen Cyamemazine Benzophenone Titanium_dioxide",
        "Verteporfin",
        "verteporfin label: other photosensitizers add to its photosensitivity",
    ),
    "1": (
        MAO_INHIBITORS,
        "R06A N02CX01 Pizotifen Mequitazine",
        "antihistamine labels: MAO inhibitors prolong and intensify the anticholinergic effects",
    ),
    "2": (ANTACIDS, "H02 D07 R03BA", "antacids bind corticosteroids"),
    "3": (INDUCER, INDUCER, "an inducer speeds up the metabolism of a substrate"),
    "4": (
        "C02CA G04CA Spironolactone Carvedilol Labetalol",
        f"{SYMPATHOMIMETICS} R03A R03C",
        "alpha blockers oppose the vasoconstriction by sympathomimetics",
    ),
    "5": (
        f"B01AC {NSAIDS} Dasatinib",
        VKA,
        "platelet inhibitors and NSAIDs raise the effect of anticoagulants",
    ),
    "6": (
        "J01G Furosemide",
        "Carboplatin",
        "carboplatin label: aminoglycosides add to its ototoxicity (both are ototoxic)",
    ),
    "7": (
        f"{MAO_INHIBITORS} {AMPHETAMINES} Pregabalin",
        "Morphine N05BA N05CF Oxycodone",
        "pregabalin label: potentiates oxycodone and lorazepam; amphetamines: opioid analgesia",
    ),
    "8": (
        f"{MAO_INHIBITORS} {QUINOLONES} A14A G03B",
        "A10B",
        "MAO inhibitors, quinolones and androgens raise the effect of antidiabetics",
    ),
    "9": (PDE5, ANTIHYPERTENSIVES, "PDE5 inhibitor labels: add to antihypertensives"),
    "10": (
        ANY,
        "Clopidogrel Prasugrel Tamoxifen Ifosfamide Hydrocodone Artesunate Mycophenolic_acid",
        "prodrugs, whose metabolite is meant",
    ),
    "11": ("G03C", "B01AA", "warfarin label: estrogens; clotting factors counteract"),
    "12": (
        ANY,
        "Progesterone",
        "vaginal progesterone labels: other vaginal products change its absorption",
    ),
    "13": (BETA_BLOCKERS, "R03A R03C R03DA", "beta blockers oppose bronchodilators"),
    "14": (
        "L01DB Pentostatin L01BC",
        "Cyclophosphamide",
        "? cyclophosphamide label: cardiotoxic together with others, which are so themselves",
    ),
    "15": (
        "Magnesium_sulfate Brimonidine Minocycline Ethosuximide",
        "N02A N05B N05C N03AA N01A",
        "magnesium sulfate and brimonidine labels: add to CNS depressants, no depressants first",
    ),
    "16": (
        "C03C N07AA N03AB02 Fosphenytoin",
        RELAXANTS,
        "cholinesterase inhibitors and phenytoin shorten neuromuscular block",
    ),
    "17": (
        "A02B",
        "Dexmethylphenidate Methylphenidate Risedronic_acid Amphetamine Dextroamphetamine",
        "labels: a higher gastric pH releases the delayed forms earlier",
    ),
    "18": (BETA_BLOCKERS, ERGOTS, "ergot labels: vasoconstriction, beta blockers add to it"),
    "19": (
        "Mifepristone L02AE L02BX H01CB R03AC R03CC Salbutamol Terbutaline Octreotide",
        "C01BA C01BD Sotalol Arsenic_trioxide Anagrelide",
        "drugs of little own effect on QT add to class Ia and III antiarrhythmics",
    ),
    "20": (
        "J01G J01FF J01XB J01AA Capreomycin Vancomycin Magnesium_sulfate",
        RELAXANTS,
        "relaxant labels: these antibiotics and magnesium enhance the block",
    ),
    "21": (
        RELAXANTS,
        "H02 D07 R03BA R01AD",
        "? myopathy by relaxants with corticosteroids, which both are blamed for",
    ),
    "22": (TRICYCLICS, AMPHETAMINES, "amphetamine labels: tricyclics enhance amphetamines"),
    "23": ("J01G", "M05BA", "bisphosphonate labels: aminoglycosides add to low calcium"),
    "24": (
        "C02AC N07X Tizanidine Dexmedetomidine",
        f"{BETA_BLOCKERS} Lacosamide",
        "clonidine with beta blockers; lacosamide label: drugs that prolong PR",
    ),
    "25": (
        ANY,
        "Clopidogrel Prasugrel",
        "these are the platelet inhibitors; clopidogrel label: omeprazole",
    ),
    "26": (NSAIDS, QUINOLONES, "quinolone labels: NSAIDs raise CNS stimulation"),
    "27": (
        ANY,
        "Tipranavir Thalidomide Imatinib",
        "tipranavir label: rash with estrogens; thalidomide: with dexamethasone",
    ),
    "28": (NSAIDS, "C03C", "furosemide label: NSAIDs reduce diuresis"),
    "29": (
        "N05CA N03AA N01AF N05CM",
        "C03A C03B",
        "thiazide labels: barbiturates potentiate orthostatic hypotension",
    ),
    "31": ("N05 N06A N03A R06A", "N04BC", "pramipexole label: sedating drugs add"),
    "33": (
        "L04 L01",
        "Fingolimod Tofacitinib",
        "fingolimod, tofacitinib labels: other immunosuppressants add",
    ),
    "34": (
        "Lithium_cation Verapamil Diltiazem",
        "N05A Lithium_cation",
        "lithium label: encephalopathy with antipsychotics; with calcium channel blockers",
    ),
    "35": ("Amisulpride Sulpiride", "N05A", "? both are antipsychotics"),
    "36": (
        f"{NSAIDS} Methylphenidate Yohimbine",
        ANTIHYPERTENSIVES,
        "antihypertensive labels: NSAIDs; methylphenidate label",
    ),
    "37": (PDE5, "C01DA", "PDE5 inhibitor labels: potentiate nitrates"),
    "38": (
        "A03 N02A G04BD",
        "Eluxadoline Ramosetron",
        "eluxadoline label: opioids and anticholinergics",
    ),
    "39": (
        "J01G",
        RELAXANTS,
        "aminoglycoside labels: respiratory paralysis under relaxants",
    ),
    "40": (MAO_INHIBITORS, "Meperidine", "meperidine label: MAO inhibitors potentiate it"),
    "42": (
        "Probenecid Cefazolin",
        "A10BB N03AB02 Fosphenytoin",
        "probenecid and cefazolin displace from plasma protein",
    ),
    "43": (MAO_INHIBITORS, "Atomoxetine", "? both raise monoamines"),
    "44": (
        "N06A N06BA C01CA N02A",
        "Ioflupane_I-123",
        "ioflupane is the diagnostic agent; drugs that bind the transporter disturb it",
    ),
    "45": (BETA_BLOCKERS, "Methacholine", "methacholine label: beta blockers"),
    "46": (INHIBITOR, INHIBITOR, "an inhibitor slows the metabolism of a substrate"),
    "47": (
        "C10AB Raltegravir Acipimox",
        "C10AA",
        "statin labels: fibrates add to myopathy",
    ),
    "50": ("C03A C03B", "A11CC D05AX", "thiazides raise calcium under vitamin D"),
    "51": (
        ANY,
        "Tramadol Tapentadol Dihydrocodeine",
        "these are the analgesics; 5-HT3 blockers and CYP2D6 inhibitors weaken them",
    ),
    "52": (
        "Vitamin_E Glucosamine Pentoxifylline Tipranavir N06AB",
        f"B01AC {NSAIDS}",
        "SSRIs and vitamin E add to platelet inhibitors",
    ),
    "53": (
        "N06DA N07AA",
        BETA_BLOCKERS,
        "donepezil label: vagotonic effect, additive with beta blockers",
    ),
    "54": ("N06AB N06AX", "C03A C03B", "SSRI labels: hyponatremia with diuretics (both cause it)"),
    "56": (
        f"Amphotericin_B Vancomycin Foscarnet Mannitol {NSAIDS}",
        "J01G Cyclosporine Tacrolimus",
        "aminoglycoside, cyclosporine, tacrolimus labels: other nephrotoxic drugs add",
    ),
    "57": (
        "C01AA",
        "L01DB",
        "anthracyclines are cardiotoxic; glycosides are said to protect",
    ),
    "58": (
        "A03 N04A G04BD R06A",
        "Potassium_chloride",
        "potassium chloride label: anticholinergics hold the tablet in the gut",
    ),
    "59": (
        f"{MAO_INHIBITORS} N05CA N01AF Pentoxifylline Molsidomine Nicorandil",
        "C02 C03 C08 C09",
        "pentoxifylline label: antihypertensives; barbiturates and MAO inhibitors add to them",
    ),
    "60": ("N05A", AMPHETAMINES, "amphetamine labels: antipsychotics block their stimulation"),
    "61": (
        "Nitroglycerin Verapamil",
        f"{ERGOTS} Lisuride Pergolide Nicergoline Fexofenadine",
        "nitroglycerin label: raises dihydroergotamine's bioavailability",
    ),
    "62": (
        "L01XA C09A Trimethoprim Sulfamethoxazole",
        "L01CD Azathioprine",
        "paclitaxel label: cisplatin; azathioprine label: ACE inhibitors, co-trimoxazole",
    ),
    "63": (
        "A04AA Linezolid Tedizolid_phosphate Buspirone Tryptophan",
        "N06AB N06AX",
        "5-HT3 blockers and linezolid are said to add to antidepressants",
    ),
    "64": ("Ammonium_chloride Sodium_bicarbonate", ANY, "they change the pH of urine"),
    "66": (
        f"{ANTACIDS} Colestipol Sucralfate Colesevelam",
        ANY,
        "binders and antacids in the gut",
    ),
    "67": (
        "Trimethoprim Canagliflozin Tolvaptan",
        "C09A C09C C03D Drospirenone",
        "labels: trimethoprim raises potassium under ACE inhibitors and spironolactone",
    ),
    "68": (AMPHETAMINES, "N02A N01AH", "amphetamine labels: enhance opioid analgesia"),
    "69": (
        "H02 C03A C03B G03C G03D",
        "A10B",
        "antidiabetic labels: corticosteroids, thiazides, estrogens weaken them",
    ),
    "70": (
        f"{MAO_INHIBITORS} Linezolid Atomoxetine",
        SYMPATHOMIMETICS,
        "sympathomimetic labels: MAO inhibitors, linezolid; atomoxetine label: pressor agents",
    ),
    "71": (NSAIDS, "J01G", "NSAIDs lower renal clearance of aminoglycosides"),
    "72": (INHIBITOR, INHIBITOR, "an inhibitor raises the concentration of a substrate"),
    "73": ("H02 D07", "G03B A14A", "androgen labels: edema with corticosteroids"),
    "74": (INDUCER, INDUCER, "an inducer lowers the concentration of a substrate"),
    "75": (
        f"{AMPHETAMINES} Flumazenil",
        "R06A",
        "amphetamine labels: counteract antihistamines' sedation",
    ),
    "76": (
        INHIBITOR,
        "Fesoterodine Dabigatran_etexilate Iloperidone",
        "prodrugs and drugs with active metabolites",
    ),
    "77": (
        "H02 D07",
        "Ceritinib",
        "ceritinib label: hyperglycemia, more with corticosteroids (both cause it)",
    ),
    "78": (MAO_INHIBITORS, "N01AH", "opioid labels: MAO inhibitors potentiate them"),
    "79": (
        "Ethanol Acitretin Fluoxymesterone Methyltestosterone Ribavirin Tetracosactide Glyburide",
        "Methotrexate Cyclosporine Acetaminophen N03A J05AF Bosentan Propacetamol",
        "acetaminophen, methotrexate labels: alcohol; bosentan label: glyburide",
    ),
    "80": ("G03C G03A Tibolone", "Thalidomide Lenalidomide", "lenalidomide label: estrogens"),
    "81": (
        f"A12AA {RELAXANTS}",
        "C01AA",
        "digoxin label: calcium and succinylcholine bring on arrhythmias",
    ),
    "82": ("H02 D07", "C03A C03B C03C", "diuretic labels: corticosteroids, hypokalemia"),
    "83": (TRICYCLICS, SYMPATHOMIMETICS, "tricyclics enhance the pressor response"),
    "84": (
        "Desvenlafaxine Levomilnacipran Milnacipran Venlafaxine Duloxetine Atomoxetine",
        f"{SYMPATHOMIMETICS} R03C R03A",
        "they block the uptake of noradrenaline, and so enhance sympathomimetics",
    ),
    "85": (
        "C09A C03A Allopurinol",
        "Allopurinol Ampicillin Amoxicillin",
        "allopurinol label: ACE inhibitors, thiazides; rash by ampicillin with allopurinol",
    ),
}  # fmt: skip

#: A narrower look at a type whose first test has rows against it.
NARROWER = {
    "72": (
        "J02AC J02AB Clarithromycin Erythromycin Telithromycin Nefazodone Ritonavir Indinavir "
        "Nelfinavir Atazanavir Darunavir Amiodarone Verapamil Diltiazem Quinidine",
        INHIBITOR,
        "the same, by azoles, macrolides, protease inhibitors and others known for it",
    ),
}


class Evidence(NamedTuple):
    """Rows of a type that fit one order only, and the drugs in them."""

    rows: tuple[int, int]  # acting drug first, second
    acting: Counter[str]  # in rows of the more frequent order
    affected: Counter[str]
    against: Counter[str]  # acting drugs of the other rows


class Pharmacology:
    """Drugs by name and ATC code, and what they do to enzymes and transporters."""

    def __init__(self, data: DDIData, layer: Background) -> None:
        n = data.n_drugs
        self._names = {name.replace(" ", "_"): i for i, name in enumerate(data.names) if name}
        self._codes: list[list[str]] = [[] for _ in range(n)]
        nodes = len(layer.entities)
        self._meant: dict[str, np.ndarray] = {}
        self._does = {
            action: np.zeros((n, nodes), bool) for action in (INHIBITOR, INDUCER, "substrate")
        }
        for h, r, t in layer.triples.tolist():
            relation = layer.relations.name(r)
            if relation == "has_atc" and h < n:
                self._codes[h].append(layer.entities.name(t).removeprefix("ATC::"))
            for action, table in self._does.items():
                if h < n and relation in (f"{action} of enzyme", f"{action} of transporter"):
                    table[h, t] = True
        proteins = self._does["substrate"].any(0)
        self._does = {action: table[:, proteins] for action, table in self._does.items()}

    def drugs(self, spec: str) -> np.ndarray:
        """Mask of the drugs that a list of names and ATC codes means."""
        if spec in self._meant:
            return self._meant[spec]
        found = np.full(len(self._codes), spec == ANY)
        for word in spec.split() if spec != ANY else ():
            if word in self._names:
                found[self._names[word]] = True
            else:
                found |= [any(c.startswith(word) for c in codes) for codes in self._codes]
        self._meant[spec] = found
        return found

    def fits(self, test: tuple[str, str, str], a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Whether a may act on b, row by row."""
        acting, affected, _ = test
        fits = np.ones(len(a), bool)
        action = affected if affected in (INHIBITOR, INDUCER) else acting
        if action in (INHIBITOR, INDUCER):
            fits &= (self._does[action][a] & self._does["substrate"][b]).any(1)
        if acting not in (INHIBITOR, INDUCER):
            fits &= self.drugs(acting)[a]
        if affected not in (INHIBITOR, INDUCER):
            fits &= self.drugs(affected)[b]
        return fits


def gather(data: DDIData, known: Pharmacology, kind: str, test: tuple[str, str, str]) -> Evidence:
    """Count the rows of a type that fit one order only."""
    rows = np.concatenate(list(data.pairs.values()))
    rows = np.unique(rows[rows[:, 1] == data.types.index(kind)], axis=0)
    a, b = rows[:, 0], rows[:, 2]
    forward, backward = known.fits(test, a, b), known.fits(test, b, a)
    only = (forward & ~backward, backward & ~forward)
    counts = (int(only[0].sum()), int(only[1].sum()))
    more = int(counts[1] > counts[0])
    ends = (a, b) if more == 0 else (b, a)

    def names(which: np.ndarray, kept: np.ndarray) -> Counter[str]:
        return Counter(data.label(i) for i in which[kept].tolist())

    return Evidence(
        counts,
        names(ends[0], only[more]),
        names(ends[1], only[more]),
        names(ends[1], only[1 - more]),
    )


def decide(kind: str, found: Evidence) -> tuple[Subject, float]:
    """The drug that acts, as far as the rows and the test tell, and the p-value."""
    first, second = found.rows
    n = first + second
    p = float(binomtest(max(first, second), n).pvalue) if n else 1.0
    if n == 0 or p >= LIKELY or max(first, second) < AGREE * n or TESTS[kind][2][0] == DOUBT:
        return Subject.UNDECIDED, p
    return (Subject.FIRST if first > second else Subject.SECOND), p


def audit() -> list[dict[str, Any]]:
    """One record a type."""
    data = load_ddi("drugbank-ddi")
    known = Pharmacology(data, load_background(data, "layer"))
    every = np.unique(np.concatenate(list(data.pairs.values())), axis=0)
    records = []
    for kind in data.types:
        n = int((every[:, 1] == data.types.index(kind)).sum())
        held = DRUGBANK[kind]
        record: dict[str, Any] = {"type": kind, "affected_becomes": says(kind), "rows": n}
        record["subject"] = str(held)
        if kind in TESTS:
            found = gather(data, known, kind, TESTS[kind])
            verdict, p = decide(kind, found)
            record |= {
                "acting_first": found.rows[0],
                "acting_second": found.rows[1],
                "p": p,
                "acting_drugs": len(found.acting),
                "affected_drugs": len(found.affected),
                "acting": [name for name, _ in found.acting.most_common(3)],
                "affected": [name for name, _ in found.affected.most_common(3)],
                "against": {k: c for k, c in found.against.most_common() if c >= MANY},
                "known": TESTS[kind][2].removeprefix(DOUBT).strip(),
                "verdict": str(verdict),
            }
            if TESTS[kind][2][0] == DOUBT:
                record["doubt"] = True
            if kind in NARROWER:
                narrow = gather(data, known, kind, NARROWER[kind])
                record["narrower"] = {"rows": narrow.rows, "known": NARROWER[kind][2]}
        else:
            record |= {"known": "the sentence is the same either way round", "verdict": "both"}
        records.append(record)
    return records


def markdown(records: list[dict[str, Any]], head: str) -> str:
    """The table as a page."""
    count = Counter(record["subject"] for record in records)
    lines = [
        "# Which drug of a DrugBank row acts",
        "",
        head,
        "",
        f"Of {len(records)} types the acting drug is the first of a row in {count['first']}, the "
        f"second in {count['second']}; {count['both']} are the same either way round, and of "
        f"{count['undecided']} it is not decided. Rows: those that fit just one order. Rows of a "
        "drug come together, so p says less than it seems; the numbers of drugs stand beside it.",
        "",
        "| type: the affected drug is, or they share | acts | rows | of which fit first : second "
        "| p | acting, affected drugs | for example | what is known |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in records:
        name = f"{r['type']}: {r['affected_becomes']}"
        if "p" not in r:
            lines.append(f"| {name} | {r['subject']} | {r['rows']:,} | | | | | {r['known']} |")
            continue
        p = f"{r['p']:.0e}" if r["p"] else "< 1e-300"
        numbers = f"{r['acting_drugs']}, {r['affected_drugs']}"
        example = f"{', '.join(r['acting'])} → {', '.join(r['affected'])}"
        against = "".join(f"; against: {k} {n}" for k, n in r["against"].items())
        if "narrower" in r:
            first, second = r["narrower"]["rows"]
            against += f"; {r['narrower']['known']}: {first} : {second}"
        lines.append(
            f"| {name} | {r['subject']} | {r['rows']:,} | {r['acting_first']:,} : "
            f"{r['acting_second']:,} | {p} | {numbers} | "
            f"{example} | {r['known']}{against} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the evidence; 1 where it contradicts the library."""
    records = audit()
    head = f"`python benchmarks/direction.py`, {date.today().isoformat()}, drugbank-ddi/random."
    found = {
        "command": "python benchmarks/direction.py",
        "date": date.today().isoformat(),
        "unsettled": [list(pair) for pair in sorted(UNSETTLED)],
        "types": records,
    }
    (RESULTS / "direction.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "direction.md").write_text(markdown(records, head), encoding="utf-8")
    wrong = [r for r in records if r["verdict"] != r["subject"]]
    for r in wrong:
        print(r)
    print(Counter(r["subject"] for r in records), f"{len(wrong)} differ from the library")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
