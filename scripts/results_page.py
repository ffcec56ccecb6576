"""Write docs/results.md from the records of benchmarks/results, so that no figure is typed by hand.

``python scripts/results_page.py``; tests/test_results_page.py compares.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results.md"

HEAD = """# Measured results

Made by `python scripts/results_page.py` from the records in `benchmarks/results`; each holds its
command, seeds, date, split and cost, and the list of all commands is
[there](../benchmarks/results/README.md). Test split, everything selected on validation, the test
read once; filtered ranking, ties at their mean rank ("realistic"). Two CPU cores, often shared with
other work, so times are upper bounds. In brackets the 95 % bootstrap interval over queries, or the
range over seeds where there are several. ✓ and ✗ say whether the target set beforehand is
reached; a target that is missed stays in the table. "Published" is the paper's figure on its own
hardware.
"""


def read(name: str) -> Any:
    """Return a record, or None."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_bytes()) if path.exists() else None


def figure(value: float | None, digits: int = 3) -> str:
    """A figure between 0 and 1 without its zero: ``.533``."""
    if value is None:
        return ""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if 0 <= value < 1 else text


def spread(pair: Iterable[float] | None) -> str:
    return "" if pair is None else " (" + "–".join(figure(value) for value in pair) + ")"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def link_rows() -> Iterator[list[str]]:
    listed = tomllib.loads((ROOT / "benchmarks" / "runs.toml").read_text(encoding="utf-8"))["run"]
    for run in listed:
        seeds = run.get("seeds", [None])
        names = [run["name"] if seed is None else f"{run['name']}-{seed}" for seed in seeds]
        found = [record for name in names if (record := read(name)) and record.get("test")]
        data, method = run["command"].split()[2], run["command"].split("--method ")[1].split()[0]
        method += f" ({run['command'].split('symbol=')[1].split()[0]})" if "symbol=" in run[
            "command"] else ""  # fmt: skip
        goals = [figure(run.get("target")), figure(run.get("published"))]
        if len(found) < len(names):
            yield [data, f"`{method}`", "not run", *goals, "", "", "", "", ""]
            continue
        mrrs = [record["test"]["metrics"]["mrr"] for record in found]
        mean = sum(mrrs) / len(mrrs)
        where = spread(found[0]["test"]["interval"]["mrr"])
        if len(found) > 1:
            where = f" ({len(found)} seeds, {figure(min(mrrs))}–{figure(max(mrrs))})"
        met = "" if "target" not in run else "✓" if round(mean, 4) >= run["target"] else "✗"
        hits = [
            figure(sum(r["test"]["metrics"][f"hits@{k}"] for r in found) / len(found))
            for k in (1, 10)
        ]
        minutes = sum(r["ledger"].get("wall_seconds") or r["fit"]["seconds"] for r in found) / 60
        yield [
            data, f"`{method}`", figure(mean) + where, f"{goals[0]} {met}".strip(), goals[1], *hits,
            f"{found[0]['fit']['parameters']:,}", f"{minutes / len(found):.1f}",
            max(record["date"] for record in found),
        ]  # fmt: skip


def repeated_rows() -> Iterator[list[str]]:
    for row in read("repeated") or []:
        recorded = figure(row["recorded"]) + spread(row["interval"])
        within = "✓" if row["within"] else "✗"
        end = f"{row['epochs']} epochs, {row['ended']}"
        yield [row["name"], recorded, figure(row["mrr"]), within, end, row["date"]]


def race_rows() -> Iterator[list[str]]:
    for race in sorted(read("races") or [], key=lambda race: (race["graph"].lower(), race["date"])):
        yield [
            race["graph"], f"{race['budget'] / 60:g} min", f"{race['seconds'] / 60:.1f} min",
            figure(race["test_mrr"]) + spread(race.get("interval")), race["sentence"], race["date"],
        ]  # fmt: skip


def pair_rows(names: list[str], measures: tuple[str, ...]) -> Iterator[list[str]]:
    for name in names:
        record = read(name)
        if record is None:
            continue
        what = name.removeprefix("ddi-").removesuffix("-best")
        for n, run in enumerate(record["result"]["runs"]):
            first = figure(run["test"][measures[0]]) + spread(run["interval"].get(measures[0]))
            yield [
                what if n == 0 else "", f"`{run['method']}`", f"{run['parameters']:,}", first,
                *(figure(run["test"][measure]) for measure in measures[1:]),
                f"{run['fit_seconds'] / 60:.1f}", record["date"] if n == 0 else "",
            ]  # fmt: skip


def symbol_rows() -> Iterator[list[str]]:
    for path in sorted(RESULTS.glob("search-*.json")):
        record = json.loads(path.read_bytes())
        for seed, run in enumerate(record["result"]["runs"]):
            for n, row in enumerate(run["comparison"]):
                known = row["name"] not in ("", "found")
                name = row["name"] if known else f"`{row['symbol']}`"
                yield [
                    run["subject"]["name"] if n == 0 else "",
                    f"{'found: ' if n == 0 else ''}{name}",
                    f"{row['parameters']:,}", figure(row["valid"]["mrr"]),
                    figure(row["test"]["mrr"]) + spread(row["test"]["interval"]),
                    f"{run['trials']}, seed {seed}" if n == 0 else "",
                    record["date"] if n == 0 else "",
                ]  # fmt: skip


def molecule_runs() -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], str]]:
    """(data, method, test metrics, its spread, date) of every record of few labels."""
    for path in sorted(RESULTS.glob("molecules-*.json")):
        if path.stem.startswith("molecules-leak"):
            continue
        record = json.loads(path.read_bytes())
        for run in record["result"].get("runs", [record["result"]]):
            test = run["test"] if "test" in run else run["figures"]["test"]
            options = {**run.get("options", {}), **run.get("parameters", run.get("settings", {}))}
            tags = [
                word for word, holds in (
                    ("unseen molecules", options.get("unseen")),
                    ("no profile", options.get("profile") is False),
                    ("wide", path.stem.endswith("-wide")),
                    ("prior", path.stem.endswith("-prior")),
                ) if holds
            ]  # fmt: skip
            method = f"`{run['method']}`" + (f", {', '.join(tags)}" if tags else "")
            yield run["data"], method, test["metrics"], test.get("std", {}), record["date"]


def molecule_rows() -> Iterator[list[str]]:
    found = sorted(molecule_runs(), key=lambda run: (run[0], -run[2].get("roc_auc@10", 0.0)))
    for data, runs in groupby(found, key=lambda run: run[0]):
        for n, (_, method, metrics, std, date) in enumerate(runs):
            cells = []
            for k in (10, 1):
                value, wide = metrics.get(f"roc_auc@{k}"), std.get(f"roc_auc@{k}")
                cells.append(figure(value) + (f" ± {figure(wide)}" if wide is not None else ""))
            yield [data if n == 0 else "", method, *cells, date]


def rating_rows() -> Iterator[list[str]]:
    record = read("coldnas-lastfm")
    rows = record["result"]["rows"] if record else {}
    for name, row in sorted(rows.items(), key=lambda item: item[1]["test"]["mse"]["mean"]):
        cells = [figure(row["test"][m]["mean"], 4) for m in ("mse", "mae", "ndcg@3", "ndcg@5")]
        yield [name, *cells, f"{row['parameters']:,}", f"{row['seconds']:.0f}"]


def frontiers() -> Iterator[str]:
    """What each frontier says, with how much it rests on."""
    for path in sorted((RESULTS / "frontier").glob("*.json")):
        found = json.loads(path.read_bytes())
        rows, runs = found["rows"], found["runs"]
        of = f"{found['data']['name']}, {found['axis']}"
        seeds, trials = len({row["seed"] for row in rows}), max(row["trials"] for row in rows)
        yield (
            f"- **{of}** ({found['date']}): {found['sentence']} "
            f"[{runs['done']} of {runs['planned']} runs](../benchmarks/results/frontier/{path.stem}"
            f".md); seeds: {seeds}, "
            + (f"trials of tuning a size: at most {trials}." if trials > 1 else "untuned.")
        )


def speed_rows() -> Iterator[list[str]]:
    epoch = read("epoch")
    for data, row in (epoch["result"] if epoch else {}).items():
        theirs = row["published_code"]
        yield [
            f"an epoch of RED-GNN on {data}", f"{row['epoch_seconds']:.1f} s",
            f"{theirs['epoch'].replace('-', '–')} s (the published code)", epoch["date"],
        ]  # fmt: skip
    step = read("step-wn18rr-redgnn")
    if step:
        found = step["result"]
        yield [
            "a training step on wn18rr", f"{found['fused_ms']:.0f} ms",
            f"{found['plain_torch_ms']:.0f} ms (the same layer in plain torch)", step["date"],
        ]  # fmt: skip
    rows = read("read_triples")
    if rows:
        first = rows["result"]["first_million"]
        yield [
            "reading a million triples", f"{first['parsimony']['seconds']:.1f} s",
            f"{first['pykeen']['seconds']:.1f} s (PyKEEN's reader)", rows["date"],
        ]  # fmt: skip


def deletion() -> str:
    lines = []
    for name, what in (
        ("faithfulness-family-redgnn", "as explanations choose it"),
        ("faithfulness-family-redgnn-attention", "chosen by the model's attention alone"),
    ):
        record = read(name)
        if record:
            found = record["result"]
            lines.append([
                what, f"{found['median_drop_evidence']:.3f}", f"{found['median_drop_random']:.3f}",
                f"{found['ratio_of_medians']:.1f}", f"{found['answers']}", record["date"],
            ])  # fmt: skip
    head = ["evidence", "drop of the score", "drop, random edges", "ratio", "answers", "date"]
    return table(head, lines)


HISTORY = """
How these rows came about. Hyper-parameters are the published ones or were chosen on validation from
a few trials; where a run was repeated or both methods were run, the better one on validation is
reported. Rows dated before 26 November were trained with earlier defaults, and random streams have
changed since: the commands will not give these figures digit by digit; how near they come stands
below for those that were tried again. The intervals do not hold the choice of a seed; sets with
three seeds show how much that is. On nell_v4 validation is a poor guide: most of its test queries
have relations that training hardly has, so its settings were chosen with relations held out
from the training queries
(`relative`, see [methods](methods/index.md)).
"""


def page() -> str:
    """The whole page."""
    ddi = [f"ddi-drugbank-{name}" for name in (
        "random-S1-best", "random-S2-best", "sumgnn-S0", "cluster-S1-best", "cluster-S2-best",
    )]  # fmt: skip
    f1, auc = ("macro_f1", "accuracy", "kappa"), ("pr_auc", "roc_auc")
    head = ["set", "method", "parameters"]
    parts = [
        HEAD,
        "## Link prediction\n\nInductive sets (`_v…`) follow RED-GNN's protocol. `parsimony fit` "
        "with the settings of the record; the minutes are those of learning.\n",
        table(["data", "method", "MRR", "target", "published", "Hits@1", "Hits@10", "parameters",
               "min", "date"], link_rows()),
        HISTORY,
        "Some rows were trained again by the command beside them in the list, with a later version "
        "(`python benchmarks/repeat.py NAME`). What a time budget ends depends on how busy the "
        "machine is:\n",
        table(["row", "recorded", "again", "inside the interval", "ended by", "date"],
              repeated_rows()),
        "",
        "## Races: no method named\n\n`parsimony fit GRAPH --time-budget …`: counting, rules, "
        "embeddings and reasoners compete; the simplest that is not worse than the best "
        "on validation is kept (`python benchmarks/races.py GRAPH:BUDGET`).\n",
        table(["graph", "budget", "took", "test MRR", "kept", "date"], race_rows()),
        "\n## Against scaling up\n\nModels driven by knowledge and models that are scaled up, the "
        "same data, the same tuning, each at several sizes "
        "(`parsimony frontier DATA --axis parameters|labels`; [how](frontier.md)). Every run, and "
        "every equivalent scale with its interval, is in the record.\n",
        *frontiers(),
        "\n## Pairs of drugs\n\nDrugBank, 86 types, `drugbank-SPLIT-SETTING`: in S1 one drug of a "
        "pair is new, in S2 both. Intervals are over resampled new drugs; an ensemble's parameters "
        "are those of all its members (`python benchmarks/compare_ddi.py`).\n",
        table([*head, "macro-F1", "accuracy", "κ", "min", "date"], pair_rows(ddi, f1)),
        "\nTWOSIDES, 200 side effects, several a pair; our own split of the pairs that could be "
        "had, so not comparable with published figures.\n",
        table([*head, "PR-AUC", "ROC-AUC", "min", "date"],
              pair_rows(["ddi-twosides-S1", "ddi-twosides-S2"], auc)),
        "\n## Symbols: searched scoring functions\n\n`python benchmarks/searches.py`. Chosen on "
        "validation; the others of a search for comparison, trained alike.\n",
        table(["graph", "symbol", "parameters", "valid MRR", "test MRR", "trials", "date"],
              symbol_rows()),
        "\n## Molecules with few labels\n\nROC-AUC on the published test assays, ± over supports "
        "of 10 + 10 and of 1 + 1 molecules. *Unseen molecules* is the realistic row: public sets "
        "measure the same molecules in many assays, and a score mostly reflects a molecule's "
        "labels in *other* assays unless these are left out (`python benchmarks/molecules.py`).\n",
        table(["data", "method", "10-shot", "1-shot", "date"], molecule_rows()),
        "\n## Ratings of new users\n\nLast.fm, mean over seeds (`python benchmarks/coldnas.py`); "
        "lower is better for MSE and MAE.\n",
        table(["method", "MSE", "MAE", "nDCG@3", "nDCG@5", "parameters", "s"], rating_rows()),
        "\n## Does the evidence matter?\n\nThe score of an answer falls when the edges that its "
        "explanation names are deleted; as many random edges of the same sub-digraph are deleted "
        "for comparison. Medians over correct answers of family "
        "(`python benchmarks/faithfulness.py`).\n",
        deletion(),
        "\n## Speed\n",
        table(["what", "here", "beside it", "date"], speed_rows()),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
