"""Keep what a frontier found: a small JSON, a page of Markdown, and the figure.

python benchmarks/frontier_record.py runs/umls-frontier-parameters --name umls-parameters
"""

from __future__ import annotations

import argparse
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "frontier"
LEFT_OUT = ("folder", "page", "figure")  # where it lay
KEPT = (
    "family", "side", "size", "seed", "labels_share", "labels", "status", "why", "value",
    "value_valid", "error_loss", "parameters", "parameters_without_tables", "flops",
    "processor_seconds", "seconds", "trials", "bits_int8", "bits_float16", "graph_bits",
)  # fmt: skip


def rounded(value: Any) -> Any:
    """Six significant digits of every number."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items() if name != "deviance"}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def small(told: dict[str, Any], date: str) -> dict[str, Any]:
    """Without where it lay, and with what a reader asks of every run."""
    found = {name: value for name, value in told.items() if name not in LEFT_OUT}
    for curve in (c for part in ("measures", "loss") for m in found[part] for c in m["curves"]):
        if "profile" in curve:
            curve["profile"] = {"interval": curve["profile"]["interval"]}
    found["rows"] = [{name: row[name] for name in KEPT} for row in told["rows"]]
    return rounded({"date": date, **found})


def markdown(told: dict[str, Any], name: str) -> str:
    """The sentence, every equivalent scale, and every run."""
    counts = told["runs"]
    lines = [
        f"# {told['data']['name']}: accuracy against {told['axis']}", "",
        f"{told['sentence']}", "", f"![The frontier]({name}.svg)", "",
        f"`{told['command']}`, {told['date']}. {counts['done']} of {counts['planned']} runs done "
        f"({counts['failed']} failed, {counts['out of time']} out of time, {counts['not run']} not "
        f"made). Metric: {told['metric']} on test; sizes chosen on validation.", "",
    ]  # fmt: skip
    for measure in told["measures"]:
        lines += [f"## By {measure['words']}", ""]
        lines += [f"- {each['says']}: {each['verdict']}" for each in measure["equivalent"]]
        lines += [
            f"- {curve['family']}: no power law, {curve['lawless']}"
            for curve in measure["curves"]
            if curve.get("lawless")
        ]
        lines.append("")
    lines += [
        "## Runs", "", "| family | size | labels | seed | test | valid | parameters | "
        "without tables | processor s | state |", "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['family']} | {r['size']} | {r['labels_share']:.0%} | {r['seed']} | "
            f"{r['value']:.4f} | {r['value_valid']:.4f} | {r['parameters']:,} | "
            f"{r['parameters_without_tables']:,} | {r['processor_seconds']:.1f} | "
            f"{r['status']}{': ' * bool(r['why'])}{r['why']} |"
            for r in told["rows"]
        ), "", "## Notes", "", *(f"- {note}" for note in told["notes"]), "",
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    asked = parser.parse_args()
    date = datetime.fromtimestamp((asked.folder / "frontier.json").stat().st_mtime, UTC).date()
    told = small(json.loads((asked.folder / "frontier.json").read_text()), date.isoformat())
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{asked.name}.json").write_text(json.dumps(told, indent=1) + "\n")
    (RESULTS / f"{asked.name}.md").write_text(markdown(told, asked.name))
    if (asked.folder / "frontier.svg").exists():
        shutil.copy(asked.folder / "frontier.svg", RESULTS / f"{asked.name}.svg")


if __name__ == "__main__":
    main()
