"""``parsimony ddi``: query a fitted run about pairs of drugs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from parsimony.cli.command_group import CommandGroup, Output
from parsimony.cli.options import (
    Address,
    Engine,
    Json,
    Mirror,
    Quiet,
    Run,
    Seed,
    Settings,
    Top,
    Workers,
    is_spread,
    open_run,
    parse_settings,
    spread,
)
from parsimony.cli.table_files import check_table, rows_bytes
from parsimony.cli.tables import table
from parsimony.ddi.caution import CAUTION

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Query a run about drug-drug interactions.",
)

MAX_LISTED = 5  # longest prediction set that is listed


@app.command("predict")
def predict(
    run: Run,
    drugs: Annotated[
        list[str],
        typer.Option("--drug", metavar="A", help="Id, DrugBank id or name; give it twice."),
    ],
    top: Top = 5,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Predict how two drugs interact, in both orders."""
    from parsimony.errors import UsageError

    output = Output(as_json, quiet)
    if len(drugs) != 2:
        raise UsageError(
            f"a pair needs two drugs. Got {len(drugs)}", remedy="--drug warfarin --drug aspirin"
        )
    estimator = open_run(run, "ddi")
    result = estimator.predict(drugs[0], drugs[1], top=top)
    if result["set"] is not None:
        result["set"]["measured"] = _measured(run, result["set"]["level"], result["setting"])
    rows = [[a["probability"], a["text"]] for a in result["answers"]]
    known = [f"known ({fact['split']}): {fact['text']}" for fact in result["known"]]
    shown = table(["probability", "interaction"], rows)
    notes = [*result["notes"], _calibration(result), CAUTION]
    output.result(result, shown, *_sets(result["set"]), *known, *notes)


@app.command("calibrate")
def calibrate(
    run: Run,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Calibrate a run that was saved without calibration."""
    from parsimony.ddi.estimator import CALIBRATION
    from parsimony.errors import EmptySplit, UsageError
    from parsimony.run.folder import RunFolder

    output = Output(as_json, quiet)
    estimator = open_run(run, "ddi")
    if estimator.task_.labelling.multi:
        raise UsageError(
            "probabilities of pairs with several labels are not calibrated",
            remedy="use them for ranking; parsimony evaluate measures that",
        )
    if estimator.calibration is not None and not estimator.uncalibrated:
        raise UsageError(
            "the run is already calibrated", remedy="query it with parsimony ddi predict"
        )
    learned = estimator.learn_calibration(quiet=quiet)
    if learned is None:
        raise EmptySplit(
            "the run has no validation pairs to calibrate on",
            remedy="fit on data with validation pairs",
            where=str(run),
        )
    RunFolder.open(run).amend(CALIBRATION, estimator.calibration_dict())
    output.result(
        learned.as_dict(),
        f"temperature {learned.temperature:.3f}, on {learned.n_pairs:,} validation pairs of "
        f"{learned.setting}",
        f"next: parsimony evaluate {run}",
    )


def _sets(found: dict[str, Any] | None) -> list[str]:
    """The prediction set of each order, in words."""
    lines = []
    found = found or {"orders": []}
    for order in found["orders"]:
        texts = order["texts"]
        words = " or ".join(f"“{text}”" for text in texts)
        if len(texts) > MAX_LISTED:
            words = f"more than {MAX_LISTED} types ({len(texts)}): abstain"
        elif order["abstains"]:
            words = f"no type reaches {found['least']:.2f}; abstains"
        lines.append(f"90% set in the order {order['drug1']}, {order['drug2']}: {words}")
    return lines


def _calibration(result: dict[str, Any]) -> str:
    """Return what the probabilities of an answer mean and how they were calibrated."""
    from parsimony.ddi.calibration import caveat

    learned, setting = result["calibration"], result["setting"]
    if result["labels"] == "several":
        return (
            "Each probability stands alone: that this effect is reported for the pair, against a "
            "pair that was never observed; uncalibrated."
        )
    what = "Probabilities are those of the type, given that the drugs interact in that order; "
    if learned is None:
        return f"{what}uncalibrated (see parsimony ddi calibrate)."
    where = f"calibrated on {learned['n_pairs']:,} validation pairs of {learned['setting']}. "
    if setting != learned["setting"]:
        return f"{what}{where}This pair belongs to {setting}, which was not calibrated."
    if result["set"] is None:
        return f"{what}{where}".strip()
    found = result["set"]["measured"]
    if found is None:
        return f"{what}{where}{caveat(setting)}"
    held = "On the test split the sets covered {:.1%} ({:.1%} to {:.1%})."
    if found.get("none"):
        held = (
            held[:-1] + f", with the most probable type where none reaches ({found['none']:.1%})."
        )
    return f"{what}{where}{caveat(setting)} {held.format(found['coverage'], *found['interval'])}"


def _measured(run: Path, level: float, setting: str) -> dict[str, Any] | None:
    """Return the test coverage of the sets of a level; None where it was not measured."""
    from parsimony.run.folder import RunFolder

    test = (RunFolder.open(run).read_json("metrics.json") or {}).get("test", {})
    if test.get("setting") != setting:
        return None
    found: dict[str, Any] | None = test.get("conformal", {}).get(str(level))
    return found


DropKnown = Annotated[
    bool, typer.Option("--drop-known", help="Leave out partners that are in the data already.")
]
TableFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="All partners, as .parquet, .csv or .tsv."),
]


@app.command("screen")
def screen(
    run: Run,
    drug: Annotated[
        str | None, typer.Option("--drug", metavar="A", help="Id, DrugBank id or name.")
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Every drug: the first --top partners of each go to --out; after a kill the same "
            "command goes on.",
        ),
    ] = False,
    top: Top = 20,
    drop_known: DropKnown = False,
    out: TableFile = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = 1,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Rank all partners of a drug, or of every drug, with explanations."""
    from parsimony.errors import UsageError

    output = Output(as_json, quiet)
    check_table(out)
    if every:
        if drug is not None or out is None:
            raise UsageError(
                "--all is without --drug, and with --out",
                remedy="parsimony ddi screen RUN --all --out FILE.parquet",
            )
        from parsimony.cli.screening import screen_all

        with spread(engine, address, workers, out) as where:
            done = screen_all(
                open_run(run, "ddi"), run, out,
                top=top, drop_known=drop_known, engine=where, quiet=quiet,
            )  # fmt: skip
        output.result(
            done,
            f"{done['drugs']:,} drugs screened, {done['rows']:,} partners in {done['out']} "
            f"({done['resumed']:,} drugs before)",
            *done["notes"],
            CAUTION,
        )
        return
    if drug is None or is_spread(engine, address, workers):
        raise UsageError(
            "one drug is screened here, or --all, with --workers, --engine and --address",
            remedy="parsimony ddi screen RUN --drug A",
        )
    estimator = open_run(run, "ddi")
    from parsimony.ddi.screening import screen

    result = screen(estimator, drug, top=top, drop_known=drop_known)
    _screened(output, result, top, out)


@app.command("add-drug")
def add_drug(
    run: Run,
    file: Annotated[
        Path, typer.Option("--file", metavar="NEW.toml", help="Name, structure, known facts.")
    ],
    top: Top = 20,
    out: TableFile = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="RUN2", help="Save a run that includes the drug."),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Explain the first partner as one page."),
    ] = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Rank the partners of a drug that was not in the training data."""
    from parsimony.cli.options import check_output
    from parsimony.ddi.drug_file import read_new_drug
    from parsimony.errors import RunExists, UsageError

    output = Output(as_json, quiet)
    check_table(out)
    check_output(html)
    drug = read_new_drug(file)
    estimator = open_run(run, "ddi")
    if html is not None and not estimator.gives_reasons:
        raise UsageError(
            f"method {estimator.method!r} draws no page of explanations", remedy="leave --html out"
        )
    if save is not None and save.exists() and any(save.iterdir()):
        raise RunExists("the folder is not empty", remedy="choose another", where=str(save))
    from parsimony.ddi.add_drug import fact_sentences, new_drug_notes, with_drug
    from parsimony.ddi.screening import screen

    wider = with_drug(estimator, drug)
    result = screen(wider, drug.name, top=top)
    result["facts"] = fact_sentences(wider)
    result["notes"] += new_drug_notes(wider, drug)
    if html is not None:
        first = result["partners"][0]
        drug1, drug2 = first["order"]
        page = wider.explain(drug1, first["type"], drug2, seed=seed).html()
        output.files({html: page})
    if save is not None:
        wider.save(save)
        output.note(f"written: {save}")
    known = [f"known facts: {'; '.join(result['facts'])}"] if result["facts"] else []
    _screened(output, result, top, out, *known)


def _screened(
    output: Output, result: dict[str, Any], top: int, out: Path | None, *more: str
) -> None:
    """Write the table of all partners and print the first ones."""
    count = len(result["partners"])
    if out is not None:
        output.files({out: _partners_bytes(result["partners"], out)}, f" ({count:,} partners)")
    shown = result["partners"][:top]
    title = f"{result['drug']}: the first {len(shown):,} of {count:,} partners, both orders scored"
    output.result(
        result | {"partners": shown},
        title,
        _partners_table(shown),
        *result["notes"],
        *more,
        CAUTION,
    )


def _partners_bytes(partners: list[dict[str, Any]], path: Path) -> bytes:
    """All partners as a table, one row each."""
    from parsimony.cli.screening import PARTNERS, partner_rows

    return rows_bytes(path, PARTNERS, partner_rows(partners))


def _partners_table(partners: list[dict[str, Any]]) -> Any:
    """Return the table of the partners shown."""
    rows = []
    for rank, partner in enumerate(partners, start=1):
        lines = [partner["text"]]
        lines += [f"  {partner['reason']}"] if partner["reason"] else []
        lines += [f"  known ({fact['split']}): {fact['text']}" for fact in partner["known"]]
        rows.append([rank, partner["drug"], partner["probability"], "\n".join(lines)])
    return table(["#", "drug", "probability", "interaction, reason, known facts"], rows)


@app.command("ensemble")
def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Finished runs.")],
    out: Annotated[Path, typer.Option("--out", metavar="RUN", help="The ensemble's run folder.")],
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Average the probabilities of finished runs into a new run."""
    from parsimony.ddi.ensemble import PairEnsemble
    from parsimony.pipeline import write_run

    output = Output(as_json, quiet)
    estimator = PairEnsemble.of_runs(runs)
    summary = write_run(estimator, out, quiet=quiet)
    valid = "  ".join(f"{name} {value:.4f}" for name, value in summary["valid"].items())
    output.result(
        summary,
        f"{len(runs)} members, {summary['parameters']:,} parameters",
        f"valid: {valid or 'no validation pairs'}",
        f"run:   {summary['run']}",
    )


@app.command("mechanisms")
def mechanisms(
    data: Annotated[str, typer.Argument(metavar="DATA", help="Drug pairs, as for fit, or a RUN.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Mechanisms, a rule a line.")],
    settings: Settings = None,
    mirror: Mirror = None,
    as_json: Json = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measure stated mechanisms on the training pairs."""
    from parsimony.ddi.mechanisms import measure_mechanisms, parse_mechanisms, stated_lines
    from parsimony.ddi.task import DDITask

    output = Output(as_json, quiet)
    lines = stated_lines(file)
    if (Path(data) / "config.toml").is_file():
        task = open_run(Path(data), "ddi").task_
    else:
        task = DDITask.open(data, parse_settings(settings), mirror=mirror)
    found = measure_mechanisms(parse_mechanisms(lines, task), task)
    rows = [
        [f"{m.rule.support:,}/{m.rule.body_count:,}", m.rule.confidence, m.lift, f"{m.reverse:,}",
         m.rule.clause]
        for m in found
    ]  # fmt: skip
    output.result(
        {"mechanisms": [m.as_dict() for m in found]},
        table(["support", "confidence", "lift", "reverse", "mechanism"], rows),
        "Counted over both directions of the training pairs; reverse: the other direction is the "
        "known one. A pair that is not known to interact counts neither for nor against.",
    )
